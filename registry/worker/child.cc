#include "registry/worker/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "tenon/cxx/object.h"

extern char** environ;

namespace tenon::worker {

namespace {

constexpr off_t kLogBytes = 1 << 20;
constexpr size_t kShownLogBytes = 64 * 1024;
constexpr int kFirstOwnDescriptor = 10;  // above those that the worker gets

Error cannot_start(const std::string& program, int reason) {
  return Error(TN_ERROR_IO, std::string("the worker process cannot be started: ") + std::strerror(reason), program,
               reason == ENOENT ? "install Tenon again: the program belongs to it" : "");
}

Fd moved_up(int fd) {
  Fd given(fd);
  return Fd(given ? fcntl(given.get(), F_DUPFD_CLOEXEC, kFirstOwnDescriptor) : -1);
}

// What the worker prints goes into a file of fixed size: a plugin that prints for ever fills nothing but that.
Fd make_log() {
  Fd log = moved_up(memfd_create("tenon-worker-log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (log && (ftruncate(log.get(), kLogBytes) != 0 || fcntl(log.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0))
    return {};
  return log;
}

struct Actions {
  Actions() { posix_spawn_file_actions_init(&a); }
  ~Actions() { posix_spawn_file_actions_destroy(&a); }
  posix_spawn_file_actions_t a;
};
struct Attributes {
  Attributes() { posix_spawnattr_init(&a); }
  ~Attributes() { posix_spawnattr_destroy(&a); }
  posix_spawnattr_t a;
};

struct SignalRow {
  int number;
  const char* name;
  const char* meaning;
};
constexpr SignalRow kSignals[] = {{SIGSEGV, "SIGSEGV", "segmentation fault"},
                                  {SIGABRT, "SIGABRT", "abort"},
                                  {SIGBUS, "SIGBUS", "bus error"},
                                  {SIGILL, "SIGILL", "illegal instruction"},
                                  {SIGFPE, "SIGFPE", "arithmetic fault"},
                                  {SIGKILL, "SIGKILL", "killed"},
                                  {SIGTERM, "SIGTERM", "terminated"},
                                  {SIGPIPE, "SIGPIPE", "broken pipe"},
                                  {SIGTRAP, "SIGTRAP", "trap"},
                                  {SIGSYS, "SIGSYS", "forbidden system call"},
                                  {SIGXCPU, "SIGXCPU", "processor time"},
                                  {SIGXFSZ, "SIGXFSZ", "file size"},
                                  {SIGALRM, "SIGALRM", "alarm"},
                                  {SIGINT, "SIGINT", "interrupted"},
                                  {SIGHUP, "SIGHUP", "hang-up"},
                                  {SIGQUIT, "SIGQUIT", "quit"},
                                  {SIGUSR1, "SIGUSR1", "user signal"},
                                  {SIGUSR2, "SIGUSR2", "user signal"},
                                  {SIGVTALRM, "SIGVTALRM", "alarm"},
                                  {SIGPROF, "SIGPROF", "alarm"},
                                  {SIGSTOP, "SIGSTOP", "stopped"},
                                  {SIGIO, "SIGIO", "input"},
                                  {SIGSTKFLT, "SIGSTKFLT", "stack fault"},
                                  {SIGPWR, "SIGPWR", "power failure"}};

std::string hex(uint64_t v) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
  return text;
}

}  // namespace

std::string signal_text(int number) {
  for (const SignalRow& row : kSignals)
    if (row.number == number) return std::string(row.name) + " (" + row.meaning + ")";
  return "signal " + std::to_string(number);
}

Child::Child(const std::string& program, const ChildLimits& limits) : limits_(limits) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw cannot_start(program, errno);
  Fd mine = moved_up(ends[0]), theirs = moved_up(ends[1]);
  log_ = make_log();
  Fd page = moved_up(memfd_create("tenon-worker-control", MFD_CLOEXEC));
  if (!mine || !theirs || !log_ || !page || ftruncate(page.get(), sizeof(Control)) != 0)
    throw cannot_start(program, errno);
  void* shared = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
  if (shared == MAP_FAILED) throw cannot_start(program, errno);
  control_ = static_cast<Control*>(shared);

  Actions actions;
  posix_spawn_file_actions_addopen(&actions.a, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions.a, log_.get(), 1);
  posix_spawn_file_actions_adddup2(&actions.a, log_.get(), 2);
  posix_spawn_file_actions_adddup2(&actions.a, theirs.get(), kSocketDescriptor);
  posix_spawn_file_actions_adddup2(&actions.a, page.get(), kControlDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions.a, kControlDescriptor + 1);
  // A group of its own: it can be ended with what it started, and the terminal's signals do not reach it.
  Attributes attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes.a, &all);
  posix_spawnattr_setsigmask(&attributes.a, &none);
  posix_spawnattr_setpgroup(&attributes.a, 0);
  posix_spawnattr_setflags(&attributes.a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::string memory = std::to_string(limits.memory_bytes);
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(memory.c_str()), nullptr};
  int error = posix_spawn(&pid_, program.c_str(), &actions.a, &attributes.a, arguments, environ);
  if (error != 0) {
    munmap(control_, sizeof(Control));
    throw cannot_start(program, error);
  }
  channel_ = Channel(std::move(mine));
}

Child::~Child() {
  if (!reaped_) end(Ending::How::kCancelled);
  munmap(control_, sizeof(Control));
}

bool Child::has_ended() const {
  siginfo_t info{};
  return reaped_ ||
         (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid != 0);
}

bool Child::reap(bool block) {
  if (reaped_) return true;
  siginfo_t info{};
  int waited;
  do waited = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | (block ? 0 : WNOHANG));
  while (waited != 0 && errno == EINTR);
  if (waited == 0 && info.si_pid == 0) return false;
  if (waited == 0) {
    if (info.si_code == CLD_TRAPPED) trap_ = info.si_status & 0x7f;
    kill(-pid_, SIGKILL);  // its group outlives it; until it is waited for, its number is its own
    kill(pid_, SIGKILL);
  }
  int status = 0;
  pid_t got;
  do got = waitpid(pid_, &status, 0);
  while ((got < 0 && errno == EINTR) || (got == pid_ && WIFSTOPPED(status)));
  // Without a status when the host ignores SIGCHLD, or waits for every child that it has.
  reaped_ = true;
  status_known_ = got == pid_;
  status_ = status;
  return true;
}

bool Child::is_alive() {
  if (reap(false)) return false;
  pollfd p{channel_.fd(), POLLIN, 0};
  return poll(&p, 1, 0) <= 0 || !(p.revents & (POLLHUP | POLLERR));
}

std::string Child::take_log() {
  off_t end = lseek(log_.get(), 0, SEEK_CUR);
  if (end <= 0 || end > kLogBytes) return "";
  size_t size = std::min(static_cast<size_t>(end), kShownLogBytes);
  std::string text(size, '\0');
  ssize_t n = pread(log_.get(), text.data(), size, end - static_cast<off_t>(size));
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  lseek(log_.get(), 0, SEEK_SET);
  return text;
}

std::string Child::crash_text() const {
  CrashNote note;
  std::memcpy(&note, &control_->crash, sizeof note);
  note.library[sizeof note.library - 1] = 0;
  std::string text;
  if (note.stack_overflow)
    text = ": its stack overflowed";
  else if (note.signal == SIGSEGV || note.signal == SIGBUS)
    text = " at address " + hex(note.address);
  if (note.library[0]) text += std::string(" in ") + note.library + "+" + hex(note.offset);
  return text;
}

// The plugin whose call began last, of those that have not ended.
std::string Child::innermost() const {
  const RunningCall* last = nullptr;
  uint64_t sequence = 0;
  for (const RunningCall& c : control_->running)
    if (uint64_t s = c.sequence.load(); s > sequence) last = &c, sequence = s;
  if (!last) return "";
  std::string who(last->who, strnlen(last->who, sizeof last->who));
  return who.substr(0, who.find_first_of(": "));
}

Ending Child::end(Ending::How how) {
  using How = Ending::How;
  Ending out;
  out.how = how;
  if (how == How::kClosed || how == How::kGarbage) {
    // It ends, or has closed its descriptors and lives on.
    bool leaves = control_->crash.signal != 0 || control_->ended.load() != 0 || control_->fault[0] != 0;
    auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(how == How::kGarbage ? 0
                                                                              : leaves             ? 2000
                                                                                                   : 100);
    while (!reap(false) && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  bool by_itself = reaped_;
  if (!reaped_) {
    kill(pid_, SIGKILL);
    reap(true);
  }
  const CrashNote& note = control_->crash;
  const bool full = limits_.memory_bytes != 0 && note.data_bytes > limits_.memory_bytes - limits_.memory_bytes / 8;
  out.memory = full || (limits_.memory_bytes != 0 && control_->out_of_memory.load() != 0);
  out.inner = innermost();
  int signal = by_itself && status_known_ && WIFSIGNALED(status_) ? WTERMSIG(status_) : by_itself ? note.signal : 0;
  if (trap_) signal = trap_;
  if (how == How::kDeadline || how == How::kCancelled || how == How::kTalk) return out;
  char fault[sizeof control_->fault];
  std::memcpy(fault, control_->fault, sizeof fault);
  fault[sizeof fault - 1] = 0;
  if (fault[0]) {
    out.text = fault;
  } else if (how == How::kGarbage) {
    out.text = "wrote something of its own into the connection to the host";
  } else if (signal != 0) {
    out.how = How::kSignal;
    out.number = signal;
    out.text = "was stopped by " + signal_text(signal) + (note.signal == signal ? crash_text() : "");
    if (signal == SIGKILL) out.text += "; the machine may have been out of memory";
  } else if (by_itself && status_known_ && WIFEXITED(status_)) {
    out.how = How::kExit;
    out.number = WEXITSTATUS(status_);
    out.text = std::string(control_->ended.load() ? "called exit(" : "ended its process with status ") +
               std::to_string(out.number) + (control_->ended.load() ? ")" : "");
  } else {
    out.text = by_itself ? "ended its process" : "closed the connection to the host and went on";
  }
  if (out.memory)
    out.text += (full ? "; it had used up the " : "; it asked for more memory than the ") +
                std::to_string(limits_.memory_bytes >> 20) + " MiB that it may use";
  return out;
}

std::optional<int> Child::wait_exit(std::chrono::steady_clock::time_point until) {
  while (!reap(false)) {
    if (std::chrono::steady_clock::now() >= until) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  if (!status_known_) return 0;
  if (WIFSIGNALED(status_)) return 128 + WTERMSIG(status_);
  return WEXITSTATUS(status_);
}

}  // namespace tenon::worker
