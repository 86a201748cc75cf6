#include "registry/package/tar.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "tenon/cxx/object.h"

namespace tenon {

namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMostBytes = uint64_t{1} << 33;  // what eleven octal digits hold
constexpr size_t kMostFiles = 10000;

std::array<char, kBlock> header(std::string_view path, uint64_t size) {
  std::array<char, kBlock> h{};
  auto put = [&](size_t offset, std::string_view text) { std::memcpy(h.data() + offset, text.data(), text.size()); };
  char number[16];
  put(0, path);
  put(100, "0000444");
  put(108, "0000000");
  put(116, "0000000");
  std::snprintf(number, sizeof number, "%011llo", static_cast<unsigned long long>(size));
  put(124, number);
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (char c : h) sum += static_cast<unsigned char>(c);
  std::snprintf(number, sizeof number, "%06o", sum);
  put(148, std::string_view(number, 7));
  return h;
}

size_t padded(size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

}  // namespace

bool is_archive_path(std::string_view path) {
  if (path.empty() || path.size() > 100) return false;
  bool start = true;
  for (char c : path) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+';
    if (!letter && (start || (c != '.' && c != '-' && c != '/'))) return false;
    start = c == '/';
  }
  return !start;
}

std::string write_archive(const ArchiveFiles& files) {
  std::string out;
  size_t total = 2 * kBlock;
  for (const auto& [path, bytes] : files) total += kBlock + padded(bytes.size());
  out.reserve(total);
  for (const auto& [path, bytes] : files) {
    if (bytes.size() >= kMostBytes) throw Error(TN_ERROR_LIMIT, "a file of a package has at most 8 GiB", path);
    std::array<char, kBlock> h = header(path, bytes.size());
    out.append(h.data(), h.size()).append(bytes).append(padded(bytes.size()) - bytes.size(), '\0');
  }
  return out.append(2 * kBlock, '\0');
}

ArchiveFiles read_archive(std::string_view bytes, const std::string& file) {
  auto refuse = [&](const std::string& why) -> Error {
    return Error(TN_ERROR_CORRUPT, "this is no package, or it was changed: " + why, file,
                 "get it again from its vendor; packages are made by: tenon plugin pack");
  };
  ArchiveFiles out;
  size_t at = 0;
  for (;;) {
    if (bytes.size() - at < 2 * kBlock) throw refuse("it is cut short at byte " + std::to_string(bytes.size()));
    std::string_view h = bytes.substr(at, kBlock);
    if (h[0] == '\0') break;
    std::string_view path = h.substr(0, 100);
    path = path.substr(0, path.find('\0'));
    uint64_t size = 0;
    for (char c : h.substr(124, 11)) {
      if (c < '0' || c > '7') throw refuse("the header at byte " + std::to_string(at) + " is damaged");
      size = size * 8 + static_cast<uint64_t>(c - '0');
    }
    std::array<char, kBlock> expected = header(path, size);
    if (!is_archive_path(path) || std::memcmp(h.data(), expected.data(), kBlock) != 0)
      throw refuse("the header at byte " + std::to_string(at) + " is damaged");
    for (const auto& [earlier, ignored] : out)
      if (earlier == path) throw refuse("the file " + std::string(path) + " comes twice");
    if (out.size() >= kMostFiles) throw refuse("more than " + std::to_string(kMostFiles) + " files");
    at += kBlock;
    if (bytes.size() - at < padded(size)) throw refuse("it is cut short in " + std::string(path));
    std::string_view padding = bytes.substr(at + size, padded(size) - size);
    if (padding.find_first_not_of('\0') != std::string_view::npos)
      throw refuse("there are bytes after the end of " + std::string(path));
    out.emplace_back(path, bytes.substr(at, size));
    at += padded(size);
  }
  if (bytes.size() - at != 2 * kBlock || bytes.substr(at).find_first_not_of('\0') != std::string_view::npos)
    throw refuse("there are bytes after its end");
  return out;
}

}  // namespace tenon
