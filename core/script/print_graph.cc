// Functions and bindings of the graph level.
#include "script/graph_types.h"
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

constexpr uint32_t kMostBlocks = 120;

}  // namespace

bool Printer::is_plain(const relax::Function& f) const {
  if (!f.type().is_none()) return false;
  for (const Node& p : nodes(f.params()))
    if (!p.is<ir::Var>()) return false;
  for (const Map::Entry& e : f.attrs())
    if (e.key() == "global_symbol" && !e.value().is_string()) return false;
  if (!f.ret_type().is_none() && !f.ret_type().is_node() && !f.ret_type().is_dtype()) return false;
  return sequence_is_plain(f.body());
}

bool Printer::sequence_is_plain(const Node& n) const {
  const auto* seq = n.as<relax::SeqExpr>();
  if (!seq || (!seq->type().is_none() && !seq->type().is_node() && !seq->type().is_dtype())) return false;
  auto bindings = [&](const Array& list) {
    for (const Node& x : nodes(list)) {
      const auto* binding = x.as<relax::VarBinding>();
      const auto* match = x.as<relax::MatchCast>();
      if (!binding && !match) return false;
      const Node& var = binding ? binding->var() : match->var();
      if (!var.is<ir::Var>()) return false;
    }
    return true;
  };
  for (const Node& block : nodes(seq->blocks())) {
    const auto* dataflow = block.as<relax::DataflowBlock>();
    const auto* plain = block.as<relax::BindingBlock>();
    if (!dataflow && !plain) return false;
    if (!bindings(dataflow ? dataflow->bindings() : plain->bindings())) return false;
    if (dataflow)
      for (const Node& o : nodes(dataflow->outputs()))
        if (!o.is<ir::Var>()) return false;
  }
  return true;
}

void Printer::annotation(const Value& type) {
  if (type.is_dtype()) return put("T." + dtype_text(type.as_dtype()));
  if (type.is_node()) return node_value(as_node(type));
  put("None");
}

void Printer::graph_function(std::string_view key, const relax::Function& f) {
  Names::Block scope(names_);
  Builder::Entries attrs;
  decorators(key, 'R', f.attrs(), &attrs, f.is_pure() ? "" : "pure=False");
  line("def " + functions_[std::string(key)] + "(");
  header_ = true;
  bool first = true;
  std::vector<Node> symbols;
  auto note = [&](const Value& type) {
    if (!type.is_node()) return;
    b_.walk(type, [&](const Node& x) {
      bool fresh = x.is<ir::Var>() && !names_.find(x) && same_dtype(x.dtype(), kInt64);
      for (const Node& s : symbols) fresh = fresh && !s.same_as(x);
      if (fresh) symbols.push_back(x);
    });
  };
  for (const Node& p : nodes(f.params())) {
    if (!first) put(", ");
    first = false;
    const auto& var = p.to<ir::Var>();
    note(var.type());
    std::string type = captured([&] {
      if (var.type().is_none()) return;
      put(": ");
      annotation(var.type());
    });
    put(names_.define(p, var.name()) + type);
  }
  put(")");
  if (!f.ret_type().is_none()) {
    note(f.ret_type());
    put(" -> ");
    annotation(f.ret_type());
  }
  header_ = false;
  put(":");
  end_line();
  ++indent_;
  for (const Node& s : symbols) {
    if (!names_.find(s)) continue;
    line(*names_.find(s) + " = T.int64()");
    end_line();
  }
  func_attr('R', attrs);
  sequence(f.body().to<relax::SeqExpr>(), nullptr);
  --indent_;
}

// The blocks, then `return value`; in a branch the last binding takes the name of the result, or I.result gives the
// value.
void Printer::sequence(const relax::SeqExpr& seq, const std::string* result) {
  NodeRange blocks = nodes(seq.blocks());
  if (!equal_values(seq.type(), graph_type_of(seq.body()))) {
    if (seq.type().is_node()) declare_symbols(seq.type());
    line("I.body_type(");
    annotation_text(seq.type());
    put(")");
    end_line();
  }
  // The binding that gives the branch its value.
  const TnNode* last = nullptr;
  if (result && blocks.size() > 0)
    if (const auto* block = blocks[blocks.size() - 1].as<relax::BindingBlock>(); block && !block->bindings().empty()) {
      const Node& binding = as_node(block->bindings()[block->bindings().size() - 1]);
      const auto* bound = binding.as<relax::VarBinding>();
      const auto* match = binding.as<relax::MatchCast>();
      const Node& var = bound ? bound->var() : match->var();
      bool implicit = blocks.size() == 1 || !blocks[blocks.size() - 2].is<relax::BindingBlock>();
      if (var.same_as(seq.body()) && implicit) last = binding.get();
    }
  bool after_plain = false;
  for (const Node& block : blocks) {
    const auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& bindings = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    bool explicit_block = dataflow || after_plain || bindings.empty();
    after_plain = !dataflow && !explicit_block;
    if (explicit_block) {
      line(dataflow ? "with R.dataflow():" : "with I.seq():");
      end_line();
      ++indent_;
    }
    for (const Node& binding : nodes(bindings)) graph_binding(binding, binding.get() == last ? result : nullptr);
    if (dataflow) {
      line("R.output(");
      comma_list(dataflow->outputs());
      put(")");
      end_line();
    } else if (explicit_block && bindings.empty()) {
      line("pass");
      end_line();
    }
    if (explicit_block) --indent_;
  }
  if (last) return;
  line(result ? *result + " = I.result(" : "return ");
  graph_value(seq.body());
  if (result) put(")");
  end_line();
}

void Printer::graph_binding(const Node& binding, const std::string* name) {
  const auto* match = binding.as<relax::MatchCast>();
  const auto* bound = binding.as<relax::VarBinding>();
  const Node& var = match ? match->var() : bound->var();
  const Value& type = var.to<ir::Var>().type();
  auto define = [&] {
    if (name) return names_.alias(var, *name);
    return names_.define(var, var.to<ir::Var>().name());
  };
  if (match) {
    declare_symbols(Value(match->cast_type()));
    if (type.is_node()) declare_symbols(type);
    std::string value = captured([&] {
      graph_value(match->value());
      put(", ");
      node_value(match->cast_type());
    });
    bool same = equal_values(type, Value(match->cast_type()));
    std::string annotated = captured([&] {
      if (same) return;
      put(": ");
      annotation(type);
    });
    line(define() + annotated + " = R.match_cast(" + value + ")");
    return end_line();
  }
  if (type.is_node()) declare_symbols(type);
  const auto* branch = bound->value().as<relax::If>();
  if (branch && indent_ < kMostBlocks && !type.is_dtype() && sequence_is_plain(branch->then_branch()) &&
      sequence_is_plain(branch->else_branch())) {
    Value natural = natural_graph_type(b_, *branch);
    bool announced = !equal_values(type, natural);
    Value given = !natural.is_none() ? natural : type.is_node() ? type : Value();
    if (equal_values(branch->type(), given)) return graph_if(*branch, var, announced, name);
  }
  // Without an annotation the variable has the type of its value.
  const Node& value = bound->value();
  Value own = natural_graph_type(b_, value);
  bool states_type =
      value.is<ir::Var>() || (value.is<ir::Call>() && !own.is_none() && equal_values(own, value.slot(0)));
  bool annotate = type.is_none() && !states_type ? !graph_type_of(value).is_none() : true;
  if (states_type) annotate = !equal_values(graph_type_of(value), type);
  std::string text = captured([&] { graph_value(value, annotate && type.is_node() ? &type : nullptr); });
  std::string annotated = captured([&] {
    if (!annotate) return;
    put(": ");
    annotation(type);
  });
  line(define() + annotated + " = " + text);
  end_line();
}

void Printer::graph_if(const relax::If& branch, const Node& var, bool announced, const std::string* forced) {
  std::string condition = captured([&] { graph_value(branch.condition()); });
  std::string name;
  {
    // The name is free in both branches, whose last binding takes it too.
    Names::Block scope(names_);
    name = forced ? *forced : names_.fresh(var.to<ir::Var>().name());
    if (announced) {
      line(name + ": ");
      annotation(var.to<ir::Var>().type());
      end_line();
    }
    line("if " + condition + ":");
    end_line();
    for (const Node* part : {&branch.then_branch(), &branch.else_branch()}) {
      Names::Block inner(names_);
      ++indent_;
      sequence(part->to<relax::SeqExpr>(), &name);
      --indent_;
      if (part == &branch.then_branch()) {
        line("else:");
        end_line();
      }
    }
  }
  if (forced)
    names_.alias(var, name);
  else
    names_.define(var, name);
}

}  // namespace tenon::script
