#include "ir/kind_table.h"

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>

#include "tenon/cxx/object.h"

namespace tenon {
namespace kind_rows {

// The words of the rows of TN_KINDS.
constexpr uint32_t EXPR = TN_KIND_EXPR, STMT = TN_KIND_STMT, TYPE = TN_KIND_TYPE, SCOPE = TN_KIND_SCOPE,
                   IDENTITY = TN_KIND_IDENTITY, FUNCTION = TN_KIND_FUNCTION;
constexpr int32_t Node = TN_SLOT_NODE, Array = TN_SLOT_ARRAY, Map = TN_SLOT_MAP, Str = TN_SLOT_STR, Int = TN_SLOT_INT,
                  Bool = TN_SLOT_BOOL, Float = TN_SLOT_FLOAT, DType = TN_SLOT_DTYPE, Any = TN_SLOT_ANY,
                  Values = TN_SLOT_VALUES;
constexpr int32_t USE = TN_ROLE_USE, DEF = TN_ROLE_DEF, SHAPES = TN_ROLE_SHAPES, SHAPE = TN_ROLE_SHAPE,
                  NAME = TN_ROLE_NAME;

#define TN_ROW_OPEN(number, ns, Name, revision, flags) constexpr TnSlotSchema ns##_##Name[] = {
#define TN_ROW_SLOT(name, type, role) {#name, type, role},
#define TN_ROW_CLOSE() {nullptr, 0, 0}} \
  ;
TN_KINDS(TN_ROW_OPEN, TN_ROW_SLOT, TN_ROW_CLOSE)
#undef TN_ROW_OPEN
#undef TN_ROW_SLOT
#undef TN_ROW_CLOSE

// The vocabulary that brought a slot of a kind of the core.
constexpr uint32_t vocabulary_of(uint32_t kind, std::string_view slot) {
#define TN_NEWER(ns, Name, name, vocabulary) \
  if (kind == TN_KIND_##ns##_##Name && slot == #name) return vocabulary;
  TN_NEWER_SLOTS(TN_NEWER)
#undef TN_NEWER
  return 1;
}

template <size_t n>
struct Vocabularies {
  uint32_t of[n];
};
template <size_t n>
constexpr Vocabularies<n> vocabularies(uint32_t kind, const TnSlotSchema (&slots)[n]) {
  Vocabularies<n> v{};
  for (size_t i = 0; i + 1 < n; ++i) v.of[i] = vocabulary_of(kind, slots[i].name);
  return v;
}
#define TN_VOCABULARIES(number, ns, Name, revision, flags) \
  constexpr auto ns##_##Name##_vocabularies = vocabularies(number, ns##_##Name);
#define TN_NO_SLOT(name, type, role)
#define TN_NO_END()
TN_KINDS(TN_VOCABULARIES, TN_NO_SLOT, TN_NO_END)
#undef TN_VOCABULARIES
#undef TN_NO_SLOT
#undef TN_NO_END

constexpr KindInfo info_of(const char* id, uint32_t kind, uint32_t flags, const TnSlotSchema* slots, size_t count,
                           uint32_t vocabulary, const uint32_t* slot_vocabularies) {
  uint64_t defs = 0, newer = 0;
  for (size_t i = 0; i < count; ++i) {
    if (slots[i].role == TN_ROLE_DEF) defs |= uint64_t{1} << i;
    if (slot_vocabularies[i] > 1) newer |= uint64_t{1} << i;
  }
  return {{sizeof(TnKindSchema), sizeof(TnSlotSchema), id, kind, flags, static_cast<uint32_t>(count), vocabulary, slots,
           slot_vocabularies},
          defs,
          newer};
}

#define TN_INFO_OPEN(number, ns, Name, revision, flags)                                           \
  info_of(#ns "." #Name "/" #revision, number, flags, ns##_##Name, std::size(ns##_##Name) - 1, 1, \
          ns##_##Name##_vocabularies.of),
#define TN_INFO_SLOT(name, type, role)
#define TN_INFO_CLOSE()
constexpr KindInfo kInfos[] = {TN_KINDS(TN_INFO_OPEN, TN_INFO_SLOT, TN_INFO_CLOSE)};
#undef TN_INFO_OPEN
#undef TN_INFO_SLOT
#undef TN_INFO_CLOSE

constexpr const KindInfo* core_kind(uint32_t kind) {
  for (const KindInfo& info : kInfos)
    if (info.schema.kind == kind) return &info;
  return nullptr;
}

}  // namespace kind_rows

namespace {

// Kinds of plugins: an append-only table. Entries are published by a release store and never change.
struct DynamicKinds {
  struct Entry {
    std::string id;
    std::deque<std::string> names;
    std::vector<TnSlotSchema> slots;
    std::vector<uint32_t> vocabularies;
    KindInfo info;
  };
  std::mutex mutex;
  std::deque<Entry> entries;
  std::map<std::string, uint32_t, std::less<>> by_id;
  std::array<std::atomic<const KindInfo*>, kMaxDynamicKinds> infos{};
};

DynamicKinds& dynamic_kinds() {
  static DynamicKinds* const table = new DynamicKinds;  // never destroyed: schemas live for ever
  return *table;
}

bool same_slots(const TnKindSchema& schema, uint32_t flags, std::span<const SlotDeclaration> slots) {
  if (schema.flags != flags || schema.slot_count != slots.size()) return false;
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].name != schema.slots[i].name || slots[i].type != schema.slots[i].type ||
        slots[i].role != schema.slots[i].role)
      return false;
  return true;
}

[[noreturn]] void refuse(std::string_view id, const std::string& why) {
  throw Error(TN_ERROR_ARGUMENT, "cannot declare the node kind `" + std::string(id) + "`: " + why);
}

}  // namespace

void check_kind(std::string_view id, uint32_t flags, std::span<const SlotDeclaration> slots) {
  size_t slash = id.rfind('/');
  bool revision = slash != std::string_view::npos && slash + 1 < id.size() && id[slash + 1] != '0' &&
                  id.find_first_not_of("0123456789", slash + 1) == std::string_view::npos;
  if (!revision || slash == 0 || id.find('.') >= slash) refuse(id, "an id reads namespace.Name/revision");
  if (slots.size() > kMaxSlots) refuse(id, "a kind has at most " + std::to_string(kMaxSlots) + " slots");
  for (size_t i = 0; i < slots.size(); ++i) {
    const SlotDeclaration& s = slots[i];
    if (s.name.empty()) refuse(id, "slot " + std::to_string(i) + " has no name");
    for (size_t j = 0; j < i; ++j)
      if (slots[j].name == s.name) refuse(id, "the slot `" + s.name + "` stands twice");
    if (s.type < TN_SLOT_NODE || s.type > TN_SLOT_VALUES) refuse(id, "slot `" + s.name + "` has an unknown type");
    if (s.role < TN_ROLE_USE || s.role > TN_ROLE_NAME) refuse(id, "slot `" + s.name + "` has an unknown role");
    bool holds_nodes = s.type == TN_SLOT_NODE || s.type == TN_SLOT_ARRAY || s.type == TN_SLOT_ANY;
    if (s.role == TN_ROLE_DEF && !holds_nodes) refuse(id, "slot `" + s.name + "` defines, so it must hold nodes");
    if (s.role == TN_ROLE_NAME && s.type != TN_SLOT_STR) refuse(id, "slot `" + s.name + "` is a name, so a string");
    if (s.role == TN_ROLE_DEF && (flags & TN_KIND_EXPR)) refuse(id, "slot `" + s.name + "` defines in an expression");
  }
}

#define TN_4(f, i) f(i), f(i + 1), f(i + 2), f(i + 3)
#define TN_16(f, i) TN_4(f, i), TN_4(f, i + 4), TN_4(f, i + 8), TN_4(f, i + 12)
#define TN_64(f, i) TN_16(f, i), TN_16(f, i + 16), TN_16(f, i + 32), TN_16(f, i + 48)
constinit const KindInfo* const kCoreKinds[kMaxCoreKinds] = {
    TN_64(kind_rows::core_kind, 0), TN_64(kind_rows::core_kind, 64), TN_64(kind_rows::core_kind, 128),
    TN_64(kind_rows::core_kind, 192)};
#undef TN_4
#undef TN_16
#undef TN_64

const KindInfo* dynamic_kind_info(uint32_t kind) {
  if (kind < TN_KIND_FIRST_DYNAMIC || kind >= TN_KIND_FIRST_DYNAMIC + kMaxDynamicKinds) return nullptr;
  return dynamic_kinds().infos[kind - TN_KIND_FIRST_DYNAMIC].load(std::memory_order_acquire);
}

uint32_t find_kind(std::string_view id) {
  for (const KindInfo& info : kind_rows::kInfos)
    if (id == info.schema.id) return info.schema.kind;
  DynamicKinds& table = dynamic_kinds();
  std::lock_guard lock(table.mutex);
  auto it = table.by_id.find(id);
  return it == table.by_id.end() ? 0 : it->second;
}

std::vector<std::string> known_kind_ids() {
  std::vector<std::string> ids;
  for (const KindInfo& info : kind_rows::kInfos) ids.emplace_back(info.schema.id);
  DynamicKinds& table = dynamic_kinds();
  std::lock_guard lock(table.mutex);
  for (const auto& [id, kind] : table.by_id) ids.push_back(id);
  return ids;
}

bool has_foreign_kinds() { return dynamic_kind_info(TN_KIND_FIRST_DYNAMIC) != nullptr; }

uint32_t register_kind(std::string_view id, uint32_t flags, std::span<const SlotDeclaration> slots,
                       uint32_t vocabulary) {
  check_kind(id, flags, slots);
  uint32_t core = 0;
  for (const KindInfo& info : kind_rows::kInfos)
    if (id == info.schema.id) core = info.schema.kind;
  DynamicKinds& table = dynamic_kinds();
  std::lock_guard lock(table.mutex);
  auto known = table.by_id.find(id);
  if (core != 0 || known != table.by_id.end()) {
    uint32_t kind = core != 0 ? core : known->second;
    if (same_slots(kind_info(kind)->schema, flags, slots)) return kind;
    throw Error(TN_ERROR_DUPLICATE,
                "the node kind `" + std::string(id) + "` is already declared with other slots or flags", {},
                "give the changed kind a higher revision: an id is never reused");
  }
  if (table.entries.size() == kMaxDynamicKinds)
    throw Error(TN_ERROR_LIMIT, "cannot declare the node kind `" + std::string(id) + "`: the process already has " +
                                    std::to_string(kMaxDynamicKinds) + " kinds of plugins");
  uint32_t kind = TN_KIND_FIRST_DYNAMIC + static_cast<uint32_t>(table.entries.size());
  DynamicKinds::Entry& e = table.entries.emplace_back();
  e.id = id;
  for (const SlotDeclaration& s : slots) e.slots.push_back({e.names.emplace_back(s.name).c_str(), s.type, s.role});
  e.vocabularies.assign(e.slots.size(), 1);
  e.info =
      kind_rows::info_of(e.id.c_str(), kind, flags, e.slots.data(), e.slots.size(), vocabulary, e.vocabularies.data());
  table.by_id.emplace(e.id, kind);
  table.infos[kind - TN_KIND_FIRST_DYNAMIC].store(&e.info, std::memory_order_release);
  return kind;
}

}  // namespace tenon
