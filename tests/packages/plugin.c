/* A small plugin. The macros make others of it: ID, VERSION, EVIL (its constructor leaves a mark), EXTRA (a second
 * exported symbol), FAIL (how create fails). What else can be wrong with one, the tests write into its bytes. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tenon/abi.h>
#include <tenon/ext/pass.h>
#include <tenon/kinds.h>
#include <tenon/runtime.h>
#include <unistd.h>
#include <unwind.h>

#ifndef ID
#define ID "com.acme.thing"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif

/* TENON_TEST_INIT=MOMENT:DEED: what goes wrong when it is loaded, and when. */
static void go_wrong(const char* moment) {
  const char* said = getenv("TENON_TEST_INIT");
  size_t n = strlen(moment);
  if (!said || strncmp(said, moment, n) != 0 || said[n] != ':') return;
  said += n + 1;
  if (!strcmp(said, "crash")) *(volatile char*)(size_t)getpagesize() = 1;
  if (!strcmp(said, "abort")) abort();
  if (!strcmp(said, "exit")) exit(0);
  if (!strcmp(said, "hang"))
    for (;;) pause();
  if (!strcmp(said, "throw")) {
    static struct _Unwind_Exception thrown;
    memcpy(&thrown.exception_class, "THING\0\0", 8);
    _Unwind_RaiseException(&thrown);
    abort();
  }
  if (!strcmp(said, "umask")) umask(0);
  if (!strcmp(said, "timer")) alarm(1000);
  if (!strcmp(said, "signal")) signal(SIGUSR2, SIG_IGN);
  if (!strcmp(said, "descriptor")) dup2(open("/dev/null", O_WRONLY), 1);
  if (!strcmp(said, "child") && fork() == 0)
    for (;;) pause();
  if (!strcmp(said, "elsewhere") && fork() != 0) _exit(0);
  if (!strcmp(said, "locale")) setenv("LC_ALL", "C.UTF-8", 1), setlocale(LC_ALL, "C.UTF-8");
  if (!strcmp(said, "memory"))
    for (;;) memset(malloc(1 << 24), 1, 1 << 24);
}
static __attribute__((constructor)) void constructed(void) { go_wrong("constructor"); }

#ifdef EVIL
static __attribute__((constructor)) void mark(void) { setenv("TENON_TEST_EVIL", "1", 1); }
#endif
#ifdef EXTRA
TN_EXPORT int another_symbol(void);
TN_EXPORT int another_symbol(void) { return 1; }
#endif

static int create(const TnHost* host, void** instance, TnValue* ret) {
  static const size_t table = sizeof(size_t);
  (void)host;
  (void)ret;
  *instance = (void*)&table;
  go_wrong("create");
  if (getenv("TENON_TEST_CREATE_CODE"))
    return host->runtime->error(atoi(getenv("TENON_TEST_CREATE_CODE")), "a code of its own", "", "", 0, ret);
  if (getenv("TENON_TEST_CREATE_ERROR"))
    return host->runtime->error(TN_ERROR_DEVICE, "the device does not answer", "", "switch it on", 0, ret);
  return getenv("TENON_TEST_CREATE_SILENT") ? -1 : 0;
}
static void destroy(void* instance) {
  (void)instance;
  go_wrong("destroy");
}

/* TENON_TEST_TABLE: what is wrong with the table of tenon.pass/1. */
static const void* pass_table(const char* fault) {
  static struct {
    size_t size;
    uintptr_t slots[2];
  } made;
  made.size = sizeof(TnPass);
  made.slots[0] = made.slots[1] = (uintptr_t)&create;
  if (!strcmp(fault, "low")) return (const void*)8;
  if (!strcmp(fault, "odd")) return (const char*)&made + 1;
  if (!strcmp(fault, "unmapped")) {
    void* page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    return page;
  }
  if (fault[0] >= '0' && fault[0] <= '9') made.size = strtoull(fault, 0, 10);
  if (!strcmp(fault, "data")) made.slots[0] = (uintptr_t)&made;
  if (!strcmp(fault, "wild")) made.slots[1] = 8;
  return &made;
}
static const void* capability(void* instance, const char* id) {
  if (getenv("TENON_TEST_TABLE") && !strcmp(id, TN_PASS)) return pass_table(getenv("TENON_TEST_TABLE"));
  return id[4] == 'a' ? instance : 0;
}

/* The tests find it by its first words. */
static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, ID,
                               VERSION,          &create,        &destroy,         &capability};

TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) {
  go_wrong("entry");
  return getenv("TENON_TEST_NULL_ENTRY") ? 0 : &table;
}
