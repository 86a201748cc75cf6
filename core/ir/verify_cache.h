// Which functions are known to be legal, so that a module is verified after a pass at the cost of what the pass
// changed.
//
// A function needs no second look when it is the very node that was verified under its name, and when the functions
// that it names have the signatures that they had. The cache keeps no function alive.
#ifndef TENON_CORE_IR_VERIFY_CACHE_H
#define TENON_CORE_IR_VERIFY_CACHE_H

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tenon/cxx/node.h"

namespace tenon {

// A reference that does not keep its node alive, only its memory: no other node gets the same address.
class WeakNode {
 public:
  explicit WeakNode(const Node& node);
  WeakNode(WeakNode&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  WeakNode& operator=(WeakNode&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~WeakNode();
  bool is(const Node& node) const { return node_ == node.get(); }

 private:
  const TnNode* node_;
};

class VerifyCache {
 public:
  struct Entry {
    explicit Entry(const Node& function) : function(function) {}
    // Notes that the function names another one.
    void refers_to(std::string_view name, const Node& callee);

    WeakNode function;
    std::vector<const TnNode*> defined;                              // the variables that it owns
    std::vector<std::pair<std::string, const TnNode*>> calls;        // of graph functions, and where
    std::map<std::string, std::vector<Value>, std::less<>> callees;  // name -> what can be seen of it
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  // The entry of a function that needs no second look within this module; it leaves the cache.
  std::optional<Entry> take(std::string_view name, const Node& function, const ir::Module& module);
  void replace(Entries entries) { entries_ = std::move(entries); }

 private:
  Entries entries_;
};

}  // namespace tenon
#endif
