/* The order of the slots in every table that crosses a library boundary: slots are only appended. A row says which
 * pointer-sized word of its table a slot is. */
#include <tenon/compiler.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/loader.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/executor.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ext/pass.h>
#include <tenon/ext/plugins.h>
#include <tenon/runtime.h>

#define WORD(Table, n, slot) _Static_assert(offsetof(Table, slot) == 8 * (n), #Table "." #slot " has moved")

WORD(TnPlugin, 0, size);
WORD(TnPlugin, 1, abi_version);
WORD(TnPlugin, 2, id);
WORD(TnPlugin, 3, version);
WORD(TnPlugin, 4, create);
WORD(TnPlugin, 5, destroy);
WORD(TnPlugin, 6, capability);

WORD(TnHost, 0, size);
WORD(TnHost, 1, self);
WORD(TnHost, 2, runtime);
WORD(TnHost, 3, service);

WORD(TnRuntime, 0, size);
WORD(TnRuntime, 1, abi_version);
WORD(TnRuntime, 2, string);
WORD(TnRuntime, 3, bytes);
WORD(TnRuntime, 4, shape);
WORD(TnRuntime, 5, array);
WORD(TnRuntime, 6, map);
WORD(TnRuntime, 7, error);
WORD(TnRuntime, 8, function);
WORD(TnRuntime, 9, object);
WORD(TnRuntime, 10, type_index);
WORD(TnRuntime, 11, type_key);
WORD(TnRuntime, 12, tensor);
WORD(TnRuntime, 13, tensor_from_dlpack);
WORD(TnRuntime, 14, tensor_from_dlpack_versioned);
WORD(TnRuntime, 15, tensor_to_dlpack);
WORD(TnRuntime, 16, tensor_to_dlpack_versioned);
WORD(TnRuntime, 17, tensor_view);
WORD(TnRuntime, 18, check_arguments);
WORD(TnRuntime, 19, parallel_for);
WORD(TnRuntime, 20, thread_count);
WORD(TnRuntime, 21, set_thread_count);
WORD(TnRuntime, 22, workspace_alloc);
WORD(TnRuntime, 23, workspace_free);
WORD(TnRuntime, 24, artifact_open);
WORD(TnRuntime, 25, sha256);
WORD(TnRuntime, 26, run);
WORD(TnRuntime, 27, check_run);
WORD(TnRuntime, 28, instantiate);
WORD(TnRuntime, 29, payload_load);
WORD(TnRuntime, 30, plugin_open);
WORD(TnRuntime, 31, plugin_wrap);
WORD(TnRuntime, 32, device_number);
WORD(TnRuntime, 33, device_name);
WORD(TnRuntime, 34, device_open);
WORD(TnRuntime, 35, device_tensor);
WORD(TnRuntime, 36, copy);
WORD(TnRuntime, 37, queue);
WORD(TnRuntime, 38, fence);
WORD(TnRuntime, 39, fence_signal);
WORD(TnRuntime, 40, fence_wait);

WORD(TnSignature, 0, size);
WORD(TnSignature, 1, param_size);
WORD(TnSignature, 2, name);
WORD(TnSignature, 3, params);
WORD(TnSignature, 4, param_count);
WORD(TnSignature, 5, symbols);

WORD(TnHostIr, 0, size);
WORD(TnHostIr, 1, self);
WORD(TnHostIr, 2, schema);
WORD(TnHostIr, 3, find_kind);
WORD(TnHostIr, 4, make);
WORD(TnHostIr, 5, span);
WORD(TnHostIr, 6, structural_equal);
WORD(TnHostIr, 7, content_key);
WORD(TnHostIr, 8, substitute);
WORD(TnHostIr, 9, walk);
WORD(TnHostIr, 10, rewrite);
WORD(TnHostIr, 11, verify);
WORD(TnHostIr, 12, print);
WORD(TnHostIr, 13, parse);
WORD(TnHostIr, 14, encode);
WORD(TnHostIr, 15, decode);
WORD(TnHostIr, 16, constant);
WORD(TnHostIr, 17, renew);

WORD(TnHostArith, 0, size);
WORD(TnHostArith, 1, self);
WORD(TnHostArith, 2, create);
WORD(TnHostArith, 3, destroy);
WORD(TnHostArith, 4, bind_range);
WORD(TnHostArith, 5, bind_value);
WORD(TnHostArith, 6, enter_constraint);
WORD(TnHostArith, 7, leave_constraint);
WORD(TnHostArith, 8, simplify);
WORD(TnHostArith, 9, can_prove);
WORD(TnHostArith, 10, bounds);
WORD(TnHostArith, 11, modular);

WORD(TnHostOps, 1, self);
WORD(TnHostOps, 2, find);
WORD(TnHostOps, 3, infer_type);
WORD(TnHostOps, 4, compute);
WORD(TnHostOps, 5, evaluate);
WORD(TnHostOps, 6, suggest);
WORD(TnOp, 1, infer_type);
WORD(TnOp, 2, compute);
WORD(TnOp, 3, evaluate);

WORD(TnContext, 1, self);
WORD(TnContext, 2, target);
WORD(TnContext, 3, report);
WORD(TnContext, 4, cancelled);
WORD(TnContext, 5, signature);
WORD(TnContext, 6, record);
WORD(TnHostPlugins, 1, self);
WORD(TnHostPlugins, 2, providers);
WORD(TnHostPlugins, 3, open);
WORD(TnPartitioner, 1, decide);
WORD(TnKind, 1, lower);
WORD(TnInstrument, 1, before_pass);
WORD(TnInstrument, 2, after_pass);
WORD(TnOnnxConverter, 1, convert);
WORD(TnPass, 1, run_module);
WORD(TnPass, 2, run_function);
WORD(TnCodegen, 1, generate);
WORD(TnHostCodegen, 1, self);
WORD(TnHostCodegen, 2, generate);
WORD(TnExecutor, 1, load);
WORD(TnLinker, 1, link);

WORD(TnCompiler, 0, size);
WORD(TnCompiler, 1, abi_version);
WORD(TnCompiler, 2, version);
WORD(TnCompiler, 3, runtime);

WORD(TnDeviceApi, 1, list);
WORD(TnDeviceApi, 2, open);
WORD(TnDeviceApi, 3, close);
WORD(TnDeviceApi, 4, alloc);
WORD(TnDeviceApi, 5, free);
WORD(TnDeviceApi, 6, queue_create);
WORD(TnDeviceApi, 7, queue_destroy);
WORD(TnDeviceApi, 8, copy_in);
WORD(TnDeviceApi, 9, copy_out);
WORD(TnDeviceApi, 10, copy_within);
WORD(TnDeviceApi, 11, fence_create);
WORD(TnDeviceApi, 12, fence_destroy);
WORD(TnDeviceApi, 13, queue_wait);
WORD(TnDeviceApi, 14, queue_signal);
WORD(TnDeviceApi, 15, fence_wait);
WORD(TnDeviceApi, 16, fence_signal);
WORD(TnDeviceApi, 17, queue_cancel);

WORD(TnLoader, 1, formats);
WORD(TnLoader, 2, accepts);
WORD(TnLoader, 3, load);
WORD(TnLoader, 4, unload);
WORD(TnLoader, 5, function);
WORD(TnLoader, 6, launch);

WORD(TnRunContext, 1, wait);
WORD(TnRunContext, 2, wait_count);
WORD(TnRunContext, 3, signal);
WORD(TnRunContext, 4, queues);
WORD(TnRunContext, 5, queue_count);
WORD(TnRunContext, 6, cancel);
WORD(TnRunContext, 7, deadline_ns);
WORD(TnRunContext, 8, profiler);
WORD(TnRunContext, 9, allocator);
WORD(TnRunContext, 10, scratch);
WORD(TnRunContext, 11, scratch_bytes);

WORD(TnPayload, 1, format);
WORD(TnPayload, 2, device);
WORD(TnPayload, 3, maker);
WORD(TnPayload, 4, data);
WORD(TnPayload, 5, bytes);
WORD(TnPayload, 6, requirements);
WORD(TnPayload, 7, exports);
WORD(TnPayload, 8, constants);
WORD(TnPayload, 9, constant_count);
WORD(TnPayload, 10, imports);
WORD(TnPayload, 11, import_count);
