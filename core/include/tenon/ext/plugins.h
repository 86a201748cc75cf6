/* "tenon.host.plugins/1": who provides a capability, and the way to it. With it plugins define capabilities of their own
 * and offer them to each other: an id and a revision ("com.vendor.thing/2") and a header with a table that begins with its
 * size. [in-process] */
#ifndef TENON_EXT_PLUGINS_H
#define TENON_EXT_PLUGINS_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TnProvided {
  const void* table; /* of the capability; begins with its size; alive as long as the session */
  void* instance;    /* the first argument of its slots */
} TnProvided;

#define TN_HOST_PLUGINS "tenon.host.plugins/1"
typedef struct TnHostPlugins {
  size_t size;
  void* self;
  /* From the manifests alone, in the order of preference: an array of maps {plugin, version, vendor, offer}, where `offer` is
   * what the manifest says about the capability under `offers`, or none. */
  int (*providers)(void* self, const char* capability, TnValue* ret);
  /* Loads the plugin when that has not happened, and fills in `*provided`; `*ret` is none. Not within TnPlugin.create.
   * TN_ERROR_NOT_FOUND when there is no such plugin or it does not provide the capability. */
  int (*open)(void* self, const char* plugin, const char* capability, TnProvided* provided, TnValue* ret);
} TnHostPlugins;

#ifdef __cplusplus
}
#endif
#endif
