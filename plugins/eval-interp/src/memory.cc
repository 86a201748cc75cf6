// Buffers: sizes, fresh memory, and views of other buffers.
#include "handlers.h"

namespace tenon::interp {
namespace {

[[noreturn]] void fail_size(const Activation& act, const Instr* i) {
  fail(act, i, TN_ERROR_LIMIT, "the size of buffer " + subject_name(act, i) + " is beyond the range of int64");
}

int64_t checked_extent(const Activation& act, const Instr* i, const Scalar* r, uint32_t dim) {
  const int64_t extent = r[i->a + 1 + 2 * dim].i;
  if (extent < 0)
    fail(act, i, TN_ERROR_CHECK_FAILED,
         "dimension " + std::to_string(dim) + " of buffer " + subject_name(act, i) + " has the negative extent " +
             std::to_string(extent));
  return extent;
}

// The memory of allocation number b, of at least `bytes` bytes.
void* reserve(const Instr* i, Activation& act, int64_t bytes) {
  Machine& m = act.machine;
  Allocation& site = act.allocations[i->b];
  if (site.memory && bytes <= site.bytes) return site.memory;  // a site that runs again uses its memory again
  const TnRuntime* rt = m.program.runtime;
  if (site.memory) rt->workspace_free(site.memory);
  m.bytes_left += site.bytes;
  site = {nullptr, 0, 0};
  if (bytes > m.bytes_left)
    fail(act, i, TN_ERROR_LIMIT,
         "buffer " + subject_name(act, i) + " of " + std::to_string(bytes) + " bytes goes beyond the limit of " +
             std::to_string(m.program.options.max_bytes) + " bytes",
         "raise the option max_bytes of eval-interp (0 for no limit), or use smaller buffers");
  void* memory = rt->workspace_alloc(static_cast<size_t>(bytes > 0 ? bytes : 1));
  if (!memory)
    fail(act, i, TN_ERROR_OUT_OF_MEMORY,
         "there is no memory for buffer " + subject_name(act, i) + " of " + std::to_string(bytes) + " bytes");
  site = {memory, bytes, 0};
  m.bytes_left -= bytes;
  return memory;
}

}  // namespace

const Instr* lay_out(const Instr* i, Scalar* r, Activation& act) {
  int64_t elements = 1, bytes;
  for (uint32_t k = i->b; k-- > 0;) {
    r[i->a + 2 + 2 * k].i = elements;
    if (__builtin_mul_overflow(elements, checked_extent(act, i, r, k), &elements)) fail_size(act, i);
  }
  if (__builtin_mul_overflow(elements, static_cast<int64_t>(i->c), &bytes)) fail_size(act, i);
  r[i->d].i = bytes;
  return i + 1;
}

const Instr* measure(const Instr* i, Scalar* r, Activation& act) {
  int64_t last = 0, bytes;
  bool empty = false;
  for (uint32_t k = 0; k < i->b; ++k) {
    const int64_t extent = checked_extent(act, i, r, k), stride = r[i->a + 2 + 2 * k].i;
    if (stride < 0) fail(act, i, TN_ERROR_CHECK_FAILED, "buffer " + subject_name(act, i) + " has a negative stride");
    empty |= extent == 0;
    int64_t reach;
    if (extent > 1 &&
        (__builtin_mul_overflow(extent - 1, stride, &reach) || __builtin_add_overflow(last, reach, &last)))
      fail_size(act, i);
  }
  if (__builtin_mul_overflow(last + 1, static_cast<int64_t>(i->c), &bytes)) fail_size(act, i);
  r[i->d].i = empty ? 0 : bytes;
  return i + 1;
}

const Instr* allocate(const Instr* i, Scalar* r, Activation& act) {
  const int64_t bytes = r[i->a].i;
  void* memory = reserve(i, act, bytes);
  const Fill fill = act.machine.program.options.fill;
  // All bits set is a NaN in every floating format.
  if (fill != Fill::Leave)
    std::memset(memory, fill == Fill::Zero ? 0 : (i->e ? 0xff : 0xcd), static_cast<size_t>(bytes));
  r[i->d].p = r[i->c].p = memory;
  return i + 1;
}

const Instr* allocate_registers(const Instr* i, Scalar* r, Activation& act) {
  Allocation& site = act.allocations[i->b];
  for (int64_t k = 0; k < site.values; ++k) tn_value_release(static_cast<TnValue*>(site.memory) + k);
  site.values = 0;
  const int64_t bytes = r[i->a].i;
  void* memory = reserve(i, act, bytes);
  std::memset(memory, 0, static_cast<size_t>(bytes));  // all zero is none
  site.values = bytes / static_cast<int64_t>(sizeof(TnValue));
  r[i->d].p = r[i->c].p = memory;
  return i + 1;
}

const Instr* view_memory(const Instr* i, Scalar* r, Activation& act) {
  const int64_t offset = r[i->b].i, available = r[i->c].i, bytes = r[i->e].i;
  int64_t start, end;
  if (offset < 0 || __builtin_mul_overflow(offset, static_cast<int64_t>(i->f), &start) ||
      __builtin_add_overflow(start, bytes, &end) || end > available)
    fail(act, i, TN_ERROR_CHECK_FAILED,
         "buffer " + subject_name(act, i) + " of " + std::to_string(bytes) + " bytes at element offset " +
             std::to_string(offset) + " does not fit into the " + std::to_string(available) + " bytes that it views");
  r[i->d].p = static_cast<char*>(r[i->a].p) + start;
  return i + 1;
}

const Instr* add_region(const Instr* i, Scalar* r, Activation& act) {
  const int64_t first = r[i->a].i, extent = r[i->b].i, available = r[i->c].i;
  if (first < 0 || extent < 0 || extent > available || first > available - extent)
    fail(act, i, TN_ERROR_CHECK_FAILED,
         "the region of " + std::to_string(extent) + " from " + std::to_string(first) + " reaches out of dimension " +
             std::to_string(i->f) + " of buffer " + subject_name(act, i) + ", whose extent is " +
             std::to_string(available));
  r[i->d].i = r[i->e].i + first * r[i->c + 1].i;
  return i + 1;
}

const Instr* offset_pointer(const Instr* i, Scalar* r, Activation&) {
  r[i->d].p = static_cast<char*>(r[i->a].p) + r[i->b].i * static_cast<int64_t>(i->f);
  return i + 1;
}

const Instr* pointer_distance(const Instr* i, Scalar* r, Activation&) {
  r[i->d].i = (static_cast<char*>(r[i->a].p) - static_cast<char*>(r[i->b].p)) / static_cast<int64_t>(i->f);
  return i + 1;
}

}  // namespace tenon::interp
