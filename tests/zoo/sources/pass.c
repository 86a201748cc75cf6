/* A pass that makes each constant 7 an 8, and says so. */
#include <stdlib.h>
#include <string.h>
#include <tenon/ext/pass.h>
#include <tenon/runtime.h>

typedef struct Plugin {
  const TnHost* host;
  const TnHostIr* ir;
} Plugin;

typedef struct Search {
  const Plugin* plugin;
  int64_t changed;
} Search;

static int on_node(void* context, const TnNode* original, const TnNode* rebuilt, TnValue* ret) {
  Search* s = context;
  (void)original;
  if (rebuilt->kind != TN_KIND_ir_IntImm || rebuilt->slots[1].as.i != 7) return 0;
  TnValue slots[2];
  slots[0] = rebuilt->slots[0];
  slots[1] = rebuilt->slots[1];
  slots[1].as.i = 8;
  ++s->changed;
  return s->plugin->ir->make(s->plugin->ir->self, TN_KIND_ir_IntImm, rebuilt->span, slots, 2, ret);
}

static int run_module(void* instance, const TnContext* context, const char* pass, const TnNode* module,
                      const TnValue* options, TnValue* ret) {
  Plugin* p = instance;
  Search search = {p, 0};
  TnValue tree = {TN_NODE, 0, {0}};
  (void)options;
  if (strcmp(pass, "sevens") != 0)
    return p->host->runtime->error(TN_ERROR_NOT_FOUND, "there is no such pass", NULL, NULL, NULL, ret);
  tree.as.p = (void*)module;
  if (p->ir->rewrite(p->ir->self, &tree, &on_node, &search, ret) != 0) return -1;
  if (search.changed && TN_HAS(context, report))
    context->report(context->self, TN_SEVERITY_NOTE, "there were sevens", module->span, NULL);
  return 0;
}

static const TnPass pass_table = {.size = sizeof(TnPass), .run_module = &run_module};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  Plugin* p = malloc(sizeof *p);
  if (!p) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  p->host = host;
  p->ir = host->service(host->self, TN_HOST_IR);
  *instance = p;
  ret->type_index = TN_NONE;
  return 0;
}
static void destroy(void* instance) { free(instance); }
static const void* capability(void* instance, const char* id) {
  (void)instance;
  return strcmp(id, TN_PASS) == 0 ? &pass_table : NULL;
}
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "zoo-pass",
                                "1.0.0",          &create,        &destroy,         &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
