// Runs a function on a stack that is large enough for its recursion.
#ifndef TENON_CORE_SCRIPT_DEEP_STACK_H
#define TENON_CORE_SCRIPT_DEEP_STACK_H

#include <cstdint>
#include <functional>

namespace tenon::script {

// Calls f for a recursion of about `levels`: here when they are few, else on a thread of its own, which is waited for.
// What f throws is thrown again. Throws TN_ERROR_LIMIT when the system has no memory for the stack.
void with_deep_stack(uint64_t levels, const std::function<void()>& f);

}  // namespace tenon::script
#endif
