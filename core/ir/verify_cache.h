// What is known to be legal, so that a module is verified after a pass at the cost of what the pass changed.
//
// A function needs no second look when it is the very node that was verified under its name, and when the functions
// that it names have the signatures that they had. Of a function that is another node, its units (verified_units.h) are
// looked at one by one. The cache keeps the functions of the last module alive.
#ifndef TENON_CORE_IR_VERIFY_CACHE_H
#define TENON_CORE_IR_VERIFY_CACHE_H

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/verified_units.h"

namespace tenon {

class VerifyCache {
 public:
  struct Entry {
    explicit Entry(const Node& function) : function(function) {}
    // Notes that the function names another one.
    void refers_to(std::string_view name, const Node& callee);

    Node function;
    VerifiedUnits units;
    std::vector<const TnNode*> defined;                              // the variables that it owns
    std::vector<std::pair<std::string, const TnNode*>> calls;        // of graph functions, and where
    std::map<std::string, std::vector<Value>, std::less<>> callees;  // name -> what can be seen of it
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  // The entry of a function that needs no second look within this module; it leaves the cache.
  std::optional<Entry> take(std::string_view name, const Node& function, const ir::Module& module);
  // Of a function that needs one: what of its earlier self still holds within this module. An entry without units when
  // nothing does.
  Entry take_units(std::string_view name, const Node& function, const ir::Module& module);
  void replace(Entries entries) { entries_ = std::move(entries); }

 private:
  // Whether the functions that it names are what they were.
  static bool still_holds(const Entry& entry, const ir::Module& module);
  Entries entries_;
};

}  // namespace tenon
#endif
