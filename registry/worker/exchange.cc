#include "registry/worker/exchange.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "diag/sha256.h"
#include "ir/ir_table.h"
#include "ir/limits.h"

namespace tenon::worker {

namespace {

constexpr uint64_t kMappedBytes = uint64_t{1}
                                  << 20;  // of the worker's constants: larger ones are mapped, others copied
constexpr size_t kKeptObjects = 100'000, kKeptTrees = 4;  // beyond both they are forgotten
constexpr std::string_view kTensorMark = "tenon.tensor";

std::string_view text_at(const Array& a, size_t i) { return i < a.size() ? a[i].as_string() : std::string_view(); }
int64_t int_at(const Array& a, size_t i) { return i < a.size() && a[i].is_int() ? a[i].as_int() : -1; }

// What the other end would refuse to decode is refused here, where it can be told whose it is. Each container is
// entered once, however often it is shared.
class Nesting {
 public:
  // How many containers lie in one another, itself among them.
  uint32_t of(const TnValue& v, uint32_t outside = 0) {
    if ((v.type_index != TN_ARRAY && v.type_index != TN_MAP) || !v.as.object) return 0;
    if (auto known = known_.find(v.as.object); known != known_.end()) return within(outside, known->second);
    within(outside, 1);
    uint32_t inside = 0;
    if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(v.as.object);
      for (size_t i = 0; i < a->size; ++i) inside = std::max(inside, of(a->data[i], outside + 1));
    } else {
      auto* m = reinterpret_cast<const TnMap*>(v.as.object);
      for (size_t i = 0; i < m->size; ++i) inside = std::max(inside, of(m->data[i].value, outside + 1));
    }
    return known_[v.as.object] = inside + 1;
  }

 private:
  static uint32_t within(uint32_t outside, uint32_t own) {
    if (outside + own > kLimits.nesting)
      throw Error(TN_ERROR_LIMIT, "arrays and maps are nested more than " + std::to_string(kLimits.nesting) + " deep");
    return own;
  }
  std::unordered_map<const TnObject*, uint32_t> known_;
};

bool cannot_shrink(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK);
}

}  // namespace

void Exchange::send_constants(const std::vector<const TnConstant*>& constants, const Patience& patience) {
  const Builder b = core_builder();
  std::vector<Value> rows;
  std::vector<Fd> opened;
  auto flush = [&] {
    if (rows.empty()) return;
    std::vector<int> fds;
    for (const Fd& fd : opened) fds.push_back(fd.get());
    Array list = b.array(rows);
    if (!channel_.send(Kind::kConstants, encode_tree(*Value(list).ptr()), fds, patience)) throw Broken{false};
    rows.clear();
    opened.clear();
  };
  for (const TnConstant* c : constants) {
    if (!sent_.insert(c->digest).second) continue;
    received_.emplace(c->digest, Constant::share(c));  // the peer may refer to it
    ConstantPlace place = place_of(*c);
    int64_t store = -1;
    if (place.inode != 0) {
      auto known = sent_stores_.find({place.device, place.inode});
      if (known != sent_stores_.end()) store = known->second;
    }
    if (store < 0 && c->size > 0) {
      Fd fd(place.inode != 0 ? open_place(*c) : -1);
      struct stat status;
      if (!fd) {  // in no file, or in one that is gone
        fd = memory_file("tenon-constant", {static_cast<const char*>(c->data), c->size});
        if (!fd || fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
          throw Error(TN_ERROR_OUT_OF_MEMORY, "no memory for a constant of " + std::to_string(c->size) + " bytes");
        place.offset = 0;
        store = next_store_++;
      } else {
        store = next_store_++;
        if (fstat(fd.get(), &status) == 0) sent_stores_[{status.st_dev, status.st_ino}] = store;
      }
      opened.push_back(std::move(fd));
    }
    rows.push_back(b.array({b.string(c->digest), Value(static_cast<int64_t>(c->size)), Value(store),
                            Value(static_cast<int64_t>(place.offset)), b.string(c->store)}));
    if (opened.size() == kMaxDescriptors) flush();
  }
  flush();
}

void Exchange::receive_constants(const Message& message) {
  Value list = decode_tree(message.body);
  if (!list.is_array()) throw Broken{true};
  size_t next = 0;
  for (const Value& v : list.ref<Array>()) {
    if (!v.is_array()) throw Broken{true};
    const Array& row = v.ref<Array>();
    std::string digest(text_at(row, 0)), name(text_at(row, 4));
    auto size = static_cast<uint64_t>(int_at(row, 1)), store = static_cast<uint64_t>(int_at(row, 2));
    auto offset = static_cast<uint64_t>(int_at(row, 3));
    sent_.insert(digest);  // the peer has it
    if (size == 0) {
      received_[digest] = constant_from_bytes("", 0);
      continue;
    }
    if (store == stores_.size()) {
      if (next >= message.fds.size()) throw Broken{true};
      const Fd& fd = message.fds[next++];
      if (!trusting_ && !cannot_shrink(fd.get())) throw Broken{true};
      stores_.emplace_back(fd.get(), name);
    }
    if (store >= stores_.size()) throw Broken{true};
    Constant c = stores_[store].constant(offset, size, digest);
    if (!trusting_) {
      if (size < kMappedBytes) {
        c = own_->add(c->data, c->size);
        if (c->digest != digest) throw Broken{true};
      } else if (digest_text(sha256({static_cast<const char*>(c->data), c->size})) != digest) {
        throw Broken{true};
      }
    }
    own_->keep(c);
    received_[digest] = c;
  }
}

void Exchange::forget() {
  known_ = ObjectTable();
  ++times_forgotten_;
}

void Exchange::forget_if_many(const Patience& patience) {
  if (known_.objects.size() <= std::max(kKeptObjects, kKeptTrees * largest_)) return;
  if (!channel_.send(Kind::kForget, {}, {}, patience)) throw Broken{false};
  forget();
}

std::string Exchange::prepare(const Array& values, const Patience& patience) {
  const size_t before = known_.objects.size();
  TnValue tree{TN_ARRAY, 0, {0}};  // without another reference: nobody else has it, so it is not looked for
  tree.as.object = const_cast<TnObject*>(&values.get()->header);
  Nesting().of(tree);
  std::string body = encode_tree(tree, known_, [&](const std::string& part) {
    try {
      send_constants(known_.constants, patience);
    } catch (const Error&) {  // the two ends do not know the same any more
      if (trusting_) throw Broken{true};
      throw;
    }
    send_prepared(Kind::kPart, part, patience);
  });
  largest_ = std::max(largest_, known_.objects.size() - before);
  send_constants(known_.constants, patience);
  return body;
}

void Exchange::send_prepared(Kind kind, const std::string& body, const Patience& patience) {
  if (!channel_.send(kind, body, {}, patience)) throw Broken{false};
}

void Exchange::send(Kind kind, const Array& values, const Patience& patience) {
  send_prepared(kind, prepare(values, patience), patience);
}

void Exchange::send_aside(Kind kind, const Array& values, const Patience& patience) {
  Value tree(values);
  Nesting().of(*tree.ptr());
  send_prepared(kind, encode_tree(*tree.ptr()), patience);
}

Value Exchange::decode(const std::string& bytes) {
  const ConstantProvider constants = [this](std::string_view digest, uint64_t) {
    auto found = received_.find(std::string(digest));
    return found != received_.end() ? found->second : own_->find(digest);
  };
  try {
    return decode_tree(bytes, constants, known_);
  } catch (const Error& e) {
    if (e.code != TN_ERROR_UNSUPPORTED || !declare_kinds) throw;
  }
  declare_kinds();
  return decode_tree(bytes, constants, known_);
}

Kind Exchange::receive(Array* values, const Patience& patience) {
  for (;;) {
    if (patience) patience();  // who never stops talking is not waited for either
    Message message;
    switch (channel_.receive(&message, patience)) {
      case Channel::Got::kMessage: break;
      case Channel::Got::kClosed: throw Broken{false};
      case Channel::Got::kGarbage: throw Broken{true};
    }
    last_bytes_ = message.body.size();
    if (message.kind == Kind::kConstants) {
      receive_constants(message);
      continue;
    }
    if (message.kind == Kind::kForget) {
      forget();
      continue;
    }
    if (message.kind == Kind::kExit) return message.kind;
    if (message.kind == Kind::kReport) {
      Value report = decode_tree(message.body);
      if (!report.is_array()) throw Broken{true};
      *values = report.ref<Array>();
      return message.kind;
    }
    Value tree = decode(message.body);
    if (message.kind == Kind::kPart) {
      if (known_.objects.size() > kLimits.nodes) throw Broken{true};
      if (after_part) after_part();
      continue;
    }
    if (!tree.is_array()) throw Broken{true};
    *values = tree.ref<Array>();
    return message.kind;
  }
}

Value pack_tensor(const Builder& b, ConstantStore& store, const Value& value) {
  const DLTensor* t = nullptr;
  if (value.type_index() == TN_TENSOR) t = &reinterpret_cast<const TnTensor*>(value.raw().as.object)->tensor;
  if (value.type_index() == TN_DLTENSOR) t = static_cast<const DLTensor*>(value.raw().as.p);
  if (value.type_index() == TN_C_STRING) return b.string(value.as_string());
  if (!t) return value;
  Constant bytes = store.add(*t);
  Value shape = call([&](TnValue* ret) { return b.runtime()->shape(t->shape, static_cast<size_t>(t->ndim), ret); });
  return b.array({b.string(kTensorMark), Value(t->dtype), shape, Value(bytes)});
}

Value unpack_tensor(const Builder& b, const Value& value) {
  if (!value.is_array()) return value;
  const Array& a = value.ref<Array>();
  if (a.size() != 4 || a[0].as_string() != kTensorMark || a[3].type_index() != TN_CONSTANT ||
      a[2].type_index() != TN_SHAPE)
    return value;
  auto* shape = reinterpret_cast<const TnShape*>(a[2].raw().as.object);
  auto* bytes = reinterpret_cast<const TnConstant*>(a[3].raw().as.object);
  Value tensor = call([&](TnValue* ret) {
    return b.runtime()->tensor({kDLCPU, 0}, a[1].as_dtype(), static_cast<int32_t>(shape->size), shape->data, ret);
  });
  DLTensor& t = reinterpret_cast<TnTensor*>(tensor.raw().as.object)->tensor;
  if (tensor_bytes(t) != bytes->size)
    throw Error(TN_ERROR_CORRUPT, "a tensor has not the bytes that its shape asks for");
  std::memcpy(t.data, bytes->data, bytes->size);
  return tensor;
}

Value error_value(const Builder& b, const Error& error) {
  return b.array({Value(int64_t{error.code}), b.string(error.message), b.string(error.where), b.string(error.hint),
                  error.cause ? error_value(b, *error.cause) : Value()});
}

Error error_from(const Value& value) {
  if (!value.is_array()) return Error(TN_ERROR_PLUGIN, "a call failed without an error object");
  const Array& a = value.ref<Array>();
  Error e(static_cast<int32_t>(int_at(a, 0)), std::string(text_at(a, 1)), std::string(text_at(a, 2)),
          std::string(text_at(a, 3)));
  if (a.size() > 4 && a[4].is_array()) e.cause = std::make_shared<Error>(error_from(a[4]));
  return e;
}

}  // namespace tenon::worker
