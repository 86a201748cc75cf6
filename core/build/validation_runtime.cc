// The runtime table as a plugin gets it: it has no `self`, so its slots ask which call their thread is in.
#include <cstring>

#include "build/validation_state.h"

namespace tenon::validation {
namespace {

const TnRuntime& rt() { return *tn_runtime(); }

// The result of a slot that makes something.
int made(int status, TnValue* ret, const char* name) {
  Frame* frame = current_frame();
  if (!frame) return status;
  ++frame->state.calls;
  std::lock_guard lock(frame->state.mutex);
  bool failed = status != 0 && ret->type_index == TN_ERROR;
  frame->state.watch.see(*ret, failed ? nullptr : &frame->plugin, frame->during + ", by " + name);
  if (failed) frame->errors.push_back(ret->as.object);
  return status;
}
bool not_null(const void* p, const char* what) {
  Frame* frame = current_frame();
  if (p || !frame) return true;
  frame->report("V3", std::string(what) + " is null");
  return false;
}
int refused(TnValue* ret) { return refuse(ret, *current_frame()); }

int string(const char* data, size_t size, TnValue* ret) {
  if (size && !not_null(data, "the text of TnRuntime.string")) return refused(ret);
  return made(rt().string(data, size, ret), ret, "TnRuntime.string");
}
int bytes(const char* data, size_t size, TnValue* ret) {
  if (size && !not_null(data, "the text of TnRuntime.bytes")) return refused(ret);
  return made(rt().bytes(data, size, ret), ret, "TnRuntime.bytes");
}
int shape(const int64_t* data, size_t size, TnValue* ret) {
  if (size && !not_null(data, "the extents of TnRuntime.shape")) return refused(ret);
  return made(rt().shape(data, size, ret), ret, "TnRuntime.shape");
}
bool good_values(const TnValue* data, size_t size, const char* what) {
  Frame* frame = current_frame();
  if (!frame) return true;
  if (size && !not_null(data, what)) return false;
  for (size_t i = 0; i < size; ++i)
    if (!check_value(*frame, data[i], what)) return false;
  return true;
}
int array(const TnValue* data, size_t size, TnValue* ret) {
  if (!good_values(data, size, "an element of TnRuntime.array")) return refused(ret);
  return made(rt().array(data, size, ret), ret, "TnRuntime.array");
}
int map(const TnValue* data, size_t pairs, TnValue* ret) {
  if (!good_values(data, 2 * pairs, "an entry of TnRuntime.map")) return refused(ret);
  return made(rt().map(data, pairs, ret), ret, "TnRuntime.map");
}
// The error is the plugin's own, and what becomes of it is seen in the result.
int error(int32_t code, const char* message, const char* where, const char* hint, TnObject* cause, TnValue* ret) {
  Frame* frame = current_frame();
  TnValue given{TN_ERROR, 0, {0}};
  given.as.object = cause;
  if (frame && cause && !check_value(*frame, given, "the cause of TnRuntime.error")) return refused(ret);
  int status = rt().error(code, message, where, hint, cause, ret);
  if (!frame) return status;
  std::lock_guard lock(frame->state.mutex);
  frame->state.watch.see(*ret, &frame->plugin, frame->during + ", by TnRuntime.error");
  return status;
}
int function(TnCall call, void* context, void (*free_context)(void*), TnValue* ret) {
  if (!not_null(reinterpret_cast<const void*>(call), "the code of TnRuntime.function")) return refused(ret);
  return made(rt().function(call, context, free_context, ret), ret, "TnRuntime.function");
}
int object(size_t size, int32_t type_index, void (*destroy)(void*), TnValue* ret) {
  return made(rt().object(size, type_index, destroy, ret), ret, "TnRuntime.object");
}
int tensor(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* extents, TnValue* ret) {
  if (ndim > 0 && !not_null(extents, "the shape of TnRuntime.tensor")) return refused(ret);
  return made(rt().tensor(device, dtype, ndim, extents, ret), ret, "TnRuntime.tensor");
}

struct Tasks {
  Frame* frame;
  TnTask task;
  void* data;
};
int run_task(void* data, int32_t index, int32_t count, TnValue* ret) {
  auto* tasks = static_cast<Tasks*>(data);
  Frame* before = current_frame();
  current_frame() = tasks->frame;
  int status = -1;
  try {
    status = tasks->task(tasks->data, index, count, ret);
  } catch (...) {
    tasks->frame->report("F1", "an exception left a task of parallel_for");
    status = refuse(ret, *tasks->frame);
  }
  current_frame() = before;
  return status;
}
int parallel_for(TnTask task, void* data, int32_t count, TnValue* ret) {
  Frame* frame = current_frame();
  if (!frame) return rt().parallel_for(task, data, count, ret);
  if (!not_null(reinterpret_cast<const void*>(task), "the task of TnRuntime.parallel_for")) return refused(ret);
  Tasks tasks{frame, task, data};
  {
    std::lock_guard lock(frame->state.mutex);
    ++frame->parallel;
  }
  int status = rt().parallel_for(&run_task, &tasks, count, ret);
  std::lock_guard lock(frame->state.mutex);
  --frame->parallel;
  return status;
}
void set_thread_count(int32_t count) {
  Frame* frame = current_frame();
  if (frame) {
    std::unique_lock lock(frame->state.mutex);
    bool running = frame->parallel > 0;
    lock.unlock();
    if (running) return frame->report("T2", "set_thread_count is called while a parallel_for runs");
  }
  rt().set_thread_count(count);
}

void* workspace_alloc(size_t size) {
  void* memory = rt().workspace_alloc(size);
  Frame* frame = current_frame();
  if (frame && memory) {
    std::lock_guard lock(frame->mutex);
    frame->scratch.emplace(memory, std::this_thread::get_id());
  }
  return memory;
}
void workspace_free(void* memory) {
  Frame* frame = current_frame();
  if (frame && memory) {
    std::unique_lock lock(frame->mutex);
    auto it = frame->scratch.find(memory);
    if (it == frame->scratch.end()) {
      lock.unlock();
      return frame->report("O8", "scratch memory is given back that was not taken in this call");
    }
    bool other = it->second != std::this_thread::get_id();
    frame->scratch.erase(it);
    lock.unlock();
    if (other) frame->report("T3", "scratch memory is given back by another thread than the one that took it");
  }
  rt().workspace_free(memory);
}

TnRuntime make_table() {
  TnRuntime t = rt();
  t.string = &string;
  t.bytes = &bytes;
  t.shape = &shape;
  t.array = &array;
  t.map = &map;
  t.error = &error;
  t.function = &function;
  t.object = &object;
  t.tensor = &tensor;
  t.parallel_for = &parallel_for;
  t.set_thread_count = &set_thread_count;
  t.workspace_alloc = &workspace_alloc;
  t.workspace_free = &workspace_free;
  return t;
}

}  // namespace

const TnRuntime* runtime_table() {
  static const TnRuntime table = make_table();
  return &table;
}

}  // namespace tenon::validation
