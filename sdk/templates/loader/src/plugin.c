#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/draft/loader.h>
#include <tenon/kernel.h>

/* The payload: a header, then a chain of steps for each function, a letter each, ended by 0. A step works on one float32 tensor. */
typedef struct Header {
  char magic[8];
  uint32_t functions, bytes;
} Header;
typedef char Chain[32];
enum { MOST_FUNCTIONS = 16 };
static const char* const formats[] = {"@ID@-steps/1", NULL};
static const char magic[8] = "steps/1", letters[] = "nar";
static const char* const operators[] = {"relax.negative", "relax.abs", "relax.nn.relu"};

/* ---- The code generator writes it. Slots: kinds.h */

/* 0 when the function is no chain. */
static int write_chain(const TnNode* f, char* chain) {
  const TnNode* body = f->kind == TN_KIND_relax_Function ? tn_node_of_kind(&f->slots[5], TN_KIND_relax_SeqExpr) : NULL;
  if (!body || tn_array_slot(f, 1)->size != 1) return 0;
  const TnNode *last = tn_item(tn_array_slot(f, 1), 0),
               *type = tn_node_of_kind(&last->slots[0], TN_KIND_relax_TensorType);
  const DLDataType dtype =
      type && type->slots[1].type_index == TN_DTYPE ? type->slots[1].as.dtype : (DLDataType){0, 0, 0};
  if (dtype.code != kDLFloat || dtype.bits != 32 || dtype.lanes != 1) return 0;
  const TnArray* blocks = tn_array_slot(body, 1);
  size_t n = 0;
  for (size_t i = 0; i < blocks->size; ++i) {
    const TnArray* bindings = tn_array_slot(tn_item(blocks, i), 0);
    for (size_t j = 0; j < bindings->size; ++j) {
      const TnNode* binding = tn_node_of_kind(&bindings->data[j], TN_KIND_relax_VarBinding);
      const TnNode* call = binding ? tn_node_of_kind(&binding->slots[0], TN_KIND_ir_Call) : NULL;
      const TnNode* op = call ? tn_node_of_kind(&call->slots[1], TN_KIND_ir_Op) : NULL;
      size_t step = 0;
      while (op && step < 3 && !tn_is_text(&op->slots[1], operators[step])) ++step;
      if (!op || step == 3 || tn_array_slot(call, 2)->size != 1 || tn_item(tn_array_slot(call, 2), 0) != last) return 0;
      if (n + 1 == sizeof(Chain)) return 0;
      chain[n++] = letters[step], last = (const TnNode*)binding->slots[1].as.object;
    }
  }
  return body->slots[2].as.p == last;
}

static int generate(void* instance, const TnContext* context, const TnNode* module, const TnValue* options,
                    TnValue* ret) {
  const TnRuntime* rt = ((const TnInstance*)instance)->runtime;
  const TnMap* functions = module->kind == TN_KIND_ir_Module ? tn_map_slot(module, 2) : NULL;
  const size_t n = functions ? functions->size : 0;
  struct {
    Header header;
    Chain chains[MOST_FUNCTIONS];
  } p;
  TnValue made[12] = {{TN_NONE, 0, {0}}},
          exports[2 * MOST_FUNCTIONS] = {{TN_NONE, 0, {0}}}; /* keys and values in turn */
  TnValue steps[2] = {{TN_C_STRING, 0, {.s = "steps"}}, {TN_INT, 0, {sizeof(Chain) - 1}}};
  static const char* const keys[] = {"format", "bytes", "exports", "imports", "constants", "requirements"};
  int status = 0, right = n > 0 && n <= MOST_FUNCTIONS;
  (void)context, (void)options;
  memset(&p, 0, sizeof p);
  for (size_t i = 0; right && status == 0 && i < n; ++i) {
    char symbol[4];
    right = write_chain((const TnNode*)functions->data[i].value.as.object, p.chains[i]);
    snprintf(symbol, sizeof symbol, "%d", (int)i);
    exports[2 * i] = functions->data[i].key;
    tn_value_retain(&exports[2 * i]);
    status = rt->string(symbol, strlen(symbol), &exports[2 * i + 1]);
  }
  memcpy(p.header.magic, magic, sizeof magic);
  p.header.functions = (uint32_t)n, p.header.bytes = (uint32_t)(sizeof(Header) + n * sizeof(Chain));
  for (int i = 0; i < 6; ++i) made[2 * i].type_index = TN_C_STRING, made[2 * i].as.s = keys[i];
  made[1].type_index = TN_C_STRING, made[1].as.s = formats[0];
  if (right && status == 0) status = rt->bytes((const char*)&p, p.header.bytes, &made[3]);
  if (right && status == 0) status = rt->map(exports, n, &made[5]);
  if (right && status == 0) status = rt->array(NULL, 0, &made[7]);
  if (right && status == 0) status = rt->array(NULL, 0, &made[9]);
  if (right && status == 0) status = rt->map(steps, 1, &made[11]);
  if (!right)
    status = rt->error(TN_ERROR_UNSUPPORTED, "this is more than chains of negative, abs and relu on a float32 tensor",
                       0, 0, 0, ret);
  else if (status == 0)
    status = rt->map(made, 6, ret);
  else
    rt->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  for (size_t i = 0; i < 12; ++i) tn_value_release(&made[i]);
  for (size_t i = 0; i < 2 * MOST_FUNCTIONS; ++i) tn_value_release(&exports[i]);
  return status;
}

/* ---- The loader runs it: here in the host; on a device of yours, target->api and target->device are that one's */

/* `requirements` is what the code generator wrote, `properties` what the device says of itself; none in the host. */
static int accepts(void* instance, const char* format, const TnValue* requirements, const TnValue* properties,
                   int32_t* answer, TnValue* ret) {
  const TnValue* steps = tn_map_find(requirements, "steps");
  const char* why = "";
  (void)format, (void)properties;
  *answer = TN_ACCEPT_BEST;
  if (!steps || steps->type_index != TN_INT)
    *answer = TN_ACCEPT_NO, why = "it does not say how many steps its functions have";
  else if (steps->as.i >= (int64_t)sizeof(Chain))
    *answer = TN_ACCEPT_RECOMPILE, why = "its functions have more steps than fit";
  return ((const TnInstance*)instance)->runtime->string(why, strlen(why), ret);
}

typedef struct Module {
  const TnRuntime* runtime;
  const char* chains; /* in the payload, which lives until it is unloaded */
  uint32_t functions;
} Module;

static int load(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  const TnRuntime* rt = ((const TnInstance*)instance)->runtime;
  Header h = {{0}, 0, 0};
  (void)target;
  if (payload->bytes >= sizeof h) memcpy(&h, payload->data, sizeof h);
  int right = memcmp(h.magic, magic, sizeof magic) == 0 && h.bytes == payload->bytes &&
              payload->bytes == sizeof h + (uint64_t)h.functions * sizeof(Chain);
  const char* chains = right ? (const char*)payload->data + sizeof h : NULL;
  for (uint32_t i = 0; right && i < h.functions; ++i) {
    const char* chain = chains + i * sizeof(Chain);
    right = memchr(chain, 0, sizeof(Chain)) && strspn(chain, letters) == strlen(chain);
  }
  if (!right)
    return rt->error(TN_ERROR_CORRUPT, "the payload is not as a code generator of @ID@ writes it", 0,
                     "compile the model again", 0, ret);
  Module* m = (Module*)malloc(sizeof *m);
  if (!m) return rt->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  *m = (Module){rt, chains, h.functions};
  *module = m;
  return tn_return_none(ret);
}

static int function(void* module, const char* symbol, TnLoadedFunction* out, TnValue* ret) {
  const Module* m = (const Module*)module;
  char* end;
  const unsigned long i = strtoul(symbol, &end, 10);
  if (*symbol < '0' || *symbol > '9' || *end || i >= m->functions)
    return m->runtime->error(TN_ERROR_NOT_FOUND, "the payload has no such function", symbol, NULL, NULL, ret);
  out->function = (void*)(m->chains + i * sizeof(Chain));
  out->inputs = out->outputs = 1;
  return tn_return_none(ret);
}

static int launch(void* module, void* chain, void* queue, const TnValue* args, int32_t n, TnValue* ret) {
  const TnRuntime* rt = ((const Module*)module)->runtime;
  const DLTensor *x = n == 2 ? tn_tensor_argument(&args[0]) : NULL, *y = x ? tn_tensor_argument(&args[1]) : NULL;
  (void)queue;
  int right = y && x->ndim == y->ndim && x->dtype.code == kDLFloat && x->dtype.bits == 32 &&
              y->dtype.code == kDLFloat && y->dtype.bits == 32;
  for (int32_t d = 0; right && d < x->ndim; ++d) right = x->shape[d] == y->shape[d];
  if (!right) return rt->error(TN_ERROR_ARGUMENT, "@ID@: two float32 tensors of one shape are due", 0, 0, 0, ret);
  const float* from = (const float*)tn_tensor_data(x);
  float* to = (float*)tn_tensor_data(y);
  for (int64_t i = 0, count = tn_element_count(x); i < count; ++i) {
    float v = from[i];
    for (const char* c = (const char*)chain; *c; ++c)
      v = *c == 'n' ? -v : *c == 'a' ? (v > 0 ? v : 0 - v) : v > 0 ? v : 0;
    to[i] = v;
  }
  return tn_return_none(ret);
}

static const TnCodegen codegen_table = TENON_TABLE(TnCodegen, &generate);
static const TnLoader loader_table = TENON_TABLE(TnLoader, formats, &accepts, &load, &free, &function, &launch);
TENON_C_PLUGIN({TN_CODEGEN, &codegen_table}, {TN_LOADER, &loader_table})
