// Statements of the loop level.
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

constexpr uint32_t kMostBlocks = 120;  // deeper statements are written with I.node

bool is_zero(const Node& n) {
  const auto* imm = n.as<ir::IntImm>();
  return imm && imm->value() == 0;
}

}  // namespace

void Printer::body(const Node& n) {
  Names::Block scope(names_);
  const auto* seq = n.as<tir::Seq>();
  auto defines = [](const Node& x) { return x.is<tir::Bind>() || x.is<tir::AllocBuffer>() || x.is<tir::DeclBuffer>(); };
  if (!seq && defines(n)) {
    line();
    generic(n);
    return end_line();
  }
  if (!seq || (seq->stmts().size() == 1 && !defines(as_node(seq->stmts()[0])))) return stmt(n);
  if (seq->stmts().empty()) {
    line("pass");
    return end_line();
  }
  for (const Node& s : nodes(seq->stmts())) stmt(s);
}

void Printer::stmt(const Node& n) {
  if (indent_ < kMostBlocks && stmt_sugar(n)) return;
  line();
  generic(n);
  end_line();
}

bool Printer::stmt_sugar(const Node& n) {
  if (n.is<tir::For>()) return for_stmt(n);
  if (n.is<tir::IfThenElse>()) return if_stmt(n);
  if (const auto* x = n.as<tir::BlockRealize>()) return block(*x);
  if (const auto* x = n.as<tir::BufferStore>()) return store(*x);
  if (const auto* x = n.as<tir::Bind>()) return bind(*x);
  if (const auto* x = n.as<tir::Evaluate>()) return evaluate(*x);
  if (const auto* x = n.as<tir::Seq>()) {
    line("with I.seq():");
    end_line();
    ++indent_;
    Names::Block scope(names_);
    for (const Node& s : nodes(x->stmts())) stmt(s);
    if (x->stmts().empty()) {
      line("pass");
      end_line();
    }
    --indent_;
    return true;
  }
  if (const auto* x = n.as<tir::While>()) {
    if (!is_bool(x->condition().dtype())) return false;
    line("while ");
    expr(x->condition());
    put(":");
    end_line();
    ++indent_;
    body(x->body());
    --indent_;
    return true;
  }
  if (const auto* x = n.as<tir::Assert>()) {
    if (!is_bool(x->condition().dtype())) return false;
    line("assert ");
    expr(x->condition());
    if (!x->message().empty()) put(", " + quote(x->message()));
    end_line();
    return true;
  }
  if (const auto* x = n.as<tir::Attr>()) {
    line("with T.attr(");
    attribute(x->target());
    put(", " + quote(x->key()) + ", ");
    attribute(x->value());
    put("):");
    end_line();
    ++indent_;
    body(x->body());
    --indent_;
    return true;
  }
  if (const auto* x = n.as<tir::AllocBuffer>()) {
    if (!buffer_is_plain(x->buffer())) return false;
    buffer_line(x->buffer(), "T.alloc_buffer", nullptr, [&] {
      if (x->annotations().empty()) return;
      put(", annotations=");
      attribute_map(x->annotations());
    });
    return true;
  }
  if (const auto* x = n.as<tir::DeclBuffer>()) {
    if (!buffer_is_plain(x->buffer())) return false;
    std::string data = captured([&] {
      node_value(x->data());
      if (x->data().is<tir::Buffer>()) put(".data");
    });
    buffer_line(x->buffer(), "T.decl_buffer", nullptr, [&] { put(", data=" + data); });
    return true;
  }
  return false;
}

bool Printer::is_loop(const Node& n) const {
  const auto* f = n.as<tir::For>();
  if (!f || !interval_is_plain(f->min(), f->extent()) || !f->loop_var().is<ir::Var>()) return false;
  if (!f->loop_var().slot(0).is_dtype() || !same_dtype(f->loop_var().dtype(), f->extent().dtype())) return false;
  if (const Value& step = f->step(); !step.is_none()) {
    const auto* stride = step.is_node() ? as_node(step).as<ir::IntImm>() : nullptr;
    if (!stride || stride->value() < 2 || !same_dtype(stride->dtype(), f->loop_var().dtype())) return false;
  }
  bool binding = f->loop_kind() == TN_FOR_THREAD_BINDING;
  return f->loop_kind() >= 0 && f->loop_kind() <= TN_FOR_THREAD_BINDING && binding == !f->thread().empty();
}

bool Printer::is_grid_part(const Node& n) const {
  if (!is_loop(n)) return false;
  const auto& f = n.to<tir::For>();
  return f.loop_kind() == TN_FOR_SERIAL && f.annotations().empty() && f.step().is_none() && is_zero(f.min());
}

bool Printer::for_stmt(const Node& n) {
  if (!is_loop(n)) return false;
  static constexpr const char* kForms[] = {"T.serial(", "T.parallel(", "T.vectorized(", "T.unroll(",
                                           "T.thread_binding("};
  std::vector<const tir::For*> loops{&n.to<tir::For>()};
  if (is_grid_part(n)) {
    std::vector<const TnNode*> vars;
    for (const Node* at = &n;;) {
      vars.push_back(at->to<tir::For>().loop_var().get());
      at = &at->to<tir::For>().body();
      if (!is_grid_part(*at)) break;
      bool depends = false;
      if (!at->to<tir::For>().extent().is<ir::IntImm>())
        b_.walk(Value(at->to<tir::For>().extent()), [&](const Node& x) {
          for (const TnNode* v : vars) depends = depends || x.get() == v;
        });
      for (const TnNode* v : vars) depends = depends || v == at->to<tir::For>().loop_var().get();
      if (depends) break;
      loops.push_back(&at->to<tir::For>());
    }
  }
  const tir::For& first = *loops[0];
  std::string range = captured([&] {
    if (loops.size() > 1) {
      put("T.grid(");
      for (size_t i = 0; i < loops.size(); ++i) {
        if (i) put(", ");
        interval(loops[i]->min(), loops[i]->extent(), ", ");
      }
    } else {
      bool plain = first.loop_kind() == TN_FOR_SERIAL && first.annotations().empty() && first.step().is_none();
      put(plain ? "range(" : kForms[first.loop_kind()]);
      interval(first.min(), first.extent(), ", ");
      if (!first.thread().empty()) put(", thread=" + quote(first.thread()));
      if (!first.step().is_none()) put(", step=" + std::to_string(as_node(first.step()).to<ir::IntImm>().value()));
      if (!first.annotations().empty()) {
        put(", annotations=");
        attribute_map(first.annotations());
      }
    }
    put(")");
  });
  Names::Block scope(names_);
  std::string vars;
  for (const tir::For* f : loops) {
    vars += (vars.empty() ? "" : ", ") + names_.define(f->loop_var(), f->loop_var().to<ir::Var>().name());
    loops_[f->loop_var().get()] = {f->min(), f->extent()};
  }
  line("for " + vars + " in " + range + ":");
  end_line();
  ++indent_;
  body(loops.back()->body());
  --indent_;
  return true;
}

bool Printer::if_stmt(const Node& n) {
  bool first = true;
  uint32_t length = 0;
  const Node* at = &n;
  for (;; first = false) {
    const auto& x = at->to<tir::IfThenElse>();
    if (!is_bool(x.condition().dtype())) {
      if (first) return false;
      break;  // the rest is an I.node below `else`
    }
    line(first ? "if " : "elif ");
    expr(x.condition());
    put(":");
    end_line();
    ++indent_;
    body(x.then_case());
    --indent_;
    if (x.else_case().is_none()) return true;
    at = &as_node(x.else_case());
    if (!at->is<tir::IfThenElse>() || ++length == kMostBlocks) break;
  }
  line("else:");
  end_line();
  ++indent_;
  if (at->is<tir::IfThenElse>()) {
    line();
    generic(*at);
    end_line();
  } else {
    body(*at);
  }
  --indent_;
  return true;
}

bool Printer::store(const tir::BufferStore& n) {
  const auto* buffer = n.buffer().as<tir::Buffer>();
  if (!buffer || buffer->shape().size() != n.indices().size() || n.value().is<tir::Buffer>()) return false;
  uint16_t lanes = 1;
  for (const Node& i : nodes(n.indices())) {
    if (!is_int(i.dtype())) return false;
    lanes = std::max(lanes, i.dtype().lanes);
  }
  DLDataType t = buffer->dtype();
  t.lanes = static_cast<uint16_t>(t.lanes * lanes);
  if (!same_dtype(t, n.value().dtype())) return false;
  line();
  expr(n.buffer());
  if (n.indices().empty()) {
    put("[()]");
  } else {
    put("[");
    comma_list(n.indices());
    put("]");
  }
  put(" = ");
  expr_want(n.value(), buffer->dtype());
  end_line();
  return true;
}

bool Printer::bind(const tir::Bind& n) {
  if (!n.var().is<ir::Var>() || !n.var().slot(0).is_dtype() || n.value().is<tir::Buffer>()) return false;
  DLDataType t = n.var().dtype(), from = n.value().dtype();
  if (from.bits != 0 && !same_dtype(t, from) && !is_handle(t)) return false;
  std::string value = captured([&] { expr_want(n.value(), t); });
  line(names_.define(n.var(), n.var().to<ir::Var>().name()) + ": T." + dtype_text(t) + " = " + value);
  end_line();
  return true;
}

bool Printer::evaluate(const tir::Evaluate& n) {
  const auto* c = n.value().as<ir::Call>();
  const auto* op = c ? c->op().as<ir::Op>() : nullptr;
  line();
  if (op && is_natural(*op) && op->id() == "tir.ret" && c->args().size() == 1 && c->attrs().empty() &&
      c->type_args().empty()) {
    const Node& value = as_node(c->args()[0]);
    DLDataType t = value.is<tir::Buffer>() ? DLDataType{} : value.dtype();
    if ((t.bits == 0 && c->type().is_none()) || (t.bits != 0 && c->type().is_dtype() && same_dtype(t, c->dtype()))) {
      put("return ");
      expr(value);
      end_line();
      return true;
    }
  }
  std::string text = captured([&] { expr(n.value()); });
  bool statement = c && text.substr(0, 7) != "I.node(";
  put(statement ? text : "T.evaluate(" + text + ")");
  end_line();
  return true;
}

}  // namespace tenon::script
