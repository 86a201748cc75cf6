#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tenon/cxx/builder.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();

struct Counts {
  std::vector<std::atomic<int>> hits;
  int32_t fail_from = INT32_MAX;
  bool nested = false;
};

int count(void* data, int32_t index, int32_t total, TnValue* ret) {
  auto* c = static_cast<Counts*>(data);
  if (c->nested) {
    Counts inner{std::vector<std::atomic<int>>(5)};
    if (rt->parallel_for(count, &inner, 5, ret)) return -1;
    for (auto& h : inner.hits)
      if (h != 1) return rt->error(TN_ERROR_INTERNAL, "nested", nullptr, nullptr, nullptr, ret);
  }
  ++c->hits[static_cast<size_t>(index)];
  if (index >= c->fail_from)
    return rt->error(TN_ERROR_ARGUMENT, std::to_string(index).c_str(), nullptr, nullptr, nullptr, ret);
  return total == static_cast<int32_t>(c->hits.size())
             ? 0
             : rt->error(TN_ERROR_INTERNAL, "total", nullptr, nullptr, nullptr, ret);
}

void run(int32_t tasks, bool nested) {
  Counts c{std::vector<std::atomic<int>>(static_cast<size_t>(tasks)), INT32_MAX, nested};
  call([&](TnValue* ret) { return rt->parallel_for(count, &c, tasks, ret); });
  for (auto& h : c.hits) ASSERT_EQ(h, 1);
}

TEST(Pool, TheErrorIsThatOfTheLowestFailingTask) {
  rt->set_thread_count(4);
  for (int32_t from = 0; from < 64; ++from) {
    Counts c{std::vector<std::atomic<int>>(64), from};
    try {
      call([&](TnValue* ret) { return rt->parallel_for(count, &c, 64, ret); });
      FAIL();
    } catch (const Error& e) { EXPECT_EQ(e.message, std::to_string(from)); }
  }
}

TEST(Pool, RunsEachTaskOnce) {
  for (int32_t threads : {1, 2, 4, 7}) {
    rt->set_thread_count(threads);
    for (int32_t tasks : {0, 1, 2, 3, 8, 1000}) run(tasks, false);
  }
}

TEST(Pool, NestedCallsRunInPlace) {
  rt->set_thread_count(3);
  for (int i = 0; i < 50; ++i) run(9, true);
}

TEST(Pool, ManyCallersAtOnce) {
  rt->set_thread_count(4);
  std::vector<std::thread> callers(16);
  for (std::thread& t : callers)
    t = std::thread([] {
      for (int i = 0; i < 200; ++i) run(16, false);
    });
  for (std::thread& t : callers) t.join();
}

// A failing task does not keep others from failing: only one error leaves, the others are released (seen by the leak
// checker).
TEST(Pool, ManyCallersWithErrors) {
  rt->set_thread_count(4);
  std::vector<std::thread> callers(4);
  for (int32_t t = 0; t < 4; ++t)
    callers[static_cast<size_t>(t)] = std::thread([t] {
      for (int32_t i = 0; i < 200; ++i) {
        Counts c{std::vector<std::atomic<int>>(16), (i + t) % 16};
        TnValue ret;
        ASSERT_EQ(rt->parallel_for(count, &c, 16, &ret), -1);
        EXPECT_EQ(std::to_string((i + t) % 16), reinterpret_cast<TnError*>(ret.as.object)->message);
        tn_value_release(&ret);
      }
    });
  for (std::thread& t : callers) t.join();
}

TEST(Pool, FollowsAChangingThreadCount) {
  for (int i = 0; i < 200; ++i) {
    rt->set_thread_count(1 + i * 7 % 9);
    ASSERT_EQ(rt->thread_count(), 1 + i * 7 % 9);
    run(1 + i % 20, false);
  }
  rt->set_thread_count(-3);
  EXPECT_EQ(rt->thread_count(), 1);
  rt->set_thread_count(1 << 20);
  EXPECT_EQ(rt->thread_count(), 256);
}

// The caller sleeps when a worker is late, and the worker wakes it.
TEST(Pool, WaitsForALateWorker) {
  rt->set_thread_count(2);
  for (int i = 0; i < 20; ++i) {
    TnValue ret;
    auto late = [](void*, int32_t index, int32_t, TnValue*) { return index == 1 ? usleep(2000), 0 : 0; };
    ASSERT_EQ(rt->parallel_for(late, nullptr, 2, &ret), 0);
  }
}

TEST(Pool, WakesWorkersThatSleep) {
  rt->set_thread_count(3);
  for (int i = 0; i < 20; ++i) {
    run(12, false);
    usleep(1000);
  }
}

TEST(Workspace, IsAlignedAndUsedAgain) {
  void* first = rt->workspace_alloc(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  rt->workspace_free(first);
  EXPECT_EQ(rt->workspace_alloc(900), first);
  rt->workspace_free(first);
  EXPECT_EQ(rt->workspace_alloc(SIZE_MAX - 5), nullptr);
  rt->workspace_free(nullptr);
}

TEST(Workspace, BlocksInUseDoNotOverlap) {
  std::vector<char*> many;
  for (size_t round = 0; round < 3; ++round) {
    for (size_t i = 0; i < 30; ++i) {
      many.push_back(static_cast<char*>(rt->workspace_alloc(i * 100)));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(many.back()) % 64, 0u);
      memset(many.back(), static_cast<int>(i), i * 100);
    }
    for (size_t i = 0; i < 30; ++i) {
      for (size_t k = 0; k < i * 100; ++k) ASSERT_EQ(many[i][k], static_cast<char>(i));
      rt->workspace_free(many[i]);
    }
    many.clear();
  }
}

TEST(Workspace, MayBeFreedByAnotherThread) {
  for (int i = 0; i < 20; ++i) {
    void* memory = rt->workspace_alloc(5000);
    std::thread([memory] { rt->workspace_free(memory); }).join();
  }
}

}  // namespace
}  // namespace tenon
