// Objects: their memory, their release, and the built-in kinds.
#include <stdio.h>

#include "runtime/internal.h"

namespace tenon::rt {
namespace {

// Every object of ours is preceded by what its release needs.
struct Block {
  void (*destroy)(void* self);
  Block* next;  // in the queue of objects that wait for their release
};
constexpr size_t kBlockBytes = 16;
static_assert(sizeof(Block) == kBlockBytes);

Block* block_of(void* object) { return reinterpret_cast<Block*>(static_cast<char*>(object) - kBlockBytes); }
void* object_of(Block* block) { return reinterpret_cast<char*>(block) + kBlockBytes; }

// Objects whose last reference went while another one was being destroyed: the outermost release destroys them, so that
// a deep structure needs no deep stack.
struct ReleaseQueue {
  Block* head;
  bool draining;
};
thread_local ReleaseQueue release_queue;

void destroy_content(void* object) {
  if (auto* destroy = block_of(object)->destroy) destroy(object);
}

void release_object(void* self, int flags) {
  if (flags == 2) {
    free(block_of(self));
    return;
  }
  if (flags == 1) {  // weak references are left: the content goes now, the memory with the last of them
    destroy_content(self);
    return;
  }
  ReleaseQueue& queue = release_queue;
  Block* block = block_of(self);
  block->next = queue.head;
  queue.head = block;
  if (queue.draining) return;
  queue.draining = true;
  while (Block* b = queue.head) {
    queue.head = b->next;
    destroy_content(object_of(b));
    free(b);
  }
  queue.draining = false;
}

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

int make_text(int32_t type, const char* data, size_t size, TnValue* ret) {
  auto* s = size > SIZE_MAX - sizeof(TnString) - 64
                ? nullptr
                : static_cast<TnString*>(allocate(sizeof(TnString) + size + 1, type, nullptr));
  if (!s) return out_of_memory(ret);
  char* copy = reinterpret_cast<char*>(s + 1);
  if (size) memcpy(copy, data, size);
  s->data = copy;
  s->size = size;
  return give(s, ret);
}

struct Text {
  const char* data;
  size_t size;
};

bool text_of(const TnValue& v, Text* out) {
  switch (v.type_index) {
    case TN_STRING: {
      auto* s = reinterpret_cast<const TnString*>(v.as.object);
      *out = {s->data, s->size};
      return true;
    }
    case TN_SMALL_STRING: *out = {v.as.small, v.small_size}; return true;
    case TN_C_STRING: *out = {v.as.s, strlen(v.as.s)}; return true;
    default: return false;
  }
}

// What an array or map stores for an argument: borrowed text is copied, objects are counted.
int owned(const TnValue& v, TnValue* out) {
  Text t;
  if (v.type_index == TN_C_STRING && text_of(v, &t)) return make_string(t.data, t.size, out);
  if (v.type_index == TN_DLTENSOR || v.type_index == TN_BYTE_ARRAY || v.type_index == TN_RVALUE)
    return fail(TN_ERROR_ARGUMENT, out, "a borrowed value (type index %d) cannot be stored in a container",
                v.type_index);
  *out = v;
  tn_value_retain(out);
  return 0;
}

int compare(const TnValue& a, const TnValue& b) {
  Text x{nullptr, 0}, y{nullptr, 0};
  text_of(a, &x);
  text_of(b, &y);
  size_t n = x.size < y.size ? x.size : y.size;
  int order = n ? memcmp(x.data, y.data, n) : 0;
  if (order) return order;
  return x.size < y.size ? -1 : x.size > y.size;
}

void sift(TnMapEntry* e, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && compare(e[child].key, e[child + 1].key) < 0) ++child;
    if (compare(e[root].key, e[child].key) >= 0) return;
    TnMapEntry t = e[root];
    e[root] = e[child];
    e[child] = t;
  }
}

// Heap sort: in place, no recursion.
void sort(TnMapEntry* e, size_t n) {
  for (size_t i = 1; i < n; ++i)
    if (compare(e[i - 1].key, e[i].key) > 0) goto unsorted;
  return;
unsorted:
  for (size_t i = n / 2; i-- > 0;) sift(e, i, n);
  for (size_t i = n; i-- > 1;) {
    TnMapEntry t = e[0];
    e[0] = e[i];
    e[i] = t;
    sift(e, 0, i);
  }
}

// The error that says that there was no memory for an error; never freed.
TnError no_memory = {{(uint64_t{1} << 32) + 1, TN_ERROR, 0, [](void*, int) {}},
                     TN_ERROR_OUT_OF_MEMORY,
                     0,
                     "out of memory",
                     "",
                     "",
                     nullptr};

}  // namespace

void* allocate(size_t bytes, int32_t type_index, void (*destroy)(void* self)) {
  if (bytes > SIZE_MAX - kBlockBytes) return nullptr;
  auto* block = static_cast<Block*>(calloc(1, bytes + kBlockBytes));
  if (!block) return nullptr;
  block->destroy = destroy;
  auto* object = static_cast<TnObject*>(object_of(block));
  object->counts = (uint64_t{1} << 32) + 1;
  object->type_index = type_index;
  object->deleter = release_object;
  return object;
}

int give(void* object, TnValue* ret) {
  auto* o = static_cast<TnObject*>(object);
  *ret = TnValue{o->type_index, 0, {0}};
  ret->as.object = o;
  return 0;
}

int out_of_memory(TnValue* ret) {
  tn_object_retain(&no_memory.header);
  give(&no_memory, ret);
  return -1;
}

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
  auto* s = size > (SIZE_MAX - 128) / 8
                ? nullptr
                : static_cast<TnShape*>(allocate(sizeof(TnShape) + 8 * size, TN_SHAPE, nullptr));
  if (!s) return out_of_memory(ret);
  auto* copy = reinterpret_cast<int64_t*>(s + 1);
  if (size) memcpy(copy, data, 8 * size);
  s->data = copy;
  s->size = size;
  return give(s, ret);
}

int make_array(const TnValue* data, size_t size, TnValue* ret) {
  auto* a = size > (SIZE_MAX - 128) / sizeof(TnValue)
                ? nullptr
                : static_cast<TnArray*>(allocate(sizeof(TnArray) + sizeof(TnValue) * size, TN_ARRAY, destroy_array));
  if (!a) return out_of_memory(ret);
  auto* copy = reinterpret_cast<TnValue*>(a + 1);
  a->data = copy;
  for (size_t i = 0; i < size; ++i) {
    TnValue item;
    if (owned(data[i], &item)) {
      tn_object_release(&a->header);
      *ret = item;
      return -1;
    }
    copy[i] = item;
    a->size = i + 1;
  }
  return give(a, ret);
}

int make_map(const TnValue* keys_and_values, size_t pairs, TnValue* ret) {
  auto* m = pairs > (SIZE_MAX - 128) / sizeof(TnMapEntry)
                ? nullptr
                : static_cast<TnMap*>(allocate(sizeof(TnMap) + sizeof(TnMapEntry) * pairs, TN_MAP, destroy_map));
  if (!m) return out_of_memory(ret);
  auto* entries = reinterpret_cast<TnMapEntry*>(m + 1);
  m->data = entries;
  int status = 0;
  for (size_t i = 0; i < pairs && status == 0; ++i) {
    Text key;
    if (!text_of(keys_and_values[2 * i], &key)) {
      status = fail(TN_ERROR_TYPE, ret, "key %zu of a map is no string (type index %d)", i,
                    keys_and_values[2 * i].type_index);
      break;
    }
    status = make_string(key.data, key.size, &entries[i].key);
    if (status) {
      *ret = entries[i].key;
      break;
    }
    TnValue value;
    status = owned(keys_and_values[2 * i + 1], &value);
    if (status) {
      tn_value_release(&entries[i].key);
      *ret = value;
      break;
    }
    entries[i].value = value;
    m->size = i + 1;
  }
  if (status == 0) {
    sort(entries, pairs);
    for (size_t i = 1; i < pairs && status == 0; ++i)
      if (compare(entries[i - 1].key, entries[i].key) == 0)
        status = fail(TN_ERROR_DUPLICATE, ret, "the key '%s' stands twice in a map",
                      reinterpret_cast<const TnString*>(entries[i].key.as.object)->data);
  }
  if (status) {
    tn_object_release(&m->header);
    return -1;
  }
  return give(m, ret);
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
  e->cause = cause;
  if (cause) tn_object_retain(cause);
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
