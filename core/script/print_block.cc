// Intervals, regions, buffers and blocks.
#include "ir/structural_equal.h"
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

bool equal(const Node& a, const Node& b) {
  return a.same_as(b) || (a.hash() == b.hash() && !first_difference(*Value(a).ptr(), *Value(b).ptr()));
}
bool is_literal(const Node& n, int64_t value) {
  const auto* imm = n.as<ir::IntImm>();
  return imm && imm->value() == value;
}

}  // namespace

bool Printer::interval_is_plain(const Node& min, const Node& extent) const {
  if (!same_dtype(min.dtype(), extent.dtype()) || !is_int(min.dtype()) || min.dtype().lanes != 1) return false;
  const auto *a = min.as<ir::IntImm>(), *b = extent.as<ir::IntImm>();
  if ((a && !is_natural(min)) || (b && !is_natural(extent))) return false;
  if (a && min.dtype().code == kDLUInt && min.dtype().bits == 64 && a->value() < 0) return false;
  if (b && min.dtype().code == kDLUInt && min.dtype().bits == 64 && b->value() < 0) return false;
  if (!a || !b) return true;
  int64_t sum;
  if (__builtin_add_overflow(a->value(), b->value(), &sum)) return false;
  return is_natural(b_.imm(sum, min.dtype()));
}

// "extent" when it begins at 0 and the separator is a comma, else "start, stop" or "start:stop".
void Printer::interval(const Node& min, const Node& extent, std::string_view separator,
                       std::optional<DLDataType> want) {
  DLDataType t = min.dtype();
  const auto *a = min.as<ir::IntImm>(), *b = extent.as<ir::IntImm>();
  bool bare = same_dtype(t, want.value_or(kInt64));
  auto literal = [&](int64_t v) {
    Node n = b_.imm(v, t);
    bare ? bare_int(n.to<ir::IntImm>()) : typed_int(n.to<ir::IntImm>());
  };
  if (is_literal(min, 0)) {
    if (separator == ":") put("0:");
    return b ? literal(b->value()) : expr(extent);
  }
  if (a && b) {
    literal(a->value());
    put(separator);
    return literal(a->value() + b->value());
  }
  if (a)
    bare_int(*a);
  else
    expr(min);
  put(separator);
  // start:stop where the extent is stop - start, which is how the parser writes it.
  if (const auto* difference = extent.as<tir::Sub>(); difference && equal(difference->b(), min)) {
    const Node& stop = difference->a();
    const auto* sum = stop.as<tir::Add>();
    bool literals = a && stop.is<ir::IntImm>();
    if (is_natural(extent) && !literals && !(sum && equal(sum->a(), min))) return operand(stop, min, 0);
  }
  operand(min, extent, 9);
  put(" + ");
  operand(extent, min, 10);
}

bool Printer::region_is_plain(const Node& n) const {
  const auto* r = n.as<tir::BufferRegion>();
  if (!r || !r->buffer().is<tir::Buffer>()) return false;
  if (r->region().size() != r->buffer().to<tir::Buffer>().shape().size()) return false;
  for (const Node& range : nodes(r->region())) {
    const auto* x = range.as<ir::Range>();
    if (!x || !interval_is_plain(x->min(), x->extent())) return false;
  }
  return true;
}

void Printer::region(const Node& n) {
  const auto& r = n.to<tir::BufferRegion>();
  expr(r.buffer());
  if (r.region().empty()) return put("[()]");
  put("[");
  bool first = true;
  for (const Node& range : nodes(r.region())) {
    if (!first) put(", ");
    first = false;
    const auto& x = range.to<ir::Range>();
    if (is_literal(x.extent(), 1))
      expr(x.min());
    else
      interval(x.min(), x.extent(), ":");
  }
  put("]");
}

void Printer::regions(std::string_view form, const Array& a) {
  line(form);
  put("(");
  bool first = true;
  for (const Node& n : nodes(a)) {
    if (!first) put(", ");
    first = false;
    region(n);
  }
  put(")");
  end_line();
}

bool Printer::buffer_is_plain(const Node& n) const {
  const auto* b = n.as<tir::Buffer>();
  if (!b || b->scope().empty()) return false;
  if (!b->strides().empty() && b->strides().size() != b->shape().size()) return false;
  for (const Array* dims : {&b->shape(), &b->strides()})
    for (const Node& d : nodes(*dims))
      if (!is_int(d.dtype()) || (!d.is<ir::Var>() && !d.is<ir::Call>() && !is_natural(d))) return false;
  const Value& offset = b->elem_offset();
  if (!offset.is_none() && !(offset.is_node() && is_int(as_node(offset).dtype()))) return false;
  for (const Map::Entry& e : b->attrs())
    if (e.value().is_none()) return false;
  return true;
}

void Printer::buffer_arguments(const tir::Buffer& b) {
  tuple(b.shape());
  put(", \"" + dtype_text(b.dtype()) + "\"");
  if (!b.strides().empty()) {
    put(", strides=");
    tuple(b.strides());
  }
  if (b.elem_offset().is_node()) {
    put(", elem_offset=");
    expr(as_node(b.elem_offset()));
  }
  if (b.scope() != "global") put(", scope=" + quote(b.scope()));
  Builder::Entries rest;
  for (const Map::Entry& e : b.attrs()) {
    const Value& v = e.value();
    bool number = (e.key() == "align" || e.key() == "offset_factor") && v.is_int() && v.as_int() > 0;
    bool type = e.key() == "buffer_type" && v.is_string() && v.as_string() != "" && v.as_string() != "default";
    bool separators = e.key() == "axis_separators" && v.is_array() && v.ref<Array>().size();
    if (!number && !type && !separators) {
      rest.emplace_back(std::string(e.key()), v);
      continue;
    }
    put(", " + std::string(e.key()) + "=");
    attribute(v);
  }
  if (!rest.empty()) {
    put(", attrs=");
    attributes(rest);
  }
}

// name = form(before shape, dtype, ... after)
void Printer::buffer_line(const Node& buffer, std::string_view form, const std::function<void()>& before,
                          const std::function<void()>& after) {
  const auto& b = buffer.to<tir::Buffer>();
  declare_symbols(Value(b.shape()));
  declare_symbols(Value(b.strides()));
  declare_symbols(b.elem_offset());
  std::string arguments = captured([&] {
    if (before) before();
    buffer_arguments(b);
    if (after) after();
  });
  line(names_.define(buffer, b.name().empty() ? "buffer" : b.name()) + " = " + std::string(form) + "(" + arguments +
       ")");
  end_line();
}

bool Printer::remappable(const Node& iter_var, const Node& value) const {
  const auto& iter = iter_var.to<tir::IterVar>();
  auto loop = loops_.find(value.get());
  if (loop == loops_.end() || iter.iter_kind() > TN_ITER_REDUCE || !names_.find(value)) return false;
  const auto& domain = iter.domain().to<ir::Range>();
  return equal(loop->second.min, domain.min()) && equal(loop->second.extent, domain.extent());
}

void Printer::axes(const tir::BlockRealize& n, const tir::Block& b) {
  static constexpr const char* kNames[] = {"spatial", "reduce", "scan", "opaque"};
  NodeRange vars = nodes(b.iter_vars()), values = nodes(n.iter_values());
  auto define = [&](size_t i) {
    const auto& iter = vars[i].to<tir::IterVar>();
    const auto& domain = iter.domain().to<ir::Range>();
    loops_[iter.var().get()] = {domain.min(), domain.extent()};
    return names_.define(iter.var(), iter.var().to<ir::Var>().name());
  };
  for (size_t i = 0; i < vars.size();) {
    size_t end = i;
    while (end < vars.size() && remappable(vars[end], values[end])) ++end;
    if (end - i >= 2) {
      std::string kinds, loops, targets;
      for (size_t j = i; j < end; ++j) {
        kinds += vars[j].to<tir::IterVar>().iter_kind() == TN_ITER_SPATIAL ? 'S' : 'R';
        loops += (j > i ? ", " : "") + *names_.find(values[j]);
      }
      for (size_t j = i; j < end; ++j) targets += (j > i ? ", " : "") + define(j);
      line(targets + " = T.axis.remap(\"" + kinds + "\", [" + loops + "])");
      i = end;
    } else {
      const auto& iter = vars[i].to<tir::IterVar>();
      const auto& domain = iter.domain().to<ir::Range>();
      bool literal = values[i].is<ir::IntImm>();
      std::string arguments = captured([&] {
        bool pair = !is_literal(domain.min(), 0);
        if (pair) put("(");
        interval(domain.min(), domain.extent(), ", ", literal ? std::nullopt : std::optional(values[i].dtype()));
        if (pair) put(")");
        put(", ");
        expr_want(values[i], domain.extent().dtype());
      });
      line(define(i) + " = T.axis." + kNames[iter.iter_kind()] + "(" + arguments + ")");
      ++i;
    }
    end_line();
  }
}

bool Printer::block_is_plain(const tir::BlockRealize& n) const {
  const auto* b = n.block().as<tir::Block>();
  if (!b || b->iter_vars().size() != n.iter_values().size() || !is_bool(n.predicate().dtype())) return false;
  for (size_t i = 0; i < b->iter_vars().size(); ++i) {
    const auto* iter = as_node(b->iter_vars()[i]).as<tir::IterVar>();
    if (!iter || !iter->domain().is<ir::Range>() || !iter->var().is<ir::Var>()) return false;
    const auto& domain = iter->domain().to<ir::Range>();
    const Node& value = as_node(n.iter_values()[i]);
    if (iter->iter_kind() < 0 || iter->iter_kind() > TN_ITER_OPAQUE ||
        !interval_is_plain(domain.min(), domain.extent()))
      return false;
    if (!iter->var().slot(0).is_dtype() || !same_dtype(iter->var().dtype(), domain.extent().dtype())) return false;
    if (!same_dtype(value.dtype(), domain.extent().dtype()) || value.is<tir::Buffer>()) return false;
  }
  for (const Node& a : nodes(b->alloc_buffers()))
    if (!buffer_is_plain(a)) return false;
  for (const Node& m : nodes(b->match_buffers())) {
    const auto* match = m.as<tir::MatchBufferRegion>();
    if (!match || !region_is_plain(match->source()) || !buffer_is_plain(match->buffer())) return false;
  }
  for (const Array* regions : {&b->reads(), &b->writes()})
    for (const Node& r : nodes(*regions))
      if (!region_is_plain(r)) return false;
  return b->init().is_none() || b->init().is_node();
}

bool Printer::block(const tir::BlockRealize& n) {
  if (!block_is_plain(n)) return false;
  const auto& b = n.block().to<tir::Block>();
  line("with T.sblock(" + quote(b.name()) + "):");
  end_line();
  ++indent_;
  Names::Block scope(names_);
  axes(n, b);
  if (!is_literal(n.predicate(), 1)) {
    line("T.where(");
    expr(n.predicate());
    put(")");
    end_line();
  }
  auto allocations = [&] {
    for (const Node& a : nodes(b.alloc_buffers())) buffer_line(a, "T.sblock_alloc_buffer", nullptr, nullptr);
    for (const Node& m : nodes(b.match_buffers())) {
      const auto& match = m.to<tir::MatchBufferRegion>();
      buffer_line(match.buffer(), "T.match_buffer", [&] { region(match.source()), put(", "); }, nullptr);
    }
  };
  auto use = [&] {
    regions("T.reads", b.reads());
    regions("T.writes", b.writes());
    if (!b.annotations().empty()) {
      line("T.sblock_attr(");
      attribute_map(b.annotations());
      put(")");
      end_line();
    }
  };
  // TVM's order, unless the regions speak of what the block itself makes.
  bool own = !b.match_buffers().empty();
  for (const Array* list : {&b.reads(), &b.writes()})
    if (!b.alloc_buffers().empty() && !own)
      b_.walk(Value(*list), [&](const Node& n) {
        for (const Node& a : nodes(b.alloc_buffers())) own = own || n.same_as(a);
      });
  if (own) allocations();
  use();
  if (!own) allocations();
  if (b.init().is_node()) {
    line("with T.init():");
    end_line();
    ++indent_;
    body(as_node(b.init()));
    --indent_;
  }
  body(b.body());
  --indent_;
  return true;
}

}  // namespace tenon::script
