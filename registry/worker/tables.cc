#include "registry/worker/tables.h"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tenon/ext/draft/loader.h"

namespace tenon::worker {

namespace {

constexpr size_t kMostBytes = 4096;  // 500 slots: no capability comes near

struct Range {
  uint64_t first, end;
  bool readable, executable;
};

std::vector<Range> mapped_memory() {
  std::vector<Range> out;
  FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[4400];
  while (maps && std::fgets(line, sizeof line, maps)) {
    Range r{};
    char rights[5] = {};
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &r.first, &r.end, rights) != 3) continue;
    r.readable = rights[0] == 'r';
    r.executable = rights[2] == 'x';
    out.push_back(r);
  }
  if (maps) std::fclose(maps);
  return out;
}

bool lies_in(const std::vector<Range>& memory, uint64_t first, uint64_t bytes, bool Range::* right) {
  uint64_t end = first + bytes;
  if (end < first) return false;
  for (const Range& r : memory)  // ascending
    if (r.*right && first >= r.first && first < r.end) {
      if (end <= r.end) return true;
      first = r.end;
    }
  return false;
}

}  // namespace

std::string table_problem(const std::string& capability, const void* table) {
  const std::vector<Range> memory = mapped_memory();
  if (memory.empty()) return "";  // nothing tells
  const std::string what = "its table of " + capability + " ";
  auto start = reinterpret_cast<uint64_t>(table);
  if (start % alignof(void*) != 0 || !lies_in(memory, start, sizeof(uint64_t), &Range::readable))
    return what + "is at an address where none can be";
  uint64_t size = 0;
  std::memcpy(&size, table, sizeof size);
  if (size < 2 * sizeof(void*) || size > kMostBytes || size % sizeof(void*) != 0 ||
      !lies_in(memory, start, size, &Range::readable))
    return what + "says that it is " + std::to_string(size) + " bytes";
  for (size_t i = 1; i < size / sizeof(void*); ++i) {
    uint64_t slot = 0;
    std::memcpy(&slot, static_cast<const char*>(table) + i * sizeof(void*), sizeof slot);
    bool data = capability == TN_LOADER && i * sizeof(void*) == offsetof(TnLoader, formats);
    if (slot && !lies_in(memory, slot, 1, data ? &Range::readable : &Range::executable))
      return what + "has a slot, number " + std::to_string(i) + ", that points to no " + (data ? "data" : "code");
  }
  return "";
}

}  // namespace tenon::worker
