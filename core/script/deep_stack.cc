#include "script/deep_stack.h"

#include <pthread.h>

#include <exception>

#include "tenon/cxx/object.h"

namespace tenon::script {
namespace {

constexpr uint64_t kLevelsHere = 24;
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kBytesPerLevel = 32 * 1024;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr uint64_t kBytesPerLevel = 32 * 1024;
#else
constexpr uint64_t kBytesPerLevel = 6 * 1024;
#endif
#else
constexpr uint64_t kBytesPerLevel = 6 * 1024;
#endif

struct Task {
  const std::function<void()>* f;
  std::exception_ptr error;
};

}  // namespace

void with_deep_stack(uint64_t levels, const std::function<void()>& f) {
  if (levels <= kLevelsHere) return f();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, (levels + 64) * kBytesPerLevel);  // only touched pages take memory
  Task task{&f, nullptr};
  pthread_t thread;
  auto run = [](void* p) -> void* {
    auto* task = static_cast<Task*>(p);
    try {
      (*task->f)();
    } catch (...) { task->error = std::current_exception(); }
    return nullptr;
  };
  int status = pthread_create(&thread, &attributes, run, &task);
  pthread_attr_destroy(&attributes);
  if (status != 0)
    throw Error(TN_ERROR_LIMIT,
                "there is no memory for the stack that " + std::to_string(levels) + " levels of nesting need", {},
                "free memory, or nest less deeply");
  pthread_join(thread, nullptr);
  if (task.error) std::rethrow_exception(task.error);
}

}  // namespace tenon::script
