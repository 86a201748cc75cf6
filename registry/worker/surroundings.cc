#include "registry/worker/surroundings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace tenon::worker {

namespace {

constexpr int kSignals = 32;  // the real-time ones are not the business of libraries that are loaded here

// The mask of new files; nobody can read it without setting it.
mode_t file_mask() {
  mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}

bool same_action(const struct sigaction& a, const struct sigaction& b) {
  return a.sa_sigaction == b.sa_sigaction && (a.sa_flags & SA_SIGINFO) == (b.sa_flags & SA_SIGINFO);
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

bool is_timer_running() {
  for (int which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval timer{};
    if (getitimer(which, &timer) == 0 && (timer.it_value.tv_sec || timer.it_value.tv_usec)) return true;
  }
  return false;
}

void stop_timers() {
  const itimerval none{};
  for (int which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) setitimer(which, &none, nullptr);
}

// What descriptors 0, 1 and 2 stand for.
std::array<std::pair<dev_t, ino_t>, 3> standard_files() {
  std::array<std::pair<dev_t, ino_t>, 3> out{};
  for (int fd : {0, 1, 2}) {
    struct stat s{};
    if (fstat(fd, &s) == 0) out[static_cast<size_t>(fd)] = {s.st_dev, s.st_ino};
  }
  return out;
}

// Rounding, flushing to zero and which exceptions trap; the flags that say what happened are nobody's business.
uint32_t float_control() {
#if defined(__x86_64__)
  return _mm_getcsr() & ~0x3fu;
#elif defined(__aarch64__)
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return static_cast<uint32_t>(control);
#else
  return static_cast<uint32_t>(std::fegetround());
#endif
}

std::string current_folder() {
  char path[4096];
  return getcwd(path, sizeof path) ? path : "";
}

}  // namespace

Surroundings::Surroundings()
    : float_control_(float_control()),
      locale_(setlocale(LC_ALL, nullptr)),
      folder_(current_folder()),
      timer_(is_timer_running()),
      file_mask_(file_mask()),
      standard_files_(standard_files()) {
  fegetenv(&float_environment_);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
  for (int number = 1; number < kSignals; ++number) {
    struct sigaction action{};
    sigaction(number, nullptr, &action);
    handlers_.push_back(action);
  }
}

std::vector<std::string> Surroundings::restore() const {
  std::vector<std::string> out;
  if (float_control() != float_control_) {
    out.emplace_back("changed the floating-point mode");
    fesetenv(&float_environment_);
  }
  if (locale_ != setlocale(LC_ALL, nullptr)) {
    out.emplace_back("changed the locale");
    setlocale(LC_ALL, locale_.c_str());
  }
  if (!folder_.empty() && current_folder() != folder_) {
    out.emplace_back("changed the current folder");
    (void)!chdir(folder_.c_str());
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  bool same_mask = true;
  for (int number = 1; number < 64; ++number)
    same_mask = same_mask && sigismember(&mask, number) == sigismember(&mask_, number);
  if (!same_mask) {
    out.emplace_back("changed which signals are blocked");
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  for (int number = 1; number < kSignals; ++number) {
    const struct sigaction& before = handlers_[static_cast<size_t>(number - 1)];
    struct sigaction now{};
    if (sigaction(number, nullptr, &now) != 0 || same_action(now, before)) continue;
    out.push_back("changed what " + signal_name(number) + " does");
    sigaction(number, &before, nullptr);
  }
  if (!timer_ && is_timer_running()) {
    out.emplace_back("started a timer");
    stop_timers();
  }
  if (file_mask() != file_mask_) {
    out.emplace_back("changed the mask of new files");
    ::umask(file_mask_);
  }
  for (int fd : {0, 1, 2})
    if (fcntl(fd, F_GETFD) < 0) {
      out.emplace_back("closed descriptor " + std::to_string(fd));
      (void)open("/dev/null", O_RDWR);
    }
  const auto files = standard_files();
  for (size_t fd = 0; fd < files.size(); ++fd)
    if (files[fd] != standard_files_[fd] && fcntl(static_cast<int>(fd), F_GETFD) >= 0 && out.empty())
      out.push_back("put something else in place of descriptor " + std::to_string(fd));
  return out;
}

}  // namespace tenon::worker
