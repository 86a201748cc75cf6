// Plugins opened by the runtime alone: for the devices and loaders of a program that has no compiler.
#include <dlfcn.h>
#include <stdio.h>

#include "runtime/device.h"

namespace tenon::rt {
namespace {

void destroy_plugin(void* self) {
  auto* p = static_cast<Plugin*>(self);
  if (p->owns_instance) p->table->destroy(p->instance);
  if (p->owner) tn_object_release(p->owner);
  free(p->file);
}

const void* no_service(void*, const char*) { return nullptr; }

int refuse(int32_t code, const char* path, const char* hint, TnValue* ret, const char* what, const char* detail = "") {
  char text[512];
  snprintf(text, sizeof text, "the plugin cannot be used: %s%.300s", what, detail);
  return make_error(code, text, path, hint, nullptr, ret);
}

const char* kBug = "this is a bug of the plugin";

int check_table(const TnPlugin* t, const char* path, TnValue* ret) {
  char text[128];
  if (!t) return refuse(TN_ERROR_PLUGIN, path, kBug, ret, "its entry returned null");
  if (t->size < offsetof(TnPlugin, id)) return refuse(TN_ERROR_PLUGIN, path, kBug, ret, "its table has no version");
  if (t->abi_version > TN_ABI_VERSION || t->abi_version == 0) {
    snprintf(text, sizeof text, "it was built for Tenon ABI %u, this runtime has ABI %u", t->abi_version,
             TN_ABI_VERSION);
    return refuse(TN_ERROR_ABI_MISMATCH, path, "install a build of the plugin for this runtime, or a newer runtime",
                  ret, text);
  }
  const struct {
    const char* slot;
    bool present;
  } rows[] = {{"id", TN_HAS(t, id)},
              {"version", TN_HAS(t, version)},
              {"create", TN_HAS(t, create)},
              {"destroy", TN_HAS(t, destroy)},
              {"capability", TN_HAS(t, capability)}};
  for (const auto& row : rows)
    if (!row.present) return refuse(TN_ERROR_PLUGIN, path, kBug, ret, "its table lacks the slot ", row.slot);
  return 0;
}

// The slots that the runtime cannot do without.
const char* missing_slot(const TnDeviceApi* d, const TnLoader* l) {
  const struct {
    const char* slot;
    bool present;
  } device_rows[] = {{"tenon.device/1 list", d && TN_HAS(d, list)},
                     {"tenon.device/1 open", d && TN_HAS(d, open)},
                     {"tenon.device/1 close", d && TN_HAS(d, close)},
                     {"tenon.device/1 alloc", d && TN_HAS(d, alloc)},
                     {"tenon.device/1 free", d && TN_HAS(d, free)},
                     {"tenon.device/1 queue_create", d && TN_HAS(d, queue_create)},
                     {"tenon.device/1 queue_destroy", d && TN_HAS(d, queue_destroy)},
                     {"tenon.device/1 copy_in", d && TN_HAS(d, copy_in)},
                     {"tenon.device/1 copy_out", d && TN_HAS(d, copy_out)},
                     {"tenon.device/1 copy_within", d && TN_HAS(d, copy_within)},
                     {"tenon.device/1 fence_create", d && TN_HAS(d, fence_create)},
                     {"tenon.device/1 fence_destroy", d && TN_HAS(d, fence_destroy)},
                     {"tenon.device/1 queue_wait", d && TN_HAS(d, queue_wait)},
                     {"tenon.device/1 queue_signal", d && TN_HAS(d, queue_signal)},
                     {"tenon.device/1 fence_wait", d && TN_HAS(d, fence_wait)},
                     {"tenon.device/1 fence_signal", d && TN_HAS(d, fence_signal)},
                     {"tenon.device/1 queue_cancel", d && TN_HAS(d, queue_cancel)}},
    loader_rows[] = {
        {"tenon.loader/1 formats", l && TN_HAS(l, formats)},   {"tenon.loader/1 accepts", l && TN_HAS(l, accepts)},
        {"tenon.loader/1 load", l && TN_HAS(l, load)},         {"tenon.loader/1 unload", l && TN_HAS(l, unload)},
        {"tenon.loader/1 function", l && TN_HAS(l, function)}, {"tenon.loader/1 launch", l && TN_HAS(l, launch)}};
  if (d)
    for (const auto& row : device_rows)
      if (!row.present) return row.slot;
  if (l)
    for (const auto& row : loader_rows)
      if (!row.present) return row.slot;
  return nullptr;
}

int finish(Plugin* p, const char* path, TnValue* ret) {
  p->devices = static_cast<const TnDeviceApi*>(p->table->capability(p->instance, TN_DEVICE_API));
  p->loader = static_cast<const TnLoader*>(p->table->capability(p->instance, TN_LOADER));
  int status = 0;
  if (!p->devices && !p->loader)
    status = refuse(TN_ERROR_ARGUMENT, path, "name a plugin that brings devices or loaders", ret,
                    "it provides neither " TN_DEVICE_API " nor " TN_LOADER);
  else if (const char* slot = missing_slot(p->devices, p->loader))
    status = refuse(TN_ERROR_PLUGIN, path, kBug, ret, "it lacks the slot ", slot);
  if (status) {
    tn_object_release(&p->header);
    return -1;
  }
  return give(p, ret);
}

Plugin* allocate_plugin(const TnPlugin* table, TnValue* ret) {
  auto* p = static_cast<Plugin*>(allocate(sizeof(Plugin), type_index("tenon.runtime.Plugin"), destroy_plugin));
  if (!p) {
    out_of_memory(ret);
    return nullptr;
  }
  p->table = table;
  p->host = {sizeof(TnHost), nullptr, tn_runtime(), no_service};
  return p;
}

}  // namespace

Plugin* as_plugin(const TnObject* object) {
  return object && is_made_with(object, destroy_plugin) ? reinterpret_cast<Plugin*>(const_cast<TnObject*>(object))
                                                        : nullptr;
}

int settle(const Plugin* p, const char* doing, int status, TnValue* ret, bool lead) {
  const bool sound = tn_is_object(ret) ? ret->as.object && ret->as.object->type_index == ret->type_index
                                       : ret->type_index >= TN_NONE && ret->type_index <= TN_SMALL_BYTES;
  const bool is_error = sound && ret->type_index == TN_ERROR;
  if (sound && status == 0 && !is_error) return 0;
  char text[768];
  if (!is_error || status == 0) {
    if (sound) tn_value_release(ret);
    const char* what = !sound   ? "gave what is no value"
                       : status ? "failed and gave no reason"
                                : "did not fail and returned an error";
    snprintf(text, sizeof text, "the plugin '%.60s' %s in %.120s", p->table->id, what, doing);
    return make_error(TN_ERROR_PLUGIN, text, p->file, kBug, nullptr, ret);
  }
  auto* e = reinterpret_cast<TnError*>(ret->as.object);
  // An exception that nothing in the plugin foresaw comes as an internal error; it is the plugin's, not ours.
  const bool known = e->code > TN_ERROR_INTERNAL && e->code <= TN_ERROR_UNTRUSTED;
  const bool broke = !known || e->code == TN_ERROR_PLUGIN || !*e->message;
  if (!lead && !broke) return -1;
  Owned cause;
  *cause.ret() = *ret;
  snprintf(text, sizeof text, "the plugin '%.60s' failed in %.120s: %.500s", p->table->id, doing,
           *e->message ? e->message : "it does not say why");
  return make_error(known ? e->code : int32_t{TN_ERROR_PLUGIN}, text, *e->where ? e->where : p->file,
                    broke && !*e->hint ? kBug : e->hint, &e->header, ret);
}

int plugin_open(const char* path, TnValue* ret) {
  if (!path || !*path) return fail(TN_ERROR_ARGUMENT, ret, "a plugin cannot be opened without a path");
  // With a slash the path is that of a file, and no search.
  char* file = nullptr;
  if (asprintf(&file, "%s%s", strchr(path, '/') ? "" : "./", path) < 0) return out_of_memory(ret);
  // Never closed: code of the plugin may run until the process ends.
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  free(file);
  if (!library)
    return refuse(TN_ERROR_NOT_FOUND, path, "check the path, and that what the library needs is installed", ret, "",
                  dlerror());
  auto entry = reinterpret_cast<TnPluginEntry>(dlsym(library, TN_PLUGIN_SYMBOL));
  if (!entry)
    return refuse(TN_ERROR_PLUGIN, path, "name the library of a plugin", ret,
                  "it exports no symbol '" TN_PLUGIN_SYMBOL "'");
  const TnPlugin* table = entry();
  if (check_table(table, path, ret)) return -1;
  Plugin* p = allocate_plugin(table, ret);
  if (!p) return -1;
  p->file = strdup(path);
  Owned error;
  if (settle(p, "its start", table->create(&p->host, &p->instance, error.ret()), error.ret())) {
    tn_object_release(&p->header);
    const bool told = error.get().type_index == TN_ERROR;
    auto* e = reinterpret_cast<const TnError*>(error.get().as.object);
    char text[512];
    snprintf(text, sizeof text, "the plugin '%.60s' could not start: %.400s", table->id, told ? e->message : "");
    return make_error(told ? e->code : int32_t{TN_ERROR_PLUGIN}, text, path, told ? e->hint : nullptr, nullptr, ret);
  }
  p->owns_instance = true;
  return finish(p, path, ret);
}

int plugin_wrap(const TnPlugin* plugin, void* instance, TnObject* owner, TnValue* ret) {
  if (check_table(plugin, nullptr, ret)) return -1;
  Plugin* p = allocate_plugin(plugin, ret);
  if (!p) return -1;
  p->instance = instance;
  p->owner = owner;
  if (owner) tn_object_retain(owner);
  return finish(p, plugin->id, ret);
}

}  // namespace tenon::rt
