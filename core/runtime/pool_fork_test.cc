// The pool around fork and exit. The thread sanitizer cannot follow a fork of a process with threads, so these are
// apart.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "tenon/runtime.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();

// Whether each of `count` tasks runs once.
bool run(int32_t count) {
  std::atomic<int32_t> sum = 0;
  auto add = [](void* data, int32_t index, int32_t, TnValue*) {
    *static_cast<std::atomic<int32_t>*>(data) += index + 1;
    return 0;
  };
  TnValue ret;
  return rt->parallel_for(add, &sum, count, &ret) == 0 && sum == count * (count + 1) / 2;
}

// How many threads the process has.
int threads_of_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
  return -1;
}

// Runs `body` in a forked child, whose pool has no threads yet; its status.
int in_child(int (*body)()) {
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status;
}

TEST(Pool, WorksInAForkedChild) {
  rt->set_thread_count(3);
  ASSERT_TRUE(run(12));
  EXPECT_EQ(in_child([] { return run(12) ? 0 : 1; }), 0);
}

TEST(Pool, StartsNoThreadBeforeItIsUsed) {
  EXPECT_EQ(in_child([] {
              rt->set_thread_count(3);
              if (threads_of_process() != 1) return 1;
              run(12);
              return threads_of_process() == 3 ? 0 : 2;
            }),
            0);
}

TEST(Pool, ExitsWhileWorkersSleepOrSpin) {
  for (useconds_t wait : {0u, 2000u}) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      run(12);
      usleep(wait);
      exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace tenon
