// The options of an instance: where devices and loaders come from.
#include <stdio.h>

#include "runtime/payload.h"

namespace tenon::rt {
namespace {

struct OptionRow {
  const char* key;
  int32_t type;
  const char* is;
};
constexpr OptionRow kOptions[] = {{"plugins", TN_ARRAY, "an array of paths and plugins"},
                                  {"find_plugins", TN_FUNCTION, "a function"},
                                  {"devices", TN_MAP, "a map from names to names or devices"},
                                  {"imports", TN_MAP, "a map from names to functions"},
                                  {"verify_constants", TN_BOOL, "a boolean"},
                                  {"check_only", TN_BOOL, "a boolean"},
                                  {"threads", TN_INT, "a number"},
                                  {"profiler", TN_POINTER, "a pointer to a TnProfiler"},
                                  {"allocator", TN_POINTER, "a pointer to a TnAllocator"}};

int check_keys(const TnValue& options, TnValue* ret) {
  if (options.type_index != TN_MAP) return fail(TN_ERROR_TYPE, ret, "the options of an instance are a map");
  const TnMap& m = map_of(options);
  for (size_t i = 0; i < m.size; ++i) {
    const char* key = text_of(m.data[i].key);
    const OptionRow* row = nullptr;
    for (const OptionRow& r : kOptions)
      if (!strcmp(r.key, key)) row = &r;
    if (!row) {
      char text[256];
      snprintf(text, sizeof text, "an instance has no option '%.100s'", key);
      return make_error(TN_ERROR_ARGUMENT, text, nullptr,
                        "the options are: plugins, find_plugins, devices, imports, verify_constants, check_only, "
                        "threads, profiler, allocator",
                        nullptr, ret);
    }
    if (m.data[i].value.type_index != row->type && m.data[i].value.type_index != TN_NONE)
      return fail(TN_ERROR_TYPE, ret, "the option '%s' of an instance is %s", key, row->is);
  }
  return 0;
}

int add_plugins(Environment* e, const TnValue& list, TnValue* ret) {
  const TnArray& a = array_of(list);
  auto* grown = static_cast<Plugin**>(realloc(e->plugins, (e->plugin_count + a.size + 1) * sizeof(Plugin*)));
  if (!grown) return out_of_memory(ret);
  e->plugins = grown;
  for (size_t i = 0; i < a.size; ++i) {
    Owned opened;
    const TnValue& item = a.data[i];
    if (item.type_index == TN_STRING) {
      if (plugin_open(text_of(item), opened.ret())) {
        *ret = opened.take();
        return -1;
      }
    } else if (tn_is_object(&item) && as_plugin(item.as.object)) {
      *opened.ret() = item;
      tn_value_retain(&item);
    } else {
      return fail(TN_ERROR_TYPE, ret, "entry %zu of the plugins of an instance is neither a path nor a plugin", i);
    }
    e->plugins[e->plugin_count++] = as_plugin(opened.take().as.object);
  }
  return 0;
}

bool reads(const Plugin& p, const char* format) {
  if (p.loader)
    for (const char* const* f = p.loader->formats; *f; ++f)
      if (!strcmp(*f, format)) return true;
  return false;
}

// The format without its revision.
size_t stem(const char* format) {
  const char* slash = strrchr(format, '/');
  return slash ? static_cast<size_t>(slash - format) : strlen(format);
}

int no_loader(const Environment& e, const TnPayload& p, TnValue* ret) {
  char text[512], hint[512];
  snprintf(text, sizeof text, "nothing loads payloads of the format '%.120s' (of the code generator '%.120s'%s%.120s)",
           p.format, p.maker, *p.device ? ", for " : "", p.device);
  for (size_t i = 0; i < e.plugin_count; ++i)
    if (const TnLoader* l = e.plugins[i]->loader)
      for (const char* const* f = l->formats; *f; ++f)
        if (stem(*f) == stem(p.format) && !strncmp(*f, p.format, stem(*f))) {
          snprintf(hint, sizeof hint,
                   "the plugin '%.100s' reads %.120s: install the version of it that belongs to the code generator, or "
                   "compile the model again",
                   e.plugins[i]->table->id, *f);
          return make_error(TN_ERROR_ABI_MISMATCH, text, nullptr, hint, nullptr, ret);
        }
  return make_error(TN_ERROR_NOT_FOUND, text, nullptr,
                    "install the plugin that loads it; a program names its library among the option 'plugins' of "
                    "TnRuntime.instantiate",
                    nullptr, ret);
}

// A device that a payload may be placed on.
struct Candidate {
  Plugin* opener;
  Device* device;
  const TnValue* properties;
  const char* name;
};

class Choosing {
 public:
  Choosing(Environment* e, const TnPayload& p, Choice* out, TnValue* ret) : e_(e), p_(p), out_(out), ret_(ret) {}

  int run() {
    bool any = false;
    for (size_t i = 0; i < e_->plugin_count; ++i) any = any || reads(*e_->plugins[i], p_.format);
    if (!any && e_->find_plugins) {
      if (ask_caller()) return -1;
      for (size_t i = 0; i < e_->plugin_count; ++i) any = any || reads(*e_->plugins[i], p_.format);
    }
    if (!any) return no_loader(*e_, p_, ret_);
    out_->answer = -1;
    if (!*p_.device || !strcmp(p_.device, "cpu") || !strcmp(p_.device, "cpu:0")) {
      TnValue none = {TN_NONE, 0, {0}};
      return offer({nullptr, nullptr, &none, "cpu:0"});
    }
    return on_devices();
  }

 private:
  int ask_caller() {
    auto* f = reinterpret_cast<TnFunction*>(e_->find_plugins->as.object);
    TnValue args[2] = {c_string(p_.format), c_string(p_.device)};
    Owned found;
    if (f->call(f, args, 2, found.ret())) {
      *ret_ = found.take();
      return -1;
    }
    if (found.get().type_index == TN_NONE) return 0;
    if (found.get().type_index != TN_ARRAY)
      return fail(TN_ERROR_TYPE, ret_, "the function 'find_plugins' of an instance gave no array");
    return add_plugins(e_, found.get(), ret_);
  }

  int on_devices() {
    const char* wanted = p_.device;
    if (e_->devices) {
      const TnMap& m = map_of(*e_->devices);
      for (size_t i = 0; i < m.size; ++i)
        if (!strcmp(text_of(m.data[i].key), p_.device)) {
          const TnValue& instead = m.data[i].value;
          if (instead.type_index == TN_STRING) {
            wanted = text_of(instead);
            continue;
          }
          Device* d = tn_is_object(&instead) ? as_device(instead.as.object) : nullptr;
          if (!d)
            return fail(TN_ERROR_TYPE, ret_, "the option 'devices' gives '%s' neither a name nor a device", p_.device);
          return offer({d->plugin, d, &d->properties, d->name});
        }
    }
    size_t kind = 0;
    int32_t ordinal = 0;
    if (!split_device_name(wanted, &kind, &ordinal)) {
      DLDevice ignored;
      return device_number(wanted, &ignored, ret_);  // says what is wrong with the name
    }
    for (size_t i = 0; i < e_->plugin_count; ++i) {
      Plugin* p = e_->plugins[i];
      if (!p->devices) continue;
      Owned list;
      if (settle(p, kListing, p->devices->list(p->instance, list.ret()), list.ret(), true)) {
        *ret_ = list.take();
        return -1;
      }
      if (list.get().type_index != TN_ARRAY) continue;
      for (size_t k = 0; k < array_of(list.get()).size; ++k) {
        const TnValue& entry = array_of(list.get()).data[k];
        const char* name = find_text(entry, "name", "");
        size_t used = strlen(there_);
        if (k < 8) snprintf(there_ + used, sizeof there_ - used, "%s%s", used ? ", " : "", name);
        size_t its_kind = 0;
        int32_t its_ordinal = 0;
        if (!split_device_name(name, &its_kind, &its_ordinal) || its_kind != kind || strncmp(name, wanted, kind) != 0 ||
            (ordinal >= 0 && its_ordinal != ordinal))
          continue;
        if (offer({p, nullptr, &entry, name})) return -1;
      }
    }
    if (out_->answer >= 0) return 0;
    char text[512], hint[512];
    snprintf(text, sizeof text,
             "the payload of the code generator '%.120s' runs on the device '%.120s', which is not here", p_.maker,
             wanted);
    if (*there_)
      snprintf(hint, sizeof hint,
               "there are: %s; the option 'devices' of TnRuntime.instantiate places it on another one", there_);
    else
      snprintf(hint, sizeof hint, "no plugin that was given finds a device on this machine");
    return make_error(TN_ERROR_NOT_FOUND, text, nullptr, hint, nullptr, ret_);
  }

  // Every loader of the format is asked about the device; the first of the best answers stays.
  int offer(const Candidate& c) {
    TnValue none = {TN_NONE, 0, {0}};
    for (size_t i = 0; i < e_->plugin_count; ++i) {
      Plugin* p = e_->plugins[i];
      if (!reads(*p, p_.format)) continue;
      int32_t answer = -1;
      Owned reason;
      constexpr const char* kJudging = "judging whether a payload fits";
      if (settle(p, kJudging,
                 p->loader->accepts(p->instance, p_.format, p_.requirements ? p_.requirements : &none, c.properties,
                                    &answer, reason.ret()),
                 reason.ret(), true)) {
        *ret_ = reason.take();
        return -1;
      }
      if (answer < TN_ACCEPT_NO || answer > TN_ACCEPT_BEST) {
        char text[256];
        snprintf(text, sizeof text, "the loader '%.100s' gave the answer %d, which is none: a bug of the plugin",
                 p->table->id, answer);
        return make_error(TN_ERROR_PLUGIN, text, p->file, "install another version of the plugin, or ask its vendor",
                          nullptr, ret_);
      }
      if (answer <= out_->answer) continue;
      out_->loader = p;
      out_->opener = c.opener;
      out_->device = c.device;
      snprintf(out_->name, sizeof out_->name, "%s", c.name);
      out_->answer = answer;
      tn_value_release(out_->reason.ret());
      *out_->reason.ret() = reason.take();
    }
    return 0;
  }

  Environment* e_;
  const TnPayload& p_;
  Choice* out_;
  TnValue* ret_;
  char there_[256] = "";
};

}  // namespace

int read_options(const TnValue* options, Environment* out, TnValue* ret) {
  memset(out, 0, sizeof *out);
  out->defaults.size = sizeof out->defaults;
  if (!options || options->type_index == TN_NONE) return 0;
  if (check_keys(*options, ret)) return -1;
  auto pointer = [&](const char* key) -> void* {
    const TnValue* v = find(*options, key, TN_POINTER);
    return v ? v->as.p : nullptr;
  };
  const TnValue *verify = find(*options, "verify_constants", TN_BOOL), *check = find(*options, "check_only", TN_BOOL);
  out->devices = find(*options, "devices", TN_MAP);
  out->imports = find(*options, "imports", TN_MAP);
  out->find_plugins = find(*options, "find_plugins", TN_FUNCTION);
  out->verify_constants = verify && verify->as.i;
  out->check_only = check && check->as.i;
  const int64_t threads = find_int(*options, "threads", 0);
  if (threads < 0 || threads > 4096) return fail(TN_ERROR_ARGUMENT, ret, "the option 'threads' is from 0 to 4096");
  out->defaults.threads = static_cast<int32_t>(threads);
  out->defaults.profiler = static_cast<const TnProfiler*>(pointer("profiler"));
  out->defaults.allocator = static_cast<const TnAllocator*>(pointer("allocator"));
  const TnValue* plugins = find(*options, "plugins", TN_ARRAY);
  return plugins ? add_plugins(out, *plugins, ret) : 0;
}

void release_environment(Environment* e) {
  for (size_t i = 0; i < e->plugin_count; ++i) tn_object_release(&e->plugins[i]->header);
  for (size_t i = 0; i < e->device_count; ++i) tn_object_release(&e->open_devices[i]->header);
  free(static_cast<void*>(e->plugins));
  free(static_cast<void*>(e->open_devices));
}

int choose(Environment* e, const TnPayload& payload, Choice* out, TnValue* ret) {
  out->loader = out->opener = nullptr;
  out->device = nullptr;
  return Choosing(e, payload, out, ret).run();
}

const char* answer_text(int32_t answer) {
  constexpr const char* kTexts[] = {"no", "recompile", "works", "best"};
  return answer >= TN_ACCEPT_NO && answer <= TN_ACCEPT_BEST ? kTexts[answer] : "no";
}

int require_accepted(const TnPayload& p, const Choice& c, TnValue* ret) {
  if (c.answer >= TN_ACCEPT_WORKS) return 0;
  const char* reason = c.reason.get().type_index == TN_STRING ? text_of(c.reason.get()) : "it gives no reason";
  char text[1024];
  snprintf(text, sizeof text,
           "the payload of the code generator '%.100s' (%.100s) %s '%.120s': the loader '%.100s' says: %.300s", p.maker,
           p.format, c.answer == TN_ACCEPT_NO ? "cannot run on" : "must be compiled again for", c.name,
           c.loader->table->id, reason);
  return make_error(TN_ERROR_UNSUPPORTED, text, nullptr,
                    c.answer == TN_ACCEPT_NO ? "place it on another device, or compile the model for this one"
                                             : "compile the model for this device",
                    nullptr, ret);
}

}  // namespace tenon::rt
