/* "tenon.kind/1": node kinds of a plugin. [isolable]
 *
 * A kind is declared by its schema in the manifest; printing, parsing, bytes, equality and hashing follow from it:
 *   kinds:
 *     - id: com.vendor.tile_load/1
 *       level: loop                      # loop | graph
 *       role: statement                  # expression | statement
 *       effects: read                    # pure | read | write | opaque: what passes that do not know it may assume
 *       slots:
 *         - {name: buffer, type: node}   # node array map string int bool float dtype any values
 *         - {name: var, type: node, role: def}   # use (as when left out) | def | name
 * An expression has a slot `type` before those: a dtype at loop level, a type node at graph level, where every kind is an
 * expression. Numbers of kinds differ from process to process: ask TnHostIr.find_kind.
 *
 * Passes that do not know a kind leave it alone. Before a module is interpreted or code is generated, the host lowers what
 * is left of it, or refuses it by name. */
#ifndef TENON_EXT_DRAFT_KIND_H
#define TENON_EXT_DRAFT_KIND_H

#include "../context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_KIND "tenon.kind/1"
typedef struct TnKind {
  size_t size;
  /* `*ret` is what the node means: of the same role, made of core kinds and of kinds that lower to them. Where a statement
   * is defining (a slot of role def), the variables stay defined for what follows. What stands below the node has been
   * lowered before. Thread: one call at a time. */
  int (*lower)(void* instance, const TnContext* context, const TnNode* node, TnValue* ret);
} TnKind;

#ifdef __cplusplus
}
#endif
#endif
