// What loaders and devices answer wrongly: refused in words that name the plugin, whatever the slot.
#include <dlfcn.h>

#include "support.h"

namespace tenon::devices {
namespace {

std::string lie;         // SLOT:WAY, or another lie of one slot
TnDeviceApi real;        // of the example accelerator
TnLoader reading;        // likewise
const TnDeviceApi* own;  // where it has them: its loader works with no other devices

// Gives the answer that is asked for about a slot; false when none is.
bool answers(const char* slot, int* status, TnValue* ret) {
  if (!lie.starts_with(std::string(slot) + ":")) return false;
  const std::string way = lie.substr(std::strlen(slot) + 1);
  *ret = TnValue{TN_NONE, 0, {0}};
  *status = way == "nothing" || way == "a bad value" ? 0 : -1;
  if (way == "a null error") ret->type_index = TN_ERROR;
  if (way == "an error of no type") ret->type_index = 60;
  if (way == "a number for an error") ret->type_index = TN_INT;
  if (way == "a bad value") ret->type_index = TN_ARRAY;
  if (way == "no words") rt->error(0, "", "", "", nullptr, ret);
  return true;
}

template <auto member, class Table>
struct Lying;
template <class Table, class... Args, int (*Table::*member)(Args...)>
struct Lying<member, Table> {
  inline static const char* name = "";
  inline static Table* truth = nullptr;
  static int call(Args... args) {
    TnValue* ret = std::get<sizeof...(Args) - 1>(std::tuple(args...));
    int status = 0;
    return answers(name, &status, ret) ? status : (truth->*member)(args...);
  }
};
template <auto member, class Table>
void make_liar(Table& table, Table& truth, const char* name) {
  Lying<member, Table>::name = name;
  Lying<member, Table>::truth = &truth;
  table.*member = &Lying<member, Table>::call;
}

int strange_load(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  int status = 0;
  if (answers("load", &status, ret)) return status;
  TnLoadTarget known = *target;
  known.api = own;
  return reading.load(instance, payload, &known, module, ret);
}

int strange_function(void* module, const char* symbol, TnLoadedFunction* f, TnValue* ret) {
  int status = 0;
  if (answers("function", &status, ret)) return status;
  status = reading.function(module, symbol, f, ret);
  if (lie == "fewer than none") f->inputs = -1, f->outputs = 3;
  if (lie == "without end") f->inputs = f->outputs = INT32_MAX;
  return status;
}

// The example accelerator with slots that lie.
Value liar() {
  static TnDeviceApi devices;
  static TnLoader loader;
  static TnPlugin table;
  static TnHost host{sizeof(TnHost), nullptr, rt, [](void*, const char*) -> const void* { return nullptr; }};
  static void* instance = nullptr;
  if (!instance) {
    void* library = dlopen(NPU_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    table = *reinterpret_cast<TnPluginEntry>(dlsym(library, TN_PLUGIN_SYMBOL))();
    call([](TnValue* ret) { return table.create(&host, &instance, ret); });
    own = static_cast<const TnDeviceApi*>(table.capability(instance, TN_DEVICE_API));
    devices = real = *own;
    loader = reading = *static_cast<const TnLoader*>(table.capability(instance, TN_LOADER));
    table.capability = [](void*, const char* id) -> const void* {
      return std::strcmp(id, TN_LOADER) ? std::strcmp(id, TN_DEVICE_API) ? nullptr : static_cast<const void*>(&devices)
                                        : &loader;
    };
    make_liar<&TnDeviceApi::list>(devices, real, "list");
    make_liar<&TnDeviceApi::open>(devices, real, "open");
    make_liar<&TnDeviceApi::alloc>(devices, real, "alloc");
    make_liar<&TnDeviceApi::queue_create>(devices, real, "queue_create");
    make_liar<&TnDeviceApi::copy_in>(devices, real, "copy_in");
    make_liar<&TnDeviceApi::copy_out>(devices, real, "copy_out");
    make_liar<&TnDeviceApi::fence_create>(devices, real, "fence_create");
    make_liar<&TnDeviceApi::queue_signal>(devices, real, "queue_signal");
    make_liar<&TnDeviceApi::fence_wait>(devices, real, "fence_wait");
    make_liar<&TnLoader::accepts>(loader, reading, "accepts");
    make_liar<&TnLoader::launch>(loader, reading, "launch");
    loader.load = &strange_load;
    loader.function = &strange_function;
  }
  return call([](TnValue* ret) { return rt->plugin_wrap(&table, instance, nullptr, ret); });
}

// The error of loading and calling a product.
Error use() {
  Stream s = gemm(4, 4, std::vector<int8_t>(16, 1), std::vector<int32_t>(4, 1), 0);
  Tensor<int8_t> x({2, 4});
  Tensor<int32_t> out({2, 4});
  TnValue args[] = {x.value(), out.value()};
  try {
    Value f = main_of(load(s, {{"plugins", b.array({liar()})}}));
    call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
  } catch (const Error& e) { return e; }
  return Error(0, "");
}

TEST(Answers, OfEverySlotAreHeldToTheContract) {
  lie = "";
  ASSERT_EQ(use().message, "");
  for (const char* slot : {"list", "open", "alloc", "queue_create", "copy_in", "copy_out", "fence_create",
                           "queue_signal", "fence_wait", "accepts", "load", "function", "launch"})
    for (const char* way : {"a null error", "an error of no type", "a number for an error", "no error", "no words"}) {
      lie = std::string(slot) + ":" + way;
      SCOPED_TRACE(lie);
      Error e = use();
      EXPECT_EQ(e.code, TN_ERROR_PLUGIN) << e.message;
      EXPECT_NE((e.message + e.where).find("com.example.npu"), std::string::npos) << e.message;
      EXPECT_NE(e.hint, "") << e.message;
    }
  for (const auto& [said, says] : {std::pair{"open:nothing", "did not fail and made no device"},
                                   {"queue_create:nothing", "did not fail and made no queue"},
                                   {"fence_create:nothing", "did not fail and made no fence"},
                                   {"load:nothing", "did not fail and made no module"},
                                   {"launch:a bad value", "gave what is no value in main"},
                                   {"list:a bad value", "gave what is no value in listing its devices"},
                                   {"accepts:a bad value", "gave what is no value in judging"},
                                   {"fewer than none", "has -1 inputs and 3 outputs"},
                                   {"without end", "has 2147483647 inputs and 2147483647 outputs"}}) {
    lie = said;
    SCOPED_TRACE(lie);
    Error e = use();
    EXPECT_EQ(e.code, TN_ERROR_PLUGIN) << e.message;
    EXPECT_NE(e.message.find(says), std::string::npos) << e.message;
    EXPECT_NE(e.hint, "") << e.message;
  }
  lie = "";
  EXPECT_EQ(use().message, "");
}

}  // namespace
}  // namespace tenon::devices
