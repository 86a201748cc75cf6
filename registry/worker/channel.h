// What lives in registry/worker: plugins in a process of their own. The host's side (child, isolated plugin,
// reproducer) is a part of libtenon, the other side (serve, crash, main) is the program libexec/tenon/worker. No pass
// and no policy lives here.
//
// This file: messages with descriptors between the two, over one socket. Neither side trusts the other to be alive.
#ifndef TENON_REGISTRY_WORKER_CHANNEL_H
#define TENON_REGISTRY_WORKER_CHANNEL_H

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::worker {

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class Kind : uint32_t {
  kOpen,       // host: which plugin, with which registry
  kCall,       // host: a slot and its arguments
  kConstants,  // either: constants that the other does not have, with the descriptors of their stores
  kPart,       // either: nodes that the message after it refers to
  kReport,     // worker: a diagnostic
  kAsk,        // worker: a question to whoever called
  kReply,      // host: its answer
  kAnswer,     // worker: what the slot returned; ends a call
  kForget,     // host: the nodes that both know by numbers are forgotten
  kExit        // host: end in an orderly way
};

struct Message {
  Kind kind;
  std::string body;
  std::vector<Fd> fds;
};

inline constexpr size_t kMaxDescriptors = 200;  // in one message

// Called at least every 20 ms while a side waits; throws to give up.
using Patience = std::function<void()>;

class Channel {
 public:
  Channel() = default;
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}
  int fd() const { return socket_.get(); }
  // False when this process may not even wait, such as one that may have no descriptors.
  bool can_wait() const;

  // False when the other side is gone.
  bool send(Kind kind, std::string_view body, const std::vector<int>& fds, const Patience& patience);
  // `kGarbage`: something that is no message came; the other side is out of its mind.
  enum class Got { kMessage, kClosed, kGarbage };
  Got receive(Message* message, const Patience& patience);

 private:
  Fd socket_;
};

// The bytes as a file without a name; no descriptor when there is none to be had.
Fd memory_file(const char* name, std::string_view bytes);

}  // namespace tenon::worker
#endif
