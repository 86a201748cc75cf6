// What is known of the memory of buffers: the rules view and, of stores, constant.
#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;
namespace {

// The bytes from the first element of a compact buffer to behind its last; nothing where they are not constant.
std::optional<int64_t> constant_bytes(const tir::Buffer& b, bool with_offset) {
  int64_t elements = 1;
  if (b.strides().size() != 0) return std::nullopt;
  for (const Node& n : nodes(b.shape())) {
    auto* extent = n.as<ir::IntImm>();
    if (!extent || extent->value() < 0 || __builtin_mul_overflow(elements, extent->value(), &elements))
      return std::nullopt;
  }
  if (elements != 0 && !b.elem_offset().is_none()) {
    auto* offset = b.elem_offset().is_node() ? as_node(b.elem_offset()).as<ir::IntImm>() : nullptr;
    if (!with_offset || !offset || offset->value() < 0 || __builtin_add_overflow(elements, offset->value(), &elements))
      return std::nullopt;
  }
  int64_t bytes;
  if (__builtin_mul_overflow(elements, (b.dtype().bits * b.dtype().lanes + 7) / 8, &bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

void LoopRules::add_memory(const Node& buffer) {
  if (buffer.is<tir::Buffer>()) memory_[buffer.get()] = buffer.get();
}

void LoopRules::add_view(const Node& buffer, const Node& data) {
  if (data.is<ir::Constant>()) {
    memory_[buffer.get()] = data.get();
  } else if (auto known = memory_.find(data.get()); known != memory_.end()) {
    const TnNode* memory = known->second;
    memory_[buffer.get()] = memory;
  }
}

void LoopRules::check_written_memory(const tir::BufferStore& n) const {
  auto known = memory_.find(n.buffer().get());
  if (known == memory_.end() || known->second->kind != ir::Constant::kKind) return;
  throw Violation{"constant", "a value is stored in " + name_of(n.buffer().get()) + ", which is a constant",
                  "store it in a buffer that is allocated or a parameter"};
}

void LoopRules::check_view(const tir::DeclBuffer& n) const {
  auto known = memory_.find(n.buffer().get());
  if (known == memory_.end() || known->second->kind != tir::Buffer::kKind) return;
  auto needed = constant_bytes(n.buffer().to<tir::Buffer>(), true);
  auto there = constant_bytes(borrowed(known->second).to<tir::Buffer>(), false);
  if (needed && there && *needed > *there)
    throw Violation{"view", name_of(n.buffer().get()) + " ends at byte " + std::to_string(*needed) + " of " +
                                name_of(known->second) + ", which has " + std::to_string(*there)};
}

}  // namespace tenon
