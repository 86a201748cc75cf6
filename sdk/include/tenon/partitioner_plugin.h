// Partitioners in C++ (ext/draft/partitioner.h).
//
//   static Decision decide(MyPlugin& self, const CallArgs& args, std::string_view pattern, const relax::Function&
//   candidate) {
//     if (macs < 4096) return Decision::decline("4096 multiplications are worth the transfer, this has " + text);
//     return Decision::take_when(b.le(n, b.imm(64)), "the command buffer holds 64 rows");
//   }
//   static constexpr auto partitioner_table = partitioner<MyPlugin, &decide>();
#ifndef TENON_SDK_PARTITIONER_PLUGIN_H
#define TENON_SDK_PARTITIONER_PLUGIN_H

#include <tenon/plugin.h>

namespace tenon {

class Decision {
 public:
  static Decision take(std::string reason = {}) { return {true, {}, std::move(reason)}; }
  static Decision decline(std::string reason) { return {false, {}, std::move(reason)}; }
  // `when` is an expression of dtype bool over the symbolic dimensions of the candidate.
  static Decision take_when(Node when, std::string reason) { return {true, std::move(when), std::move(reason)}; }

  Value value(const Builder& b) const {
    Builder::Entries e{{"take", Value(take_)}, {"reason", b.string(reason_)}};
    if (when_) e.emplace_back("when", when_);
    return b.map(e);
  }

 private:
  Decision(bool take, Node when, std::string reason)
      : take_(take), when_(std::move(when)), reason_(std::move(reason)) {}
  bool take_;
  Node when_;
  std::string reason_;
};

template <class Instance,
          Decision (*f)(Instance&, const CallArgs&, std::string_view pattern, const relax::Function& candidate)>
constexpr TnPartitioner partitioner() {
  return make_table<TnPartitioner>(+[](void* instance, const TnContext* context, const char* pattern,
                                       const TnNode* candidate, TnValue* ret) -> int {
    return slot<Instance>(instance, ret, [&](Instance& self) {
      return f(self, {context, Map()}, pattern, Builder::borrow(candidate).to<relax::Function>()).value(self.builder());
    });
  });
}

}  // namespace tenon
#endif
