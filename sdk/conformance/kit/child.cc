#include "child.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tenon/cxx/object.h"

extern char** environ;

namespace tenon::conformance {

namespace {

constexpr int kReport = 3;

struct Descriptor {
  int fd;
  explicit Descriptor(int n) : fd(n) {
    if (fd < 0) throw Error(TN_ERROR_IO, std::string("cannot start a check: ") + std::strerror(errno));
  }
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }
  void close_now() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// A folder for what the check and its plugin leave behind, whatever their end.
class Scratch {
 public:
  Scratch() {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder && *folder ? folder : "/tmp") + "/tenon-check-XXXXXX";
    if (!mkdtemp(path_.data()))
      throw Error(TN_ERROR_IO, std::string("cannot start a check: ") + std::strerror(errno), path_,
                  "set TMPDIR to a folder that can be written");
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> command_of(const Options& o) {
  std::vector<std::string> words{"tenon", "plugin", "check", o.target};
  for (const std::string& s : o.samples) words.insert(words.end(), {"--sample", s});
  for (const std::string& s : o.plugin_dirs) words.insert(words.end(), {"--plugin-dir", s});
  if (!o.config.empty()) words.insert(words.end(), {"--config", o.config});
  return words;
}

std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
  std::vector<std::string> out = changes;
  for (char** e = environ; *e; ++e) {
    std::string entry = *e, name = entry.substr(0, entry.find('=') + 1);
    bool replaced = false;
    for (const std::string& c : changes) replaced = replaced || c.compare(0, name.size(), name) == 0;
    if (!replaced) out.push_back(entry);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

void take_lines(std::string& text, ChildEnd& end) {
  for (size_t newline; (newline = text.find('\n')) != std::string::npos; text.erase(0, newline + 1)) {
    std::string line = text.substr(0, newline);
    size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    std::string kind = line.substr(0, tab), rest = line.substr(tab + 1);
    if (kind == "done")
      end.finished = true;
    else if (kind == "at")
      end.last = rest;
    else
      end.lines.emplace_back(kind, rest);
  }
}

// How long the threads of a process have waited for a processor: on a busy machine that is no fault of theirs.
std::chrono::milliseconds waited_for_processor(pid_t pid) {
  unsigned long long most = 0;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* d = opendir(folder.c_str());
  if (!d) return {};
  while (dirent* e = readdir(d)) {
    unsigned long long running = 0, waiting = 0;
    if (FILE* f = std::fopen((folder + "/" + e->d_name + "/schedstat").c_str(), "re")) {
      if (std::fscanf(f, "%llu %llu", &running, &waiting) == 2) most = std::max(most, waiting);
      std::fclose(f);
    }
  }
  closedir(d);
  return std::chrono::milliseconds(most / 1'000'000);
}

}  // namespace

ChildEnd run_child_process(const Options& options, const std::string& check, const std::vector<std::string>& changes) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Error(TN_ERROR_IO, std::string("cannot start a check: ") + std::strerror(errno));
  Descriptor reader(ends[0]), writer(fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
  close(ends[1]);
  Descriptor out(memfd_create("stdout", MFD_CLOEXEC)), err(memfd_create("stderr", MFD_CLOEXEC));

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out.fd, 1);
  posix_spawn_file_actions_adddup2(&files, err.fd, 2);
  posix_spawn_file_actions_adddup2(&files, writer.fd, kReport);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const Scratch scratch;
  std::vector<std::string> all_changes = changes;
  all_changes.push_back("TMPDIR=" + scratch.path());
  std::vector<std::string> words = command_of(options), environment = environment_with(all_changes);
  environment.push_back("TENON_CHECK_CHILD=" + check);
  std::vector<char*> argv = pointers(words), envp = pointers(environment);
  pid_t pid = 0;
  int failure = posix_spawn(&pid, "/proc/self/exe", &files, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) throw Error(TN_ERROR_IO, std::string("cannot start a check: ") + std::strerror(failure));
  writer.close_now();

  ChildEnd end;
  std::string text;
  const auto start = std::chrono::steady_clock::now();
  auto milliseconds_left = [&, deadline = start + std::chrono::seconds(options.timeout_s)]() mutable {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline)  // it gets back what others took, up to ten times
      deadline = std::max(deadline, start + std::min<std::chrono::milliseconds>(
                                                std::chrono::seconds(options.timeout_s) + waited_for_processor(pid),
                                                std::chrono::seconds(options.timeout_s) * 10));
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
  };
  for (;;) {
    const auto left = milliseconds_left();
    pollfd p{reader.fd, POLLIN, 0};
    int ready = left > 0 ? poll(&p, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && milliseconds_left() > 0) continue;
    if (ready <= 0) {
      end.timed_out = true;
      kill(-pid, SIGKILL);
      break;
    }
    char buffer[65536];
    ssize_t n = read(reader.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
    take_lines(text, end);
  }
  // It may have closed its end and go on.
  int status = 0;
  for (;;) {
    pid_t done = waitpid(pid, &status, WNOHANG);
    if (done != 0 && !(done < 0 && errno == EINTR)) break;
    if (milliseconds_left() <= 0 && !end.timed_out) {
      end.timed_out = true;
      kill(-pid, SIGKILL);
    }
    poll(nullptr, 0, 2);
  }
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.exit = WEXITSTATUS(status);
  char tail[400];
  off_t size = lseek(err.fd, 0, SEEK_END);
  ssize_t n = pread(err.fd, tail, sizeof tail,
                    size > static_cast<off_t>(sizeof tail) ? size - static_cast<off_t>(sizeof tail) : 0);
  if (n > 0) end.err.assign(tail, static_cast<size_t>(n));
  return end;
}

}  // namespace tenon::conformance
