/* The node kinds of the core vocabulary, one row a kind, one entry a slot. The IR's schema tables, the C enumerators and
 * the C++ views are made from this list.
 *
 *   K(number, namespace, Name, revision, flags)   S(slot, value type, role) ...   E()
 *
 * Numbers are for ever. Slots are appended with a default that means "as before"; anything else is a new revision beside
 * the old one, under a number of its own.
 *
 * Roles. Slots are visited in order. In a kind flagged SCOPE, what its slots define is visible to the slots after them
 * and ends with the node; in other kinds a definition belongs to the enclosing scope and is visible to what follows.
 *   USE     expressions and other nodes; a Var or Buffer here must be in scope
 *   DEF     a Var or Buffer here (or each of an array) is defined; its own slots are visited at this point; the Vars of an
 *           array are in scope for the shapes of all of its elements
 *   SHAPES  opens a shape context: a bare Var not yet in scope is defined, all else is use
 *   SHAPE   belongs to the shape context that the node stands in; outside one it is USE
 *   NAME    a hint that neither equality nor hash looks at
 *
 * Value types: Node, Array (of nodes), Map, Str, Int, Bool, Float, DType, Any (may be none), Values (an array of anything).
 * Defaults: Array, Values and Map empty, Str "", Int 0, Bool false, Float 0, Any none; Node and DType have none.
 * Every EXPR kind begins with `type`: a dtype at loop level, a type node at graph level, none when not yet known. */
#ifndef TENON_KINDS_H
#define TENON_KINDS_H
/* A row a kind, laid out by hand. */
/* clang-format off */

/* Raised by one whenever a kind or a slot is added. */
#define TN_IR_VOCABULARY 2u

/* What came after vocabulary 1, one row each: R(namespace, Kind, slot, vocabulary). A module that uses such a slot, off
 * its default, is converted down for a plugin that consumes less, or the plugin is not run. */
#define TN_NEWER_SLOTS(R) R(tir, For, step, 2)

enum { /* flags of a kind */
  TN_KIND_EXPR = 1u,
  TN_KIND_STMT = 2u,
  TN_KIND_TYPE = 4u,
  TN_KIND_SCOPE = 8u,
  TN_KIND_IDENTITY = 16u, /* equal by pointer, paired at its definition */
  TN_KIND_FUNCTION = 32u, /* may stand in a module's table of functions */
  /* Of kinds that plugins declare (ext/draft/kind.h): */
  TN_KIND_GRAPH = 64u,  /* of the graph level */
  TN_KIND_READS = 128u, /* what it does depends on memory */
  TN_KIND_WRITES = 256u /* it may change memory; with READS, anything */
};

#define TN_BINARY(K, S, E, number, Name) K(number, tir, Name, 1, EXPR) S(type, Any, USE) S(a, Node, USE) S(b, Node, USE) E()

#define TN_KINDS(K, S, E)                                                                                              \
  /* Shared by the graph and the loop level. */                                                                        \
  K(1, ir, Var, 1, EXPR | IDENTITY) S(type, Any, SHAPES) S(name, Str, NAME) E()                                         \
  K(2, ir, IntImm, 1, EXPR) S(type, Any, USE) S(value, Int, USE) E()                                                    \
  K(3, ir, FloatImm, 1, EXPR) S(type, Any, USE) S(value, Float, USE) E()                                                \
  K(4, ir, StringImm, 1, EXPR) S(type, Any, USE) S(value, Str, USE) E()                                                 \
  K(5, ir, GlobalVar, 1, EXPR) S(type, Any, USE) S(name, Str, USE) E()                                                  \
  K(6, ir, Op, 1, EXPR) S(type, Any, USE) S(id, Str, USE) E()                                                           \
  K(7, ir, Call, 1, EXPR) S(type, Any, USE) S(op, Node, USE) S(args, Array, USE) S(attrs, Map, USE)                     \
      S(type_args, Array, USE) E()                                                                                     \
  K(8, ir, Range, 1, 0u) S(min, Node, USE) S(extent, Node, USE) E()                                                     \
  K(9, ir, Module, 1, 0u) S(attrs, Map, USE) S(global_infos, Map, USE) S(functions, Map, USE) S(payloads, Values, USE) E() \
  K(10, ir, Constant, 1, EXPR) S(type, Any, USE) S(data, Any, USE) E()                                                  \
  K(11, ir, ExternFunc, 1, EXPR | FUNCTION) S(type, Any, USE) S(symbol, Str, USE) S(attrs, Map, USE) E()                \
  /* Types of the graph level. */                                                                                      \
  K(32, relax, PrimType, 1, TYPE) S(dtype, DType, USE) E()                                                              \
  K(33, relax, TensorType, 1, TYPE) S(shape, Any, SHAPE) S(dtype, Any, USE) S(ndim, Int, USE) S(attrs, Map, USE) E()    \
  K(34, relax, ShapeType, 1, TYPE) S(values, Any, SHAPE) S(ndim, Int, USE) E()                                          \
  K(35, relax, TupleType, 1, TYPE) S(fields, Array, SHAPE) E()                                                          \
  K(36, relax, FuncType, 1, TYPE | SCOPE) S(params, Any, SHAPES) S(ret, Any, USE) S(is_pure, Bool, USE) E()             \
  K(37, relax, AnyType, 1, TYPE) E()                                                                                    \
  /* Expressions of the loop level. */                                                                                 \
  TN_BINARY(K, S, E, 64, Add) TN_BINARY(K, S, E, 65, Sub) TN_BINARY(K, S, E, 66, Mul) TN_BINARY(K, S, E, 67, Div)       \
  TN_BINARY(K, S, E, 68, FloorDiv) TN_BINARY(K, S, E, 69, FloorMod) TN_BINARY(K, S, E, 70, TruncDiv)                    \
  TN_BINARY(K, S, E, 71, TruncMod) TN_BINARY(K, S, E, 72, Min) TN_BINARY(K, S, E, 73, Max) TN_BINARY(K, S, E, 74, EQ)   \
  TN_BINARY(K, S, E, 75, NE) TN_BINARY(K, S, E, 76, LT) TN_BINARY(K, S, E, 77, LE) TN_BINARY(K, S, E, 78, GT)           \
  TN_BINARY(K, S, E, 79, GE) TN_BINARY(K, S, E, 80, And) TN_BINARY(K, S, E, 81, Or)                                     \
  K(82, tir, Not, 1, EXPR) S(type, Any, USE) S(a, Node, USE) E()                                                        \
  K(83, tir, Select, 1, EXPR) S(type, Any, USE) S(condition, Node, USE) S(true_value, Node, USE)                        \
      S(false_value, Node, USE) E()                                                                                    \
  K(84, tir, Cast, 1, EXPR) S(type, Any, USE) S(value, Node, USE) E()                                                   \
  K(85, tir, BufferLoad, 1, EXPR) S(type, Any, USE) S(buffer, Node, USE) S(indices, Array, USE) E()                     \
  K(86, tir, Ramp, 1, EXPR) S(type, Any, USE) S(base, Node, USE) S(stride, Node, USE) S(lanes, Int, USE) E()            \
  K(87, tir, Broadcast, 1, EXPR) S(type, Any, USE) S(value, Node, USE) S(lanes, Int, USE) E()                           \
  K(88, tir, Let, 1, EXPR | SCOPE) S(type, Any, USE) S(value, Node, USE) S(var, Node, DEF) S(body, Node, USE) E()       \
  K(90, tir, Buffer, 1, IDENTITY) S(name, Str, NAME) S(dtype, DType, USE) S(shape, Array, SHAPES)                       \
      S(strides, Array, SHAPES) S(elem_offset, Any, SHAPES) S(scope, Str, USE) S(attrs, Map, USE) E()                   \
  /* Statements. */                                                                                                    \
  K(128, tir, For, 1, STMT | SCOPE) S(min, Node, USE) S(extent, Node, USE) S(loop_kind, Int, USE) S(thread, Str, USE)        \
      S(annotations, Map, USE) S(loop_var, Node, DEF) S(body, Node, USE) S(step, Any, USE) E()                         \
  K(129, tir, While, 1, STMT | SCOPE) S(condition, Node, USE) S(body, Node, USE) E()                                    \
  K(130, tir, IfThenElse, 1, STMT) S(condition, Node, USE) S(then_case, Node, USE) S(else_case, Any, USE) E()           \
  K(131, tir, Seq, 1, STMT | SCOPE) S(stmts, Array, USE) E()                                                            \
  K(132, tir, Evaluate, 1, STMT) S(value, Node, USE) E()                                                                \
  K(133, tir, Bind, 1, STMT) S(value, Node, USE) S(var, Node, DEF) E()                                                  \
  K(134, tir, AllocBuffer, 1, STMT) S(annotations, Map, USE) S(buffer, Node, DEF) E()                                   \
  K(135, tir, DeclBuffer, 1, STMT) S(data, Node, USE) S(buffer, Node, DEF) E()                                          \
  K(136, tir, BufferStore, 1, STMT) S(buffer, Node, USE) S(value, Node, USE) S(indices, Array, USE) E()                 \
  K(137, tir, Assert, 1, STMT) S(condition, Node, USE) S(message, Str, USE) E()                                         \
  K(138, tir, Attr, 1, STMT) S(key, Str, USE) S(target, Any, USE) S(value, Any, USE) S(body, Node, USE) E()               \
  K(139, tir, BlockRealize, 1, STMT) S(iter_values, Array, USE) S(predicate, Node, USE) S(block, Node, USE) E()         \
  K(140, tir, Block, 1, STMT | SCOPE) S(name, Str, USE) S(iter_vars, Array, USE) S(alloc_buffers, Array, DEF)           \
      S(match_buffers, Array, USE) S(reads, Array, USE) S(writes, Array, USE) S(annotations, Map, USE)                 \
      S(init, Any, USE) S(body, Node, USE) E()                                                                         \
  K(141, tir, IterVar, 1, 0u) S(domain, Node, USE) S(iter_kind, Int, USE) S(var, Node, DEF) E()                              \
  K(142, tir, BufferRegion, 1, 0u) S(buffer, Node, USE) S(region, Array, USE) E()                                       \
  K(143, tir, MatchBufferRegion, 1, 0u) S(source, Node, USE) S(buffer, Node, DEF) E()                                   \
  K(144, tir, PrimFunc, 1, FUNCTION | SCOPE) S(params, Array, DEF) S(attrs, Map, USE) S(ret_type, Any, USE)             \
      S(body, Node, USE) E()                                                                                           \
  /* The graph level. */                                                                                               \
  K(192, relax, Function, 1, EXPR | FUNCTION | SCOPE) S(type, Any, USE) S(params, Array, DEF) S(attrs, Map, USE)        \
      S(ret_type, Any, USE) S(is_pure, Bool, USE) S(body, Node, USE) E()                                               \
  K(193, relax, SeqExpr, 1, EXPR | SCOPE) S(type, Any, USE) S(blocks, Array, USE) S(body, Node, USE) E()                \
  K(194, relax, BindingBlock, 1, 0u) S(bindings, Array, USE) E()                                                        \
  K(195, relax, DataflowBlock, 1, 0u) S(bindings, Array, USE) S(outputs, Array, USE) E()                                \
  K(196, relax, VarBinding, 1, 0u) S(value, Node, USE) S(var, Node, DEF) E()                                            \
  K(197, relax, MatchCast, 1, 0u) S(value, Node, USE) S(cast_type, Node, SHAPES) S(var, Node, DEF) E()                  \
  K(198, relax, If, 1, EXPR) S(type, Any, USE) S(condition, Node, USE) S(then_branch, Node, USE)                        \
      S(else_branch, Node, USE) E()                                                                                    \
  K(199, relax, Tuple, 1, EXPR) S(type, Any, USE) S(fields, Array, USE) E()                                             \
  K(200, relax, TupleGetItem, 1, EXPR) S(type, Any, USE) S(tuple, Node, USE) S(index, Int, USE) E()                     \
  K(201, relax, ShapeExpr, 1, EXPR) S(type, Any, USE) S(values, Array, SHAPE) E()                                        \
  K(202, relax, PrimValue, 1, EXPR) S(type, Any, USE) S(value, Node, USE) E()                                           \
  K(203, relax, DataTypeImm, 1, EXPR) S(type, Any, USE) S(dtype, DType, USE) E()

/* The numbers: TN_KIND_tir_For and so on. Numbers from TN_KIND_FIRST_DYNAMIC on belong to plugins, by text. */
#define TN_KIND_ENUM(number, ns, Name, revision, flags) TN_KIND_##ns##_##Name = number,
#define TN_KIND_NO_SLOT(name, type, role)
#define TN_KIND_NO_END()
enum { TN_KINDS(TN_KIND_ENUM, TN_KIND_NO_SLOT, TN_KIND_NO_END) TN_KIND_FIRST_DYNAMIC = 4096,
       TN_KIND_FREED = 0x7FDEAD00 /* what the validation layer writes into a node that was released */ };
#undef TN_KIND_ENUM
#undef TN_KIND_NO_SLOT
#undef TN_KIND_NO_END

/* Values of tir.For.loop_kind. */
enum { TN_FOR_SERIAL = 0, TN_FOR_PARALLEL = 1, TN_FOR_VECTORIZED = 2, TN_FOR_UNROLLED = 3, TN_FOR_THREAD_BINDING = 4 };
/* Values of tir.IterVar.iter_kind. */
enum { TN_ITER_SPATIAL = 0, TN_ITER_REDUCE = 1, TN_ITER_SCAN = 2, TN_ITER_OPAQUE = 3 };

#endif
