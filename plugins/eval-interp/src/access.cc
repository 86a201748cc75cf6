// Loads and stores: every index is checked against its extent, the strides come from the buffer's registers.
#include <array>

#include "handlers.h"

namespace tenon::interp {
namespace {

template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T>
inline Scalar read(const void* base, int64_t element) {
  Stored<T> v;
  std::memcpy(&v, static_cast<const char*>(base) + element * static_cast<int64_t>(sizeof v), sizeof v);
  return put(static_cast<T>(v));
}

template <class T>
inline void write(void* base, int64_t element, Scalar value) {
  const auto v = static_cast<Stored<T>>(get<T>(value));
  std::memcpy(static_cast<char*>(base) + element * static_cast<int64_t>(sizeof v), &v, sizeof v);
}

template <uint32_t ndim>
inline int64_t element_of(const Instr* i, const Scalar* r, const Activation& act) {
  const Scalar* place = r + i->a;
  const uint32_t registers[kMaxDirect] = {i->b, i->c, i->e, i->f};
  int64_t element = 0;
  for (uint32_t k = 0; k < ndim; ++k) {
    const int64_t index = r[registers[k]].i, extent = place[1 + 2 * k].i;
    if (static_cast<uint64_t>(index) >= static_cast<uint64_t>(extent)) fail_index(act, i, k, index, extent);
    element += index * place[2 + 2 * k].i;
  }
  return element;
}

template <class T, uint32_t ndim>
const Instr* load(const Instr* i, Scalar* r, Activation& act) {
  r[i->d] = read<T>(r[i->a].p, element_of<ndim>(i, r, act));
  return i + 1;
}

template <class T, uint32_t ndim>
const Instr* store(const Instr* i, Scalar* r, Activation& act) {
  write<T>(r[i->a].p, element_of<ndim>(i, r, act), r[i->d]);
  return i + 1;
}

template <uint32_t ndim>
const Instr* element_address(const Instr* i, Scalar* r, Activation& act) {
  r[i->d].p = static_cast<TnValue*>(r[i->a].p) + element_of<ndim>(i, r, act);
  return i + 1;
}

template <class T>
const Instr* load_at(const Instr* i, Scalar* r, Activation&) {
  r[i->d] = read<T>(r[i->a].p, r[i->b].i);
  return i + 1;
}

template <class T>
const Instr* store_at(const Instr* i, Scalar* r, Activation&) {
  write<T>(r[i->a].p, r[i->b].i, r[i->d]);
  return i + 1;
}

}  // namespace

Handler load_handler(DLDataType dtype, uint32_t ndim) {
  return with_type(dtype, [&]<class T>() -> Handler {
    constexpr std::array<Handler, kMaxDirect + 1> rows = {&load<T, 0>, &load<T, 1>, &load<T, 2>, &load<T, 3>,
                                                          &load<T, 4>};
    return rows[ndim];
  });
}

Handler store_handler(DLDataType dtype, uint32_t ndim) {
  return with_type(dtype, [&]<class T>() -> Handler {
    constexpr std::array<Handler, kMaxDirect + 1> rows = {&store<T, 0>, &store<T, 1>, &store<T, 2>, &store<T, 3>,
                                                          &store<T, 4>};
    return rows[ndim];
  });
}

Handler element_handler(uint32_t ndim) {
  constexpr std::array<Handler, kMaxDirect + 1> rows = {&element_address<0>, &element_address<1>, &element_address<2>,
                                                        &element_address<3>, &element_address<4>};
  return rows[ndim];
}

Handler load_at_handler(DLDataType dtype) {
  return with_type(dtype, []<class T>() -> Handler { return &load_at<T>; });
}

Handler store_at_handler(DLDataType dtype) {
  return with_type(dtype, []<class T>() -> Handler { return &store_at<T>; });
}

const Instr* add_index(const Instr* i, Scalar* r, Activation& act) {
  const int64_t index = r[i->b].i, extent = r[i->c].i;
  if (static_cast<uint64_t>(index) >= static_cast<uint64_t>(extent)) fail_index(act, i, i->e, index, extent);
  r[i->d].i = r[i->a].i + index * r[i->c + 1].i;
  return i + 1;
}

}  // namespace tenon::interp
