// Scratch memory for the length of a call: blocks are kept per thread, so that a repeated call asks the system once.
#include <pthread.h>

#include "runtime/run.h"

namespace tenon::rt {
namespace {

constexpr size_t kAlignment = 64;
constexpr int kKept = 8;                         // blocks kept for each thread
constexpr size_t kKeptBytes = size_t{64} << 20;  // a larger block goes back to the system at once

struct Header {  // stands before the memory that is given out
  size_t capacity;
  char padding[kAlignment - sizeof(size_t)];
};

struct Cache {
  Header* blocks[kKept];
  int count;
  bool registered;
};
thread_local Cache cache;

pthread_key_t exit_key;
pthread_once_t exit_once = PTHREAD_ONCE_INIT;

void drop_all(void* kept) {
  auto* c = static_cast<Cache*>(kept);
  while (c->count > 0) free(c->blocks[--c->count]);
  c->registered = false;  // a destructor that still frees something registers it again
}

}  // namespace

void* workspace_alloc(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  if (const Run* run = current_run; run && run->scratch)
    if (void* memory = scratch_alloc(run->scratch, bytes)) return memory;
  Cache& c = cache;
  int best = -1;  // the smallest that is large enough, unless it is more than four times too large
  for (int i = 0; i < c.count; ++i)
    if (c.blocks[i]->capacity >= bytes && c.blocks[i]->capacity / 4 <= bytes + 4096 &&
        (best < 0 || c.blocks[i]->capacity < c.blocks[best]->capacity))
      best = i;
  if (best >= 0) {
    Header* found = c.blocks[best];
    c.blocks[best] = c.blocks[--c.count];
    return found + 1;
  }
  size_t capacity = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  auto* made = static_cast<Header*>(aligned_alloc(kAlignment, capacity + sizeof(Header)));
  if (!made) return nullptr;
  made->capacity = capacity;
  return made + 1;
}

void workspace_free(void* memory) {
  if (!memory || (current_run && scratch_free(current_run, memory))) return;
  Header* block = static_cast<Header*>(memory) - 1;
  Cache& c = cache;
  if (!c.registered) {
    c.registered = true;
    pthread_once(&exit_once, [] { pthread_key_create(&exit_key, drop_all); });
    pthread_setspecific(exit_key, &c);
  }
  if (block->capacity > kKeptBytes) return free(block);
  if (c.count == kKept) {  // the smallest makes room
    int least = 0;
    for (int i = 1; i < kKept; ++i)
      if (c.blocks[i]->capacity < c.blocks[least]->capacity) least = i;
    if (c.blocks[least]->capacity >= block->capacity) return free(block);
    free(c.blocks[least]);
    c.blocks[least] = c.blocks[--c.count];
  }
  c.blocks[c.count++] = block;
}

}  // namespace tenon::rt
