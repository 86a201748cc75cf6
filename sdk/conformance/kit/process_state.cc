#include "process_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace tenon::conformance {

namespace {

// The control bits of the processor's floating-point unit: rounding, flush to zero, exceptions that trap.
unsigned control_word() {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & 0xffc0u;
#elif defined(__aarch64__)
  uint64_t word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return static_cast<unsigned>(word);
#else
  return 0;
#endif
}

void set_control_word(unsigned word) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(word | (__builtin_ia32_stmxcsr() & 0x3fu));
#elif defined(__aarch64__)
  uint64_t wide = word;
  __asm__ volatile("msr fpcr, %0" : : "r"(wide));
#else
  (void)word;
#endif
}

std::string environment() {
  std::vector<std::string> all;
  for (char** e = environ; *e; ++e) all.emplace_back(*e);
  std::sort(all.begin(), all.end());
  std::string out;
  for (const std::string& e : all) out += e + "\n";
  return out;
}

std::string handlers() {
  std::string out;
  for (int s = 1; s < 65; ++s) {
    struct sigaction a;
    std::memset(&a, 0, sizeof a);
    if (sigaction(s, nullptr, &a) != 0) continue;
    out += std::to_string(reinterpret_cast<uintptr_t>(a.sa_sigaction)) + ",";
  }
  return out;
}

std::string signal_mask() {
  sigset_t set;
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, nullptr, &set);
  std::string out;
  for (int s = 1; s < 65; ++s) out += sigismember(&set, s) == 1 ? '1' : '0';
  return out;
}

// The entries of a folder of /proc whose names are numbers, without the one that reading it opens.
size_t entries_of(const char* folder) {
  size_t n = 0;
  DIR* d = opendir(folder);
  if (!d) return 0;
  while (dirent* e = readdir(d)) n += e->d_name[0] != '.' && std::atoi(e->d_name) != dirfd(d);
  closedir(d);
  return n;
}

constexpr const char* kOpenFiles = "the number of open files";

std::string standard_streams() {
  std::string out;
  for (int fd = 0; fd < 3; ++fd) out += fcntl(fd, F_GETFD) < 0 ? "closed " : "open ";
  return out;
}

std::string timers() {
  std::string out;
  for (int which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval t{};
    getitimer(which, &t);
    out += t.it_value.tv_sec || t.it_value.tv_usec ? "armed " : "off ";
  }
  return out;
}

std::string limits() {
  std::string out;
  for (int which = 0; which < RLIM_NLIMITS; ++which) {
    rlimit l{};
    if (getrlimit(static_cast<__rlimit_resource_t>(which), &l) == 0)
      out += std::to_string(l.rlim_cur) + "/" + std::to_string(l.rlim_max) + " ";
  }
  return out;
}

std::string children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? "some" : "none";
}

}  // namespace

size_t threads_now() { return entries_of("/proc/self/task"); }

ProcessState::ProcessState(bool watch_output)
    : watch_output_(watch_output), before_(read()), mode_(control_word()), rounding_(std::fegetround()) {}

std::vector<ProcessState::Part> ProcessState::read() const {
  char folder[4096];
  const mode_t mask = umask(0);
  umask(mask);
  std::vector<Part> out{
      {"P1", "the floating-point mode", std::to_string(control_word()) + "/" + std::to_string(std::fegetround())},
      {"P2", "the locale", std::setlocale(LC_ALL, nullptr)},
      {"P2", "the working directory", getcwd(folder, sizeof folder) ? folder : ""},
      {"P2", "the mask of signals", signal_mask()},
      {"P3", "the environment", environment()},
      {"P3", "the mask of new files", std::to_string(mask)},
      {"P3", "the timers", timers()},
      {"P3", "the limits", limits()},
      {"P3", "the priority", std::to_string(getpriority(PRIO_PROCESS, 0))},
      {"P4", "the handlers of signals", handlers()},
      {"P6", "the standard streams", standard_streams()},
      {"P6", kOpenFiles, std::to_string(entries_of("/proc/self/fd"))},
      {"P7", "the child processes", children()}};
  if (watch_output_) {
    struct stat s;
    out.push_back({"P5", "the standard output", std::to_string(fstat(1, &s) == 0 ? s.st_size : 0)});
  }
  return out;
}

std::vector<StateChange> ProcessState::changes_and_restore() {
  std::fflush(stdout);
  std::vector<StateChange> out;
  std::vector<Part> now = read();
  for (size_t i = 0; i < now.size(); ++i)
    if (now[i].value != before_[i].value)
      out.push_back({now[i].rule,
                     now[i].rule == "P5"
                         ? "it wrote to the standard output"
                         : "it changed " + now[i].name +
                               (now[i].value.size() < 60 ? " from " + before_[i].value + " to " + now[i].value : ""),
                     now[i].name == kOpenFiles});
  if (out.empty()) return out;
  std::fesetround(rounding_);
  set_control_word(mode_);
  std::setlocale(LC_ALL, before_[1].value.c_str());
  if (chdir(before_[2].value.c_str()) != 0) {}
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  before_ = read();
  return out;
}

}  // namespace tenon::conformance
