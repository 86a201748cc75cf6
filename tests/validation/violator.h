// A plugin that breaks one rule of the contract in each way that the option of its pass names. The way is named after
// its rule.
#ifndef TENON_TESTS_VIOLATOR_H
#define TENON_TESTS_VIOLATOR_H

#include <tenon/ext/arith.h>
#include <tenon/ext/pass.h>
#include <tenon/runtime.h>

#include <cstring>
#include <string_view>

struct Instance {
  const TnHost* host;
  const TnRuntime* rt;
  const TnHostIr* ir;
  const TnHostArith* arith;
  TnPass* table;  // in a page of its own
  TnPass second;  // E4
  bool other_table = false;
  const TnNode* kept = nullptr;
  const TnContext* context = nullptr;
};

// Kept beyond the instance, which is what E9 forbids.
extern const TnHost* old_host;
extern const TnHostIr* old_ir;

struct Call {
  Instance& self;
  const TnContext* context;
  const TnNode* module;
  const TnValue* options;
  TnValue* ret;
  const TnRuntime* rt = self.rt;
  const TnHostIr* ir = self.ir;

  TnValue value(const TnNode* n) const {
    TnValue v{TN_NODE, 0, {0}};
    v.as.p = const_cast<TnNode*>(n);
    return v;
  }
  TnValue integer(int64_t i) const { return {TN_INT, 0, {i}}; }
  TnValue string(const char* s) const {
    TnValue v;
    rt->string(s, std::strlen(s), &v);
    return v;
  }
  // An ir.IntImm.
  TnValue number(int64_t i) const {
    TnValue slots[2] = {{TN_DTYPE, 0, {0}}, integer(i)}, v;
    slots[0].as.dtype = {kDLInt, 64, 1};
    ir->make(ir->self, TN_KIND_ir_IntImm, nullptr, slots, 2, &v);
    return v;
  }
  // The module as it was.
  int same() const {
    *ret = value(module);
    tn_value_retain(ret);
    return 0;
  }
  // Another module like it.
  int fresh() const {
    TnValue slots[4];
    std::memcpy(slots, module->slots, sizeof slots);
    return ir->make(ir->self, TN_KIND_ir_Module, nullptr, slots, 4, ret);
  }
  const TnNode* function() const {
    auto* functions = reinterpret_cast<const TnMap*>(module->slots[2].as.object);
    return reinterpret_cast<const TnNode*>(functions->data[0].value.as.object);
  }
  TnAnalyzer* analyzer() const { return self.arith->create(self.arith->self); }
};

// What a pass can break; null when there is no such way.
using Way = int (*)(const Call& c);
Way find_way(std::string_view name);

// Calls a slot of another capability of this plugin, as a host would, and has it break the rule.
void break_in_slot(const Call& c, std::string_view rule, std::string_view slot);
// The table of another capability; null when there is none.
const void* other_capability(std::string_view id);

#endif
