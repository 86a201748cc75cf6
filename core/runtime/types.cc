// Type indices: the one process-wide table, append-only, keyed by text.
#include <pthread.h>

#include "runtime/internal.h"

namespace tenon::rt {
namespace {

constexpr int32_t kCapacity = 65536;

struct Builtin {
  int32_t index;
  const char* key;
};
constexpr Builtin kBuiltins[] = {
    {TN_NONE, "None"},
    {TN_INT, "int"},
    {TN_BOOL, "bool"},
    {TN_FLOAT, "float"},
    {TN_POINTER, "void*"},
    {TN_DTYPE, "DataType"},
    {TN_DEVICE, "Device"},
    {TN_DLTENSOR, "DLTensor*"},
    {TN_C_STRING, "const char*"},
    {TN_BYTE_ARRAY, "ByteArray*"},
    {TN_RVALUE, "Object**"},
    {TN_SMALL_STRING, "SmallString"},
    {TN_SMALL_BYTES, "SmallBytes"},
    {TN_OBJECT, "tenon.Object"},
    {TN_STRING, "tenon.String"},
    {TN_BYTES, "tenon.Bytes"},
    {TN_ERROR, "tenon.Error"},
    {TN_FUNCTION, "tenon.Function"},
    {TN_SHAPE, "tenon.Shape"},
    {TN_TENSOR, "tenon.Tensor"},
    {TN_ARRAY, "tenon.Array"},
    {TN_MAP, "tenon.Map"},
    {TN_NODE, "tenon.Node"},
    {TN_SPAN, "tenon.Span"},
    {TN_CONSTANT, "tenon.Constant"},
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
const char* dynamic_keys[kCapacity];  // entries are written once, before `dynamic_count` says so
int32_t dynamic_count;

}  // namespace

int32_t type_index(const char* key) {
  for (const Builtin& b : kBuiltins)
    if (!strcmp(b.key, key)) return b.index;
  pthread_mutex_lock(&mutex);
  int32_t found = -1;
  for (int32_t i = 0; i < dynamic_count && found < 0; ++i)
    if (!strcmp(dynamic_keys[i], key)) found = i;
  if (found < 0 && dynamic_count < kCapacity)
    if (char* copy = strdup(key)) {
      found = dynamic_count;
      dynamic_keys[found] = copy;
      __atomic_store_n(&dynamic_count, found + 1, __ATOMIC_RELEASE);
    }
  pthread_mutex_unlock(&mutex);
  return found < 0 ? -1 : TN_FIRST_DYNAMIC + found;
}

const char* type_key(int32_t index) {
  for (const Builtin& b : kBuiltins)
    if (b.index == index) return b.key;
  int32_t i = index - TN_FIRST_DYNAMIC;
  return i >= 0 && i < __atomic_load_n(&dynamic_count, __ATOMIC_ACQUIRE) ? dynamic_keys[i] : nullptr;
}

}  // namespace tenon::rt
