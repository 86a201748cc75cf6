#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace tenon::texttest {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() { posix_spawn_file_actions_init(&files), posix_spawnattr_init(&attributes); }
  ~Actions() { posix_spawn_file_actions_destroy(&files), posix_spawnattr_destroy(&attributes); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

// Waits until the process ends or the time is over; false when it is over.
bool wait_for(pid_t pid, int timeout_s) {
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) fail(errno, "pidfd_open");
  pollfd p{fd, POLLIN, 0};
  int ready;
  do ready = poll(&p, 1, timeout_s * 1000);
  while (ready < 0 && errno == EINTR);
  close(fd);
  return ready > 0;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(errno, "cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

ProcessResult run_shell(const std::string& command, const std::string& folder, const std::string& scratch,
                        const std::vector<std::string>& environment, int timeout_s) {
  std::string out = scratch + "/stdout", err = scratch + "/stderr";
  Actions a;
  posix_spawn_file_actions_addchdir_np(&a.files, folder.c_str());
  posix_spawn_file_actions_addopen(&a.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&a.files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&a.files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawnattr_setflags(&a.attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&a.attributes, 0);

  std::vector<char*> env;
  for (const std::string& e : environment) env.push_back(const_cast<char*>(e.c_str()));
  env.push_back(nullptr);
  std::string shell = "/bin/sh", flag = "-c", text = command;
  char* argv[] = {shell.data(), flag.data(), text.data(), nullptr};
  pid_t pid = 0;
  int error = posix_spawn(&pid, shell.c_str(), &a.files, &a.attributes, argv, env.data());
  if (error != 0) fail(error, "cannot start /bin/sh");

  ProcessResult result;
  result.timed_out = !wait_for(pid, timeout_s);
  if (result.timed_out) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) result.exit = WEXITSTATUS(status);
  result.out = read_file(out);
  result.err = read_file(err);
  return result;
}

}  // namespace tenon::texttest
