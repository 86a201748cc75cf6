// The linker: LLD as a library. It ends its process over a damaged object, by itself or by a signal, so each link runs
// in a process that is forked for it; what LLD writes and says comes back through pipes. One link runs at a time.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tenon/ext/linker.h>
#include <tenon/plugin.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

LLD_HAS_DRIVER(elf)

// LLD registers LLVM's code generators for link-time optimisation, which objects never need. Without them the plugin is
// a tenth of the size.
extern "C" {
#define LLVM_TARGET(Name)                        \
  void LLVMInitialize##Name##TargetInfo(void) {} \
  void LLVMInitialize##Name##Target(void) {}     \
  void LLVMInitialize##Name##TargetMC(void) {}
#include <llvm/Config/Targets.def>
#define LLVM_ASM_PRINTER(Name) \
  void LLVMInitialize##Name##AsmPrinter(void) {}
#include <llvm/Config/AsmPrinters.def>
#define LLVM_ASM_PARSER(Name) \
  void LLVMInitialize##Name##AsmParser(void) {}
#include <llvm/Config/AsmParsers.def>
}

namespace tenon {
namespace {

struct LinkLld : PluginInstance {
  using PluginInstance::PluginInstance;
};

std::mutex& link_mutex() {
  static std::mutex mutex;
  return mutex;
}

// Where the system keeps a library that this process can load; empty when it has none.
std::string library_path(const char* name) {
  void* handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  if (!handle) return {};
  link_map* map = nullptr;
  std::string path;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map) path = map->l_name;
  dlclose(handle);
  return path;
}

// LLD prints one finding a line, each behind its name; the first one says what went wrong.
std::string first_finding(const std::string& output) {
  std::string line = output.substr(0, output.find('\n'));
  size_t at = line.find("error: ");
  return at == std::string::npos ? line : line.substr(at + 7);
}

// What LLD writes, on its way to the file. LLD maps the file that it writes, so that a full disk would end the process;
// into a pipe it writes from memory, and here a write that fails is an error.
class Output {
 public:
  explicit Output(const char* path) : path_(path) {
    file_ = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0777);
    if (file_ < 0 || pipe2(ends_, O_CLOEXEC) != 0) {
      error_ = errno;
      finish();
      fail();
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { finish(); }

  // The name under which LLD opens the pipe.
  std::string name() const { return "/proc/self/fd/" + std::to_string(ends_[1]); }
  int reader() const { return ends_[0]; }
  // Here, when another process has the pipe: its end is then the end of what LLD writes.
  void leave_to_writer() {
    ::close(ends_[1]);
    ends_[1] = -1;
  }
  // Copies what lies in the pipe, or waits for it; false at the end. After a failure the rest is read all the same: LLD
  // waits for it.
  bool copy() {
    ssize_t n = read(ends_[0], buffer_.data(), buffer_.size());
    if (n < 0) return errno == EINTR;
    for (ssize_t done = 0; done < n && error_ == 0;) {
      ssize_t w = write(file_, buffer_.data() + done, static_cast<size_t>(n - done));
      if (w >= 0)
        done += w;
      else if (errno != EINTR)
        error_ = errno;
    }
    return n > 0;
  }
  // After LLD has returned: throws when the file is not complete.
  void close() {
    finish();
    if (error_ != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(TN_ERROR_IO, std::string("cannot write the file: ") + std::strerror(error_), path_,
                error_ == ENOSPC ? "free some space, or write elsewhere" : "");
  }
  void finish() {
    for (int end : ends_)
      if (end >= 0) ::close(end);
    if (file_ >= 0 && ::close(file_) != 0 && error_ == 0) error_ = errno;
    ends_[0] = ends_[1] = file_ = -1;
  }

  std::string path_;
  int file_ = -1;
  int ends_[2] = {-1, -1};
  int error_ = 0;
  std::vector<char> buffer_ = std::vector<char>(1 << 16);
};

// ---- The process of a link

constexpr size_t kMostWords = 1 << 16;  // of what LLD says
constexpr unsigned kMostSeconds = 600;
constexpr char kLinked = '\x04';  // LLD has returned, and all is well
constexpr char kHasEnded[] = "LLD ended its process";

// In the forked process: links, says what LLD says, and ends. Nothing of the host runs here: no handler of its signals,
// and nothing that it does at its end.
[[noreturn]] void link_and_end(const std::vector<const char*>& arguments, int said) {
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPIPE, SIGTERM, SIGALRM})
    std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(kMostSeconds);
  llvm::raw_fd_ostream out(said, false, true);
  lld::Result result = lld::lldMain(arguments, out, out, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0) out << kLinked;
  _exit(result.retCode == 0 ? 0 : 1);
}

// Runs LLD, which writes into `file`; "" when it has linked, and else why it has not. No thread is started for this: one
// that holds a lock while the process forks would leave it locked in the child.
std::string run_lld(const std::vector<const char*>& arguments, Output& file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(TN_ERROR_IO, std::string("no pipe can be made: ") + std::strerror(errno), {}, "close some files");
  pid_t child = fork();
  if (child == 0) link_and_end(arguments, ends[1]);
  const int failure = errno;
  ::close(ends[1]);
  file.leave_to_writer();
  std::string said;
  char buffer[4096];
  pollfd pipes[2] = {{ends[0], POLLIN, 0}, {file.reader(), POLLIN, 0}};  // -1 when it has come to its end
  while (child > 0 && (pipes[0].fd >= 0 || pipes[1].fd >= 0)) {
    if (poll(pipes, 2, -1) < 0) continue;
    if (pipes[1].revents && !file.copy()) pipes[1].fd = -1;
    if (!pipes[0].revents) continue;
    ssize_t n = read(ends[0], buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      pipes[0].fd = -1;
    else if (said.size() < kMostWords || buffer[n - 1] == kLinked)
      said.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  if (child < 0)
    throw Error(TN_ERROR_OUT_OF_MEMORY, std::string("no process can be made to link in: ") + std::strerror(failure), {},
                "end other processes, or give the machine more memory");
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {}  // none where the host leaves it to the system
  if (!said.empty() && said.back() == kLinked) return "";
  std::string words = first_finding(said);
  if (ended == child && WIFSIGNALED(status))
    return std::string(kHasEnded) + " by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")" + (words.empty() ? "" : ", after: " + words);
  return words.empty() ? kHasEnded + std::string(" without a word") : words;
}

int link(void* instance, const TnContext*, const TnValue* objects, const char* output, TnValue* ret) {
  auto& self = *static_cast<LinkLld*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    std::scoped_lock lock(link_mutex());
    Output file(output);
    std::vector<std::string> words = {"ld.lld",
                                      "-shared",
                                      "-o",
                                      file.name(),
                                      "--hash-style=gnu",
                                      "-z",
                                      "relro",
                                      "-z",
                                      "now",
                                      "-z",
                                      "defs",
                                      "-z",
                                      "noexecstack",
                                      "--build-id=none",
                                      "--threads=1",
                                      "--as-needed",
                                      "--gc-sections"};
    for (const Value& object : Value::view(*objects).ref<Array>()) words.emplace_back(object.as_string());
    for (const char* name : {"libm.so.6", "libc.so.6"})
      if (std::string path = library_path(name); !path.empty()) words.push_back(path);
    std::vector<const char*> arguments;
    for (const std::string& w : words) arguments.push_back(w.c_str());
    if (std::string why = run_lld(arguments, file); !why.empty())
      throw Error(TN_ERROR_PLUGIN, "linking failed: " + why, output,
                  why.find("undefined symbol") != std::string::npos
                      ? "an undefined symbol is a bug of the code generator"
                      : "an object that cannot be linked is a bug of the code generator that made it");
    file.close();
    return {};
  });
}

constexpr auto table = make_table<TnLinker>(&link);

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::LinkLld, tenon::table)
