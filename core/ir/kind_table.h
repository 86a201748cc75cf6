// What lives in core/ir: the schemas of node kinds and everything that follows from them (making, walking, rewriting,
// equality, content keys, bytes), constants, the op table and the loop verifier. No pass and no operator lives here.
//
// This file: the table of kinds. Core kinds come from tenon/kinds.h; those of plugins are registered at run time under
// numbers from TN_KIND_FIRST_DYNAMIC on, which differ from process to process: only their ids may be stored.
#ifndef TENON_CORE_IR_KIND_TABLE_H
#define TENON_CORE_IR_KIND_TABLE_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/ir.h"

namespace tenon {

struct KindInfo {
  TnKindSchema schema;
  uint64_t def_slots;    // bit i: slot i has the role DEF
  uint64_t newer_slots;  // bit i: slot i came after vocabulary 1
  bool is_identity() const { return (schema.flags & TN_KIND_IDENTITY) != 0; }
  bool is_foreign() const { return schema.kind >= TN_KIND_FIRST_DYNAMIC; }  // declared by a plugin
  bool is_scope() const { return (schema.flags & TN_KIND_SCOPE) != 0; }
};

inline constexpr uint32_t kMaxSlots = 64;
inline constexpr uint32_t kMaxDynamicKinds = 4096;
inline constexpr uint32_t kMaxCoreKinds = 256;

extern const KindInfo* const kCoreKinds[kMaxCoreKinds];
const KindInfo* dynamic_kind_info(uint32_t kind);

// Null when unknown; lives for ever.
inline const KindInfo* kind_info(uint32_t kind) {
  return kind < kMaxCoreKinds ? kCoreKinds[kind] : dynamic_kind_info(kind);
}

// 0 when unknown.
uint32_t find_kind(std::string_view id);

// Whether any plugin of this process has declared a kind.
bool has_foreign_kinds();

// Every known id, for suggestions.
std::vector<std::string> known_kind_ids();

struct SlotDeclaration {
  std::string name;
  int32_t type;  // TN_SLOT_...
  int32_t role;  // TN_ROLE_...
  bool operator==(const SlotDeclaration&) const = default;
};

// Throws TN_ERROR_ARGUMENT for a declaration that is not well formed.
void check_kind(std::string_view id, uint32_t flags, std::span<const SlotDeclaration> slots);

// Declares a kind by its id ("com.vendor.thing/1") and returns its number. The same declaration again gives the same
// number; another one under a known id throws TN_ERROR_DUPLICATE. Any thread.
// `vocabulary` is that of a kind of the core; what plugins declare belongs to none.
uint32_t register_kind(std::string_view id, uint32_t flags, std::span<const SlotDeclaration> slots,
                       uint32_t vocabulary = 1);

}  // namespace tenon
#endif
