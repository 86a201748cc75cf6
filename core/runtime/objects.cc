// The built-in kinds of objects.
#include <stdio.h>

#include "runtime/internal.h"

namespace tenon::rt {
namespace {

void destroy_array(void* self) {
  auto* a = static_cast<TnArray*>(self);
  for (size_t i = 0; i < a->size; ++i) tn_value_release(&a->data[i]);
}

void destroy_map(void* self) {
  auto* m = static_cast<TnMap*>(self);
  for (size_t i = 0; i < m->size; ++i) {
    tn_value_release(&m->data[i].key);
    tn_value_release(&m->data[i].value);
  }
}

void destroy_error(void* self) {
  auto* e = static_cast<TnError*>(self);
  if (e->cause) tn_object_release(e->cause);
}

struct Function {
  TnFunction base;
  void (*free_context)(void*);
};

void destroy_function(void* self) {
  auto* f = static_cast<Function*>(self);
  if (f->free_context) f->free_context(f->base.context);
}

// An object followed by `count` elements; null when there is no memory or the size has no number.
void* allocate_with(size_t header, size_t count, size_t element, int32_t type, void (*destroy)(void*)) {
  size_t bytes;
  if (__builtin_mul_overflow(count, element, &bytes) || __builtin_add_overflow(bytes, header, &bytes)) return nullptr;
  return allocate(bytes, type, destroy);
}

int make_text(int32_t type, const char* data, size_t size, TnValue* ret) {
  auto* s = static_cast<TnString*>(allocate_with(sizeof(TnString) + 1, size, 1, type, nullptr));
  if (!s) return out_of_memory(ret);
  char* copy = reinterpret_cast<char*>(s + 1);
  if (size) memcpy(copy, data, size);
  s->data = copy;
  s->size = size;
  return give(s, ret);
}

// What a container stores for a value: borrowed text is copied, objects are counted. A failure leaves an error in
// `out`.
int own(const TnValue& v, TnValue* out) {
  if (v.type_index == TN_C_STRING) return make_string(v.as.s, strlen(v.as.s), out);
  if (v.type_index == TN_DLTENSOR || v.type_index == TN_BYTE_ARRAY || v.type_index == TN_RVALUE)
    return fail(TN_ERROR_ARGUMENT, out, "a borrowed value (%s) cannot be stored in a container",
                type_key(v.type_index));
  *out = v;
  tn_value_retain(out);
  return 0;
}

// Keys are always string objects.
int own_key(const TnValue& v, size_t place, TnValue* out) {
  switch (v.type_index) {
    case TN_STRING:
    case TN_C_STRING: return own(v, out);
    case TN_SMALL_STRING: return make_string(v.as.small, v.small_size, out);
    default: {
      const char* type = type_key(v.type_index);
      return fail(TN_ERROR_TYPE, out, "key %zu of a map is no text but %s", place, type ? type : "of an unknown type");
    }
  }
}

int compare_keys(const TnMapEntry& a, const TnMapEntry& b) {
  auto* x = reinterpret_cast<const TnString*>(a.key.as.object);
  auto* y = reinterpret_cast<const TnString*>(b.key.as.object);
  int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
  if (order) return order;
  return x->size < y->size ? -1 : x->size > y->size;
}

void swap(TnMapEntry& a, TnMapEntry& b) {
  TnMapEntry t = a;
  a = b;
  b = t;
}

void sift(TnMapEntry* e, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && compare_keys(e[child], e[child + 1]) < 0) ++child;
    if (compare_keys(e[root], e[child]) >= 0) return;
    swap(e[root], e[child]);
  }
}

// Heap sort: in place, no recursion, n log n in the worst case. Sorted input, the usual case, is left at once.
void sort(TnMapEntry* e, size_t n) {
  size_t sorted = 1;
  while (sorted < n && compare_keys(e[sorted - 1], e[sorted]) <= 0) ++sorted;
  if (sorted >= n) return;
  for (size_t i = n / 2; i-- > 0;) sift(e, i, n);
  for (size_t i = n; i-- > 1;) {
    swap(e[0], e[i]);
    sift(e, 0, i);
  }
}

}  // namespace

int fail(int32_t code, TnValue* ret, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return make_error(code, text, nullptr, nullptr, nullptr, ret);
}

int make_string(const char* data, size_t size, TnValue* ret) { return make_text(TN_STRING, data, size, ret); }
int make_bytes(const char* data, size_t size, TnValue* ret) { return make_text(TN_BYTES, data, size, ret); }

int make_shape(const int64_t* data, size_t size, TnValue* ret) {
  auto* s = static_cast<TnShape*>(allocate_with(sizeof(TnShape), size, sizeof(int64_t), TN_SHAPE, nullptr));
  if (!s) return out_of_memory(ret);
  auto* copy = reinterpret_cast<int64_t*>(s + 1);
  if (size) memcpy(copy, data, sizeof(int64_t) * size);
  s->data = copy;
  s->size = size;
  return give(s, ret);
}

int make_array(const TnValue* data, size_t size, TnValue* ret) {
  auto* a = static_cast<TnArray*>(allocate_with(sizeof(TnArray), size, sizeof(TnValue), TN_ARRAY, destroy_array));
  if (!a) return out_of_memory(ret);
  auto* items = reinterpret_cast<TnValue*>(a + 1);
  a->data = items;
  for (; a->size < size; ++a->size) {
    TnValue& item = items[a->size];
    if (own(data[a->size], &item) == 0) continue;
    *ret = item;  // the error
    tn_object_release(&a->header);
    return -1;
  }
  return give(a, ret);
}

int make_map(const TnValue* keys_and_values, size_t pairs, TnValue* ret) {
  auto* m = static_cast<TnMap*>(allocate_with(sizeof(TnMap), pairs, sizeof(TnMapEntry), TN_MAP, destroy_map));
  if (!m) return out_of_memory(ret);
  auto* entries = reinterpret_cast<TnMapEntry*>(m + 1);
  m->data = entries;
  int status = 0;
  for (; m->size < pairs; ++m->size) {
    TnMapEntry& entry = entries[m->size];
    status = own_key(keys_and_values[2 * m->size], m->size, ret);
    if (status) break;
    entry.key = *ret;
    status = own(keys_and_values[2 * m->size + 1], ret);
    if (status) {
      tn_value_release(&entry.key);
      break;
    }
    entry.value = *ret;
  }
  if (status == 0) sort(entries, pairs);
  for (size_t i = 1; i < pairs && status == 0; ++i)
    if (compare_keys(entries[i - 1], entries[i]) == 0)
      status = fail(TN_ERROR_DUPLICATE, ret, "the key '%s' stands twice in a map",
                    reinterpret_cast<const TnString*>(entries[i].key.as.object)->data);
  if (status == 0) return give(m, ret);
  tn_object_release(&m->header);
  return -1;
}

int make_error(int32_t code, const char* message, const char* where, const char* hint, TnObject* cause, TnValue* ret) {
  const char* parts[3] = {message ? message : "", where ? where : "", hint ? hint : ""};
  size_t sizes[3] = {strlen(parts[0]) + 1, strlen(parts[1]) + 1, strlen(parts[2]) + 1};
  auto* e = static_cast<TnError*>(allocate(sizeof(TnError) + sizes[0] + sizes[1] + sizes[2], TN_ERROR, destroy_error));
  if (!e) return out_of_memory(ret);
  char* at = reinterpret_cast<char*>(e + 1);
  const char** fields[3] = {&e->message, &e->where, &e->hint};
  for (int i = 0; i < 3; ++i) {
    memcpy(at, parts[i], sizes[i]);
    *fields[i] = at;
    at += sizes[i];
  }
  e->code = code;
  e->cause = cause && cause->type_index == TN_ERROR ? cause : nullptr;  // whoever reads it takes it for an error
  if (e->cause) tn_object_retain(e->cause);
  give(e, ret);
  return -1;
}

int make_function(TnCall call, void* context, void (*free_context)(void*), TnValue* ret) {
  auto* f = static_cast<Function*>(allocate(sizeof(Function), TN_FUNCTION, destroy_function));
  if (!f) return out_of_memory(ret);
  f->base.call = call;
  f->base.context = context;
  f->free_context = free_context;
  return give(f, ret);
}

int make_object(size_t bytes, int32_t type_index, void (*destroy)(void* self), TnValue* ret) {
  if (bytes < sizeof(TnObject))
    return fail(TN_ERROR_ARGUMENT, ret, "an object of %zu bytes has no room for its header of %zu", bytes,
                sizeof(TnObject));
  void* object = allocate(bytes, type_index, destroy);
  return object ? give(object, ret) : out_of_memory(ret);
}

}  // namespace tenon::rt
