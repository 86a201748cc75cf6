#include "build/model_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "diag/suggest.h"
#include "ir/constant_store.h"

namespace tenon {
namespace {

struct Descriptor {
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd(other.release()) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  void reset(int next) {
    if (fd >= 0) close(fd);
    fd = next;
  }
  int release() { return std::exchange(fd, -1); }
  int fd;
};

}  // namespace

struct ModelSource::Opened {
  std::string path;
  Descriptor file;
  Map constants;
  std::vector<std::string> asked;  // the inputs whose constants the frontend asked for
};

int ModelSource::view(void* self, uint64_t offset, uint64_t size, TnValue* ret) {
  auto* o = static_cast<Opened*>(self);
  return guard(tn_runtime(), ret, [&] { return Value(constant_from_descriptor(o->file.fd, o->path, offset, size)); });
}

int ModelSource::external(void* self, const char* name, uint64_t offset, uint64_t size, TnValue* ret) {
  auto* o = static_cast<Opened*>(self);
  return guard(tn_runtime(), ret, [&] {
    std::string folder = std::filesystem::path(o->path).parent_path().string();
    Descriptor data(open_beside(folder.empty() ? "." : folder, name));
    struct stat s;
    if (size == UINT64_MAX && fstat(data.fd, &s) == 0)
      size = static_cast<uint64_t>(s.st_size) - std::min(offset, static_cast<uint64_t>(s.st_size));
    return Value(constant_from_descriptor(data.fd, name, offset, size));
  });
}

int ModelSource::constant(void* self, const char* input, TnValue* ret) {
  auto* o = static_cast<Opened*>(self);
  return guard(tn_runtime(), ret, [&] {
    o->asked.emplace_back(input);
    const Value* given = o->constants.find(input);
    return given ? *given : Value();
  });
}

void ModelSource::require_all_used() const {
  for (const Map::Entry& e : file_->constants) {
    std::string name(e.key());
    if (std::find(file_->asked.begin(), file_->asked.end(), name) != file_->asked.end()) continue;
    std::string inputs;
    for (const std::string& input : file_->asked) inputs += (inputs.empty() ? "" : ", ") + input;
    throw Error(TN_ERROR_NOT_FOUND, "the model has no input '" + name + "' that could be a constant", file_->path,
                did_you_mean(name, file_->asked, inputs.empty() ? "it has no inputs" : "its inputs are " + inputs));
  }
}

int open_beside(const std::string& folder, const std::string& name) {
  auto refuse = [&](const std::string& why) -> Error {
    return Error(
        TN_ERROR_ARGUMENT, "the model names the file '" + name + "', " + why, folder,
        "a model may name regular files in its own folder and below, by relative names without '..' or symbolic links");
  };
  if (name.empty() || name.find('\0') != std::string::npos) throw refuse("which is no file name");
  if (name[0] == '/') throw refuse("which is absolute");
  Descriptor at(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at.fd < 0)
    throw Error(TN_ERROR_IO, std::string("the folder of the model cannot be opened: ") + std::strerror(errno), folder);
  size_t begin = 0;
  while (true) {
    size_t end = name.find('/', begin);
    std::string part = name.substr(begin, end == std::string::npos ? std::string::npos : end - begin);
    if (part == "..") throw refuse("which leaves its folder");
    bool last = end == std::string::npos;
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    int flags = O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY);
    int next = part.empty() || part == "." ? (last ? -1 : dup(at.fd)) : openat(at.fd, part.c_str(), flags);
    if (next < 0) {
      int error = part.empty() || part == "." ? EISDIR : errno;
      if (error == ELOOP || (error == ENOTDIR && !last)) throw refuse("which leads through a symbolic link or a file");
      throw Error(TN_ERROR_IO, "the file '" + name + "' that the model names cannot be opened: " + std::strerror(error),
                  folder, "keep the files of a model together");
    }
    at.reset(next);
    if (last) break;
    begin = end + 1;
  }
  struct stat s;
  if (fstat(at.fd, &s) || !S_ISREG(s.st_mode)) throw refuse("which is no regular file");
  return at.release();
}

ModelSource::ModelSource(const std::string& path, const Map& constants) {
  auto fail = [&](const char* what) {
    return Error(TN_ERROR_IO, std::string("the model cannot be ") + what + ": " + std::strerror(errno), path);
  };
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // of a pipe, not to wait
  if (file.fd < 0) throw fail("opened");
  struct stat s;
  if (fstat(file.fd, &s)) throw fail("examined");
  if (!S_ISREG(s.st_mode)) throw Error(TN_ERROR_IO, "the model is no regular file", path);
  void* data = nullptr;
  if (s.st_size > 0) {
    data = mmap(nullptr, static_cast<size_t>(s.st_size), PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (data == MAP_FAILED) throw fail("mapped");
  }
  file_.reset(new Opened{path, std::move(file), constants, {}});
  raw_ = {sizeof(TnModelSource),          file_.get(), file_->path.c_str(), static_cast<const char*>(data),
          static_cast<size_t>(s.st_size), &view,       &external,           &constant};
}

ModelSource::~ModelSource() {
  if (raw_.data) munmap(const_cast<char*>(raw_.data), raw_.data_size);
}

}  // namespace tenon
