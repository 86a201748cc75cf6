// Values between host and worker: trees by their bytes, nodes that the other side sent by their numbers, constants by
// the descriptors of the stores that they lie in.
#ifndef TENON_REGISTRY_WORKER_EXCHANGE_H
#define TENON_REGISTRY_WORKER_EXCHANGE_H

#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "ir/bytes.h"
#include "registry/worker/channel.h"
#include "tenon/cxx/builder.h"

namespace tenon::worker {

// The peer is gone or out of its mind.
struct Broken {
  bool garbage;
};

// One end of a connection. What has crossed it in either direction has a number at both ends, so that a tree of which
// most has been sent before travels as what differs: nodes until they are forgotten, constants for good.
class Exchange {
 public:
  // `own`: where constants that arrive are kept and found. `trusting`: stores of the peer are taken as they are, which
  // the worker does with the host's; the host checks digests, and copies what is small.
  Exchange(Channel& channel, ConstantStore& own, bool trusting) : channel_(channel), own_(&own), trusting_(trusting) {}
  void use_store(ConstantStore& own) { own_ = &own; }

  // A tree, after the constants in it that the peer lacks. Tensors directly in `values` travel as constants. Throws
  // Broken, what encoding throws, and TN_ERROR_LIMIT for what decoding would refuse as too deep.
  void send(Kind kind, const Array& values, const Patience& patience);
  // The same in two steps: after the first nothing of the values is needed. Constants go ahead, and so do the nodes of
  // a large tree, in parts.
  std::string prepare(const Array& values, const Patience& patience);
  void send_prepared(Kind kind, const std::string& body, const Patience& patience);
  // A message that stands outside of the call: its values are numbered by themselves.
  void send_aside(Kind kind, const Array& values, const Patience& patience);
  // The next message that is not about constants; decodes it. Throws Broken, and what decoding throws.
  Kind receive(Array* values, const Patience& patience);
  // Of the message that came last, as it was sent.
  size_t last_bytes() const { return last_bytes_; }
  // Between two calls of the host: has both ends forget their nodes when they keep many more than one call needs.
  void forget_if_many(const Patience& patience);
  // Those that are known, and how often they were forgotten.
  const ObjectTable& known() const { return known_; }
  size_t times_forgotten() const { return times_forgotten_; }
  // Called when a part has come; may be empty.
  std::function<void()> after_part;
  // Declares the kinds of plugins, when one comes that is not known; may be empty.
  std::function<void()> declare_kinds;

 private:
  using File = std::pair<uint64_t, uint64_t>;  // device, inode
  void send_constants(const std::vector<const TnConstant*>& constants, const Patience& patience);
  void receive_constants(const Message& message);
  void forget();
  Value decode(const std::string& bytes);

  Channel& channel_;
  ConstantStore* own_;
  bool trusting_;
  ObjectTable known_;
  size_t largest_ = 0;  // how many a tree has brought at most
  size_t times_forgotten_ = 0, last_bytes_ = 0;
  std::unordered_set<std::string> sent_;  // digests that the peer has
  std::map<File, int64_t> sent_stores_;   // their numbers at the peer
  int64_t next_store_ = 0;
  std::vector<MappedStore> stores_;                     // of the peer
  std::unordered_map<std::string, Constant> received_;  // or sent: what an answer may refer to
};

// Tensors on the CPU as values that encode, and back.
Value pack_tensor(const Builder& b, ConstantStore& store, const Value& value);
Value unpack_tensor(const Builder& b, const Value& value);

// An error with its causes as a value, and back.
Value error_value(const Builder& b, const Error& error);
Error error_from(const Value& value);

}  // namespace tenon::worker
#endif
