/* "tenon.codegen/1": loop functions in, a payload out. [isolable] */
#ifndef TENON_EXT_CODEGEN_H
#define TENON_EXT_CODEGEN_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_CODEGEN "tenon.codegen/1"
typedef struct TnCodegen {
  size_t size;
  /* `module` holds the functions of one target, lowered (no blocks). `options` holds every option of the manifest's
   * schema. `*ret` is a payload, a map:
   *   format     string   "elf-object/1", or a text format such as "asm"
   *   bytes      bytes
   *   exports    map      function name -> symbol of its entry, a TnCall whose `self` is a TnFunction with a
   *                       TnModuleContext as context
   *   imports    array    names of the external functions that it calls through TnModuleContext.imports, in order
   *   constants  array    the TnConstants behind TnModuleContext.constants, in order
   *   symbols    array    names that the object leaves to the C library, sorted; absent or empty for text formats
   * Thread: calls for different modules may be concurrent. */
  int (*generate)(void* instance, const TnContext* context, const TnNode* module, const TnValue* options, TnValue* ret);
} TnCodegen;

#ifdef __cplusplus
}
#endif
#endif
