#include "registry/worker/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tenon::worker {

namespace {

constexpr uint32_t kMagic = 0x6e746e31;
constexpr size_t kInlineBytes = 64 * 1024;  // a longer body travels in a file
constexpr uint64_t kMaxBody = uint64_t{1} << 32;
constexpr int kSliceMs = 20;

struct Header {
  uint32_t magic;
  uint32_t kind;
  uint64_t size;     // of the body
  uint32_t in_file;  // 1: the body is the content of the last descriptor
  uint32_t reserved;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Not mapped: whoever wrote the file could cut it short.
bool read_body(int fd, uint64_t size, std::string* body) {
  struct stat status;
  if (fstat(fd, &status) != 0 || static_cast<uint64_t>(status.st_size) < size) return false;
  body->resize(size);
  for (uint64_t at = 0; at < size;) {
    ssize_t n = pread(fd, body->data() + at, size - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<uint64_t>(n);
  }
  return true;
}

// Waits until the socket is ready for `events` or closed. False when this process may not even wait.
bool wait_for(int fd, short events, const Patience& patience) {
  for (;;) {
    pollfd p{fd, events, 0};
    int n = poll(&p, 1, kSliceMs);
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
    if (patience) patience();
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd memory_file(const char* name, std::string_view bytes) {
  Fd file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || !write_all(file.get(), bytes)) return {};
  return file;
}

bool Channel::send(Kind kind, std::string_view body, const std::vector<int>& fds, const Patience& patience) {
  Header header{kMagic, static_cast<uint32_t>(kind), body.size(), 0, 0};
  std::vector<int> all = fds;
  Fd file;
  if (body.size() > kInlineBytes) {
    file = memory_file("tenon-message", body);
    if (!file) return false;
    header.in_file = 1;
    all.push_back(file.get());
  }
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(body.data()), body.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxDescriptors + 1))];
  msghdr m{};
  m.msg_iov = parts;
  m.msg_iovlen = header.in_file || body.empty() ? 1 : 2;
  if (!all.empty()) {
    std::memset(control, 0, sizeof control);
    m.msg_control = control;
    m.msg_controllen = CMSG_SPACE(sizeof(int) * all.size());
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * all.size());
    std::memcpy(CMSG_DATA(c), all.data(), sizeof(int) * all.size());
  }
  for (;;) {
    ssize_t n = sendmsg(socket_.get(), &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return true;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != ENOBUFS) return false;
    if (!wait_for(socket_.get(), POLLOUT, patience)) return false;
  }
}

bool Channel::can_wait() const {
  pollfd p{socket_.get(), POLLIN, 0};
  return poll(&p, 1, 0) >= 0 || errno == EINTR;
}

Channel::Got Channel::receive(Message* message, const Patience& patience) {
  Header header{};
  std::string body(kInlineBytes, '\0');
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (kMaxDescriptors + 1))];
  iovec parts[2] = {{&header, sizeof header}, {body.data(), body.size()}};
  msghdr m{};
  ssize_t n = -1;
  for (;;) {
    m = {};
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    n = recvmsg(socket_.get(), &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n >= 0) break;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(socket_.get(), POLLIN, patience)) return Got::kClosed;
  }
  message->fds.clear();
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      message->fds.emplace_back(fd);
    }
  }
  if (n == 0) return Got::kClosed;
  if (static_cast<size_t>(n) < sizeof header || header.magic != kMagic || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
      header.kind > static_cast<uint32_t>(Kind::kExit) || header.size > kMaxBody)
    return Got::kGarbage;
  message->kind = static_cast<Kind>(header.kind);
  if (header.in_file) {
    if (message->fds.empty() || !read_body(message->fds.back().get(), header.size, &message->body))
      return Got::kGarbage;
    message->fds.pop_back();
    return Got::kMessage;
  }
  if (static_cast<size_t>(n) != sizeof header + header.size) return Got::kGarbage;
  body.resize(header.size);
  message->body = std::move(body);
  return Got::kMessage;
}

}  // namespace tenon::worker
