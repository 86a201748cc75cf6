// What the names of a text stand for.
#ifndef TENON_CORE_SCRIPT_SCOPES_H
#define TENON_CORE_SCRIPT_SCOPES_H

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "script/source.h"
#include "tenon/cxx/node.h"

namespace tenon::script {

struct Binding {
  Node node;              // a Var, a Buffer, or the expression that an alias stands for; null while only declared
  DLDataType declared{};  // of a symbol that `n = T.int64()` declared and nothing has used yet
  Node min, extent;       // of the variable of a loop
  bool variable = false;  // assigned again: `node` is the buffer of one element that holds it
  Position where;
};

class Scopes {
 public:
  // A block of names; they end with it.
  class Block {
   public:
    explicit Block(Scopes& scopes) : scopes_(scopes), mark_(scopes.undo_.size()) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { scopes_.back_to(mark_); }

   private:
    Scopes& scopes_;
    size_t mark_;
  };

  Binding* find(std::string_view name) {
    auto it = names_.find(name);
    return it == names_.end() ? nullptr : &it->second;
  }
  // Hides an earlier binding of the name until the block ends.
  Binding& define(std::string_view name, Binding binding) {
    auto [it, inserted] = names_.try_emplace(name);
    undo_.push_back({name, !inserted, std::move(it->second)});
    it->second = std::move(binding);
    return it->second;
  }
  std::vector<std::string> known() const {
    std::vector<std::string> out;
    for (const auto& [name, binding] : names_) out.emplace_back(name);
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  struct Undo {
    std::string_view name;
    bool had;
    Binding before;
  };
  void back_to(size_t mark) {
    while (undo_.size() > mark) {
      Undo& u = undo_.back();
      if (u.had)
        names_[u.name] = std::move(u.before);
      else
        names_.erase(u.name);
      undo_.pop_back();
    }
  }

  std::unordered_map<std::string_view, Binding> names_;  // only looked up in
  std::vector<Undo> undo_;
};

}  // namespace tenon::script
#endif
