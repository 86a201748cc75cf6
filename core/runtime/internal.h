// What the files of libtenon_rt share. Functions that fail return -1 with `*ret` owning the error.
#ifndef TENON_RUNTIME_INTERNAL_H
#define TENON_RUNTIME_INTERNAL_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/cxx/device.h"
#include "tenon/runtime.h"

namespace tenon::rt {

// memory.cc
// Memory for an object, zero but for its header, counted once; null when there is none.
void* allocate(size_t bytes, int32_t type_index, void (*destroy)(void* self));
// Whether `allocate` made the object, with this `destroy`.
bool is_made_with(const void* object, void (*destroy)(void* self));
// `*ret` owns the object from now on.
int give(void* object, TnValue* ret);
int out_of_memory(TnValue* ret);

// objects.cc
// An error with a formatted message; always -1.
__attribute__((format(printf, 3, 4))) int fail(int32_t code, TnValue* ret, const char* format, ...);
int make_string(const char* data, size_t size, TnValue* ret);
int make_bytes(const char* data, size_t size, TnValue* ret);
int make_shape(const int64_t* data, size_t size, TnValue* ret);
int make_array(const TnValue* data, size_t size, TnValue* ret);
int make_map(const TnValue* keys_and_values, size_t pairs, TnValue* ret);
int make_error(int32_t code, const char* message, const char* where, const char* hint, TnObject* cause, TnValue* ret);
int make_function(TnCall call, void* context, void (*free_context)(void*), TnValue* ret);
int make_object(size_t bytes, int32_t type_index, void (*destroy)(void* self), TnValue* ret);

// types.cc
int32_t type_index(const char* key);
const char* type_key(int32_t type_index);

// tensor.cc
int make_tensor(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
int tensor_from_dlpack(DLManagedTensor* managed, TnValue* ret);
int tensor_from_dlpack_versioned(TnDLManagedTensorVersioned* managed, TnValue* ret);
DLManagedTensor* tensor_to_dlpack(TnTensor* tensor, TnValue* ret);
TnDLManagedTensorVersioned* tensor_to_dlpack_versioned(TnTensor* tensor, TnValue* ret);
int tensor_view(TnTensor* tensor, DLDataType dtype, int32_t ndim, const int64_t* shape, const int64_t* strides,
                uint64_t byte_offset, TnValue* ret);
// Whether the tensor came in as read only, or is a view of one that did.
bool is_read_only(const TnTensor* tensor);

// arguments.cc
int check_arguments(const TnSignature* signature, const TnValue* args, int32_t n, void** data, int64_t* symbols,
                    TnValue* ret);

// pool.cc
int parallel_for(TnTask task, void* data, int32_t count, TnValue* ret);
int32_t thread_count();
void set_thread_count(int32_t count);

// workspace.cc
void* workspace_alloc(size_t bytes);
void workspace_free(void* memory);
void sha256(const void* data, size_t size, uint8_t digest[32]);

}  // namespace tenon::rt
#endif
