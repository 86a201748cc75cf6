// The thread pool behind parallel_for: work is split statically, workers spin for a bounded time and then park.
//
// A worker has two cache lines: in one the caller gives it turns, in the other it answers. Turns are numbered: a worker
// works when the number of its line is not the one that it did last. Who is about to sleep says so first and looks
// once more; who gives or answers does so first and looks then for a sleeper: one of them sees the other.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "runtime/run.h"

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
  int64_t spin_ns;  // how long its threads wait awake for one another
  const Run* run;   // that may be stopped, or null
};

// What a thread's share of a job came to: the error of its lowest failing task.
struct Share {
  int32_t failed;  // index of the task, or -1
  TnValue error;
};

using Turn = std::atomic<uint32_t>;

struct Worker {
  // Written by the caller.
  alignas(64) Turn turn;
  std::atomic<bool> caller_sleeps;
  Job job;
  // Written by the worker.
  alignas(64) Turn done;  // the turn that it did last, times 2, plus 1 when `share` holds an error
  std::atomic<bool> sleeps;
  Share share;
  // Read and written by callers only.
  alignas(64) bool started;
  uint32_t answer;  // the `done` that it saw last
};

struct Pool {
  std::atomic<bool> busy;        // a caller's job runs
  std::atomic<int32_t> threads;  // 0: not decided yet
  bool fork_handled;             // this and the next: read and written by who made it busy
  int32_t cores;
  Worker workers[kMaxThreads];  // [0] is the caller and has no thread
};
Pool pool;

thread_local bool inside_task;

void sleep_while(Turn& word, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(Turn& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
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

// Waits until `word` is another than `value`, and returns it: awake for a time, then asleep, with `asleep` set.
uint32_t wait_for_change(Turn& word, uint32_t value, std::atomic<bool>& asleep, int64_t spin_ns) {
  int64_t end = 0;
  do {
    for (int i = 0; i < 64; ++i) {
      uint32_t found = word.load(std::memory_order_acquire);
      if (found != value) return found;
      pause_cpu();
    }
    if (!end) end = now() + spin_ns;
  } while (now() < end);
  asleep.store(true);
  uint32_t found;
  while ((found = word.load()) == value) sleep_while(word, value);
  asleep.store(false, std::memory_order_relaxed);
  return found;
}

// The word is stored right behind what was written beside it, so that the other, who reads the line all the time, takes
// it away once and not twice.
void change(Turn& word, uint32_t value, const std::atomic<bool>& other_sleeps) {
#if defined(__SANITIZE_THREAD__)  // which knows no fences
  word.store(value);
#else
  word.store(value, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  if (other_sleeps.load()) wake(word);
}

// Runs tasks [begin, end) up to the first that fails.
void run_range(const Job& job, int32_t begin, int32_t end, Share* share) {
  share->failed = -1;
  for (int32_t i = begin; i < end; ++i) {
    TnValue ret = {TN_NONE, 0, {0}};
    if ((job.run && check_run(job.run, &ret)) || job.task(job.data, i, job.count, &ret)) {
      share->failed = i;
      share->error = ret;
      return;
    }
    tn_value_release(&ret);
  }
}

void run_share(const Job& job, int32_t thread, Share* share) {
  auto start = [&](int32_t t) { return static_cast<int32_t>(int64_t{t} * job.count / job.threads); };
  run_range(job, start(thread), start(thread + 1), share);
}

// Turns are counted modulo 2^31.
uint32_t done_word(uint32_t turn, bool failed) { return turn << 1 | (failed ? 1 : 0); }
bool holds_error(uint32_t done) { return done & 1; }

void* work(void* argument) {
  Worker& w = *static_cast<Worker*>(argument);
  auto index = static_cast<int32_t>(&w - pool.workers);
  inside_task = true;
  Job job = {};
  Share share;
  for (uint32_t turn = w.done.load() / 2;;) {
    turn = wait_for_change(w.turn, turn, w.sleeps, job.spin_ns);
    job = w.job;
    run_share(job, index, &share);
    if (share.failed >= 0) w.share = share;
    change(w.done, done_word(turn, share.failed >= 0), w.caller_sleeps);
  }
  return nullptr;
}

// The workers of the parent do not exist in a forked child.
void forget_workers() {
  for (Worker& w : pool.workers) {
    w.started = false;
    w.turn.store(0);
    w.done.store(0);
    w.answer = 0;
    w.sleeps.store(false);
    w.caller_sleeps.store(false);
  }
  inside_task = false;
  pool.busy.store(false);
}

bool start_worker(int32_t index) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes)) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigset_t all, before;  // the signals of a process are for its own threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int status = pthread_create(&thread, &attributes, work, &pool.workers[index]);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return status == 0;
}

// Starts the workers that are missing; how many threads there are, the caller included.
int32_t start_workers(int32_t wanted) {
  if (!pool.fork_handled) pool.fork_handled = pthread_atfork(nullptr, nullptr, forget_workers) == 0;
  for (int32_t i = 1; i < wanted; ++i) {
    bool& started = pool.workers[i].started;
    if (!started) started = start_worker(i);
    if (!started) return i;
  }
  return wanted;
}

int32_t bounded(int64_t threads) {
  return threads < 1 ? 1 : threads > kMaxThreads ? kMaxThreads : static_cast<int32_t>(threads);
}

int32_t available_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) ? 1 : bounded(CPU_COUNT(&set));
}

int finish(const Share& share, TnValue* ret) {
  if (share.failed < 0) return 0;
  *ret = share.error;
  return -1;
}

int run_here(const Job& job, TnValue* ret) {
  Share share;
  bool outer = inside_task;
  inside_task = true;
  run_range(job, 0, job.count, &share);
  inside_task = outer;
  return finish(share, ret);
}

int run_with_workers(const Job& job, TnValue* ret) {
  for (int32_t i = 1; i < job.threads; ++i) {
    Worker& w = pool.workers[i];
    w.job = job;
    change(w.turn, w.turn.load(std::memory_order_relaxed) + 1, w.sleeps);
  }
  Share own;
  inside_task = true;
  run_share(job, 0, &own);
  inside_task = false;
  int status = finish(own, ret);
  // The error of the lowest failing task is the first among the shares, in order.
  for (int32_t i = 1; i < job.threads; ++i) {
    Worker& w = pool.workers[i];
    w.answer = wait_for_change(w.done, w.answer, w.caller_sleeps, job.spin_ns);
    if (!holds_error(w.answer)) continue;
    if (status == 0)
      status = finish(w.share, ret);
    else
      tn_value_release(&w.share.error);
  }
  return status;
}

}  // namespace

int32_t thread_count() {
  int32_t n = pool.threads.load(std::memory_order_relaxed);
  if (n) return n;
  const char* text = getenv("TENON_NUM_THREADS");
  long wanted = text ? strtol(text, nullptr, 10) : 0;
  n = wanted >= 1 ? bounded(wanted) : available_cores();
  int32_t none = 0;
  return pool.threads.compare_exchange_strong(none, n) ? n : none;
}

void set_thread_count(int32_t count) { pool.threads.store(bounded(count)); }

int parallel_for(TnTask task, void* data, int32_t count, TnValue* ret) {
  *ret = TnValue{TN_NONE, 0, {0}};
  Job job = {task, data, count, thread_count(), 0, nullptr};
  if (const Run* run = current_run) {
    if (can_stop(run)) job.run = run;
    if (run->context.threads > 0 && run->context.threads < job.threads) job.threads = run->context.threads;
  }
  if (job.threads > count) job.threads = count;
  // A task that calls parallel_for, and a caller that comes while another one's job runs, do their work themselves.
  if (job.threads <= 1 || inside_task || pool.busy.exchange(true, std::memory_order_acquire)) return run_here(job, ret);
  job.threads = start_workers(job.threads);
  // Threads that outnumber the cores would wait awake for one that is not running.
  if (!pool.cores) pool.cores = available_cores();
  job.spin_ns = job.threads <= pool.cores ? kSpinNanoseconds : 0;
  int status = run_with_workers(job, ret);
  pool.busy.store(false, std::memory_order_release);
  return status;
}

}  // namespace tenon::rt
