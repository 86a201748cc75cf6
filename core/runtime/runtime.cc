// The table of libtenon_rt, its one export.
#include "diag/sha256.h"
#include "runtime/artifact.h"
#include "runtime/run.h"

namespace tenon::rt {

void sha256(const void* data, size_t size, uint8_t digest[32]) {
  tenon::Digest d = tenon::sha256({static_cast<const char*>(data), size});
  memcpy(digest, d.data(), d.size());
}

namespace {

constexpr TnRuntime table = {
    sizeof(TnRuntime),
    TN_ABI_VERSION,
    0,
    make_string,
    make_bytes,
    make_shape,
    make_array,
    make_map,
    make_error,
    make_function,
    make_object,
    type_index,
    type_key,
    make_tensor,
    tensor_from_dlpack,
    tensor_from_dlpack_versioned,
    tensor_to_dlpack,
    tensor_to_dlpack_versioned,
    tensor_view,
    check_arguments,
    parallel_for,
    thread_count,
    set_thread_count,
    workspace_alloc,
    workspace_free,
    artifact_open,
    sha256,
    run_function,
    check_current_run,
    instantiate,
    payload_load,
    plugin_open,
    plugin_wrap,
    device_number,
    device_name,
    device_open,
    device_tensor,
    copy_tensor,
    make_queue,
    make_fence,
    fence_signal,
    fence_wait,
};

}  // namespace
}  // namespace tenon::rt

extern "C" const TnRuntime* tn_runtime(void) { return &tenon::rt::table; }
