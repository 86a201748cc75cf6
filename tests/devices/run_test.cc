// Runs: queues and fences, cancel and deadline, what a lost device leaves behind, threads, and what a context binds.
#include <atomic>
#include <thread>

#include "support.h"

// What a device that cannot be stopped may still use is kept for ever: no leak of the test.
#if defined(__SANITIZE_ADDRESS__)
#define TENON_TESTS_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENON_TESTS_ADDRESS_SANITIZER
#endif
#endif
#ifdef TENON_TESTS_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
using KeptForEver = __lsan::ScopedDisabler;
#else
struct KeptForEver {
  KeptForEver() {}
};
#endif

namespace tenon::devices {
namespace {

constexpr int64_t kMs = 1'000'000;

Value fence(const Value& device = {}) {
  return call([&](TnValue* ret) { return rt->fence(device.is_none() ? nullptr : object(device), ret); });
}
int wait(const Value& f, uint64_t value, int64_t timeout_ns) {
  TnValue ret;
  int status = rt->fence_wait(object(f), value, timeout_ns, &ret);
  tn_value_release(&ret);
  return status;
}
void signal(const Value& f, uint64_t value) {
  call([&](TnValue* ret) { return rt->fence_signal(object(f), value, nullptr, ret); });
}
TnRunContext context() {
  TnRunContext c{};
  c.size = sizeof c;
  return c;
}
Value function_of(TnCall f, void* data = nullptr) {
  return call([&](TnValue* ret) { return rt->function(f, data, nullptr, ret); });
}
int run(const Value& f, const TnRunContext& c, std::initializer_list<TnValue> args, TnValue* ret) {
  return rt->run(function(f), &c, args.begin(), static_cast<int32_t>(args.size()), ret);
}

// The accelerator, a queue of it, and a function that adds one to eight numbers.
struct Bench {
  Value plugin = devices::plugin();
  Value device = call([&](TnValue* ret) { return rt->device_open(object(plugin), "com.example.npu:0", ret); });
  Value queue = call([&](TnValue* ret) { return rt->queue(object(device), ret); });
  Stream add_one = make();
  Value f = main_of(on_device(add_one));
  TnObject* queues[1] = {object(queue)};

  static Stream make() {
    std::vector<int8_t> identity(64);
    for (size_t i = 0; i < 8; ++i) identity[9 * i] = 1;
    Stream s = gemm(8, 8, identity, std::vector<int32_t>(8, 1), NPU_BIAS | NPU_REQUANTISE);
    s.command.multiplier = 2;
    s.command.shift = 1;
    return s;
  }
  Value on_device(Stream& s) {
    return load(s, {{"plugins", b.array({plugin})}, {"devices", Value(b.map({{NPU_KIND, device}}))}});
  }
  Value tensor(const std::vector<int8_t>& from = {}, std::vector<int64_t> shape = {1, 8}) {
    Value t = call([&](TnValue* ret) {
      return rt->device_tensor(object(device), {kDLInt, 8, 1}, static_cast<int32_t>(shape.size()), shape.data(), ret);
    });
    if (from.empty()) return t;
    Tensor<int8_t> host(shape);
    host.data = from;
    host.dl.data = host.data.data();
    TnValue v = host.value();
    call([&](TnValue* ret) { return rt->copy(&v, t.ptr(), ret); });
    return t;
  }
  std::vector<int8_t> read(const Value& t) {
    Tensor<int8_t> host({1, 8});
    TnValue v = host.value();
    call([&](TnValue* ret) { return rt->copy(t.ptr(), &v, ret); });
    return host.data;
  }
};

TEST(Fences, OfTheHostAreNumbersThatGrow) {
  Value f = fence();
  EXPECT_EQ(wait(f, 0, 0), 0);
  EXPECT_EQ(wait(f, 1, 0), 1);
  EXPECT_EQ(wait(f, 1, 2 * kMs), 1);
  std::thread other([&] { signal(f, 5); });
  EXPECT_EQ(wait(f, 3, -1), 0);
  other.join();
  Error e = error_of([&](TnValue* ret) { return rt->fence_signal(object(f), 4, nullptr, ret); });
  EXPECT_EQ(e.message, "a fence that is at 5 cannot go back to 4");
  Value why = call([](TnValue* ret) {
    rt->error(TN_ERROR_DEVICE, "the wire broke", nullptr, nullptr, nullptr, ret);
    return 0;
  });
  call([&](TnValue* ret) { return rt->fence_signal(object(f), 6, object(why), ret); });
  EXPECT_EQ(wait(f, 5, 0), 0) << "what was reached stays reached";
  e = error_of([&](TnValue* ret) { return rt->fence_wait(object(f), 6, -1, ret); });
  EXPECT_EQ(e.code, TN_ERROR_DEVICE);
  ASSERT_TRUE(e.cause);
  EXPECT_EQ(e.cause->message, "the wire broke");
  EXPECT_EQ(error_of([&](TnValue* ret) { return rt->fence_wait(object(why), 1, 0, ret); }).code, TN_ERROR_ARGUMENT);
}

TEST(Fences, OrderRunsOnADevice) {
  Bench t;
  Value start = fence(t.device), middle = fence(t.device), end = fence();
  Value a = t.tensor(std::vector<int8_t>(8, 40)), x = t.tensor(), y = t.tensor();
  TnFencePoint go{object(start), 1}, between{object(middle), 7}, ready{object(end), 1};
  TnRunContext first = context(), second = context();
  first.wait = &go, first.wait_count = 1, first.signal = &between, first.signal_count = 1;
  second.wait = &between, second.wait_count = 1, second.signal = &ready, second.signal_count = 1;
  for (TnRunContext* c : {&first, &second}) c->queues = t.queues, c->queue_count = 1;
  // Returns before what it waits for has come: it is enqueued, and nothing has been computed.
  call([&](TnValue* ret) { return run(t.f, first, {a.raw(), x.raw()}, ret); });
  EXPECT_EQ(wait(middle, 7, 2 * kMs), 1);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    signal(start, 1);
  });
  call([&](TnValue* ret) { return run(t.f, second, {x.raw(), y.raw()}, ret); });
  EXPECT_EQ(wait(end, 1, -1), 0);
  EXPECT_EQ(t.read(y), std::vector<int8_t>(8, 42));
  EXPECT_EQ(t.read(x), std::vector<int8_t>(8, 41));
  other.join();
}

TEST(Fences, FailWithTheRunThatWasToSignalThem) {
  Value boom = function_of([](void*, const TnValue*, int32_t, TnValue* ret) {
    return rt->error(TN_ERROR_CHECK_FAILED, "it went wrong", nullptr, nullptr, nullptr, ret);
  });
  Bench t;
  for (const Value& f : {fence(), fence(t.device)}) {
    TnFencePoint point{object(f), 1};
    TnRunContext c = context();
    c.signal = &point, c.signal_count = 1;
    EXPECT_EQ(error_of([&](TnValue* ret) { return run(boom, c, {}, ret); }).code, TN_ERROR_CHECK_FAILED);
    Error e = error_of([&](TnValue* ret) { return rt->fence_wait(object(f), 1, -1, ret); });
    EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
    ASSERT_TRUE(e.cause);
    EXPECT_EQ(e.cause->message, "it went wrong");
    TnRunContext after = context();  // and so does what waits for it
    after.wait = &point, after.wait_count = 1;
    EXPECT_EQ(error_of([&](TnValue* ret) { return run(boom, after, {}, ret); }).code, TN_ERROR_CHECK_FAILED);
  }
}

TEST(Stopping, ACancelledOrLateRunEndsSoonWhereverItIs) {
  Bench t;
  Stream sleep = busy(NPU_SLEEP, 60'000);
  Value sleeper = main_of(t.on_device(sleep));
  Value fork = function_of([](void*, const TnValue*, int32_t, TnValue* ret) {
    return rt->parallel_for(
        [](void*, int32_t, int32_t, TnValue*) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          return 0;
        },
        nullptr, 100'000, ret);
  });
  Value loop = function_of([](void*, const TnValue*, int32_t, TnValue* ret) {
    while (rt->check_run(ret) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return -1;
  });
  Value never = fence();
  TnFencePoint point{object(never), 1};
  Tensor<int8_t> x({1}), out({1});
  struct Case {
    const char* what;
    const Value* f;
    bool waits, device;
  };
  for (const Case& each : {Case{"a device", &sleeper, false, true}, Case{"a loop", &fork, false, false},
                           Case{"an external function", &loop, false, false}, Case{"a fence", &loop, true, false}})
    for (bool by_deadline : {false, true}) {
      SCOPED_TRACE(testing::Message() << each.what << (by_deadline ? ", late" : ", cancelled"));
      int32_t cancel = 0;
      TnRunContext c = context();
      if (each.waits) c.wait = &point, c.wait_count = 1;
      if (by_deadline)
        c.deadline_ns = now_ns() + 20 * kMs;
      else
        c.cancel = &cancel;
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        __atomic_store_n(&cancel, 1, __ATOMIC_RELEASE);
      });
      Error e = error_of([&](TnValue* ret) {
        return each.device ? run(*each.f, c, {x.value(), out.value()}, ret) : run(*each.f, c, {}, ret);
      });
      other.join();
      EXPECT_EQ(e.code, TN_ERROR_CANCELLED) << e.message;
      EXPECT_NE(e.message.find(by_deadline ? "deadline" : "cancelled"), std::string::npos) << e.message;
    }
  // The device goes on working.
  Value a = t.tensor(std::vector<int8_t>(8, 1)), y = t.tensor();
  TnValue args[] = {a.raw(), y.raw()};
  call([&](TnValue* ret) { return function(t.f)->call(function(t.f), args, 2, ret); });
  EXPECT_EQ(t.read(y), std::vector<int8_t>(8, 2));
  TnValue ret;
  EXPECT_EQ(rt->check_run(&ret), 0) << "a plain call is never stopped";
}

TEST(Stopping, WhatWaitsInTheQueueOfACancelledRunFails) {
  Bench t;
  Stream sleep = busy(NPU_SLEEP, 60'000);
  Value sleeper = main_of(t.on_device(sleep)), done = fence(t.device);
  Value x = t.tensor({1}, {1}), y = t.tensor({1}, {1});
  TnFencePoint point{object(done), 1};
  TnRunContext later = context(), now = context();
  later.queues = now.queues = t.queues, later.queue_count = now.queue_count = 1;
  later.signal = &point, later.signal_count = 1;
  call([&](TnValue* ret) { return run(sleeper, later, {x.raw(), y.raw()}, ret); });
  EXPECT_EQ(wait(done, 1, kMs), 1);
  now.deadline_ns = now_ns() + 10 * kMs;
  EXPECT_EQ(error_of([&](TnValue* ret) { return run(sleeper, now, {x.raw(), y.raw()}, ret); }).code,
            TN_ERROR_CANCELLED);
  EXPECT_EQ(wait(done, 1, -1), -1);
}

TEST(LostDevices, AreToldAndOpenedAnew) {
  Bench t;
  Stream halt = busy(NPU_HALT);
  Tensor<int8_t> x({1}), out({1});
  {
    Value f = main_of(t.on_device(halt));
    TnValue args[] = {x.value(), out.value()};
    Error e = error_of([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
    EXPECT_EQ(e.code, TN_ERROR_DEVICE);
    EXPECT_NE(
        e.message.find("the device 'com.example.npu:0' failed in main: the accelerator does not answer any more: it "
                       "was told to halt"),
        std::string::npos)
        << e.message;
    e = error_of([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
    EXPECT_EQ(e.code, TN_ERROR_DEVICE);
    EXPECT_EQ(e.message, "the device was lost");
  }
  Bench anew;
  EXPECT_EQ(anew.read(anew.tensor(std::vector<int8_t>(8, 3))), std::vector<int8_t>(8, 3));
}

TEST(LostDevices, ACommandThatCannotBeStoppedCostsTheDeviceAndNotTheProcess) {
  KeptForEver kept;
  Bench t;
  Stream wedge = busy(NPU_WEDGE);
  Tensor<int8_t> x({1}), out({1});
  Value f = main_of(t.on_device(wedge));
  TnRunContext c = context();
  c.deadline_ns = now_ns() + 10 * kMs;
  Error e = error_of([&](TnValue* ret) { return run(f, c, {x.value(), out.value()}, ret); });
  EXPECT_EQ(e.code, TN_ERROR_CANCELLED);
  TnValue args[] = {x.value(), out.value()};
  e = error_of([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
  EXPECT_EQ(e.message, "the device was lost");
}

TEST(Threads, SixteenLoadAndCallAtOnce) {
  Bench t;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      Stream own = Bench::make();
      Value mine = main_of(load(own));  // a plugin and a device of its own
      for (int round = 0; round < 8; ++round)
        for (const Value* f : {&t.f, &mine}) {
          Tensor<int8_t> x({1, 8}), out({1, 8});
          std::fill(x.data.begin(), x.data.end(), static_cast<int8_t>(i * 4 + round));
          TnValue args[] = {x.value(), out.value()};
          TnValue ret{TN_NONE, 0, {0}};
          int status = function(*f)->call(function(*f), args, 2, &ret);
          tn_value_release(&ret);
          if (status || out.data != std::vector<int8_t>(8, static_cast<int8_t>(i * 4 + round + 1))) ++wrong;
        }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// ---- What a context binds -------------------------------------------------------------------------------------------

TEST(Contexts, ThreadsAreBounded) {
  rt->set_thread_count(4);
  struct Seen {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> elsewhere{0};
  } seen;
  Value f = function_of(
      [](void* self, const TnValue*, int32_t, TnValue* ret) {
        return rt->parallel_for(
            [](void* data, int32_t, int32_t, TnValue*) {
              auto* s = static_cast<Seen*>(data);
              if (std::this_thread::get_id() != s->caller) ++s->elsewhere;
              return 0;
            },
            static_cast<TnFunction*>(self)->context, 64, ret);
      },
      &seen);
  TnRunContext c = context();
  c.threads = 1;
  call([&](TnValue* ret) { return run(f, c, {}, ret); });
  EXPECT_EQ(seen.elsewhere, 0);
  c.threads = 2;
  call([&](TnValue* ret) { return run(f, c, {}, ret); });
  EXPECT_EQ(seen.elsewhere, 32);
}

TEST(Contexts, ScratchAllocatorAndProfilerAreUsed) {
  alignas(64) static char scratch[4096];
  struct Heap {
    int given = 0, back = 0;
  } heap;
  TnAllocator allocator{sizeof allocator, &heap,
                        [](void* self, size_t bytes, size_t alignment) {
                          ++static_cast<Heap*>(self)->given;
                          return aligned_alloc(alignment, bytes);
                        },
                        [](void* self, void* memory, size_t) {
                          ++static_cast<Heap*>(self)->back;
                          free(memory);
                        }};
  Value f = function_of([](void*, const TnValue*, int32_t, TnValue* ret) {
    auto inside = [](void* p) { return p >= scratch && p < scratch + sizeof scratch; };
    auto *a = rt->workspace_alloc(1000), *second = rt->workspace_alloc(1000), *big = rt->workspace_alloc(1 << 20);
    memset(a, 1, 1000), memset(second, 2, 1000), memset(big, 3, 1 << 20);
    const bool right = inside(a) && inside(second) && !inside(big);
    rt->workspace_free(second);
    auto* again = rt->workspace_alloc(500);
    const bool reused = again == second && reinterpret_cast<uintptr_t>(again) % 64 == 0;
    for (void* p : {big, again, a}) rt->workspace_free(p);
    const int64_t shape[] = {4};
    if (!right || !reused)
      return rt->error(TN_ERROR_CHECK_FAILED, "not from the scratch", nullptr, nullptr, nullptr, ret);
    return rt->tensor({kDLCPU, 0}, {kDLFloat, 32, 1}, 1, shape, ret);
  });
  TnRunContext c = context();
  c.scratch = scratch, c.scratch_bytes = sizeof scratch, c.allocator = &allocator;
  {
    Value tensor = call([&](TnValue* ret) { return run(f, c, {}, ret); });
  }
  EXPECT_EQ(heap.given, 1);
  EXPECT_EQ(heap.back, 1);

  Bench t;
  std::vector<std::string> events;
  TnProfiler profiler{sizeof profiler, &events, [](void* self, const TnProfileEvent* e) {
                        constexpr const char* kinds[] = {"run", "launch", "in", "out", "wait"};
                        static_cast<std::vector<std::string>*>(self)->push_back(std::string(kinds[e->kind]) + " " +
                                                                                e->name + " " + e->device + " " +
                                                                                std::to_string(e->bytes));
                        EXPECT_LE(e->begin_ns, e->end_ns);
                      }};
  TnRunContext p = context();
  p.profiler = &profiler;
  Tensor<int8_t> x({3, 8}), out({3, 8});
  call([&](TnValue* ret) { return run(t.f, p, {x.value(), out.value()}, ret); });
  EXPECT_EQ(events, (std::vector<std::string>{"in main com.example.npu:0 24", "launch main com.example.npu:0 0",
                                              "out main com.example.npu:0 24", "run  cpu:0 0"}));
}

TEST(Contexts, WhatIsWrongWithThemIsTold) {
  Value f = function_of([](void*, const TnValue*, int32_t, TnValue*) { return 0; });
  auto refused = [&](const TnRunContext* c) {
    return error_of([&](TnValue* ret) { return rt->run(function(f), c, nullptr, 0, ret); });
  };
  TnRunContext none{};
  EXPECT_NE(refused(&none).message.find("its size is not set"), std::string::npos);
  struct Newer {
    TnRunContext known;
    int64_t more;
  } newer{context(), 0};
  newer.known.size = sizeof newer;
  call([&](TnValue* ret) { return rt->run(function(f), &newer.known, nullptr, 0, ret); });
  newer.more = 1;
  EXPECT_EQ(refused(&newer.known).code, TN_ERROR_UNSUPPORTED);
  TnRunContext older = context();
  older.size = offsetof(TnRunContext, cancel);
  older.cancel = reinterpret_cast<const int32_t*>(1);  // beyond what it says it has
  call([&](TnValue* ret) { return rt->run(function(f), &older, nullptr, 0, ret); });
  Bench t;
  TnObject* twice[] = {object(t.queue), object(t.queue)};
  TnRunContext c = context();
  c.queues = twice, c.queue_count = 2;
  EXPECT_EQ(refused(&c).message, "a run has two queues of the device 'com.example.npu:0'");
  TnObject* no_queue[] = {object(t.device)};
  c.queues = no_queue, c.queue_count = 1;
  EXPECT_EQ(refused(&c).message, "entry 0 of the queues of a run is no queue");
  TnFencePoint no_fence{object(t.device), 1};
  c = context();
  c.wait = &no_fence, c.wait_count = 1;
  EXPECT_EQ(refused(&c).message, "what a run waits for or signals is no fence");
  EXPECT_EQ(error_of([&](TnValue* ret) { return rt->run(nullptr, nullptr, nullptr, 0, ret); }).code, TN_ERROR_ARGUMENT);
}

}  // namespace
}  // namespace tenon::devices
