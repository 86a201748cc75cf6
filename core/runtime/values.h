// Reading the maps and lists that options and indices are made of. Everything is borrowed.
#ifndef TENON_RUNTIME_VALUES_H
#define TENON_RUNTIME_VALUES_H

#include <pthread.h>

#include "runtime/internal.h"

namespace tenon::rt {

inline const TnArray& array_of(const TnValue& v) { return *reinterpret_cast<const TnArray*>(v.as.object); }
inline const TnMap& map_of(const TnValue& v) { return *reinterpret_cast<const TnMap*>(v.as.object); }
inline const char* text_of(const TnValue& v) { return reinterpret_cast<const TnString*>(v.as.object)->data; }

// The value of a key, when it is of this type; null otherwise.
inline const TnValue* find(const TnValue& map, const char* key, int32_t type) {
  if (map.type_index != TN_MAP) return nullptr;
  const TnMap& m = map_of(map);
  for (size_t i = 0; i < m.size; ++i)
    if (!strcmp(text_of(m.data[i].key), key)) return m.data[i].value.type_index == type ? &m.data[i].value : nullptr;
  return nullptr;
}

inline const char* find_text(const TnValue& map, const char* key, const char* otherwise) {
  const TnValue* v = find(map, key, TN_STRING);
  return v ? text_of(*v) : otherwise;
}

inline int64_t find_int(const TnValue& map, const char* key, int64_t otherwise) {
  const TnValue* v = find(map, key, TN_INT);
  return v ? v->as.i : otherwise;
}

inline TnValue c_string(const char* text) {
  TnValue v = {TN_C_STRING, 0, {0}};
  v.as.s = text;
  return v;
}

inline TnValue object_value(TnObject* object) {
  TnValue v = {object->type_index, 0, {0}};
  v.as.object = object;
  return v;
}

// A value that is released at the end of the scope, unless it is given away.
class Owned {
 public:
  Owned() : v_{TN_NONE, 0, {0}} {}
  ~Owned() { tn_value_release(&v_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  TnValue* ret() { return &v_; }
  const TnValue& get() const { return v_; }
  TnValue take() {
    TnValue v = v_;
    v_ = TnValue{TN_NONE, 0, {0}};
    return v;
  }

 private:
  TnValue v_;
};

// Array of zeroed T that is freed at the end of the scope; `data` is null when there was no memory.
template <class T>
struct Block {
  explicit Block(size_t n) : data(static_cast<T*>(calloc(n ? n : 1, sizeof(T)))) {}
  ~Block() { free(data); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  T* data;
};

class Lock {
 public:
  explicit Lock(pthread_mutex_t* mutex) : mutex_(mutex) { pthread_mutex_lock(mutex_); }
  ~Lock() { pthread_mutex_unlock(mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  pthread_mutex_t* mutex_;
};

}  // namespace tenon::rt
#endif
