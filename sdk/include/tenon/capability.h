// Tables of function pointers, the C++ way: their ids, their sizes and whether they are there are the SDK's business.
//
//   struct ComVendorThing { size_t size; int (*tune)(void* instance, int64_t level, TnValue* ret); };   // a header of
//   yours TENON_CAPABILITY(ComVendorThing, "com.vendor.thing/1") static constexpr auto thing =
//   tenon::make_table<ComVendorThing>(&tune);                            // who offers it
//   host_service.call<&TnHostOps::find>("relax.add")                                                   // who uses one
#ifndef TENON_SDK_CAPABILITY_H
#define TENON_SDK_CAPABILITY_H

#include <tenon/cxx/object.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/constants.h>
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/execute.h>
#include <tenon/ext/executor.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ext/pass.h>
#include <tenon/ext/plugins.h>

#include <cstddef>
#include <type_traits>

namespace tenon {

// The id of the capability or service that a table is of.
template <class Table>
struct CapabilityId;

// A table that may cross a library boundary: plain, and it begins with its size.
template <class Table>
concept SizedTable = std::is_standard_layout_v<Table> && std::is_trivially_copyable_v<Table> && requires(Table t) {
  requires std::is_same_v<decltype(t.size), size_t>;
} && offsetof(Table, size) == 0;

// A table with these slots, in order.
template <SizedTable Table, class... Slots>
constexpr Table make_table(Slots... slots) {
  return Table{sizeof(Table), slots...};
}

namespace detail {
template <class Slot>
struct SlotOf;
template <class Table, class Pointer>
struct SlotOf<Pointer Table::*> {
  using Function = Pointer;
};
// Whether a slot returns int and ends with `TnValue* ret`, and so may fail.
template <class Function>
struct Fallible;
template <class R, class... Args>
struct Fallible<R (*)(Args...)> {
  template <class... All>
  struct Last;
  template <class One>
  struct Last<One> : std::is_same<One, TnValue*> {};
  template <class One, class... Rest>
  struct Last<One, Rest...> : Last<Rest...> {};
  static constexpr bool value = std::is_same_v<R, int> && Last<Args...>::value;
};
}  // namespace detail

// A table that somebody else owns, which may be missing, or older than this SDK and so shorter.
template <SizedTable Table>
class TableRef {
 public:
  TableRef() = default;
  // `first` is what the slots take first.
  TableRef(const void* table, void* first) : t_(static_cast<const Table*>(table)), first_(first) {}

  explicit operator bool() const { return t_ != nullptr; }
  template <auto slot>
  bool has() const {
    using Function = typename detail::SlotOf<decltype(slot)>::Function;
    if (!t_) return false;
    auto end = reinterpret_cast<const char*>(&(t_->*slot)) + sizeof(Function) - reinterpret_cast<const char*>(t_);
    return t_->size >= static_cast<size_t>(end) && t_->*slot != nullptr;
  }
  // Calls a slot. One that may fail gives its value, or throws its error; a missing one throws TN_ERROR_UNSUPPORTED.
  template <auto slot, class... Args>
  auto call(Args... args) const {
    using Function = typename detail::SlotOf<decltype(slot)>::Function;
    if (!has<slot>())
      throw Error(TN_ERROR_UNSUPPORTED,
                  std::string("what is needed of ") + CapabilityId<Table>::value + " is not there", {},
                  "upgrade Tenon, or the plugin that is to provide it");
    if constexpr (detail::Fallible<Function>::value)
      return tenon::call([&](TnValue* ret) { return (t_->*slot)(first_, args..., ret); });
    else
      return (t_->*slot)(first_, args...);
  }
  // The table itself, for the slots of its first revision; throws TN_ERROR_UNSUPPORTED when there is none.
  const Table& required() const {
    if (!t_)
      throw Error(TN_ERROR_UNSUPPORTED, std::string("this host offers no ") + CapabilityId<Table>::value, {},
                  "upgrade Tenon");
    return *t_;
  }

 private:
  const Table* t_ = nullptr;
  void* first_ = nullptr;
};

// One capability of a plugin, made from its table.
struct Capability {
  const char* id;
  const void* table;
  template <class Table>
  consteval Capability(const Table& t) : id(CapabilityId<Table>::value), table(&t) {
    static_assert(SizedTable<Table>, "a capability's table is plain data and begins with `size_t size`");
    if (t.size != sizeof(Table)) throw "the table's size is not the size of its type: make it with make_table";
  }
};

}  // namespace tenon

#define TENON_CAPABILITY(Table, text)          \
  template <>                                  \
  struct tenon::CapabilityId<Table> {          \
    static constexpr const char* value = text; \
  };

TENON_CAPABILITY(TnHostIr, TN_HOST_IR)
TENON_CAPABILITY(TnHostArith, TN_HOST_ARITH)
TENON_CAPABILITY(TnHostOps, TN_HOST_OPS)
TENON_CAPABILITY(TnHostConstants, TN_HOST_CONSTANTS)
TENON_CAPABILITY(TnHostExecute, TN_HOST_EXECUTE)
TENON_CAPABILITY(TnHostCodegen, TN_HOST_CODEGEN)
TENON_CAPABILITY(TnHostPlugins, TN_HOST_PLUGINS)
TENON_CAPABILITY(TnPass, TN_PASS)
TENON_CAPABILITY(TnOp, TN_OP)
TENON_CAPABILITY(TnCodegen, TN_CODEGEN)
TENON_CAPABILITY(TnExecutor, TN_EXECUTOR)
TENON_CAPABILITY(TnFrontend, TN_FRONTEND)
TENON_CAPABILITY(TnLinker, TN_LINKER)
TENON_CAPABILITY(TnPartitioner, TN_PARTITIONER)
TENON_CAPABILITY(TnKind, TN_KIND)
TENON_CAPABILITY(TnInstrument, TN_INSTRUMENT)

#endif
