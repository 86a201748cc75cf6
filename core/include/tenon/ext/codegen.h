/* "tenon.codegen/1": functions in, a payload out. [isolable] */
#ifndef TENON_EXT_CODEGEN_H
#define TENON_EXT_CODEGEN_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_CODEGEN "tenon.codegen/1"
typedef struct TnCodegen {
  size_t size;
  /* `module` holds the functions of one target. For a code generator of level `loop` (its manifest says so) they are
   * lowered (no blocks). For one of level `graph` they are the graph functions that ask for it by the attribute `codegen`,
   * public, and what they call; each is to be exported under its name, in destination-passing style: its parameters in order,
   * tuples flattened, then the tensors of its result. `options` holds every option of the manifest's schema. `*ret` is a
   * payload, a map:
   *   format     string   "elf-object/1", or a text format such as "asm"
   *   bytes      bytes, or a TnConstant
   *   exports    map      function name -> symbol of its entry, a TnCall whose `self` is a TnFunction with a
   *                       TnModuleContext as context
   *   imports    array    names of the external functions that it calls through TnModuleContext.imports, in order
   *   constants  array    the TnConstants behind TnModuleContext.constants, in order
   *   symbols    array    names that the object leaves to the C library, sorted; absent or empty for text formats
   * A format that is neither an object nor text travels in the artifact as it is, and a loader (ext/draft/loader.h) makes its
   * exports callable; the symbols are then whatever that loader finds. For these also
   *   device        string   where it runs: "com.vendor.npu", or one of them, "com.vendor.npu:0"; absent: in the host
   *   requirements  map      of plain values, by which the loader says beforehand whether it fits a device
   * Thread: calls for different modules may be concurrent. */
  int (*generate)(void* instance, const TnContext* context, const TnNode* module, const TnValue* options, TnValue* ret);
} TnCodegen;

/* "tenon.host.codegen/1": hands graph functions to the code generator that they ask for. [in-process] */
#define TN_HOST_CODEGEN "tenon.host.codegen/1"
typedef struct TnHostCodegen {
  size_t size;
  void* self;
  /* `codegen` is the id of a plugin, `module` holds what it is to implement, `options` is a map or null. `*ret` is the payload,
   * checked and as ir.Module.payloads holds it: with `codegen`, with `size`, and with a TnConstant as `bytes`. The
   * functions that it exports are found as external functions by what calls them: when the module is loaded, and within
   * the artifact that it becomes. */
  int (*generate)(void* self, const char* codegen, const TnNode* module, const TnValue* options, TnValue* ret);
} TnHostCodegen;

#ifdef __cplusplus
}
#endif
#endif
