// The thread pool behind parallel_for: work is split statically, workers spin for a bounded time and then park.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "runtime/internal.h"

namespace tenon::rt {
namespace {

constexpr int32_t kMaxThreads = 256;
constexpr int64_t kSpinNanoseconds = 100'000;

// One parallel_for in flight. Thread t of `threads` runs the tasks from t * count / threads on.
struct Job {
  TnTask task;
  void* data;
  int32_t count;
  int32_t threads;
};

// What a thread's share of a job came to: the error of its lowest failing task.
struct Share {
  int32_t failed;  // index of the task, or -1
  TnValue error;
};

struct alignas(64) Worker {
  std::atomic<const Job*> job;  // what to run next; the worker clears it
  std::atomic<int32_t> parked;  // 1 while the worker sleeps, or is about to
  Share share;
  bool started;
};

struct Pool {
  pthread_mutex_t busy;          // held by the caller whose job runs
  std::atomic<int32_t> pending;  // workers that have not finished their share
  std::atomic<int32_t> waiting;  // 1 while the caller sleeps, or is about to
  std::atomic<int32_t> threads;  // 0: not decided yet
  bool fork_handled;
  Worker workers[kMaxThreads];  // [0] is the caller and has no thread
};
Pool pool = {PTHREAD_MUTEX_INITIALIZER, {}, {}, {}, false, {}};

thread_local bool inside_task;

void futex_wait(std::atomic<int32_t>* word, int32_t value) {
  syscall(SYS_futex, reinterpret_cast<int32_t*>(word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<int32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<int32_t*>(word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Spins until `ready()` or the time is over; says which.
template <class Ready>
bool spin(Ready ready) {
  for (int i = 0; i < 256; ++i) {
    if (ready()) return true;
    pause_cpu();
  }
  for (int64_t end = now() + kSpinNanoseconds; now() < end;)
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  return ready();
}

// Runs tasks [begin, end) up to the first that fails.
void run_range(const Job& job, int32_t begin, int32_t end, Share* share) {
  share->failed = -1;
  inside_task = true;
  for (int32_t i = begin; i < end; ++i) {
    TnValue ret = {TN_NONE, 0, {0}};
    if (job.task(job.data, i, job.count, &ret) == 0) {
      tn_value_release(&ret);
      continue;
    }
    share->failed = i;
    share->error = ret;
    break;
  }
  inside_task = false;
}

void run_share(const Job& job, int32_t thread, Share* share) {
  auto start = [&](int32_t t) { return static_cast<int32_t>(int64_t{t} * job.count / job.threads); };
  run_range(job, start(thread), start(thread + 1), share);
}

void* work(void* argument) {
  auto index = static_cast<int32_t>(reinterpret_cast<intptr_t>(argument));
  Worker& w = pool.workers[index];
  for (;;) {
    const Job* job = nullptr;
    auto given = [&] { return (job = w.job.load(std::memory_order_acquire)) != nullptr; };
    while (!spin(given)) {
      w.parked.store(1);
      if (w.job.load() == nullptr) futex_wait(&w.parked, 1);
      w.parked.store(0);
    }
    w.job.store(nullptr, std::memory_order_relaxed);
    run_share(*job, index, &w.share);
    if (pool.pending.fetch_sub(1) == 1 && pool.waiting.exchange(0)) futex_wake(&pool.waiting);
  }
  return nullptr;
}

// The threads of the parent do not exist in a forked child.
void forget_workers() {
  pthread_mutex_init(&pool.busy, nullptr);
  pool.pending.store(0);
  pool.waiting.store(0);
  for (Worker& w : pool.workers) {
    w.started = false;
    w.job.store(nullptr);
    w.parked.store(0);
  }
  inside_task = false;
}

int32_t available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return 1;
  int32_t n = CPU_COUNT(&set);
  return n < 1 ? 1 : n > kMaxThreads ? kMaxThreads : n;
}

// Starts the workers that are missing; how many threads there are, the caller included.
int32_t start_workers(int32_t wanted) {
  if (!pool.fork_handled) {
    pool.fork_handled = true;
    pthread_atfork(nullptr, nullptr, forget_workers);
  }
  for (int32_t i = 1; i < wanted; ++i) {
    if (pool.workers[i].started) continue;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    bool ok = pthread_create(&thread, &attributes, work, reinterpret_cast<void*>(static_cast<intptr_t>(i))) == 0;
    pthread_attr_destroy(&attributes);
    if (!ok) return i;
    pool.workers[i].started = true;
  }
  return wanted;
}

int run_here(TnTask task, void* data, int32_t count, TnValue* ret) {
  bool outer = inside_task;
  Share share;
  run_range(Job{task, data, count, 1}, 0, count, &share);
  inside_task = outer;
  if (share.failed < 0) return 0;
  *ret = share.error;
  return -1;
}

}  // namespace

int32_t thread_count() {
  int32_t n = pool.threads.load();
  if (n) return n;
  n = available_cores();
  if (const char* text = getenv("TENON_NUM_THREADS")) {
    long wanted = strtol(text, nullptr, 10);
    if (wanted >= 1) n = static_cast<int32_t>(wanted < kMaxThreads ? wanted : kMaxThreads);
  }
  int32_t none = 0;
  return pool.threads.compare_exchange_strong(none, n) ? n : none;
}

void set_thread_count(int32_t count) { pool.threads.store(count < 1 ? 1 : count < kMaxThreads ? count : kMaxThreads); }

int parallel_for(TnTask task, void* data, int32_t count, TnValue* ret) {
  *ret = TnValue{TN_NONE, 0, {0}};
  int32_t wanted = thread_count();
  if (wanted > count) wanted = count;
  // A task that calls parallel_for, and a caller that comes while another one's job runs, do their work themselves.
  if (wanted <= 1 || inside_task || pthread_mutex_trylock(&pool.busy)) return run_here(task, data, count, ret);
  int32_t threads = start_workers(wanted);
  Job job = {task, data, count, threads};
  pool.pending.store(threads - 1);
  for (int32_t i = 1; i < threads; ++i) {
    Worker& w = pool.workers[i];
    w.job.store(&job);
    if (w.parked.exchange(0)) futex_wake(&w.parked);
  }
  Share own;
  run_share(job, 0, &own);
  auto done = [&] { return pool.pending.load(std::memory_order_acquire) == 0; };
  while (!spin(done)) {
    pool.waiting.store(1);
    if (!done()) futex_wait(&pool.waiting, 1);
    pool.waiting.store(0);
  }
  // The error of the lowest failing task is the first among the shares, in order.
  bool failed = own.failed >= 0;
  if (failed) *ret = own.error;
  for (int32_t i = 1; i < threads; ++i) {
    Share& share = pool.workers[i].share;
    if (share.failed < 0) continue;
    if (failed)
      tn_value_release(&share.error);
    else
      *ret = share.error;
    failed = true;
  }
  pthread_mutex_unlock(&pool.busy);
  return failed ? -1 : 0;
}

}  // namespace tenon::rt
