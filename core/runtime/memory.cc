// The memory of objects and its release: bounded stack however deep the structure, weak references honoured.
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
TnObject* object_of(Block* block) { return reinterpret_cast<TnObject*>(reinterpret_cast<char*>(block) + kBlockBytes); }

constexpr uint64_t kOneWeak = uint64_t{1} << 32;

// Objects whose last strong reference went while another one was being destroyed: the outermost release destroys them,
// so that a deep structure needs no deep stack.
struct ReleaseQueue {
  Block* head;
  bool draining;
};
thread_local ReleaseQueue release_queue;

// Destroys the content, and frees the memory unless a weak reference is left.
void destroy(Block* block) {
  TnObject* object = object_of(block);
  if (block->destroy) block->destroy(object);
  if (__atomic_load_n(&object->counts, __ATOMIC_ACQUIRE) >> 32 == 1 ||
      __atomic_fetch_sub(&object->counts, kOneWeak, __ATOMIC_ACQ_REL) >> 32 == 1)
    free(block);
}

void release_object(void* self, int flags) {
  Block* block = block_of(self);
  if (flags == 2) return free(block);
  // The caller drops the weak reference of the strong ones when this returns, which may be before the turn of the
  // object comes: it waits with one of its own.
  if (flags == 1) __atomic_fetch_add(&object_of(block)->counts, kOneWeak, __ATOMIC_RELAXED);
  ReleaseQueue& queue = release_queue;
  block->next = queue.head;
  queue.head = block;
  if (queue.draining) return;
  queue.draining = true;
  while (Block* next = queue.head) {
    queue.head = next->next;
    destroy(next);
  }
  queue.draining = false;
}

// The error that says that there was no memory for an error; never freed.
TnError no_memory = {
    {kOneWeak + 1, TN_ERROR, 0, [](void*, int) {}}, TN_ERROR_OUT_OF_MEMORY, 0, "out of memory", "", "", nullptr};

}  // namespace

void* allocate(size_t bytes, int32_t type_index, void (*destroy)(void* self)) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  auto* block = static_cast<Block*>(calloc(1, bytes + kBlockBytes));
  if (!block) return nullptr;
  block->destroy = destroy;
  TnObject* object = object_of(block);
  object->counts = kOneWeak + 1;
  object->type_index = type_index;
  object->deleter = release_object;
  return object;
}

bool is_made_with(const void* object, void (*destroy)(void* self)) {
  return static_cast<const TnObject*>(object)->deleter == release_object &&
         block_of(const_cast<void*>(object))->destroy == destroy;
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

}  // namespace tenon::rt
