#include "ir/ir_table.h"

#include "ir/bytes.h"
#include "ir/constant_store.h"
#include "ir/content_key.h"
#include "ir/kind_table.h"
#include "ir/make.h"
#include "ir/rewrite.h"
#include "ir/span.h"
#include "ir/structural_equal.h"
#include "ir/verify.h"
#include "ir/walk.h"
#include "tenon/cxx/device.h"

namespace tenon {
namespace {

const TnKindSchema* schema_slot(void*, uint32_t kind) {
  const KindInfo* info = kind_info(kind);
  return info ? &info->schema : nullptr;
}

uint32_t find_kind_slot(void*, const char* id) { return find_kind(id); }

int make_slot(void*, uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t n, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] { return make_node(kind, span, slots, n); });
}

int span_slot(void*, const char* source, int32_t line, int32_t column, int32_t end_line, int32_t end_column,
              TnValue* ret) {
  return guard(tn_runtime(), ret,
               [&] { return make_span(std::string_view(source ? source : ""), line, column, end_line, end_column); });
}

int equal_slot(void*, const TnValue* a, const TnValue* b, int map_free, TnValue* ret) {
  return guard(tn_runtime(), ret, [&]() -> Value {
    auto path = first_difference(*a, *b, map_free != 0);
    return path ? core_builder().string(*path) : Value();
  });
}

int substitute_slot(void*, const TnValue* tree, const TnValue* from, const TnValue* to, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    if (from->type_index != TN_ARRAY || to->type_index != TN_ARRAY)
      throw Error(TN_ERROR_ARGUMENT,
                  "substitute takes two arrays, but got " + describe(*from) + " and " + describe(*to));
    return substitute(*tree, Value::view(*from).ref<Array>(), Value::view(*to).ref<Array>());
  });
}

int walk_slot(void*, const TnValue* tree, TnVisit enter, TnVisit leave, void* context, TnValue* ret) {
  int status = 0;
  int caught = guard(tn_runtime(), ret, [&] {
    TnValue error{TN_NONE, 0, {0}};
    walk_tree(
        *tree,
        [&](const TnNode* n) {
          int answer = enter ? enter(context, n, &error) : 0;
          if (answer < 0) status = -1;
          return answer < 0 ? Below::kStop : answer > 0 ? Below::kSkip : Below::kEnter;
        },
        [&](const TnNode* n) {
          if (leave && leave(context, n, &error) < 0) status = -1;
          return status == 0;
        });
    return Value::adopt(error);
  });
  return caught != 0 ? caught : status;
}

// A rewrite by the callback of a plugin.
class CallbackPolicy : public RewritePolicy {
 public:
  CallbackPolicy(TnRewrite rewrite, void* context) : rewrite_(rewrite), context_(context) {}
  Value replace(const TnNode* original, const TnNode* rebuilt) override {
    return call([&](TnValue* ret) { return rewrite_(context_, original, rebuilt, ret); });
  }

 private:
  TnRewrite rewrite_;
  void* context_;
};

int rewrite_slot(void*, const TnValue* tree, TnRewrite rewrite, void* context, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    CallbackPolicy policy(rewrite, context);
    return rewrite_tree(*tree, policy);
  });
}

int renew_slot(void*, const TnValue* tree, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] { return renew(*tree); });
}

bool is_contiguous(const DLTensor& t) {
  if (device_type(t.device) != kDLCPU) return false;
  int64_t expected = 1;
  for (int i = t.ndim; t.strides && i-- > 0;) {
    if (t.shape[i] != 1 && t.strides[i] != expected) return false;
    expected *= t.shape[i];
  }
  return true;
}

int constant_slot(void*, const DLTensor* tensor, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    if (!is_contiguous(*tensor))
      throw Error(TN_ERROR_ARGUMENT, "a constant is made from a contiguous tensor on the CPU, and this one is not", {},
                  "copy it first");
    uint64_t size = tensor_bytes(*tensor);
    return constant_from_bytes(static_cast<const char*>(tensor->data) + tensor->byte_offset, size);
  });
}

int verify_slot(void*, const TnNode* module, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    verify_module(Builder::borrow(module));
    return Value();
  });
}

int content_key_slot(void*, const TnValue* tree, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] { return core_builder().string(content_key(*tree)); });
}

int encode_slot(void*, const TnValue* tree, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    std::string bytes = encode_tree(*tree);
    return call([&](TnValue* r) { return tn_runtime()->bytes(bytes.data(), bytes.size(), r); });
  });
}

int decode_slot(void*, const char* data, size_t size, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] { return decode_tree({data, size}); });
}

constexpr TnHostIr make_table() {
  TnHostIr t{};
  t.size = sizeof(TnHostIr);
  t.schema = &schema_slot;
  t.find_kind = &find_kind_slot;
  t.make = &make_slot;
  t.span = &span_slot;
  t.structural_equal = &equal_slot;
  t.substitute = &substitute_slot;
  t.walk = &walk_slot;
  t.rewrite = &rewrite_slot;
  t.renew = &renew_slot;
  t.encode = &encode_slot;
  t.decode = &decode_slot;
  t.content_key = &content_key_slot;
  t.verify = &verify_slot;
  t.constant = &constant_slot;
  return t;
}
constinit const TnHostIr kTable = make_table();

}  // namespace

const TnHostIr& ir_table() { return kTable; }
Builder core_builder() { return Builder(tn_runtime(), &kTable); }

}  // namespace tenon
