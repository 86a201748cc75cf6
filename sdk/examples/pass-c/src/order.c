/* A pass plugin in plain C: it includes the contract's headers and links nothing.
 *
 * constants-first writes `x * 2.0` as `2.0 * x` (side: left) or the other way round, for + * min max, and sets the
 * attribute com.example.moved of the function to the number of expressions that it changed. */
#include <stdlib.h>
#include <string.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/pass.h>

typedef struct Order { /* the instance: what the host gave to `create` */
  const TnRuntime* runtime;
  const TnHostIr* ir;
} Order;

/* ---- Reading values ------------------------------------------------------------------------------------------ */

static int is_text(const TnValue* v, const char* text) {
  size_t n = strlen(text);
  if (v->type_index == TN_SMALL_STRING) return v->small_size == n && memcmp(v->as.small, text, n) == 0;
  if (v->type_index != TN_STRING) return 0;
  const TnString* s = (const TnString*)v->as.p;
  return s->size == n && memcmp(s->data, text, n) == 0;
}

/* The index of a slot by its name in the kind's schema; -1 when it has none. */
static int32_t slot_index(const TnHostIr* ir, uint32_t kind, const char* name) {
  const TnKindSchema* schema = ir->schema(ir->self, kind);
  for (uint32_t i = 0; schema && i < schema->slot_count; ++i)
    if (strcmp(schema->slots[i].name, name) == 0) return (int32_t)i;
  return -1;
}

/* ---- The pass ------------------------------------------------------------------------------------------------- */

typedef struct Move {
  const Order* self;
  int left; /* constants go to the left */
  int64_t moved;
} Move;

static int is_constant(const TnValue* v) {
  uint32_t kind = ((const TnNode*)v->as.p)->kind;
  return kind == TN_KIND_ir_IntImm || kind == TN_KIND_ir_FloatImm;
}

static int is_commutative(uint32_t kind) {
  return kind == TN_KIND_tir_Add || kind == TN_KIND_tir_Mul || kind == TN_KIND_tir_Min || kind == TN_KIND_tir_Max;
}

/* Called for every node after its children; leaves `*ret` none to keep it. */
static int move_constant(void* context, const TnNode* original, const TnNode* rebuilt, TnValue* ret) {
  Move* m = (Move*)context;
  (void)original;
  if (!is_commutative(rebuilt->kind)) return 0;
  /* Binary expressions have the slots type, a, b. */
  const TnValue *a = &rebuilt->slots[1], *b = &rebuilt->slots[2];
  int swap = m->left ? is_constant(b) && !is_constant(a) : is_constant(a) && !is_constant(b);
  if (!swap) return 0;
  TnValue slots[3] = {rebuilt->slots[0], *b, *a};
  const TnHostIr* ir = m->self->ir;
  ++m->moved;
  return ir->make(ir->self, rebuilt->kind, rebuilt->span, slots, 3, ret);
}

/* attrs with com.example.moved = count. */
static int with_count(const Order* self, const TnMap* attrs, int64_t count, TnValue* ret) {
  TnValue* pairs = malloc((attrs->size + 1) * 2 * sizeof(TnValue));
  TnValue key = {TN_NONE, 0, {0}};
  size_t n = 0;
  if (!pairs) return self->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  if (self->runtime->string("com.example.moved", 17, &key) != 0) {
    free(pairs);
    *ret = key;
    return -1;
  }
  for (size_t i = 0; i < attrs->size; ++i) {
    if (is_text(&attrs->data[i].key, "com.example.moved")) continue;
    pairs[n++] = attrs->data[i].key;
    pairs[n++] = attrs->data[i].value;
  }
  pairs[n++] = key;
  pairs[n].type_index = TN_INT;
  pairs[n].small_size = 0;
  pairs[n++].as.i = count;
  int status = self->runtime->map(pairs, n / 2, ret);
  tn_value_release(&key);
  free(pairs);
  return status;
}

/* The function with one slot replaced. */
static int with_slot(const Order* self, const TnNode* node, int32_t slot, const TnValue* value, TnValue* ret) {
  const TnHostIr* ir = self->ir;
  TnValue* slots = malloc(node->slot_count * sizeof(TnValue));
  if (!slots) return self->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  memcpy(slots, node->slots, node->slot_count * sizeof(TnValue));
  slots[slot] = *value;
  int status = ir->make(ir->self, node->kind, node->span, slots, (int32_t)node->slot_count, ret);
  free(slots);
  return status;
}

static int run_function(void* instance, const TnContext* context, const char* pass, const char* name,
                        const TnNode* function, const TnValue* options, TnValue* ret) {
  const Order* self = (const Order*)instance;
  const TnValue* side = tn_map_find(options, "side");
  Move move = {self, side && is_text(side, "left"), 0};
  TnValue tree = {TN_NODE, 0, {0}}, rewritten, attrs;
  (void)context, (void)pass, (void)name;
  tree.as.p = (void*)function;
  if (self->ir->rewrite(self->ir->self, &tree, &move_constant, &move, &rewritten) != 0) {
    *ret = rewritten;
    return -1;
  }
  if (move.moved == 0) {
    *ret = rewritten; /* the same function: nothing changed */
    return 0;
  }
  const TnNode* changed = (const TnNode*)rewritten.as.p;
  int32_t slot = slot_index(self->ir, changed->kind, "attrs");
  if (with_count(self, (const TnMap*)changed->slots[slot].as.p, move.moved, &attrs) != 0) {
    tn_value_release(&rewritten);
    *ret = attrs;
    return -1;
  }
  int status = with_slot(self, changed, slot, &attrs, ret);
  tn_value_release(&attrs);
  tn_value_release(&rewritten);
  return status;
}

/* ---- The plugin ------------------------------------------------------------------------------------------------ */

static const TnPass pass_table = TENON_TABLE(TnPass, NULL, &run_function);

static int create(const TnHost* host, void** instance, TnValue* ret) {
  Order* self = malloc(sizeof(Order));
  if (!self) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  self->runtime = host->runtime;
  self->ir = TENON_SERVICE(host, TnHostIr, TN_HOST_IR);
  if (!self->ir) {
    free(self);
    return host->runtime->error(TN_ERROR_UNSUPPORTED, "this host offers no " TN_HOST_IR, NULL, "upgrade Tenon", NULL,
                                ret);
  }
  *instance = self;
  return 0;
}

static const void* capability(void* instance, const char* id) {
  (void)instance;
  return strcmp(id, TN_PASS) == 0 ? &pass_table : NULL;
}

TENON_C_PLUGIN_OF(&create, &free, &capability)
