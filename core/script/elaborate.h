// Syntax to IR, with scopes. One class over several files, a subject each:
//   elaborate.cc        errors, paths, nodes, names      elab_module.cc   modules and functions
//   elab_value.cc       attributes, I.* escapes          elab_type.cc     dtypes and types
//   elab_expr.cc        expressions of the loop level    elab_form.cc     T.* forms in expressions
//   elab_stmt.cc        statements                       elab_loop.cc     loops, ranges and regions
//   elab_block.cc       blocks                           elab_buffer.cc   buffers
//   elab_variable.cc    names that are assigned again
//   elab_graph.cc       functions of the graph level     elab_graph_form.cc  R.* forms
#ifndef TENON_CORE_SCRIPT_ELABORATE_H
#define TENON_CORE_SCRIPT_ELABORATE_H

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/span.h"
#include "script/dtypes.h"
#include "script/parse.h"
#include "script/scopes.h"
#include "script/syntax.h"

namespace tenon::script {

// T.serial, R.nn.conv2d, I.node: the root is 'T', 'R' or 'I', or 0 for what is no path.
struct Path {
  char root = 0;
  std::string_view name;
  explicit operator bool() const { return root != 0; }
  bool is(char r, std::string_view n) const { return root == r && name == n; }
};

// What an expression of the loop level is before its context gives literals a dtype: as Python has them, or a node.
struct Term {
  enum Kind : uint8_t { Null, Int, Float, Bool, String, Expression } kind = Null;
  bool big = false;
  int64_t i = 0;
  double f = 0;
  std::string_view s;
  Node node;
  bool is_literal() const { return kind == Int || kind == Float || kind == Bool; }
  bool is_node() const { return kind == Expression; }
};

// The block that statements are being added to.
struct BlockState {
  bool legacy = false;  // T.block rather than T.sblock: T.alloc_buffer allocates in the block
  std::string_view name;
  std::vector<Value> iter_vars, iter_values, alloc_buffers, match_buffers, reads, writes;
  bool has_reads = false, has_writes = false, has_init = false;
  Node predicate, init;
  Map annotations;
};

class Elaborator {
 public:
  Elaborator(const Source& source, const ParseContext& context, const Builder& builder, const Program& program)
      : source_(source), context_(context), b_(builder), program_(program) {}

  Node module();

 private:
  using Body = script::Body;
  struct Argument {  // of a call, by position or keyword
    std::string_view name;
    const Expr* value = nullptr;
  };

  // ---- elaborate.cc
  [[noreturn]] void fail(const Expr& at, std::string message, std::string hint = {}) const {
    source_.fail(at.begin, std::move(message), std::move(hint));
  }
  [[noreturn]] void expected(const Expr& at, const std::string& what, std::string hint = {}) const {
    fail(at, "met " + describe(at) + ", expected " + what, std::move(hint));
  }
  Path path(const Expr& e) const;
  Path call_path(const Expr& e) const { return e.kind == Syntax::Call ? path(*e.a) : Path(); }
  [[noreturn]] void unknown_form(const Expr& at, const Path& p, std::vector<std::string> known) const;
  void refuse_form(const Expr& at, const Path& p) const;  // when it is one that TVM has and this does not
  Span span(Position begin, Position end) const {
    return make_span(source_.file, begin.line, begin.column, end.line, end.column);
  }
  Span span(const Expr& e) const { return span(e.begin, e.end); }
  Span span(const Stmt& s) const { return span(s.begin, s.end); }
  template <class View, class At>
  Node make(const At& at, std::initializer_list<Value> slots) const {
    Span s = span(at);
    return b_.make(View::kKind, std::span(slots.begin(), slots.size()), s.get());
  }
  Node make_kind(uint32_t kind, const Expr& at, const std::vector<Value>& slots) const {
    Span s = span(at);
    return b_.make(kind, slots, s.get());
  }
  Value text(std::string_view s) const { return b_.string(s); }
  Value list(const std::vector<Value>& items) const { return b_.array(std::span<const Value>(items)); }
  bool same(const Node& a, const Node& b) const;
  // Arguments by name: `names` in order of position. A name with a trailing '*' takes every further position.
  std::vector<const Expr*> arguments(const Expr& call, std::string_view what,
                                     std::initializer_list<std::string_view> names, size_t required) const;
  const Expr* keyword(const Expr& call, std::string_view name) const;
  std::string_view string_of(const Expr& e, std::string_view what) const;
  int64_t int_of(const Expr& e, std::string_view what) const;
  bool bool_of(const Expr& e, std::string_view what) const;
  const Node& lookup(const Expr& name);  // a defined variable, buffer or alias
  Binding& binding(const Expr& name);
  Node use(Binding& b, const Expr& name);
  Node define_var(const Expr& name, Value type);
  void define(const Expr& name, const Node& node);

  // ---- elab_value.cc
  Value attribute(const Expr& e);  // literals stand for themselves, all else for nodes
  Map attribute_map(const Expr& e);
  Value slot(const Expr& e, const TnSlotSchema& schema);
  Value constant_data(const Expr& e);             // I.data(...)
  Value escape(const Expr& call, const Path& p);  // I.* where a value stands
  Node generic_node(const Expr& call);            // I.node(...)
  Value inline_constant(const Expr& at, const void* bytes, DLDataType dtype, const std::vector<int64_t>& shape);
  std::optional<Value> literal_form(const Expr& e);  // T.int32(3), T.bool(True), T.float64("inf") as plain values

  // ---- elab_type.cc
  std::optional<DLDataType> dtype_name(const Expr& e) const;  // "float32" or T.float32
  DLDataType dtype(const Expr& e, std::string_view what) const;
  Value loop_type(const Expr& annotation);  // of a variable of the loop level
  bool is_type(const Expr& e) const;        // R.Tensor, R.Tuple, ...
  Node type(const Expr& e);                 // of the graph level
  Node tensor_type(const Expr& e);
  Value shape_values(const Expr& e);
  Node dimension(const Expr& e);

  // ---- elab_expr.cc
  Term term(const Expr& e);
  Node expr(const Expr& e) { return finish(term(e), e); }
  Node expr_as(const Expr& e, DLDataType want) { return finish(term(e), e, want); }  // adapts literals alone
  Node converted(const Expr& e, DLDataType want);                                    // casts as well
  Node index(const Expr& e);
  Node finish(const Term& t, const Expr& at, std::optional<DLDataType> want = std::nullopt);
  Node literal(const Term& t, const Expr& at, DLDataType dtype);
  Node to_dtype(const Node& n, const Expr& at, DLDataType dtype);
  Term binary(const Expr& e, Term a, Term b);
  Term binary_node(uint32_t kind, const Expr& e, const Term& a, const Expr& at_a, const Term& b, const Expr& at_b);
  Term fold(const Expr& e, const Term& a, const Term& b);  // of two Python numbers
  std::pair<Node, Node> matched(const Term& a, const Expr& at_a, const Term& b, const Expr& at_b, const Expr& whole);
  Node condition(const Expr& e);
  Term unary(const Expr& e);
  Term attribute_of(const Expr& e);  // A.data, A.shape, x.dtype
  Term subscript(const Expr& e);
  Term call(const Expr& e);
  Term function_call(const Expr& e, std::string_view name);
  std::optional<std::string_view> function_reference(const Expr& e);  // cls.f, self.f, Module.f, f, I.name("f")
  Node global_var(const Expr& at, std::string_view name) const;
  Term node_term(Node n) const {
    Term t;
    t.kind = Term::Expression;
    t.node = std::move(n);
    return t;
  }

  // ---- elab_form.cc
  Term form(const Expr& call, const Path& p);
  Term dtype_call(const Expr& call, DLDataType dtype);
  Term arithmetic_form(const Expr& call, uint32_t kind);
  Term intrinsic(const Expr& call, std::string_view op_id, std::span<const Expr* const> args,
                 std::optional<Value> type);
  Value op_record(const Expr& at, const Path& p, std::string_view id) const;
  void check_arity(const Expr& at, const Map& record, std::string_view id, size_t count) const;
  Map op_attrs(const Expr& call, const Value& record, std::string_view id,
               std::initializer_list<std::string_view> skip);
  Term select_form(const Expr& call);
  Term if_then_else_form(const Expr& call);
  Term cast_form(const Expr& call);
  Term ramp_form(const Expr& call);
  Term broadcast_form(const Expr& call);
  Term let_form(const Expr& call);
  Term not_form(const Expr& call);
  Term string_form(const Expr& call);
  Term call_packed_form(const Expr& call);
  Term call_extern_form(const Expr& call);
  Term call_intrin_form(const Expr& call);
  Term given_form(const Expr& call);

  // ---- elab_stmt.cc
  Node body(Body stmts, const Stmt& at);
  void body_into(Body stmts, std::vector<Node>& out);
  Node sequence(std::vector<Node>& stmts, const Stmt& at) const;
  void statement(const Stmt& s, std::vector<Node>& out);
  void assign(const Stmt& s, std::vector<Node>& out);
  void annotated(const Stmt& s, std::vector<Node>& out);
  void assign_name(const Stmt& s, const Expr& target, const Expr& value, std::vector<Node>& out);
  void bind(const Stmt& s, const Expr& target, const Expr& value, std::optional<Value> type, std::vector<Node>& out);
  void augmented(const Stmt& s, std::vector<Node>& out);
  void store(const Stmt& s, const Expr& target, const Node& value, std::vector<Node>& out);
  void expression_statement(const Stmt& s, std::vector<Node>& out);
  Node if_statement(const Stmt& s);
  void with(const Stmt& s, std::vector<Node>& out);
  bool declare_symbol(const Expr& target, const Expr& value);
  bool wraps_rest(const Stmt& s, Body rest, std::vector<Node>& out);  // T.attr and T.launch_thread without `with`
  std::string assert_message(const Expr& e) const;
  Node attr_statement(const Stmt& s, const Expr& call, const std::function<Node()>& rest);
  Node launch_thread(const Stmt& s, const Expr& call, const Expr* target, const std::function<Node()>& rest);
  Node as_statement(const Stmt& s, const Expr& value, Term t);

  // ---- elab_loop.cc
  struct Interval {
    Node min, extent;
  };
  Interval interval(const Expr* start, const Expr& stop, const Expr& at, std::optional<DLDataType> want = std::nullopt);
  int64_t step_of(const Expr& e);
  void for_statement(const Stmt& s, std::vector<Node>& out);
  Node region(const Expr& e);  // A[i, 0:n] or A
  Node buffer_of(const Expr& e, std::string_view what);

  // ---- elab_block.cc
  Node block(const Stmt& s, const Expr& call, bool legacy);
  [[noreturn]] void head_after_body(const Stmt& s) const {
    source_.fail(s.begin, "met a part of the head of a block after a statement of its body",
                 "axes, regions, allocations and T.init() come first");
  }
  bool block_statement(const Stmt& s);  // true when it belongs to the head of the block
  void axis(const Stmt& s, const Expr& target, const Expr& call, std::string_view kind);
  void add_axis(const Expr& target, const Expr& at, int64_t kind, const Interval& domain, const Node& value);
  void regions(const Expr& call, std::vector<Value>& out);

  // ---- elab_buffer.cc
  Node buffer(const Expr& call, std::string_view name, size_t first, bool subscripted = false);
  bool buffer_statement(const Stmt& s, const Expr& target, const Expr& call, std::vector<Node>& out);
  bool view(const Stmt& s, const Expr& target, const Expr& call, std::vector<Node>& out);

  // ---- elab_variable.cc
  void find_reassigned(Body stmts);
  bool assigned_again(std::string_view name) const;  // in what follows the statement being read
  bool variable(const Stmt& s, const Expr& target, const Expr* value, std::optional<DLDataType> type,
                std::vector<Node>& out);
  bool assign_variable(const Stmt& s, const Expr& target, const Expr& value, std::vector<Node>& out);
  Term name_term(const Expr& name);
  Term base_term(const Expr& e);  // what stands before '[' or '.': of a variable its buffer
  bool defines(const Expr& value) const;

  // ---- elab_module.cc
  void declare_functions(Body stmts);
  void function(const Stmt& s);
  Node prim_func(const Stmt& s, const Expr& decorator);
  // Refuses a symbol that is used where nothing gives it a value.
  void check_symbols(const Node& function, bool graph) const;
  void module_statement(const Stmt& s);
  std::string_view function_name(const Stmt& s) const;
  void add_function(const Stmt& s, std::string_view name, Node f);
  const Expr* level_decorator(const Stmt& s, char* level) const;
  void check_decorator(const Expr& decorator, const Path& p) const;

  // ---- elab_graph.cc
  Node graph_function(const Stmt& s, const Expr& decorator);
  Node graph_sequence(Body stmts, const Stmt& at, std::string_view result);  // result: the name that ends a branch
  void graph_statement(const Stmt& s);
  void graph_bind(const Stmt& s, const Expr& target, const Expr& value, const Expr* annotation);
  void add_binding(const Stmt& s, const Expr& target, const Node& value, std::optional<Value> type);
  void graph_if(const Stmt& s);
  void graph_with(const Stmt& s);
  void flush_bindings(const Stmt& at, bool even_empty = false);

  // ---- elab_graph_expr.cc
  Node graph_expr(const Expr& e, const Node* expected = nullptr);
  Node with_type(const Node& n, const Node* expected) const;  // the type that its parts or the annotation give
  Node graph_call(const Expr& e);
  Node graph_tuple(std::span<const Expr* const> items, const Expr& at);
  Node graph_sequence_literal(const Expr& e);  // (x, y) is a tuple, (2, n) a shape
  Node shape_expr(const Expr& at, std::span<const Expr* const> items);

  // ---- elab_graph_form.cc
  Node graph_form(const Expr& e, const Path& p);
  Node graph_op(const Expr& e, const Path& p);
  Node call_tir(const Expr& e, std::string_view form);
  Node graph_call_packed(const Expr& e, std::string_view form);
  Node graph_constant(const Expr& e);
  Node extern_func(const Expr& at, const Expr& name);
  Value types_of(const Expr& e);  // one type, or a list of them

  const Source& source_;
  const ParseContext& context_;
  const Builder& b_;
  const Program& program_;
  Scopes scopes_;

  // The functions of the module: name in the text -> name in the IR and the annotated result.
  struct FunctionHead {
    std::string_view name;
    Value result;
  };
  std::map<std::string_view, FunctionHead> heads_;
  std::string_view module_name_;
  Builder::Entries functions_, module_attrs_, global_infos_;
  std::vector<Value> payloads_;

  // The function being read.
  struct FunctionState {
    bool graph = false;
    bool header = false;                        // unknown names in shapes are symbols
    std::map<std::string_view, size_t> params;  // handle parameters that T.match_buffer may turn into buffers
    std::vector<Value>* param_nodes = nullptr;
    Builder::Entries attrs;
    std::map<std::string_view, bool> symbols;        // that the header defined
    std::map<std::string_view, DLDataType> scalars;  // the parameters that are numbers
    std::set<std::string_view> reassigned;           // names that are assigned more than once
    Body rest;                                       // what follows the statement being read in its block
    std::map<std::string_view, Value> announced;     // x: R.Tensor(...) before the `if` that defines x
    // Of the graph body being read.
    std::vector<Value>* bindings = nullptr;
    std::vector<Value>* blocks = nullptr;
    std::vector<Value>* outputs = nullptr;  // of the dataflow block
    Node result;                            // after `return`, or I.result in a branch
    std::string_view branch_result;         // the name that the branch ends with
    bool ended = false;
    std::set<const TnNode*> known;   // the symbols that parameters and match_casts have defined so far
    std::optional<Value> body_type;  // I.body_type: what the body's type is when it is not that of the result
  };
  FunctionState function_;
  bool uses_symbols_ = false;  // the function being read has symbolic dimensions
  BlockState* block_ = nullptr;
  std::vector<std::unique_ptr<Source>> inner_sources_;
  uint32_t wraps_ = 0;
};

}  // namespace tenon::script
#endif
