// What the pass itself breaks.
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "violator.h"

namespace {

TnValue forged(const Call& c) {
  size_t bytes = offsetof(TnNode, slots) + 4 * sizeof(TnValue);
  auto* copy = static_cast<TnNode*>(std::calloc(1, bytes));
  std::memcpy(static_cast<void*>(copy), c.module, bytes);
  copy->header.counts = (uint64_t{1} << 32) | 100;
  copy->header.deleter = [](void*, int) {};
  return c.value(copy);
}
void print(const Call& c, const TnValue& tree) {
  TnValue none{TN_NONE, 0, {0}}, text{TN_NONE, 0, {0}};
  c.ir->print(c.ir->self, &tree, &none, &text);
  tn_value_release(&text);
}
int walk(const Call& c, TnVisit visit) {
  TnValue tree = c.value(c.module), result{TN_NONE, 0, {0}};
  c.ir->walk(c.ir->self, &tree, visit, nullptr, nullptr, &result);
  tn_value_release(&result);
  return c.same();
}
int rewrite(const Call& c, TnRewrite f) {
  TnValue tree = c.value(c.module), result{TN_NONE, 0, {0}};
  c.ir->rewrite(c.ir->self, &tree, f, nullptr, &result);
  tn_value_release(&result);
  return c.same();
}
int parallel(const Call& c, TnTask task, void* data) {
  TnValue result{TN_NONE, 0, {0}};
  c.rt->set_thread_count(2);
  if (c.rt->parallel_for(task, data, 2, &result) != 0) tn_value_release(&result);
  return c.same();
}
// Both tasks are there at the same time.
void meet(std::atomic<int>& arrived) {
  ++arrived;
  while (arrived < 2) std::this_thread::yield();
}

struct NamedWay {
  std::string_view name;
  Way run;
};
#define C const Call& c
const NamedWay kWays[] = {
    {"none", [](C) { return c.same(); }},
    {"fresh", [](C) { return c.fresh(); }},

    {"E3_changed", [](C) { return c.self.table->size -= 8, c.same(); }},
    {"E3_gone", [](C) { return munmap(c.self.table, 4096), c.self.table = nullptr, c.same(); }},
    {"E4_table", [](C) { return c.self.other_table = true, c.same(); }},
    {"E7_host", [](C) { return const_cast<TnHost*>(c.self.host)->service = nullptr, c.same(); }},
    {"E7_service", [](C) { return const_cast<TnHostIr*>(c.ir)->renew = nullptr, c.same(); }},
    {"E8_null",
     [](C) {
       TnValue tree = c.value(c.module), out{TN_NONE, 0, {0}};
       c.ir->renew(nullptr, &tree, &out);
       return tn_value_release(&out), c.same();
     }},
    {"E8_other",
     [](C) {
       TnValue tree = c.value(c.module), out{TN_NONE, 0, {0}};
       c.ir->renew(&c.self, &tree, &out);
       return tn_value_release(&out), c.same();
     }},
    {"E9_host", [](C) { return (void)old_host->service(old_host->self, TN_HOST_IR), c.same(); }},
    {"E9_service", [](C) { return (void)old_ir->find_kind(old_ir->self, "tir.For/1"), c.same(); }},

    {"T1_analyzer",
     [](C) {
       struct Data {
         const Call& c;
         TnAnalyzer* a;
         TnValue n;
         std::atomic<int> arrived{0};
       } d{c, c.analyzer(), c.number(3)};
       parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             auto* d = static_cast<Data*>(data);
             meet(d->arrived);
             for (int i = 0; i < 5000; ++i) {
               int64_t min, max;
               d->c.self.arith->bounds(d->a, reinterpret_cast<const TnNode*>(d->n.as.object), &min, &max);
             }
             return 0;
           },
           &d);
       tn_value_release(&d.n);
       c.self.arith->destroy(d.a);
       return 0;
     }},
    {"T2_threads",
     [](C) {
       return parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             static_cast<const Call*>(data)->rt->set_thread_count(3);
             return 0;
           },
           const_cast<Call*>(&c));
     }},
    {"T3_scratch",
     [](C) {
       struct Data {
         const Call& c;
         void* memory;
         std::thread::id owner;
         std::atomic<int> arrived{0};
       } d{c, c.rt->workspace_alloc(100), std::this_thread::get_id()};
       return parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             auto* d = static_cast<Data*>(data);
             meet(d->arrived);
             if (std::this_thread::get_id() != d->owner) d->c.rt->workspace_free(d->memory);
             return 0;
           },
           &d);
     }},

    {"O1_keep", [](C) { return c.self.kept = c.module, c.fresh(); }},
    {"O1_use", [](C) { return print(c, c.value(c.self.kept)), c.same(); }},
    {"O2_node",
     [](C) {
       TnValue n = c.number(1);
       tn_value_release(&n);
       return print(c, n), c.same();
     }},
    {"O2_element",
     [](C) {
       TnValue s = c.string("a text that is long enough"), array{TN_NONE, 0, {0}};
       tn_value_release(&s);
       c.rt->array(&s, 1, &array);
       return tn_value_release(&array), c.same();
     }},
    {"O2_slot",
     [](C) {
       TnValue slots[2] = {c.number(1), c.number(2)}, range{TN_NONE, 0, {0}};
       tn_value_release(&slots[1]);
       c.ir->make(c.ir->self, TN_KIND_ir_Range, nullptr, slots, 2, &range);
       return tn_value_release(&range), tn_value_release(&slots[0]), c.same();
     }},
    {"O2_analyzed",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       TnValue n = c.number(1);
       tn_value_release(&n);
       c.self.arith->can_prove(a, reinterpret_cast<const TnNode*>(n.as.object));
       return c.self.arith->destroy(a), c.same();
     }},
    {"O2_result",
     [](C) {
       c.fresh();
       tn_value_release(c.ret);
       return 0;
     }},
    {"O3_node",
     [](C) {
       TnValue n = c.number(1);
       return tn_value_release(&n), tn_value_release(&n), c.same();
     }},
    {"O3_string",
     [](C) {
       TnValue s = c.string("text");
       return tn_value_release(&s), tn_value_release(&s), c.same();
     }},
    {"O3_element",
     [](C) {
       TnValue s = c.string("text"), array;
       c.rt->array(&s, 1, &array);
       tn_value_release(&s);
       tn_value_release(&s);  // the array's
       return tn_value_release(&array), c.same();
     }},
    {"O4_module", [](C) { return tn_object_release(const_cast<TnObject*>(&c.module->header)), c.fresh(); }},
    {"O4_options", [](C) { return tn_value_release(c.options), c.same(); }},
    {"O5_result", [](C) { return *c.ret = c.value(c.module), 0; }},
    {"O5_callback",
     [](C) {
       return rewrite(c, [](void*, const TnNode*, const TnNode* rebuilt, TnValue* ret) {
         *ret = {TN_NODE, 0, {0}};
         ret->as.p = const_cast<TnNode*>(rebuilt);
         return 0;
       });
     }},
    {"O6_string", [](C) { return c.string("text"), c.same(); }},
    {"O6_node", [](C) { return c.number(7), c.same(); }},
    {"O6_error",
     [](C) {
       TnValue e;
       return c.rt->error(TN_ERROR_TYPE, "made and left", nullptr, nullptr, nullptr, &e), c.same();
     }},
    {"O6_tensor",
     [](C) {
       TnValue t;
       int64_t shape = 4;
       return c.rt->tensor({kDLCPU, 0}, {kDLFloat, 32, 1}, 1, &shape, &t), c.same();
     }},
    {"O7_module", [](C) { return tn_object_retain(const_cast<TnObject*>(&c.module->header)), c.fresh(); }},
    {"O7_options", [](C) { return tn_value_retain(c.options), c.same(); }},
    {"O8_kept", [](C) { return c.rt->workspace_alloc(64), c.same(); }},
    {"O8_foreign",
     [](C) {
       void* memory = std::malloc(64);
       return c.rt->workspace_free(memory), std::free(memory), c.same();
     }},
    {"O8_twice",
     [](C) {
       void* memory = c.rt->workspace_alloc(64);
       return c.rt->workspace_free(memory), c.rt->workspace_free(memory), c.same();
     }},
    {"O9_keep", [](C) { return c.self.context = c.context, c.same(); }},
    {"O9_report",
     [](C) {
       return c.self.context->report(c.self.context->self, TN_SEVERITY_NOTE, "late", nullptr, nullptr), c.same();
     }},
    {"O9_signature",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       c.self.context->signature(c.self.context->self, "kernel", &v);
       return tn_value_release(&v), c.same();
     }},

    {"F1_slot", [](const Call&) -> int { throw std::runtime_error("out of cheese"); }},
    {"F1_walk",
     [](C) { return walk(c, [](void*, const TnNode*, TnValue*) -> int { throw std::runtime_error("in a walk"); }); }},
    {"F1_rewrite", [](C) { return rewrite(c, [](void*, const TnNode*, const TnNode*, TnValue*) -> int { throw 7; }); }},
    {"F1_task",
     [](C) {
       return parallel(
           c, [](void*, int32_t, int32_t, TnValue*) -> int { throw std::runtime_error("in a task"); }, nullptr);
     }},
    {"F2_status", [](C) { return c.same(), 3; }},
    {"F3_nothing", [](C) { return (void)c, -1; }},
    {"F3_value", [](C) { return c.same(), -1; }},
    {"F4_code", [](C) { return c.rt->error(99, "a code of its own", nullptr, nullptr, nullptr, c.ret); }},
    {"F4_message", [](C) { return c.rt->error(TN_ERROR_TYPE, "", nullptr, nullptr, nullptr, c.ret); }},
    {"F5_error", [](C) { return c.rt->error(TN_ERROR_TYPE, "returned with 0", nullptr, nullptr, nullptr, c.ret), 0; }},
    {"F6_dropped",
     [](C) {
       TnValue e;
       c.ir->make(c.ir->self, 3999, nullptr, nullptr, 0, &e);
       return c.same();
     }},
    {"F7_status", [](C) { return walk(c, [](void*, const TnNode*, TnValue*) { return 5; }); }},
    {"F7_error", [](C) { return walk(c, [](void*, const TnNode*, TnValue*) { return -1; }); }},

    {"V1_text", [](C) { return *c.ret = {TN_C_STRING, 0, {0}}, c.ret->as.s = "borrowed", 0; }},
    {"V2_type", [](C) { return *c.ret = {60, 0, {0x1234}}, 0; }},
    {"V2_address", [](C) { return *c.ret = {TN_STRING, 0, {0x10}}, 0; }},
    {"V2_null", [](C) { return *c.ret = {TN_NODE, 0, {0}}, 0; }},
    {"V2_bool", [](C) { return *c.ret = {TN_BOOL, 0, {77}}, 0; }},
    {"V2_small", [](C) { return *c.ret = {TN_SMALL_STRING, 200, {0}}, 0; }},
    {"V2_label", [](C) { return c.same(), c.ret->type_index = TN_MAP, tn_value_release(c.ret), 0; }},
    {"V2_cause",
     [](C) {
       TnValue text = c.string("a text that is long enough"), e{TN_NONE, 0, {0}};
       c.rt->error(TN_ERROR_IO, "caused by a text", nullptr, nullptr, text.as.object, &e);
       return tn_value_release(&e), tn_value_release(&text), c.same();
     }},
    {"V2_argument", [](C) { return print(c, TnValue{TN_ARRAY, 0, {0x33}}), c.same(); }},
    {"V3_node",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.ir->verify(c.ir->self, nullptr, &v), tn_value_release(&v), c.same();
     }},
    {"V3_value",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.ir->renew(c.ir->self, nullptr, &v), tn_value_release(&v), c.same();
     }},
    {"V3_text",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.rt->string(nullptr, 4, &v), tn_value_release(&v), c.same();
     }},
    {"V3_message",
     [](C) { return c.context->report(c.context->self, TN_SEVERITY_NOTE, nullptr, nullptr, nullptr), c.same(); }},
    {"V3_service", [](C) { return (void)c.self.host->service(c.self.host->self, nullptr), c.same(); }},
    {"V4_callback",
     [](C) {
       return rewrite(c, [](void*, const TnNode*, const TnNode*, TnValue* ret) { return *ret = {TN_INT, 0, {3}}, 0; });
     }},
    {"V5_severity", [](C) { return c.context->report(c.context->self, 9, "loud", nullptr, nullptr), c.same(); }},

    {"N1_kind", [](C) { return const_cast<TnNode*>(c.function())->kind = TN_KIND_relax_Function, c.same(); }},
    {"N1_slot",
     [](C) {
       auto* slots = const_cast<TnValue*>(c.module->slots);
       std::swap(slots[0], slots[2]);  // two maps
       return c.same();
     }},
    {"N1_deep",
     [](C) {
       auto* params = reinterpret_cast<const TnArray*>(c.function()->slots[0].as.object);
       auto* param = reinterpret_cast<TnNode*>(params->data[0].as.object);
       return param->hash ^= 1, c.same();
     }},
    {"N2_map",
     [](C) {
       auto* entry = const_cast<TnMapEntry*>(reinterpret_cast<const TnMap*>(c.options->as.object)->data);
       std::swap(entry->key, entry->value);
       return c.same();
     }},
    {"N2_string",
     [](C) {
       auto* key =
           reinterpret_cast<TnString*>(reinterpret_cast<const TnMap*>(c.options->as.object)->data->key.as.object);
       return const_cast<char*>(key->data)[0] ^= 1, c.same();
     }},
    {"N3_argument", [](C) { return print(c, forged(c)), c.same(); }},
    {"N3_result", [](C) { return *c.ret = forged(c), 0; }},

    {"S1_after",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       c.self.arith->destroy(a);
       return c.self.arith->leave_constraint(a), c.same();
     }},
    {"S1_twice",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       return c.self.arith->destroy(a), c.self.arith->destroy(a), c.same();
     }},
    {"S2_leave",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       return c.self.arith->leave_constraint(a), c.self.arith->destroy(a), c.same();
     }},
    {"S3_left", [](C) { return c.analyzer(), c.same(); }},

    {"P1_rounding", [](C) { return fesetround(FE_UPWARD), c.same(); }},
    {"P2_locale", [](C) { return setlocale(LC_ALL, "C.UTF-8"), c.same(); }},
    {"P2_directory", [](C) { return chdir("/") == 0 ? c.same() : -1; }},
    {"P2_signals",
     [](C) {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR1);
       return pthread_sigmask(SIG_BLOCK, &set, nullptr), c.same();
     }},
};
#undef C

}  // namespace

Way find_way(std::string_view name) {
  for (const NamedWay& w : kWays)
    if (w.name == name) return w.run;
  return nullptr;
}
