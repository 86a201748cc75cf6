#include "build/kind_service.h"

#include <set>

#include "ir/make.h"
#include "ir/rewrite.h"
#include "pass/function_pass.h"
#include "pass/plugin_failure.h"
#include "tenon/ext/draft/kind.h"

namespace tenon {

namespace {

constexpr int kMostRounds = 64;           // of lowering what a lowering made
constexpr size_t kMostNodes = 1'000'000;  // that are lowered in them, beyond those that the function came with

bool has_foreign(const TnNode* n) { return (n->reserved & kHasForeign) != 0; }

// The first node of a plugin's kind, outermost first; null when there is none.
Node first_foreign(const Builder& b, const Value& tree) {
  Node found;
  b.walk(
      tree,
      [&](const Node& n) {
        if (!found && kind_info(n.kind())->is_foreign()) found = n;
        return !found && has_foreign(n.get());
      },
      [](const Node&) {});
  return found;
}

}  // namespace

void KindService::declare() {
  std::call_once(declared_, [this] {
    for (const PluginInfo& plugin : provider_.plugins())
      for (const KindDeclaration& kind : plugin.kinds) try {
          owners_.emplace(register_kind(kind.id, kind.flags, kind.slots), Owner{&plugin});
        } catch (const Error& e) {
          Error named(e.code, "the plugin '" + plugin.id + "': " + e.message, kind.origin, e.hint);
          problems_.push_back(named);
        }
  });
}

const std::vector<Error>& KindService::problems() {
  declare();
  return problems_;
}

Node KindService::lower(const Node& module, const CompileEnvironment& environment, const std::string& purpose,
                        Where where) {
  if (!has_foreign(module.get())) return module;
  declare();
  const Builder& b = *environment.builder;

  // Asks the plugin of a node what it means.
  class Lowering : public RewritePolicy {
   public:
    Lowering(KindService& kinds, const CompileEnvironment& environment, const Node& module, const std::string& function,
             std::set<std::string>& plugins)
        : kinds_(kinds), environment_(environment), module_(module), function_(function), plugins_(plugins) {}
    bool skip(const TnNode* n) override { return !has_foreign(n); }
    Value replace(const TnNode*, const TnNode* rebuilt) override {
      const KindInfo* info = kind_info(rebuilt->kind);
      if (!info->is_foreign()) return {};
      auto owner = kinds_.owners_.find(rebuilt->kind);
      const Builder& b = *environment_.builder;
      std::string where = span_where(rebuilt->span);
      if (owner == kinds_.owners_.end())
        throw Error(
            TN_ERROR_UNSUPPORTED,
            "the function '" + function_ + "' holds " + info->schema.id + ", which no plugin that is installed lowers",
            where, "install the plugin that declares the kind");
      const PluginInfo& plugin = *owner->second.plugin;
      std::string what =
          "the plugin '" + plugin.id + "' lowers " + info->schema.id + " in the function '" + function_ + "'";
      PluginInstances::Use use = kinds_.instances_.use(plugin, TN_KIND);
      auto* table = static_cast<const TnKind*>(use.table);
      if (!TN_HAS(table, lower)) throw Error(TN_ERROR_PLUGIN, what + ": it has no slot lower", where);
      CompileContext context(environment_, module_, plugin.id);
      if (++lowered_ > kMostNodes && !first_round_)
        throw Error(TN_ERROR_PLUGIN, what + ": after " + std::to_string(kMostNodes) + " nodes it still makes more",
                    where, plugin_bug(plugin.id) + ": what it lowers to holds the kind again");
      plugins_.insert(plugin.id);
      Value result;
      try {
        result = call_plugin(plugin.id, what + ": ",
                             [&](TnValue* ret) { return table->lower(use.instance, context.c(), rebuilt, ret); });
      } catch (const Error& e) {
        Error named = e;
        if (named.where.empty()) named.where = where;
        throw named;
      }
      check_role(b, *info, Builder::borrow(rebuilt), result, what, plugin.id);
      return result;
    }
    void begin_round(int round) {
      first_round_ = round == 0;
      if (round == 1) lowered_ = 0;
    }

   private:
    static void check_role(const Builder& b, const KindInfo& info, const Node& node, const Value& result,
                           const std::string& what, const std::string& plugin) {
      auto refuse = [&](const std::string& why) {
        throw Error(TN_ERROR_PLUGIN, what + ": it returned " + why, span_where(node.span()), plugin_bug(plugin));
      };
      bool statement = (info.schema.flags & TN_KIND_STMT) != 0;
      auto check_one = [&](const Value& v) {
        uint32_t flags = v.is_node() ? kind_info(as_node(v).kind())->schema.flags : 0;
        if (!(flags & (statement ? TN_KIND_STMT : TN_KIND_EXPR)))
          refuse(kind_text(b, v) + " where " + (statement ? "a statement" : "an expression") + " is due");
      };
      if (statement && result.is_array()) {
        for (const Value& v : result.ref<Array>()) check_one(v);
        return;
      }
      check_one(result);
      const Value& type = node.slot(0);
      if (!statement && type.is_dtype() && !same_dtype(as_node(result).dtype(), type.as_dtype()))
        refuse("an expression of another dtype");
    }

    KindService& kinds_;
    const CompileEnvironment& environment_;
    const Node& module_;
    const std::string& function_;
    std::set<std::string>& plugins_;
    size_t lowered_ = 0;
    bool first_round_ = true;
  };

  std::set<std::string> plugins;  // that lowered something
  Builder::Entries functions;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    Value function = e.value();
    std::string name(e.key());
    const bool asked = where == Where::kEverywhere || as_node(function).is<relax::Function>();
    Lowering policy(*this, environment, module, name, plugins);
    for (int round = 0; asked && has_foreign(as_node(function).get()); ++round) {
      if (round == kMostRounds) {
        const Node left = first_foreign(b, function);
        throw Error(TN_ERROR_PLUGIN,
                    "cannot lower the function '" + name + "' " + purpose + ": after " + std::to_string(kMostRounds) +
                        " rounds it still holds " + kind_text(b, left),
                    {}, plugin_bug(owners_.at(left.kind()).plugin->id) + ": what lowers the kind makes it again");
      }
      policy.begin_round(round);
      function = rewrite_tree(function.raw(), policy);
    }
    functions.emplace_back(name, function);
  }
  Node lowered = b.with(module, ir::Module::Slot::functions, Value(b.map(functions)));
  if (where == Where::kEverywhere)
    if (Node rest = first_foreign(b, lowered))
      throw Error(TN_ERROR_UNSUPPORTED, "the module holds " + kind_text(b, rest) + " outside its functions", {},
                  "kinds of plugins stand in functions");
  auto verify = [&](const Node& m) { call([&](TnValue* ret) { return b.ir()->verify(b.ir()->self, m.get(), ret); }); };
  try {
    verify(lowered);
  } catch (const Error& e) {
    verify(module);  // what was wrong before is no plugin's
    std::string names;
    for (const std::string& id : plugins) names += (names.empty() ? "" : "', '") + id;
    throw illegal_module("after the kinds of '" + names + "' were lowered " + purpose + ": ", names, e);
  }
  return lowered;
}

}  // namespace tenon
