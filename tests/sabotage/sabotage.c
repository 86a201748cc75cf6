/* A plugin that does harm, for every kind of capability that can be isolated. What it does, and when, stands in the file
 * that the environment names as TENON_SABOTAGE: "MOMENT DEED PLUGIN", the moment being load, create, call, or end. Without it,
 * or with the deed "none", it does what it should. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ext/pass.h>
#include <tenon/runtime.h>
#include <unistd.h>
#include <unwind.h>

static const TnHost* host;   /* of the instance that is called: several sessions may use the plugin in turn */
static const TnContext* now; /* of the call */

/* ---- Deeds. The argument is a node that the plugin was given, or null; the result is the status to return, or GO_ON. */

enum { GO_ON = 1 };
static volatile int zero = 0;
static void* volatile kept[64];

static int segv(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return *(volatile int*)(uintptr_t)(8 + zero);
}
static int deed_abort(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  abort();
}
static int exit_0(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  exit(0);
}
static int exit_3(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  exit(3);
}
static int quick_exit_0(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  _exit(0);
}
static int signal_kill(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return raise(SIGKILL);
}
static int signal_term(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return raise(SIGTERM);
}
static int signal_bus(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return raise(SIGBUS);
}
static int signal_stop(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  raise(SIGSTOP);
  return GO_ON;
}
static int divide(TnObject* a, TnValue* r) {
  (void)a, (void)r;
#if defined(__x86_64__)
  kept[0] = (void*)(uintptr_t)(77 / zero);
#else
  raise(SIGFPE);
#endif
  return GO_ON;
}
static int trap(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  __builtin_trap();
}
static int recurse(volatile char* before) {
  volatile char here[4096];
  here[0] = before ? *before : 1;
  return recurse(here) + here[0];
}
static int stack(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return recurse(0) ? GO_ON : 0;
}
static int loop(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  while (!zero) {}
  return GO_ON;
}
static int sleep_long(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  sleep(3600);
  return GO_ON;
}
static int wait_for_itself(TnObject* a, TnValue* r) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  (void)a, (void)r;
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&mutex);
  return GO_ON;
}
static int memory(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (;;) memset(malloc(16 << 20), 1, 16 << 20);
}
static int many_pages(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (;;) {
    char* p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
  }
}
static int close_all(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (int fd = 0; fd < 1024; ++fd) close(fd);
  return GO_ON;
}
static int write_everywhere(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (int fd = 3; fd < 300; ++fd)
    if (write(fd, "garbage", 7) < 0) continue;
  return GO_ON;
}
static int print_much(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (int i = 0; i < 20000; ++i)
    if (write(1, "noise noise noise noise noise noise noise noise noise noise noise\n", 66) < 0) break;
  abort();
}
/* Both come back from the call. */
static int fork_return(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  fork();
  return GO_ON;
}
/* It ends, and what it forked keeps its descriptors open. */
static int fork_leave(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  if (fork() == 0) {
    sleep(60);
    _exit(0);
  }
  abort();
}
static int cut(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (int fd = 3; fd < 1024; ++fd) shutdown(fd, SHUT_RDWR);
  return GO_ON;
}
static int replace_all(TnObject* a, TnValue* r) {
  int null = open("/dev/null", O_RDWR);
  (void)a, (void)r;
  for (int fd = 3; fd < 1024; ++fd)
    if (fd != null && fcntl(fd, F_GETFD) >= 0) dup2(null, fd);
  return GO_ON;
}
static int trace_me(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  abort();
}
static int no_files(TnObject* a, TnValue* r) {
  struct rlimit none = {0, 0};
  (void)a, (void)r;
  setrlimit(RLIMIT_NOFILE, &none);
  return GO_ON;
}
/* Goes on with the context of a call that is over. */
static void* ask_on(void* data) {
  const TnContext* of = data;
  TnValue answer;
  for (int i = 0; i < 50000; ++i) {
    of->report(of->self, TN_SEVERITY_WARNING, "late", 0, 0);
    of->signature(of->self, "main", &answer);
    tn_value_release(&answer);
  }
  return 0;
}
static int late(TnObject* a, TnValue* r) {
  pthread_t thread;
  (void)a, (void)r;
  if (now) pthread_create(&thread, 0, &ask_on, (void*)now);
  return GO_ON;
}
static int talk(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  for (int i = 0; now && i < 200000; ++i) now->report(now->self, TN_SEVERITY_NOTE, "talk", 0, 0);
  return GO_ON;
}
static int facts(TnObject* a, TnValue* r) {
  static char text[1 << 20];
  TnValue fact;
  (void)a, (void)r;
  memset(text, 'x', sizeof text);
  host->runtime->string(text, sizeof text, &fact);
  for (int i = 0; now && i < 1000; ++i) now->record(now->self, "sabotage", &fact);
  tn_value_release(&fact);
  return GO_ON;
}
static int deep(TnObject* a, TnValue* r) {
  TnValue inner = {TN_INT, 0, {1}};
  (void)a;
  for (int i = 0; i < 100; ++i) {
    host->runtime->array(&inner, 1, r);
    tn_value_release(&inner);
    inner = *r;
  }
  return 0;
}
/* What is no text, with a severity that there is not. */
static int words(TnObject* a, TnValue* r) {
  (void)a;
  if (now) now->report(now->self, -2000000007, "\xff\xfe", 0, "\xc3");
  return host->runtime->error(TN_ERROR_ARGUMENT, "not \xff text", "\xfe", "\xc3", 0, r);
}
static int null_call(TnObject* a, TnValue* r) {
  int (*volatile f)(void) = 0;
  (void)a, (void)r;
  return f();
}
static int free_twice(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  kept[0] = malloc(40);
  free(kept[0]);
  free(kept[0]);
  return GO_ON;
}
static void* crash_thread(void* data) {
  return (void*)(uintptr_t)*(volatile int*)((uintptr_t)8 + zero + (data ? 0 : 0));
}
static int other_thread(TnObject* a, TnValue* r) {
  pthread_t thread;
  (void)a, (void)r;
  if (pthread_create(&thread, 0, &crash_thread, 0) == 0) pthread_join(thread, 0);
  return GO_ON;
}
static int throw_foreign(TnObject* a, TnValue* r) {
  static struct _Unwind_Exception thrown;
  (void)a, (void)r;
  memcpy(&thrown.exception_class, "SABOTAGE", 8);
  _Unwind_RaiseException(&thrown);
  abort();
}
static int forged_stack(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  char* volatile here = (char*)__builtin_frame_address(0);
  memset(here - 64, 0x41, 4096);
  return GO_ON;
}
/* What harms nobody else when it is in a process of its own. */
static int folder(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  if (chdir("/") != 0) return 0;
  return GO_ON;
}
static int deed_locale(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  setlocale(LC_ALL, "C.UTF-8");
  return GO_ON;
}
static int rounding(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  fesetround(FE_DOWNWARD);
  return GO_ON;
}
static int block_signals(TnObject* a, TnValue* r) {
  sigset_t all;
  (void)a, (void)r;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  return GO_ON;
}
static int handlers(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  signal(SIGINT, SIG_IGN);
  return GO_ON;
}
static int fork_exit(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  pid_t child = fork();
  if (child == 0) exit(0);
  if (child > 0) waitpid(child, 0, 0);
  return GO_ON;
}
/* What goes wrong in the answer. */
static int none(TnObject* a, TnValue* r) {
  (void)a, (void)r;
  return GO_ON;
}
static int no_result(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_NONE;
  r->as.i = 0;
  return 0;
}
static int no_error(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_NONE;
  r->as.i = 0;
  return -1;
}
static int number(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_INT;
  r->as.i = 42;
  return 0;
}
static int wild_result(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_NODE;
  r->as.p = (void*)(uintptr_t)0x4141414140;
  return 0;
}
static int wild_error(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_ERROR;
  r->as.p = (void*)(uintptr_t)0x4141414140;
  return -1;
}
static int unknown_type(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = 9999;
  r->as.p = malloc(64);
  memset(r->as.p, 0, 64);
  return 0;
}
static int pointer(TnObject* a, TnValue* r) {
  (void)a;
  r->type_index = TN_POINTER;
  r->as.p = r;
  return 0;
}
static int free_arguments(TnObject* a, TnValue* r) {
  (void)r;
  for (int i = 0; a && i < 100; ++i) tn_object_release(a);
  return GO_ON;
}
static int release_once(TnObject* a, TnValue* r) {
  (void)r;
  if (a) tn_object_release(a);
  return GO_ON;
}
/* A little, into something within the argument: nothing crashes of it. */
static int write_below(TnObject* a, TnValue* r) {
  (void)r;
  if (a && a->type_index == TN_NODE) {
    const TnNode* n = (const TnNode*)a;
    for (uint32_t i = 0; i < n->slot_count; ++i)
      if (n->slots[i].type_index == TN_NODE ||
          (n->slots[i].type_index == TN_MAP && ((const TnMap*)n->slots[i].as.object)->size > 0))
        a = n->slots[i].as.object;
  }
  if (a) a->reserved += 1;
  return GO_ON;
}
static int scribble(TnObject* a, TnValue* r) {
  (void)r;
  if (a) memset((char*)a + 8, 0x41, 120);
  return GO_ON;
}

/* The words in which tests choose. */
static const struct {
  const char* name;
  int (*run)(TnObject* argument, TnValue* ret);
} deeds[] = {{"segv", segv},
             {"abort", deed_abort},
             {"exit-0", exit_0},
             {"exit-3", exit_3},
             {"quick-exit", quick_exit_0},
             {"kill", signal_kill},
             {"term", signal_term},
             {"bus", signal_bus},
             {"stop", signal_stop},
             {"divide", divide},
             {"trap", trap},
             {"stack", stack},
             {"loop", loop},
             {"sleep", sleep_long},
             {"deadlock", wait_for_itself},
             {"memory", memory},
             {"pages", many_pages},
             {"close-all", close_all},
             {"garbage", write_everywhere},
             {"print", print_much},
             {"null-call", null_call},
             {"free-twice", free_twice},
             {"thread", other_thread},
             {"throw", throw_foreign},
             {"smash-stack", forged_stack},
             {"chdir", folder},
             {"locale", deed_locale},
             {"rounding", rounding},
             {"block-signals", block_signals},
             {"handlers", handlers},
             {"fork", fork_exit},
             {"fork-return", fork_return},
             {"fork-leave", fork_leave},
             {"cut", cut},
             {"replace-all", replace_all},
             {"trace-me", trace_me},
             {"no-files", no_files},
             {"late", late},
             {"talk", talk},
             {"facts", facts},
             {"deep", deep},
             {"words", words},
             {"none", none},
             {"no-result", no_result},
             {"no-error", no_error},
             {"number", number},
             {"wild-result", wild_result},
             {"wild-error", wild_error},
             {"unknown-type", unknown_type},
             {"pointer", pointer},
             {"free-arguments", free_arguments},
             {"release-once", release_once},
             {"write-below", write_below},
             {"scribble", scribble}};

static int act(const char* moment, TnObject* argument, TnValue* ret) {
  const char* file = getenv("TENON_SABOTAGE");
  char text[128] = {0};
  int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return GO_ON;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  char* deed = n > 0 ? strchr(text, ' ') : 0;
  if (!deed) return GO_ON;
  *deed++ = 0;
  char* who = strchr(deed, ' ');
  if (strcmp(text, moment) != 0 || !who || strcmp(who + 1, ID) != 0) return GO_ON;
  *who = 0;
  for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; ++i)
    if (strcmp(deeds[i].name, deed) == 0) return deeds[i].run(argument, ret);
  return GO_ON;
}

__attribute__((constructor)) static void at_load(void) {
  TnValue unused;
  act("load", 0, &unused);
}
__attribute__((destructor)) static void at_end(void) {
  TnValue unused;
  act("end", 0, &unused);
}

/* ---- The capabilities, in their right form */

static int run_module(void* instance, const TnContext* context, const char* pass, const TnNode* module,
                      const TnValue* options, TnValue* ret) {
  host = instance, now = context, (void)pass, (void)options;
  int status = act("call", (TnObject*)module, ret);
  if (status != GO_ON) return status;
  tn_object_retain((TnObject*)module);
  ret->type_index = TN_NODE;
  ret->small_size = 0;
  ret->as.object = (TnObject*)module;
  return 0;
}
static const TnPass pass_table = {sizeof(TnPass), &run_module, 0};

static int infer_type(void* instance, const TnContext* context, const TnNode* call, TnValue* ret) {
  host = instance, now = context;
  int status = act("call", (TnObject*)call, ret);
  if (status != GO_ON) return status;
  /* As its argument: the first of the list in slot 2 is a variable, whose type stands in its slot 0. */
  const TnArray* args = (const TnArray*)call->slots[2].as.object;
  *ret = ((const TnNode*)args->data[0].as.object)->slots[0];
  tn_value_retain(ret);
  return 0;
}
static const TnOp op_table = {sizeof(TnOp), &infer_type, 0, 0};

static int text(const char* s, TnValue* ret) { return host->runtime->string(s, strlen(s), ret); }

static int generate(void* instance, const TnContext* context, const TnNode* module, const TnValue* options,
                    TnValue* ret) {
  host = instance, now = context, (void)options;
  int status = act("call", (TnObject*)module, ret);
  if (status != GO_ON) return status;
  TnValue entry[2], pairs[6];
  static char object[1 << 16];
  const char* path = getenv("TENON_SABOTAGE_OBJECT");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t n = fd < 0 ? 0 : read(fd, object, sizeof object);
  if (fd >= 0) close(fd);
  text("main", &entry[0]), text("sabotage_entry", &entry[1]);
  text("format", &pairs[0]), text("elf-object/1", &pairs[1]);
  text("bytes", &pairs[2]), host->runtime->bytes(object, n > 0 ? (size_t)n : 0, &pairs[3]);
  text("exports", &pairs[4]), host->runtime->map(entry, 1, &pairs[5]);
  status = host->runtime->map(pairs, 3, ret);
  for (int i = 0; i < 6; ++i) tn_value_release(&pairs[i]);
  for (int i = 0; i < 2; ++i) tn_value_release(&entry[i]);
  return status;
}
static const TnCodegen codegen_table = {sizeof(TnCodegen), &generate};

static int link_nothing(void* instance, const TnContext* context, const TnValue* objects, const char* output,
                        TnValue* ret) {
  host = instance, now = context, (void)output;
  int status = act("call", objects->as.object, ret);
  if (status != GO_ON) return status;
  return host->runtime->error(TN_ERROR_UNSUPPORTED, "this linker links nothing", "", "", 0, ret);
}
static const TnLinker linker_table = {sizeof(TnLinker), &link_nothing};

static int import_text(void* instance, const TnContext* context, const TnModelSource* source, const TnValue* options,
                       TnValue* ret) {
  host = instance, now = context, (void)options;
  int status = act("call", 0, ret);
  if (status != GO_ON) return status;
  const TnHostIr* ir = host->service(host->self, TN_HOST_IR);
  return ir->parse(ir->self, source->data, source->data_size, source->name, ret);
}
static const TnFrontend frontend_table = {sizeof(TnFrontend), &import_text};

static int decide(void* instance, const TnContext* context, const char* pattern, const TnNode* candidate,
                  TnValue* ret) {
  host = instance, now = context, (void)pattern;
  int status = act("call", (TnObject*)candidate, ret);
  if (status != GO_ON) return status;
  TnValue pairs[4];
  text("take", &pairs[0]), text("reason", &pairs[2]), text("it takes all", &pairs[3]);
  pairs[1].type_index = TN_BOOL, pairs[1].small_size = 0, pairs[1].as.i = 1;
  if (context->record) context->record(context->self, "sabotage", &pairs[3]);
  status = host->runtime->map(pairs, 2, ret);
  tn_value_release(&pairs[0]), tn_value_release(&pairs[2]), tn_value_release(&pairs[3]);
  return status;
}
static const TnPartitioner partitioner_table = {sizeof(TnPartitioner), &decide};

static int lower(void* instance, const TnContext* context, const TnNode* node, TnValue* ret) {
  host = instance, now = context;
  int status = act("call", (TnObject*)node, ret);
  if (status != GO_ON) return status;
  *ret = node->slots[1]; /* what stands in it */
  tn_value_retain(ret);
  return 0;
}
static const TnKind kind_table = {sizeof(TnKind), &lower};

/* ---- The plugin */

static int create(const TnHost* given, void** instance, TnValue* ret) {
  host = given;
  *instance = (void*)given;
  int status = act("create", 0, ret);
  if (status == GO_ON) return 0;
  return status;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) {
  (void)instance;
  static const struct {
    const char* id;
    const void* table;
  } tables[] = {{TN_PASS, &pass_table},         {TN_OP, &op_table},
                {TN_CODEGEN, &codegen_table},   {TN_LINKER, &linker_table},
                {TN_FRONTEND, &frontend_table}, {TN_PARTITIONER, &partitioner_table},
                {TN_KIND, &kind_table}};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; ++i)
    if (strcmp(tables[i].id, id) == 0) return tables[i].table;
  return 0;
}
static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, ID,
                               "1.2.3",          &create,        &destroy,         &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) { return &table; }
