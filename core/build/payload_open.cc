// A payload becomes an artifact in memory: linked in a folder of its own, checked and opened like any other.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "build/artifact_writer.h"
#include "diag/files.h"

namespace tenon {
namespace {

// A new folder that goes away with its content.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::filesystem::path base = std::filesystem::temp_directory_path(error);
    if (error) base = "/tmp";
    path_ = (base / "tenon-XXXXXX").string();
    if (!mkdtemp(path_.data()))
      throw Error(TN_ERROR_IO, std::string("no temporary folder can be made: ") + std::strerror(errno), path_,
                  "set TMPDIR to a folder that can be written");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file without a name.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(memfd_create("tenon-payload", MFD_CLOEXEC)) {
    bool ok = fd_ >= 0;
    for (size_t at = 0; ok && at < bytes.size();) {
      ssize_t n = ::write(fd_, bytes.data() + at, bytes.size() - at);
      if (n < 0 && errno == EINTR) continue;
      ok = n > 0;
      if (ok) at += static_cast<size_t>(n);
    }
    if (ok) return;
    int error = errno;
    if (fd_ >= 0) close(fd_);
    throw Error(TN_ERROR_IO, std::string("a file in memory cannot be made: ") + std::strerror(error));
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// What a loader reads of a payload, kept alive by an object.
struct Lent {
  Payload payload;
  Map imports;
  Value requirements;
  Value exports;
  std::vector<TnBlob> constants;
  std::vector<TnFunction*> functions;
  TnPayload c;
};

Value lend(const Builder& b, const Payload& payload, const Map& imports, const TnPayload** out) {
  auto lent = std::make_unique<Lent>(Lent{payload, imports, {}, Value(payload.exports), {}, {}, {}});
  if (const Value* r = payload.map.find("requirements")) lent->requirements = *r;
  if (const Value* list = payload.map.find("constants"); list && list->is_array())
    for (const Value& v : list->ref<Array>()) {
      auto* constant = reinterpret_cast<const TnConstant*>(v.raw().as.object);
      lent->constants.push_back({constant->data, constant->size});
    }
  if (const Value* list = payload.map.find("imports"); list && list->is_array())
    for (const Value& name : list->ref<Array>()) {
      const Value* f = imports.find(name.as_string());
      lent->functions.push_back(f ? reinterpret_cast<TnFunction*>(f->raw().as.object) : nullptr);
    }
  lent->c = {sizeof(TnPayload),
             lent->payload.format.c_str(),
             lent->payload.device.c_str(),
             lent->payload.codegen.c_str(),
             lent->payload.bytes->data,
             lent->payload.bytes->size,
             lent->requirements.ptr(),
             lent->exports.ptr(),
             lent->constants.data(),
             lent->constants.size(),
             lent->functions.data(),
             lent->functions.size()};
  *out = &lent->c;
  Value owner = call([&](TnValue* ret) {
    return b.runtime()->function(nullptr, lent.get(), [](void* p) { delete static_cast<Lent*>(p); }, ret);
  });
  (void)lent.release();
  return owner;
}

Map load_payload(const Builder& b, const Payload& payload, const Map& imports, const Value& find_plugins) {
  const TnPayload* c = nullptr;
  Value owner = lend(b, payload, imports, &c);
  Value options = find_plugins.is_none() ? Value() : Value(b.map({{"find_plugins", find_plugins}}));
  Value loaded =
      call([&](TnValue* ret) { return b.runtime()->payload_load(c, owner.raw().as.object, options.ptr(), ret); });
  return loaded.ref<Map>().find("functions")->ref<Map>();
}

}  // namespace

Map open_payload(const Builder& b, const Payload& payload, const Map& imports, const Link& link,
                 const Value& find_plugins) {
  try {
    if (!payload.is_object()) return load_payload(b, payload, imports, find_plugins);
    std::string bytes;
    {
      TemporaryFolder folder;
      std::string file = folder.path() + "/payload.so";
      ir::Module none = b.make<ir::Module>({b.map({}), b.map({}), b.map({}), b.array({})});
      write_artifact(b, {payload.map, none, Map(), "", payload.codegen}, link, file);
      bytes = read_file(file);
    }
    MemoryFile memory(bytes);
    Value given = b.map_value(imports);
    Value opened =
        call([&](TnValue* ret) { return b.runtime()->artifact_open(memory.path().c_str(), given.ptr(), 1, ret); });
    return opened.ref<Map>().find("functions")->ref<Map>();
  } catch (const Error& e) {
    Error named(e.code, "the payload of '" + payload.codegen + "' cannot be loaded: " + e.message, e.where, e.hint);
    named.cause = e.cause;
    throw named;
  }
}

}  // namespace tenon
