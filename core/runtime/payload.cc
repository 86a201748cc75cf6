// Loading a payload, and calling what it exports: arguments on the host travel to the device and back.
#include "runtime/payload.h"

#include <stdio.h>

#include "runtime/run.h"

namespace tenon::rt {
namespace {

void destroy_loaded(void* self) {
  auto* p = static_cast<LoadedPayload*>(self);
  if (p->module) p->loader->unload(p->module);
  if (p->device) tn_object_release(&p->device->header);
  if (p->plugin) tn_object_release(&p->plugin->header);
  if (p->owner) tn_object_release(p->owner);
  free(p->name);
}

struct PayloadFunction {
  LoadedPayload* payload;
  TnLoadedFunction function;
  char* name;
  void (*release)(void*);
  void* keep;
};

void free_payload_function(void* context) {
  auto* f = static_cast<PayloadFunction*>(context);
  tn_object_release(&f->payload->header);
  if (f->release) f->release(f->keep);
  free(f->name);
  free(f);
}

const DLTensor* tensor_of(const TnValue& v) {
  if (v.type_index == TN_DLTENSOR) return static_cast<const DLTensor*>(v.as.p);
  return v.type_index == TN_TENSOR ? &reinterpret_cast<const TnTensor*>(v.as.object)->tensor : nullptr;
}

// What the loader is given for argument `i`: a number that is read, or a contiguous tensor as `tensor`, with its bytes.
class Arguments {
 public:
  Arguments(const PayloadFunction& f, const char* where, const TnValue* args, TnValue* ret)
      : f_(f), where_(where), args_(args), ret_(ret) {}

  int refuse(int32_t code, int32_t i, const char* hint, const char* what) const {
    char text[384];
    snprintf(text, sizeof text, "%.120s: argument %d %.200s", f_.name, i, what);
    return make_error(code, text, where_, hint, nullptr, ret_);
  }
  int place(int32_t i, TnValue* value, DLTensor* tensor, uint64_t* bytes) const {
    *value = args_[i];
    const DLTensor* t = tensor_of(args_[i]);
    if (!t) {
      if (i < f_.function.inputs && args_[i].type_index <= TN_FLOAT) return 0;
      return refuse(TN_ERROR_TYPE, i, "", "is neither a tensor nor a number that is read");
    }
    if (!is_contiguous(*t))
      return refuse(TN_ERROR_SHAPE, i, "copy it into a contiguous one first", "is not contiguous");
    if (tensor_bytes(t->dtype, t->ndim, t->shape, bytes, ret_)) return -1;
    if (device_type(t->device) == kDLCPU && *bytes && !t->data) return refuse(TN_ERROR_ARGUMENT, i, "", "has no data");
    *tensor = *t;
    tensor->strides = nullptr;
    *value = TnValue{TN_DLTENSOR, 0, {0}};
    value->as.p = tensor;
    return 0;
  }

 private:
  const PayloadFunction& f_;
  const char* where_;
  const TnValue* args_;
  TnValue* ret_;
};

// One call of a function on a device.
class DeviceCall {
 public:
  DeviceCall(const PayloadFunction& f, const TnValue* args, int32_t n, TnValue* ret)
      : f_(f),
        d_(f.payload->device),
        arguments_(f, d_->name, args, ret),
        args_(args),
        n_(n),
        ret_(ret),
        run_(current_run) {}

  int call() {
    if (check_run(run_, ret_)) return -1;
    Block<TnValue> values(static_cast<size_t>(n_));
    Block<DLTensor> tensors(static_cast<size_t>(n_));
    Block<uint64_t> bytes(static_cast<size_t>(n_));
    if (!values.data || !tensors.data || !bytes.data) return out_of_memory(ret_);
    values_ = values.data;
    tensors_ = tensors.data;
    bytes_ = bytes.data;
    for (int32_t i = 0; i < n_; ++i)
      if (place(i)) return -1;
    QueueObject* given = run_queue(run_, d_);
    Queue* q = given ? &given->queue : nullptr;
    if (!q && take_queue(d_, &q, ret_)) return -1;
    int status = carry_out(q, given != nullptr);
    if (!given) give_queue(d_, q);
    return status;
  }

 private:
  // What the loader is given for an argument; one in host memory gets its place in the staging area.
  int place(int32_t i) {
    if (arguments_.place(i, &values_[i], &tensors_[i], &bytes_[i])) return -1;
    const DLTensor* t = tensor_of(args_[i]);
    if (!t) return 0;
    if (device_type(t->device) == kDLCPU) {
      any_on_host_ = true;
      tensors_[i].device = d_->number;
      tensors_[i].byte_offset = staging_;
      staging_ += (bytes_[i] + d_->alignment - 1) / d_->alignment * d_->alignment;
      return 0;
    }
    bytes_[i] = 0;  // nothing to copy
    const TnObject* owner = args_[i].type_index == TN_TENSOR
                                ? tensor_owner(reinterpret_cast<const TnTensor*>(args_[i].as.object))
                                : nullptr;
    if (device_type(t->device) == device_type(d_->number) && t->device.device_id == d_->number.device_id &&
        (!owner || owner == &d_->header))
      return 0;
    return arguments_.refuse(TN_ERROR_DEVICE, i, "copy it to the host or to this device first (TnRuntime.copy)",
                             "lies on another device, or in the memory of another opening of this one");
  }

  int stage(int status, Queue* q, int32_t kind, uint64_t bytes, int64_t begin) {
    if (status) {
      device_failed(d_, f_.name, ret_);
    } else if (run_ && run_->context.profiler) {  // the stages one by one
      status = wait_queue(d_, q, f_.name, ret_);
      if (status) emptied_ = true;
      if (status == 0) tell_profiler(run_, kind, f_.name, d_->name, begin, bytes);
    }
    return status;
  }

  int enqueue(Queue* q) {
    const int64_t begin = now_if_profiled();
    uint64_t copied = 0;
    int status = 0;
    for (int32_t i = 0; i < n_ && status == 0; ++i) {
      if (!bytes_[i]) continue;
      tensors_[i].data = q->staging;
      const DLTensor* host = tensor_of(args_[i]);
      if (i >= f_.function.inputs) continue;
      status = d_->api->copy_in(q->handle, static_cast<char*>(host->data) + host->byte_offset, q->staging,
                                tensors_[i].byte_offset, bytes_[i], ret_);
      copied += bytes_[i];
    }
    if (stage(status, q, TN_PROFILE_COPY_IN, copied, begin)) return -1;
    const int64_t launched = now_if_profiled();
    const LoadedPayload& p = *f_.payload;
    if (settle(p.plugin, f_.name, p.loader->launch(p.module, f_.function.function, q->handle, values_, n_, ret_), ret_))
      return ret_->type_index == TN_ERROR && reinterpret_cast<TnError*>(ret_->as.object)->code != TN_ERROR_DEVICE
                 ? -1
                 : device_failed(d_, f_.name, ret_);
    tn_value_release(ret_);
    if (stage(0, q, TN_PROFILE_LAUNCH, 0, launched)) return -1;
    const int64_t back = now_if_profiled();
    copied = 0;
    for (int32_t i = f_.function.inputs; i < n_ && status == 0; ++i) {
      if (!bytes_[i]) continue;
      const DLTensor* host = tensor_of(args_[i]);
      status = d_->api->copy_out(q->handle, q->staging, tensors_[i].byte_offset,
                                 static_cast<char*>(host->data) + host->byte_offset, bytes_[i], ret_);
      copied += bytes_[i];
    }
    return stage(status, q, TN_PROFILE_COPY_OUT, copied, back);
  }

  int carry_out(Queue* q, bool is_callers) {
    if (staging_ && reserve_staging(d_, q, staging_, ret_)) return -1;
    if (enqueue(q)) {
      // What was enqueued reads and writes the caller's memory: it is over before the caller hears of the failure.
      Owned ignored;
      if (!emptied_) wait_queue(d_, q, f_.name, ignored.ret());
      return -1;
    }
    *ret_ = TnValue{TN_NONE, 0, {0}};
    const bool later = is_callers && !any_on_host_ && run_->context.signal_count > 0;
    return later ? 0 : wait_queue(d_, q, f_.name, ret_);
  }

  int64_t now_if_profiled() const { return run_ && run_->context.profiler ? now_ns() : 0; }

  const PayloadFunction& f_;
  Device* d_;
  const Arguments arguments_;
  const TnValue* args_;
  int32_t n_;
  TnValue* ret_;
  Run* run_;
  TnValue* values_ = nullptr;
  DLTensor* tensors_ = nullptr;
  uint64_t* bytes_ = nullptr;  // of the arguments that are copied
  uint64_t staging_ = 0;
  bool any_on_host_ = false;
  bool emptied_ = false;
};

// A call of a function in the host.
int call_in_host(const PayloadFunction& f, const TnValue* args, int32_t n, TnValue* ret) {
  if (check_run(current_run, ret)) return -1;
  Block<TnValue> values(static_cast<size_t>(n));
  Block<DLTensor> tensors(static_cast<size_t>(n));
  if (!values.data || !tensors.data) return out_of_memory(ret);
  const Arguments arguments(f, "cpu:0", args, ret);
  uint64_t bytes = 0;
  for (int32_t i = 0; i < n; ++i) {
    if (arguments.place(i, &values.data[i], &tensors.data[i], &bytes)) return -1;
    const DLTensor* t = tensor_of(args[i]);
    if (t && device_type(t->device) != kDLCPU)
      return arguments.refuse(TN_ERROR_DEVICE, i, "copy it to the host first (TnRuntime.copy)", "lies on a device");
  }
  const LoadedPayload& p = *f.payload;
  return settle(p.plugin, f.name, p.loader->launch(p.module, f.function.function, nullptr, values.data, n, ret), ret);
}

int call_payload(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  auto& f = *static_cast<PayloadFunction*>(static_cast<TnFunction*>(self)->context);
  const LoadedPayload& p = *f.payload;
  *ret = TnValue{TN_NONE, 0, {0}};
  if (n != f.function.inputs + f.function.outputs)
    return fail(TN_ERROR_ARGUMENT, ret, "%s takes %d arguments and %d results to write, and was given %d", f.name,
                f.function.inputs, f.function.outputs, n);
  if (p.device) return DeviceCall(f, args, n, ret).call();
  return call_in_host(f, args, n, ret);
}

int find_device(Environment* e, const Choice& choice, Device** out, TnValue* ret) {
  for (size_t i = 0; i < e->device_count; ++i)
    if (e->open_devices[i]->plugin == choice.opener && !strcmp(e->open_devices[i]->name, choice.name)) {
      *out = e->open_devices[i];
      return 0;
    }
  auto* grown = static_cast<Device**>(realloc(e->open_devices, (e->device_count + 1) * sizeof(Device*)));
  if (!grown) return out_of_memory(ret);
  e->open_devices = grown;
  Owned opened;
  if (choice.device) {
    *opened.ret() = object_value(&choice.device->header);
    tn_object_retain(&choice.device->header);
  } else if (device_open(&choice.opener->header, choice.name, opened.ret())) {
    *ret = opened.take();
    return -1;
  }
  *out = e->open_devices[e->device_count++] = as_device(opened.take().as.object);
  return 0;
}

}  // namespace

bool is_device_function(const TnFunction* function) {
  return function->call == call_payload && static_cast<PayloadFunction*>(function->context)->payload->device;
}

int load_payload(Environment* e, const TnPayload& payload, const Choice& choice, TnObject* owner, LoadedPayload** out,
                 TnValue* ret) {
  Device* device = nullptr;
  if (choice.opener && find_device(e, choice, &device, ret)) return -1;
  auto* p =
      static_cast<LoadedPayload*>(allocate(sizeof(LoadedPayload), type_index("tenon.runtime.Payload"), destroy_loaded));
  if (!p) return out_of_memory(ret);
  p->payload = payload;
  p->loader = choice.loader->loader;
  p->plugin = choice.loader;
  tn_object_retain(&p->plugin->header);
  p->device = device;
  if (device) tn_object_retain(&device->header);
  p->owner = owner;
  if (owner) tn_object_retain(owner);
  p->name = strdup(choice.name);
  TnLoadTarget target = {sizeof target, p->name, device ? device->api : nullptr, device ? device->handle : nullptr};
  Owned error;
  constexpr const char* kLoading = "loading a payload";
  if (p->name &&
      settle(p->plugin, kLoading, p->loader->load(p->plugin->instance, &p->payload, &target, &p->module, error.ret()),
             error.ret()) == 0) {
    if (p->module) {
      *out = p;
      return 0;
    }
    tn_value_release(error.ret());
    *error.ret() = TnValue{TN_NONE, 0, {0}};
    fail(TN_ERROR_PLUGIN, error.ret(), "it did not fail and made no module");
  }
  p->module = nullptr;
  const bool told = error.get().type_index == TN_ERROR;
  auto* cause = reinterpret_cast<const TnError*>(error.get().as.object);
  char text[1024];
  snprintf(text, sizeof text,
           "the loader '%.100s' cannot load the payload of the code generator '%.100s' (%.100s) on '%.120s': %.300s",
           p->plugin->table->id, payload.maker, payload.format, choice.name,
           told ? cause->message : "it gives no reason");
  make_error(told ? cause->code : int32_t{TN_ERROR_PLUGIN}, text, told ? cause->where : nullptr,
             told && (*cause->hint || cause->code != TN_ERROR_PLUGIN) ? cause->hint : "this is a bug of the plugin",
             told ? error.get().as.object : nullptr, ret);
  tn_object_release(&p->header);
  return -1;
}

namespace {

int find_function(const LoadedPayload* p, const char* symbol, TnLoadedFunction* out, TnValue* ret) {
  if (settle(p->plugin, "finding a function of a payload", p->loader->function(p->module, symbol, out, ret), ret, true))
    return -1;
  tn_value_release(ret);
  *ret = TnValue{TN_NONE, 0, {0}};
  if (out->inputs >= 0 && out->outputs >= 0 && out->inputs <= INT32_MAX - out->outputs) return 0;
  char text[256];
  snprintf(text, sizeof text, "the loader '%.60s' says that the function '%.60s' has %d inputs and %d outputs",
           p->plugin->table->id, symbol, out->inputs, out->outputs);
  return make_error(TN_ERROR_PLUGIN, text, p->plugin->file, "this is a bug of the plugin", nullptr, ret);
}

}  // namespace

int payload_functions(LoadedPayload* p, void (*retain)(void*), void (*release)(void*), void* keep, TnValue* ret) {
  const TnMap& exports = map_of(*p->payload.exports);
  Block<TnValue> pairs(2 * exports.size);
  if (!pairs.data) return out_of_memory(ret);
  int status = 0;
  size_t made = 0;
  for (; made < exports.size && status == 0; ++made) {
    const TnValue& symbol = exports.data[made].value;
    auto* f = static_cast<PayloadFunction*>(calloc(1, sizeof(PayloadFunction)));
    char* name = strdup(text_of(exports.data[made].key));
    if (!f || !name) {
      free(f);
      free(name);
      status = out_of_memory(ret);
      break;
    }
    f->function.size = sizeof f->function;
    if (symbol.type_index != TN_STRING)
      status = fail(TN_ERROR_CORRUPT, ret, "the export '%s' of a payload names no symbol", name);
    else
      status = find_function(p, text_of(symbol), &f->function, ret);
    if (status) {
      free(f);
      free(name);
      break;
    }
    f->payload = p;
    tn_object_retain(&p->header);
    f->name = name;
    if (retain) retain(keep);
    f->release = release;
    f->keep = keep;
    pairs.data[2 * made] = exports.data[made].key;
    status = make_function(call_payload, f, free_payload_function, &pairs.data[2 * made + 1]);
    if (status) {
      *ret = pairs.data[2 * made + 1];
      free_payload_function(f);
      break;
    }
  }
  if (status == 0) status = make_map(pairs.data, exports.size, ret);
  for (size_t i = 0; i < made; ++i) tn_value_release(&pairs.data[2 * i + 1]);
  return status;
}

int describe_payload(const TnPayload& p, const Choice& c, const TnValue* functions, TnValue* ret) {
  const TnValue none = {TN_NONE, 0, {0}};
  const TnValue pairs[] = {c_string("format"),    c_string(p.format),
                           c_string("maker"),     c_string(p.maker),
                           c_string("device"),    c_string(c.name),
                           c_string("plugin"),    c_string(c.loader->table->id),
                           c_string("answer"),    c_string(answer_text(c.answer)),
                           c_string("reason"),    c.reason.get().type_index == TN_STRING ? c.reason.get() : none,
                           c_string("functions"), functions ? *functions : none};
  return make_map(pairs, sizeof pairs / sizeof *pairs / 2, ret);
}

int payload_load(const TnPayload* given, TnObject* owner, const TnValue* options, TnValue* ret) {
  if (!given || !TN_HAS(given, exports) || !TN_HAS(given, format) || !TN_HAS(given, device) || !TN_HAS(given, maker) ||
      given->exports->type_index != TN_MAP)
    return fail(TN_ERROR_ARGUMENT, ret, "a payload without format, device, maker or exports");
  TnPayload payload = {};
  memcpy(&payload, given, given->size < sizeof payload ? given->size : sizeof payload);
  payload.size = sizeof payload;
  Environment e;
  LoadedPayload* loaded = nullptr;
  Owned functions, error;
  int status = read_options(options, &e, ret);
  {
    Choice choice;
    if (status == 0) status = choose(&e, payload, &choice, ret);
    if (status == 0 && e.check_only)
      status = describe_payload(payload, choice, nullptr, ret);
    else if (status == 0) {
      status = require_accepted(payload, choice, ret);
      if (status == 0) status = load_payload(&e, payload, choice, owner, &loaded, ret);
      if (status == 0) {
        status = payload_functions(loaded, nullptr, nullptr, nullptr, functions.ret());
        if (status) *ret = functions.take();
        tn_object_release(&loaded->header);
      }
      if (status == 0) status = describe_payload(payload, choice, &functions.get(), ret);
    }
  }
  release_environment(&e);
  return status;
}

}  // namespace tenon::rt
