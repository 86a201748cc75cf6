#include "assembler.h"

namespace tenon::interp {
namespace {

// Registers and instructions are numbered in 32 bits, jumps are signed: far above what a module within Limits needs.
constexpr size_t kMaxRegisters = size_t{1} << 28;
constexpr size_t kMaxInstrs = size_t{1} << 26;

void patch(Instr& instr, int64_t from, int64_t to) { instr.f = static_cast<uint32_t>(static_cast<int32_t>(to - from)); }

}  // namespace

uint32_t Assembler::fresh(uint32_t count) {
  const size_t first = code_.registers.size();
  if (first + count > kMaxRegisters)
    throw Error(TN_ERROR_LIMIT, "function '" + code_.name + "' needs more registers than the interpreter has");
  code_.registers.resize(first + count, put(int64_t{0}));
  return static_cast<uint32_t>(first);
}

uint32_t Assembler::constant(Scalar value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  auto [it, added] = constants_.emplace(bits, 0);
  if (added) {
    it->second = fresh();
    code_.registers[it->second] = value;
  }
  return it->second;
}

void Assembler::emit(Handler run, uint32_t d, uint32_t a, uint32_t b, uint32_t c, uint32_t e, uint32_t f) {
  if (code_.instrs.size() >= kMaxInstrs)
    throw Error(TN_ERROR_LIMIT, "function '" + code_.name + "' is too large for the interpreter");
  code_.instrs.push_back({run, d, a, b, c, e, f});
}

void Assembler::can_fail(const TnNode* subject) {
  code_.sites.push_back({static_cast<uint32_t>(code_.instrs.size() - 1), span_, subject});
}

void Assembler::jump_to(Label& label, Handler run, uint32_t d, uint32_t a, uint32_t b, uint32_t c) {
  const auto pc = static_cast<uint32_t>(code_.instrs.size());
  emit(run, d, a, b, c);
  if (label.pc_ >= 0)
    patch(code_.instrs[pc], pc, label.pc_);
  else
    label.jumps_.push_back(pc);
}

void Assembler::bind(Label& label) {
  label.pc_ = static_cast<int64_t>(code_.instrs.size());
  for (uint32_t pc : label.jumps_) patch(code_.instrs[pc], pc, label.pc_);
  label.jumps_.clear();
}

uint32_t Assembler::text(std::string_view s) {
  code_.texts.emplace_back(s);
  return static_cast<uint32_t>(code_.texts.size() - 1);
}

}  // namespace tenon::interp
