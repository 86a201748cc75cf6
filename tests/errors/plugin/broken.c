/* A plugin with one fault, chosen by a macro; without one it is right. */
#include <tenon/abi.h>
#include <tenon/kinds.h>
#include <tenon/runtime.h>

#ifndef ID
#define ID "right"
#endif
#ifndef ABI
#define ABI TN_ABI_VERSION
#endif
#ifndef VOCABULARY
#define VOCABULARY TN_IR_VOCABULARY
#endif
#ifndef SIZE
#define SIZE sizeof(TnPlugin)
#endif

#ifdef NEEDS_LIBRARY
int only_in_a_library(void);
#endif
#ifdef NEEDS_SYMBOL
int only_nowhere(void);
#endif

static int create(const TnHost* host, void** instance, TnValue* ret) {
#ifdef CREATE_FAILS
  (void)instance;
  return host->runtime->error(TN_ERROR_DEVICE, "the device /dev/thing0 does not answer", "", "switch it on", 0, ret);
#else
  static const size_t table = sizeof(size_t);
  (void)host;
  (void)ret;
  *instance = (void*)&table;
#ifdef NEEDS_LIBRARY
  return only_in_a_library();
#elif defined NEEDS_SYMBOL
  return only_nowhere();
#else
  return 0;
#endif
#endif
}
#ifdef NO_DESTROY
#define DESTROY 0
#else
#define DESTROY &destroy
static void destroy(void* instance) { (void)instance; }
#endif
static const void* capability(void* instance, const char* id) {
#ifdef NO_CAPABILITY
  (void)instance;
  (void)id;
  return 0;
#else
  return id[0] ? instance : 0;
#endif
}

static const TnPlugin table = {SIZE, ABI, VOCABULARY, ID, "0.1.0", &create, DESTROY, &capability};

#ifdef NO_ENTRY
TN_EXPORT const TnPlugin* another_name(void);
TN_EXPORT const TnPlugin* another_name(void) { return &table; }
#else
TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) {
#ifdef NULL_ENTRY
  return table.size ? 0 : &table;
#else
  return &table;
#endif
}
#endif

#ifdef OTHER_SDK
/* As sdk/cmake/TenonPlugin.cmake writes it, with the version of another SDK. */
__attribute__((section(".note.tenon"), used, aligned(4))) static const struct {
  uint32_t name_size, size, type;
  char name[8];
  uint32_t abi, vocabulary;
  char sdk[16];
} note = {6, 24, 1, "Tenon", TN_ABI_VERSION, TN_IR_VOCABULARY, "0.9.0"};
#endif
