#include "build/artifact_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "build/artifact_index.h"
#include "build/elf_object.h"
#include "diag/files.h"
#include "diag/temporary.h"
#include "runtime/elf_file.h"

namespace tenon {
namespace {

// Files of one write; whatever is left of them goes away with it.
class TemporaryFiles {
 public:
  explicit TemporaryFiles(const std::string& path) : base_(path + ".tmp" + std::to_string(getpid())) {}
  ~TemporaryFiles() {
    for (const TemporaryName& f : files_) {
      std::error_code ignored;
      std::filesystem::remove_all(f.text(), ignored);  // a linker may have made a folder of it
    }
  }
  std::string make(const char* suffix) {
    files_.emplace_back(base_ + suffix);
    return files_.back().text();
  }

 private:
  std::string base_;
  std::vector<TemporaryName> files_;
};

// A linked library is of the size of its objects; alignment and what a linker adds take more.
constexpr uint64_t kMostGrowth = 4, kMostAdded = uint64_t{256} << 20;

// What a linker wrote. What stands there may be anything: a pipe that nobody writes, a device without an end, a file
// that is all holes.
std::string read_linked(const std::string& path, const std::string& linker, uint64_t objects_bytes) {
  auto refuse = [&](const std::string& what) {
    throw Error(TN_ERROR_PLUGIN, "the linker '" + linker + "' " + what, path, "this is a bug of the plugin");
  };
  struct stat status;
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const int error = errno;
  if (fd < 0 && error == ENOENT) refuse("reported no error, but wrote no file");
  if (fd < 0 && error == ELOOP) refuse("made a link to another file where a library is due");
  if (fd < 0) refuse(std::string("left what cannot be read: ") + std::strerror(error));
  std::string bytes;
  const bool known = fstat(fd, &status) == 0, regular = known && S_ISREG(status.st_mode);
  const uint64_t size = regular ? static_cast<uint64_t>(status.st_size) : 0;
  const bool fits = size <= kMostGrowth * objects_bytes + kMostAdded;
  if (regular && fits) bytes.resize(size);
  size_t at = 0;
  for (ssize_t n = 1; at < bytes.size() && n > 0;) {
    n = read(fd, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR)
      n = 1;
    else if (n > 0)
      at += static_cast<size_t>(n);
  }
  close(fd);
  if (!regular) refuse(S_ISDIR(status.st_mode) ? "made a folder where a library is due" : "made no regular file");
  if (!fits)
    refuse("wrote a file of " + std::to_string(size) + " bytes for objects of " + std::to_string(objects_bytes));
  if (at < bytes.size()) refuse("left a file that cannot be read to its end");
  return bytes;
}

// Fills in the digests of a linked artifact.
void seal(const std::string& path, const std::string& linker, uint64_t objects_bytes) {
  const char* hint = "this is a bug of the plugin";
  std::string bytes = read_linked(path, linker, objects_bytes);
  rt::ElfFile elf;
  rt::Bytes index, place;
  uint64_t index_at = 0, seal_at = 0;
  rt::ArtifactSeal seal;
  std::memcpy(seal.magic, rt::kSealMagic, sizeof seal.magic);
  if (!elf.open(bytes.data(), bytes.size()) || !elf.section(rt::kIndexSection, &index, &index_at) ||
      !elf.section(rt::kSealSection, &place, &seal_at) || place.size != sizeof seal ||
      !elf.loaded_digest(tn_runtime()->sha256, seal.loaded))
    throw Error(TN_ERROR_PLUGIN, "the linker '" + linker + "' wrote no library with the sections of an artifact", path,
                hint);
  tn_runtime()->sha256(index.data, index.size, seal.index);
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  bool ok = fd >= 0 &&
            pwrite(fd, &seal, sizeof seal, static_cast<off_t>(seal_at)) == static_cast<ssize_t>(sizeof seal) &&
            fsync(fd) == 0;
  int error = errno;
  if (fd >= 0) close(fd);
  if (!ok) throw Error(TN_ERROR_IO, std::string("writing the seal failed: ") + std::strerror(error), path);
}

}  // namespace

void write_artifact(const Builder& b, const ArtifactParts& parts, const Link& link, const std::string& given) {
  const std::string path = written_path(given);
  std::error_code ignored;  // writing says what is wrong with the name
  if (std::filesystem::is_directory(path, ignored))
    throw Error(TN_ERROR_IO, "cannot write the artifact: it is a folder", given, "name a file in it");
  const bool special = is_special_file(path);  // such as /dev/null; written in place
  if (parts.payload.find("format")->as_string() != kObjectFormat)
    refuse_payload(parts.codegen, "it is no object file, which an artifact is made of");
  if (payload_bytes(parts.payload).empty()) refuse_payload(parts.codegen, "it has no bytes");
  check_objects(parts.payload, parts.codegen, parts.payloads);
  std::string index = encode_value(Value(artifact_index(b, parts)));
  std::string blank(sizeof(rt::ArtifactSeal), '\0');
  // A linker may take what begins with '-' for an option.
  const std::string base = special ? (std::filesystem::temp_directory_path() / "tenon-artifact").string()
                                   : (path.starts_with('-') ? "./" : "") + path;
  TemporaryFiles files(base);
  std::string code_file = files.make(".code.o"), data_file = files.make(".data.o"), linked = files.make(".so");
  try {
    write_file(code_file, payload_bytes(parts.payload));
    std::vector<Value> objects{b.string(code_file)};
    for (size_t i = 0; i < parts.payloads.size(); ++i) {
      if (!parts.payloads[i].is_object()) continue;
      objects.push_back(b.string(files.make(("." + std::to_string(i) + ".o").c_str())));
      write_file(std::string(objects.back().as_string()), payload_bytes(parts.payloads[i].map));
    }
    objects.push_back(b.string(data_file));
    std::vector<ElfSection> sections{
        {rt::kIndexSection, 8, {index}, 1}, {rt::kSealSection, 8, {blank}, 1}, constants_section(parts)};
    if (ElfSection foreign = payloads_section(parts); !foreign.parts.empty()) sections.push_back(std::move(foreign));
    write_elf_object(data_file, sections);
    uint64_t objects_bytes = 0;
    for (const Value& object : objects) objects_bytes += std::filesystem::file_size(object.as_string());
    link.run(b.array(objects), linked);
    seal(linked, link.plugin, objects_bytes);
  } catch (const Error& e) {
    if (!e.where.starts_with(base)) throw;
    Error named(e.code, e.message, given, e.hint);  // of a file beside it, which is gone again
    named.cause = e.cause;
    throw named;
  }
  if (special) return write_file(path, read_file(linked));
  std::error_code error;
  std::filesystem::rename(linked, path, error);
  if (error) throw Error(TN_ERROR_IO, "the finished artifact cannot be put in its place: " + error.message(), given);
}

}  // namespace tenon
