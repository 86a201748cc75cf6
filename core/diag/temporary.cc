#include "diag/temporary.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace tenon {

namespace {

// Whoever takes a name out of its slot has it alone: the handler may run at any moment of any thread.
constexpr int kMost = 64;
std::atomic<char*> names[kMost];

}  // namespace

TemporaryName::TemporaryName(std::string name) : name_(std::move(name)) {
  char* copy = ::strdup(name_.c_str());
  for (int i = 0; copy && i < kMost; ++i) {
    char* none = nullptr;
    if (!names[i].compare_exchange_strong(none, copy)) continue;
    slot_ = i;
    return;
  }
  std::free(copy);
}

TemporaryName::~TemporaryName() {
  if (slot_ >= 0) std::free(names[slot_].exchange(nullptr));
}

void remove_temporaries() noexcept {
  for (std::atomic<char*>& slot : names)
    if (const char* name = slot.exchange(nullptr)) ::unlink(name);
}

}  // namespace tenon
