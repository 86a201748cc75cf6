// A plugin whose slots throw, or answer wrongly in the way that the environment names as TENON_ANSWER: one for what may
// run in a process of its own (ISOLABLE), one for what may not.
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/executor.h>
#include <tenon/ir.h>
#include <tenon/kinds.h>
#include <tenon/runtime.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <stdexcept>
#include <vector>

namespace {

const TnRuntime* rt;
const TnHostIr* ir;

bool asked(const char* what) {
  const char* said = std::getenv("TENON_ANSWER");
  return said && !std::strcmp(said, what);
}

const TnValue kNone{TN_NONE, 0, {0}};

// Values that are made here are never released; a leak check finds them in a list.
TnValue kept(TnValue v) {
  static auto& all = *new std::vector<TnValue>;
  all.push_back(v);
  return v;
}
TnValue text(const char* s) {
  TnValue v;
  rt->string(s, std::strlen(s), &v);
  return kept(v);
}

// What any slot may do wrongly; false when nothing is asked for.
bool fails(TnValue* ret, int* status) {
  *ret = kNone;
  *status = -1;
  if (asked("an exception")) throw std::runtime_error("oops");
  if (asked("a number is thrown")) throw 5;
  if (asked("no error")) return true;
  if (asked("no words")) return rt->error(0, "", "", "", nullptr, ret), true;
  if (asked("an internal error")) return rt->error(TN_ERROR_INTERNAL, "unforeseen", "", "", nullptr, ret), true;
  if (asked("no value")) return ret->type_index = 60, *status = 0, true;
  if (asked("an error and no failure")) return rt->error(3, "an error", "", "", nullptr, ret), *status = 0, true;
  return false;
}

#ifdef ISOLABLE

TnValue list(std::initializer_list<TnValue> items) {
  TnValue v;
  rt->array(items.begin(), items.size(), &v);
  return kept(v);
}
TnValue make(const char* kind, std::initializer_list<TnValue> slots) {
  TnValue v;
  ir->make(ir->self, ir->find_kind(ir->self, kind), nullptr, slots.begin(), static_cast<int32_t>(slots.size()), &v);
  return kept(v);
}

int lower(void*, const TnContext*, const TnNode* node, TnValue* ret) {
  int status = 0;
  if (fails(ret, &status)) return status;
  const TnValue type = node->slots[0], a = node->slots[1];
  const char* kind = "com.example.escape/1";
  *ret = make("tir.Add/1", {type, a, a});
  if (asked("leaves")) std::_Exit(3);
  if (asked("twice itself")) *ret = make("tir.Add/1", {type, make(kind, {type, a}), make(kind, {type, a})});
  if (asked("a variable of nobody")) *ret = make("ir.Var/1", {type, text("ghost")});
  return 0;
}
const TnKind kind_table{sizeof(TnKind), &lower};

int decide(void*, const TnContext*, const char*, const TnNode*, TnValue* ret) {
  int status = 0;
  if (fails(ret, &status)) return status;
  TnValue pairs[] = {
      text("take"), {TN_BOOL, 0, {!asked("a coloured reason")}}, text("reason"), text("a \x1b[31mreason")};
  return rt->map(pairs, 2, ret);
}
const TnPartitioner partitioner_table{sizeof(TnPartitioner), &decide};

int convert(void*, const TnContext*, const TnValue* node, TnValue* ret) {
  int status = 0;
  if (fails(ret, &status)) return status;
  const TnValue input = reinterpret_cast<const TnArray*>(tn_map_find(node, "inputs")->as.object)->data[0];
  const TnValue type = reinterpret_cast<const TnNode*>(input.as.object)->slots[0];
  *ret = list({input});
  if (asked("too many")) *ret = list({input, input});
  if (asked("a variable of nobody")) *ret = list({make("ir.Var/1", {type, text("ghost")})});
  if (asked("a type")) *ret = list({type});
  if (asked("a call of a variable")) *ret = list({make("ir.Call/1", {kNone, input, list({input})})});
  return 0;
}
const TnOnnxConverter converter_table{sizeof(TnOnnxConverter), &convert};

const void* capability(void*, const char* id) {
  if (!std::strcmp(id, TN_KIND)) return &kind_table;
  if (!std::strcmp(id, TN_PARTITIONER)) return &partitioner_table;
  return std::strcmp(id, TN_ONNX_CONVERTER) ? nullptr : &converter_table;
}
constexpr const char* kId = "escapes-isolable";

#else

TnValue map_of(const char* key, TnValue value) {
  TnValue pair[2] = {text(key), value}, v;
  rt->map(pair, 1, &v);
  return v;
}

int call_main(void*, const TnValue*, int32_t, TnValue* ret) {
  int status = 0;
  return fails(ret, &status) ? status : 0;
}

int load(void*, const TnContext*, const TnNode*, const TnValue*, const TnValue*, TnValue* ret) {
  int status = 0;
  if (!std::getenv("TENON_ANSWER_LATER") && fails(ret, &status)) return status;
  TnValue function;
  rt->function(&call_main, nullptr, nullptr, &function);
  *ret = map_of(asked("another function") ? "other" : "main", asked("a number") ? TnValue{TN_INT, 0, {4}} : function);
  return 0;
}
const TnExecutor executor_table{sizeof(TnExecutor), &load};

int before_pass(void*, const TnContext*, const TnValue*, const TnNode*, TnValue* ret) {
  int status = 0;
  return !std::getenv("TENON_ANSWER_LATER") && fails(ret, &status) ? status : (*ret = kNone, 0);
}
int after_pass(void*, const TnContext*, const TnValue*, const TnNode*, const TnNode*, TnValue* ret) {
  int status = 0;
  return fails(ret, &status) ? status : 0;
}
const TnInstrument instrument_table{sizeof(TnInstrument), &before_pass, &after_pass};

const void* capability(void*, const char* id) {
  if (!std::strcmp(id, TN_EXECUTOR)) return &executor_table;
  return std::strcmp(id, TN_INSTRUMENT) ? nullptr : &instrument_table;
}
constexpr const char* kId = "escapes-in-process";

#endif

int create(const TnHost* host, void** instance, TnValue* ret) {
  rt = host->runtime;
  ir = static_cast<const TnHostIr*>(host->service(host->self, TN_HOST_IR));
  *ret = kNone;
  *instance = const_cast<TnHost*>(host);
  return 0;
}
constexpr TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, kId,
                            "1.2.3",          &create,        [](void*) {},     &capability};

}  // namespace

extern "C" TN_EXPORT const TnPlugin* tenon_plugin();
extern "C" TN_EXPORT const TnPlugin* tenon_plugin() { return &table; }
