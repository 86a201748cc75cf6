#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/draft/instrument.h>

static int count_loop(void* count, const TnNode* node, TnValue* ret) {
  (void)ret;
  if (node->kind == TN_KIND_tir_For) ++*(long*)count;
  return 0;
}

/* Called after each pass. An error that is returned here ends the run, naming the instrument and the pass. */
static int after_pass(void* instance, const TnContext* context, const TnValue* record, const TnNode* before,
                      const TnNode* after, TnValue* ret) {
  const TnInstance* self = (const TnInstance*)instance;
  const TnValue *changed = tn_map_find(record, "changed"), module = {TN_NODE, 0, {.p = (void*)after}};
  char text[32];
  long loops = 0;
  (void)before;
  memset(ret, 0, sizeof *ret);
  if (!changed || changed->type_index != TN_BOOL || !changed->as.i) return 0;
  if (self->ir->walk(self->ir->self, &module, &count_loop, NULL, &loops, ret) != 0) return -1;
  snprintf(text, sizeof text, "%ld loops", loops);
  context->report(context->self, TN_SEVERITY_NOTE, text, NULL, NULL);
  return 0;
}

static const TnInstrument instrument_table = TENON_TABLE(TnInstrument, NULL, &after_pass);
TENON_C_PLUGIN({TN_INSTRUMENT, &instrument_table})
