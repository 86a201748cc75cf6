// Names for variables and buffers in printed text: their hints, made unique among what is visible.
#ifndef TENON_CORE_SCRIPT_NAMES_H
#define TENON_CORE_SCRIPT_NAMES_H

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tenon/cxx/node.h"

namespace tenon::script {

class Names {
 public:
  // A block of names; they may be used again after it.
  class Block {
   public:
    explicit Block(Names& names) : names_(names), mark_(names.defined_.size()) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { names_.back_to(mark_); }

   private:
    Names& names_;
    size_t mark_;
  };

  // Never given to a variable.
  void reserve(std::string_view name) { taken_.emplace(std::string(name), 0); }
  // Null when the node has no name yet.
  const std::string* find(const Node& n) const {
    auto it = names_.find(n.get());
    return it == names_.end() ? nullptr : &it->second;
  }
  // The name of the node from here to the end of the block; the one it has when it has one.
  const std::string& define(const Node& n, std::string_view hint);
  // Gives the node a name that is already taken, for a variable that stands for the same thing.
  const std::string& alias(const Node& n, const std::string& name);
  // A name that belongs to no node.
  std::string fresh(std::string_view hint);

 private:
  struct Defined {
    const TnNode* node;  // or null
    std::string name, base;
    uint64_t number;
    bool alias = false;
  };
  void back_to(size_t mark);

  std::unordered_map<const TnNode*, std::string> names_;
  std::unordered_map<std::string, int> taken_;
  std::unordered_map<std::string, uint64_t> next_;  // the least suffix that may be free
  std::vector<Defined> defined_;
};

// The hint as an identifier.
std::string identifier_of(std::string_view hint, std::string_view otherwise);

}  // namespace tenon::script
#endif
