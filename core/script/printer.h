// The printer: one class over several files.
//   print.cc          entry, modules, functions      print_expr.cc   expressions of the loop level
//   print_value.cc    attributes, I.node, types      print_call.cc   calls of the loop level
//   print_stmt.cc     statements                     print_block.cc  blocks, regions, buffers
//   print_graph.cc    functions of the graph level
//   print_type.cc     types                          print_graph_expr.cc  its expressions
// A node whose slots differ from what its syntax would give is written with I.node.
#ifndef TENON_CORE_SCRIPT_PRINTER_H
#define TENON_CORE_SCRIPT_PRINTER_H

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/dtypes.h"
#include "script/names.h"
#include "script/operators.h"
#include "script/print.h"

namespace tenon::script {

class Printer {
 public:
  Printer(const Builder& b, const PrintOptions& options) : b_(b), options_(options) {}
  std::string run(const Value& tree);

 private:
  // ---- Text
  void put(std::string_view s) { out_ += s; }
  void line(std::string_view s = {}) {
    if (out_.size() > options_.max_bytes) too_long();
    out_.append(size_t{4} * indent_, ' ');
    out_ += s;
  }
  void end_line() { out_ += '\n'; }
  [[noreturn]] void too_long() const;
  template <class F>
  std::string captured(F&& f) {
    std::string outer = std::exchange(out_, {});
    f();
    return std::exchange(out_, std::move(outer));
  }

  // ---- print.cc
  void module(const ir::Module& m);
  void function(std::string_view key, const Node& f);
  void prim_func(std::string_view key, const tir::PrimFunc& f);
  bool is_plain(const tir::PrimFunc& f);
  void decorators(std::string_view key, char level, const Map& attrs, Builder::Entries* rest,
                  std::string_view flags = {});
  void func_attr(char level, const Builder::Entries& attrs);
  void function_name(std::string_view name);  // where it is called or passed
  const std::string& name_of(const Node& n);
  bool uses_unnamed(const Value& shape) const;
  void declare_symbols(const Value& shape);  // n = T.int64() for what a shape is about to define

  // ---- print_value.cc
  void attribute(const Value& v);
  void attributes(const Builder::Entries& entries);
  void attribute_map(const Map& m) { attributes(Builder::entries(m)); }
  void constant_data(const Value& v);
  void slot(const Value& v, const TnSlotSchema& schema);
  void node_value(const Node& n);  // in a slot that holds nodes
  void generic(const Node& n);
  void define_inline(const Node& n);
  void float_value(double v);
  void dtype_value(DLDataType t) { put("I.dtype(\"" + dtype_text(t) + "\")"); }
  const TnKindSchema& schema_of(const Node& n) const;

  // ---- print_expr.cc
  void expr(const Node& n, int precedence = 0);
  void expr_want(const Node& n, DLDataType want);  // where a literal takes this dtype
  void pair(const Node& a, const Node& b);         // "a, b", operands that are matched to one dtype
  void operand(const Node& n, const Node& other, int precedence);
  void typed_int(const ir::IntImm& n);
  void bare_int(const ir::IntImm& n) { put(std::to_string(n.value())); }
  void float_imm(const ir::FloatImm& n);
  void infix(const Node& n, int precedence);
  bool is_infix(const Node& n) const;
  bool is_natural(const Node& n) const;  // its type is what its syntax gives
  void comma_list(const Array& a);
  void tuple(const Array& a);

  // ---- print_call.cc
  void call(const ir::Call& c);
  void op_call(const ir::Call& c, const ir::Op& op);
  void function_call(const ir::Call& c, const ir::GlobalVar& f);
  bool has_plain_attrs(const Map& attrs) const;
  void call_arguments(const Array& args, size_t first, bool literals_adapt, bool* any);
  void call_attributes(const Map& attrs, bool* any);
  std::optional<Value> natural_result(const ir::Call& c, std::string_view op) const;

  // ---- print_stmt.cc
  void body(const Node& n);
  void stmt(const Node& n);
  bool stmt_sugar(const Node& n);
  bool for_stmt(const Node& n);
  bool if_stmt(const Node& n);
  bool bind(const tir::Bind& n);
  bool evaluate(const tir::Evaluate& n);
  bool store(const tir::BufferStore& n);
  bool is_loop(const Node& n) const;
  bool is_grid_part(const Node& n) const;

  // ---- print_block.cc
  bool interval_is_plain(const Node& min, const Node& extent) const;
  void interval(const Node& min, const Node& extent, std::string_view separator,
                std::optional<DLDataType> want = std::nullopt);
  bool block(const tir::BlockRealize& n);
  bool block_is_plain(const tir::BlockRealize& n) const;
  bool region_is_plain(const Node& n) const;
  void region(const Node& n);
  void regions(std::string_view form, const Array& a);
  void axes(const tir::BlockRealize& n, const tir::Block& b);
  bool buffer_is_plain(const Node& n) const;
  void buffer_arguments(const tir::Buffer& b);  // shape, dtype, keywords
  void buffer_line(const Node& buffer, std::string_view form, const std::function<void()>& before,
                   const std::function<void()>& after);
  bool remappable(const Node& iter_var, const Node& value) const;

  // ---- print_type.cc
  bool type_is_plain(const Node& n) const;
  void type(const Node& n);
  void type_shape(const Array& dims, std::string_view open, std::string_view close);

  // ---- print_graph.cc
  bool is_plain(const relax::Function& f) const;
  bool sequence_is_plain(const Node& n) const;
  void graph_function(std::string_view key, const relax::Function& f);
  void sequence(const relax::SeqExpr& seq, const std::string* result);
  void graph_binding(const Node& binding, const std::string* name);
  void graph_if(const relax::If& branch, const Node& var, bool announced, const std::string* forced);
  void annotation(const Value& type);

  // ---- print_graph_expr.cc
  bool is_constant_text(const Node& n) const;
  void constant_text(const ir::Constant& c);
  void constant(const ir::Constant& c);
  bool graph_is_plain(const Node& n) const;
  void graph_value(const Node& n, const Value* expected = nullptr);
  void graph_text(const Node& n);
  bool level_call(const ir::Call& c, std::string_view name);
  void annotation_text(const Value& type);

  const Builder& b_;
  const PrintOptions& options_;
  std::string out_;
  uint32_t indent_ = 0;
  uint32_t generic_ = 0;  // I.node in one another
  bool in_class_ = false;
  bool header_ = false;  // in the head of a graph function
  Names names_;
  std::map<std::string, std::string, std::less<>> functions_;  // of the module: key -> identifier
  std::map<std::string, Value, std::less<>> results_;          // key -> dtype of the result
  struct Range {
    Node min, extent;
  };
  std::unordered_map<const TnNode*, Range> loops_;  // of the variables of loops and axes
};

}  // namespace tenon::script
#endif
