/* A small plugin. The macros make others of it: ID, VERSION, EVIL (its constructor leaves a mark), EXTRA (a second
 * exported symbol), FAIL (how create fails). What else can be wrong with one, the tests write into its bytes. */
#include <stdlib.h>
#include <tenon/abi.h>
#include <tenon/kinds.h>
#include <tenon/runtime.h>

#ifndef ID
#define ID "com.acme.thing"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif

#ifdef EVIL
static __attribute__((constructor)) void mark(void) { setenv("TENON_TEST_EVIL", "1", 1); }
#endif
#ifdef EXTRA
TN_EXPORT int another_symbol(void);
TN_EXPORT int another_symbol(void) { return 1; }
#endif

static int create(const TnHost* host, void** instance, TnValue* ret) {
  static const size_t table = sizeof(size_t);
  (void)host;
  (void)ret;
  *instance = (void*)&table;
  if (getenv("TENON_TEST_CREATE_ERROR"))
    return host->runtime->error(TN_ERROR_DEVICE, "the device does not answer", "", "switch it on", 0, ret);
  return getenv("TENON_TEST_CREATE_SILENT") ? -1 : 0;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) { return id[4] == 'a' ? instance : 0; }

/* The tests find it by its first words. */
static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, ID,
                               VERSION,          &create,        &destroy,         &capability};

TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) { return getenv("TENON_TEST_NULL_ENTRY") ? 0 : &table; }
