/* Plugins in C: what every instance holds, and the entry made from a list of capabilities.
 *
 *   static const TnPass pass_table = TENON_TABLE(TnPass, NULL, &run_function);
 *   TENON_C_PLUGIN({TN_PASS, &pass_table})
 *
 * The slots are called with the TnInstance that `create` made. Nobody writes a size or a version: id and version come from the
 * manifest, as tenon_add_plugin defines TENON_PLUGIN_ID and TENON_PLUGIN_VERSION. A plugin with an instance of its own uses
 * TENON_C_PLUGIN_OF(&create, &destroy, &capability). */
#ifndef TENON_SDK_C_PLUGIN_H
#define TENON_SDK_C_PLUGIN_H

#include <stdlib.h>
#include <string.h>
#include <tenon/ir.h>
#include <tenon/runtime.h>

/* A table with its size. */
#define TENON_TABLE(Type, ...) {sizeof(Type), __VA_ARGS__}
/* A service of the host; null when it has none: check it. TN_HAS says whether it has a slot that was appended later. */
#define TENON_SERVICE(host, Type, id) ((const Type*)(host)->service((host)->self, id))

#define TENON_C_PLUGIN_OF(create, destroy, capability)                                                                 \
  static const TnPlugin tenon_plugin_table = {sizeof(TnPlugin),     TN_ABI_VERSION, TN_IR_VOCABULARY, TENON_PLUGIN_ID, \
                                              TENON_PLUGIN_VERSION, create,         destroy,          capability};     \
  TN_EXPORT const TnPlugin* tenon_plugin(void);                                                                        \
  TN_EXPORT const TnPlugin* tenon_plugin(void) { return &tenon_plugin_table; }

typedef struct TnInstance {
  const TnHost* host;
  const TnRuntime* runtime;
  const TnHostIr* ir; /* null in a program that only runs models, which opens plugins for their devices and loaders */
} TnInstance;

typedef struct TnCapability {
  const char* id;
  const void* table;
} TnCapability;

static inline int tn_instance_create(const TnHost* host, void** instance, TnValue* ret) {
  TnInstance* self = (TnInstance*)malloc(sizeof(TnInstance));
  if (!self) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  self->host = host;
  self->runtime = host->runtime;
  self->ir = TENON_SERVICE(host, TnHostIr, TN_HOST_IR);
  *instance = self;
  return 0;
}

/* Whether a string value holds these characters. */
static inline int tn_is_text(const TnValue* v, const char* text) {
  size_t n = strlen(text);
  if (v->type_index == TN_SMALL_STRING) return v->small_size == n && memcmp(v->as.small, text, n) == 0;
  if (v->type_index != TN_STRING) return 0;
  const TnString* s = (const TnString*)v->as.object;
  return s->size == n && memcmp(s->data, text, n) == 0;
}

/* The array or map in a slot of a node (kinds.h lists the slots of each kind). */
static inline const TnArray* tn_array_slot(const TnNode* n, int slot) {
  return (const TnArray*)n->slots[slot].as.object;
}
static inline const TnMap* tn_map_slot(const TnNode* n, int slot) { return (const TnMap*)n->slots[slot].as.object; }
/* Item `i` of an array of nodes. */
static inline const TnNode* tn_item(const TnArray* a, size_t i) { return (const TnNode*)a->data[i].as.object; }

/* The node that a value holds; null when it holds none, or one of another kind. */
static inline const TnNode* tn_node_of_kind(const TnValue* v, uint32_t kind) {
  const TnNode* n = v->type_index == TN_NODE ? (const TnNode*)v->as.object : NULL;
  return n && n->kind == kind ? n : NULL;
}

#define TENON_C_PLUGIN(...)                                                    \
  static const void* tenon_plugin_capability(void* instance, const char* id) { \
    static const TnCapability capabilities[] = {__VA_ARGS__};                  \
    (void)instance;                                                            \
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; ++i)  \
      if (strcmp(capabilities[i].id, id) == 0) return capabilities[i].table;   \
    return NULL;                                                               \
  }                                                                            \
  TENON_C_PLUGIN_OF(&tn_instance_create, &free, &tenon_plugin_capability)

#endif
