// Builds the instructions of one function: registers, constants, jumps and the sites of messages.
#ifndef TENON_INTERP_ASSEMBLER_H
#define TENON_INTERP_ASSEMBLER_H

#include "handlers.h"

namespace tenon::interp {

// A place in the code that jumps go to; it may be bound after they are emitted.
class Label {
 public:
  Label() = default;
  Label(const Label&) = delete;
  Label& operator=(const Label&) = delete;

 private:
  friend class Assembler;
  int64_t pc_ = -1;
  std::vector<uint32_t> jumps_;
};

class Assembler {
 public:
  explicit Assembler(Code& code) : code_(code) {}

  // The first of `count` consecutive fresh registers.
  uint32_t fresh(uint32_t count = 1);
  // A register that holds a value from the beginning; equal constants share one.
  uint32_t constant(Scalar value);
  uint32_t constant(int64_t value) { return constant(put(value)); }
  void set_initial(uint32_t reg, Scalar value) { code_.registers[reg] = value; }

  void emit(Handler run, uint32_t d = 0, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0, uint32_t e = 0,
            uint32_t f = 0);
  // What the next instructions that can fail come from; null keeps what is known.
  void at(const TnSpan* span) { span_ = span ? span : span_; }
  const TnSpan* span() const { return span_; }
  // The instruction emitted last can fail, and is about `subject` (which may be null).
  void can_fail(const TnNode* subject);

  void jump_to(Label& label, Handler run, uint32_t d = 0, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0);
  void bind(Label& label);
  uint32_t text(std::string_view s);

 private:
  Code& code_;
  const TnSpan* span_ = nullptr;
  std::map<int64_t, uint32_t> constants_;
};

}  // namespace tenon::interp
#endif
