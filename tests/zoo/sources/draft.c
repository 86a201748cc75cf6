/* A plugin of the capabilities that are drafts: a partitioner, a kind, an instrument, a device whose memory is the
 * host's and whose queues are always empty, and a loader whose payload is a number that it adds. */
#include <stdlib.h>
#include <string.h>
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/loader.h>
#include <tenon/ext/draft/partitioner.h>

typedef struct Plugin {
  const TnRuntime* rt;
  const TnHostIr* ir; /* null where there is no compiler */
} Plugin;
static const TnRuntime* runtime; /* the same for all: slots of queues get no instance */

static int nothing(TnValue* ret) {
  memset(ret, 0, sizeof *ret);
  return 0;
}
static TnValue text(const char* s) {
  TnValue v = {TN_NONE, 0, {0}};
  runtime->string(s, strlen(s), &v);
  return v;
}

/* ---- What the compiler asks */

static int decide(void* instance, const TnContext* context, const char* pattern, const TnNode* candidate,
                  TnValue* ret) {
  TnValue pairs[4] = {text("take"), {TN_BOOL, 0, {0}}, text("reason"), text("only relu is wanted")};
  (void)instance, (void)context;
  pairs[1].as.i = strcmp(pattern, "relu") == 0 && candidate->kind == TN_KIND_relax_Function;
  int status = runtime->map(pairs, 2, ret);
  for (int i = 0; i < 4; ++i) tn_value_release(&pairs[i]);
  return status;
}

/* com.zoo.triple(a) = a + a + a */
static int lower(void* instance, const TnContext* context, const TnNode* node, TnValue* ret) {
  const Plugin* p = instance;
  TnValue slots[3] = {node->slots[0], node->slots[1], node->slots[1]}, twice;
  (void)context;
  if (p->ir->make(p->ir->self, TN_KIND_tir_Add, node->span, slots, 3, &twice) != 0) return *ret = twice, -1;
  slots[1] = twice;
  int status = p->ir->make(p->ir->self, TN_KIND_tir_Add, node->span, slots, 3, ret);
  tn_value_release(&twice);
  return status;
}

static int before_pass(void* instance, const TnContext* context, const TnValue* record, const TnNode* module,
                       TnValue* ret) {
  (void)instance, (void)context, (void)record, (void)module;
  return nothing(ret);
}
static int after_pass(void* instance, const TnContext* context, const TnValue* record, const TnNode* before,
                      const TnNode* after, TnValue* ret) {
  (void)instance, (void)context, (void)after;
  const TnValue* pass = tn_map_find(record, "pass");
  int right = pass && before->kind == TN_KIND_ir_Module;
  return runtime->error(TN_ERROR_CHECK_FAILED, right ? "zoo-draft has looked" : "the record is another one", NULL, NULL,
                        NULL, ret);
}

/* ---- The device */

static int list(void* instance, TnValue* ret) {
  TnValue space[4] = {text("name"), text("main"), text("bytes"), {TN_INT, 0, {1 << 20}}}, one, spaces, pairs[4], all;
  (void)instance;
  runtime->map(space, 2, &one);
  runtime->array(&one, 1, &spaces);
  pairs[0] = text("name"), pairs[1] = text("com.zoo.box:0"), pairs[2] = text("spaces"), pairs[3] = spaces;
  runtime->map(pairs, 2, &all);
  int status = runtime->array(&all, 1, ret);
  for (int i = 0; i < 4; ++i) tn_value_release(&space[i]), tn_value_release(&pairs[i]);
  tn_value_release(&one), tn_value_release(&all);
  return status;
}
static char box, queue;
static int open_box(void* instance, const char* name, void** device, TnValue* ret) {
  (void)instance;
  if (strcmp(name, "com.zoo.box:0") != 0)
    return runtime->error(TN_ERROR_NOT_FOUND, "there is one box", NULL, NULL, NULL, ret);
  *device = &box;
  return nothing(ret);
}
static void keep(void* handle) { (void)handle; }
static int alloc(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret) {
  (void)device, (void)space;
  *memory = malloc(bytes + 1);
  if (!*memory) return runtime->error(TN_ERROR_OUT_OF_MEMORY, "the box is full", NULL, NULL, NULL, ret);
  return nothing(ret);
}
static void free_memory(void* device, int32_t space, void* memory) {
  (void)device, (void)space;
  free(memory);
}
static int queue_create(void* device, void** made, TnValue* ret) {
  (void)device;
  *made = &queue;
  return nothing(ret);
}
static int copy_in(void* q, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret) {
  (void)q;
  memcpy((char*)memory + offset, host, bytes);
  return nothing(ret);
}
static int copy_out(void* q, void* memory, uint64_t offset, void* host, uint64_t bytes, TnValue* ret) {
  (void)q;
  memcpy(host, (char*)memory + offset, bytes);
  return nothing(ret);
}
static int copy_within(void* q, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                       TnValue* ret) {
  (void)q;
  memmove((char*)to + to_offset, (char*)from + from_offset, bytes);
  return nothing(ret);
}
static int fence_create(void* device, void** fence, TnValue* ret) {
  (void)device;
  *fence = calloc(1, sizeof(uint64_t));
  return nothing(ret);
}
static int queue_wait(void* q, void* fence, uint64_t value, TnValue* ret) {
  (void)q;
  while (__atomic_load_n((uint64_t*)fence, __ATOMIC_ACQUIRE) < value) {}
  return nothing(ret);
}
static int fence_signal(void* fence, uint64_t value, TnValue* ret) {
  __atomic_store_n((uint64_t*)fence, value, __ATOMIC_RELEASE);
  return nothing(ret);
}
static int queue_signal(void* q, void* fence, uint64_t value, TnValue* ret) {
  (void)q;
  return fence_signal(fence, value, ret);
}
static int fence_wait(void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  (void)timeout_ns;
  nothing(ret);
  return __atomic_load_n((uint64_t*)fence, __ATOMIC_ACQUIRE) < value;
}
static int queue_cancel(void* q, TnValue* ret) {
  (void)q;
  return nothing(ret);
}

/* ---- The loader */

static const char* const formats[] = {"com.zoo.add/1", NULL};
static int accepts(void* instance, const char* format, const TnValue* requirements, const TnValue* properties,
                   int32_t* answer, TnValue* ret) {
  (void)instance, (void)format, (void)requirements, (void)properties;
  *answer = TN_ACCEPT_BEST;
  *ret = text("it adds");
  return 0;
}
static int load(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  (void)instance;
  if (payload->bytes < 1 || target->device != &box)
    return runtime->error(TN_ERROR_CORRUPT, "no number, or another box", NULL, NULL, NULL, ret);
  *module = malloc(1);
  memcpy(*module, payload->data, 1);
  return nothing(ret);
}
static int function(void* module, const char* symbol, TnLoadedFunction* f, TnValue* ret) {
  if (strcmp(symbol, "add") != 0)
    return runtime->error(TN_ERROR_NOT_FOUND, "there is one function", NULL, NULL, NULL, ret);
  f->size = sizeof *f;
  f->function = module;
  f->inputs = f->outputs = 1;
  return nothing(ret);
}
static int launch(void* module, void* f, void* q, const TnValue* args, int32_t n, TnValue* ret) {
  const DLTensor *in = args[0].as.p, *out = args[1].as.p;
  (void)module, (void)q, (void)n;
  for (int64_t i = 0; i < in->shape[0]; ++i)
    ((signed char*)out->data + out->byte_offset)[i] =
        (signed char)(((signed char*)in->data + in->byte_offset)[i] + *(signed char*)f);
  return nothing(ret);
}

static const TnPartitioner partitioner = {.size = sizeof(TnPartitioner), .decide = &decide};
static const TnKind kind = {.size = sizeof(TnKind), .lower = &lower};
static const TnInstrument instrument = {
    .size = sizeof(TnInstrument), .before_pass = &before_pass, .after_pass = &after_pass};
static const TnDeviceApi device = {.size = sizeof(TnDeviceApi),
                                   .list = &list,
                                   .open = &open_box,
                                   .close = &keep,
                                   .alloc = &alloc,
                                   .free = &free_memory,
                                   .queue_create = &queue_create,
                                   .queue_destroy = &keep,
                                   .copy_in = &copy_in,
                                   .copy_out = &copy_out,
                                   .copy_within = &copy_within,
                                   .fence_create = &fence_create,
                                   .fence_destroy = &free,
                                   .queue_wait = &queue_wait,
                                   .queue_signal = &queue_signal,
                                   .fence_wait = &fence_wait,
                                   .fence_signal = &fence_signal,
                                   .queue_cancel = &queue_cancel};
static const TnLoader loader = {.size = sizeof(TnLoader),
                                .formats = formats,
                                .accepts = &accepts,
                                .load = &load,
                                .unload = &free,
                                .function = &function,
                                .launch = &launch};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  Plugin* p = malloc(sizeof *p);
  if (!p) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  p->rt = runtime = host->runtime;
  p->ir = host->service(host->self, TN_HOST_IR);
  *instance = p;
  return nothing(ret);
}
static const void* capability(void* instance, const char* id) {
  (void)instance;
  if (strcmp(id, TN_PARTITIONER) == 0) return &partitioner;
  if (strcmp(id, TN_KIND) == 0) return &kind;
  if (strcmp(id, TN_INSTRUMENT) == 0) return &instrument;
  if (strcmp(id, TN_DEVICE_API) == 0) return &device;
  return strcmp(id, TN_LOADER) == 0 ? &loader : NULL;
}
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "zoo-draft", "1.0.0",
                                &create,          &free,          &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
