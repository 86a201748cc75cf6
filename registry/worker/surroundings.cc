#include "registry/worker/surroundings.h"

#include <fcntl.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace tenon::worker {

namespace {

struct SignalRow {
  int number;
  const char* name;
};
constexpr SignalRow kWatched[] = {{SIGINT, "SIGINT"},   {SIGTERM, "SIGTERM"}, {SIGCHLD, "SIGCHLD"},
                                  {SIGPIPE, "SIGPIPE"}, {SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"},
                                  {SIGUSR1, "SIGUSR1"}};

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
    : float_control_(float_control()), locale_(setlocale(LC_ALL, nullptr)), folder_(current_folder()) {
  fegetenv(&float_environment_);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
  for (const SignalRow& row : kWatched) {
    struct sigaction action{};
    sigaction(row.number, nullptr, &action);
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
  for (size_t i = 0; i < handlers_.size(); ++i) {
    struct sigaction now{};
    sigaction(kWatched[i].number, nullptr, &now);
    if (now.sa_sigaction == handlers_[i].sa_sigaction) continue;
    out.push_back(std::string("changed what ") + kWatched[i].name + " does");
    sigaction(kWatched[i].number, &handlers_[i], nullptr);
  }
  for (int fd : {0, 1, 2})
    if (fcntl(fd, F_GETFD) < 0) {
      out.emplace_back("closed descriptor " + std::to_string(fd));
      (void)open("/dev/null", O_RDWR);
    }
  return out;
}

}  // namespace tenon::worker
