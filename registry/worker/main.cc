// libexec/tenon/worker: runs one plugin for a host that does not want it in its own process. Not for people: it takes
// its connection as descriptor 3.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "registry/worker/crash.h"
#include "registry/worker/serve.h"

using namespace tenon::worker;

namespace {

struct Watched {
  int socket;
  Control* control;
};

// Ends the process when the host is gone, or cannot be reached any more, whatever a plugin is doing.
void* watch_host(void* data) {
  auto* w = static_cast<Watched*>(data);
  for (;;) {
    pollfd p{w->socket, 0, 0};
    int n = poll(&p, 1, -1);
    if ((n < 0 && errno != EINTR) || (n > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL))))
      leave(w->control, kCutOff);
  }
}

void limit(int what, rlim_t value) {
  rlimit r{};
  if (getrlimit(what, &r) != 0) return;
  r.rlim_cur = r.rlim_max == RLIM_INFINITY ? value : std::min(value, r.rlim_max);
  setrlimit(what, &r);
}

}  // namespace

int main(int argc, char** argv) {
  struct stat status;
  if (argc != 2 || fstat(kControlDescriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    std::fprintf(stderr, "this program is a part of Tenon and is started by it\n");
    return 2;
  }
  limit(RLIMIT_CORE, 0);  // the host keeps what is needed to see the fault again
  unsigned long long memory = std::strtoull(argv[1], nullptr, 10);
  if (memory != 0 && !kSanitized) limit(RLIMIT_DATA, memory);
  // Out of the way of plugins that close what they do not own, and of what they start.
  int socket = fcntl(kSocketDescriptor, F_DUPFD_CLOEXEC, 100);
  close(kSocketDescriptor);
  void* page = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, kControlDescriptor, 0);
  close(kControlDescriptor);
  if (socket < 0 || page == MAP_FAILED) return 2;
  watch_signals(static_cast<Control*>(page));
  static Watched watched{socket, static_cast<Control*>(page)};
  pthread_attr_t small;
  pthread_t watcher;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 128 * 1024);
  if (pthread_create(&watcher, &small, &watch_host, &watched) != 0) return 2;
  int result = serve(Fd(socket), static_cast<Control*>(page));
  // In an orderly way, so that what a plugin does at the end is seen.
  std::exit(result);
}
