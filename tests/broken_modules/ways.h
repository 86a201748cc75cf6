/* The ways in which the passes of this plugin break a module: name, and the words in which it is refused. */
#ifndef TENON_TESTS_BROKEN_MODULES_WAYS_H
#define TENON_TESTS_BROKEN_MODULES_WAYS_H

#define WAYS(W)                                                                                                     \
  /* What is no module at all. */                                                                                   \
  W(nothing, "returned nothing where ir.Module/1 is due")                                                           \
  W(number, "returned an integer where ir.Module/1 is due")                                                         \
  W(text, "returned a string where ir.Module/1 is due")                                                             \
  W(a_function, "returned tir.PrimFunc/1 where ir.Module/1 is due")                                                 \
  W(error_as_result, "it did not fail and returned an error")                                                       \
  W(no_error, "a call failed without an error object")                                                              \
  W(null_node, "returned what is no value (type index 128)")                                                        \
  W(mislabelled, "returned what is no value (type index 128)")                                                      \
  W(unknown_type, "returned what is no value (type index 60)")                                                      \
  /* Nodes that are not what they seem. */                                                                          \
  W(foreign_module, "the module is a node that the host did not make [node]")                                       \
  W(foreign_function, "which is no function [module]")                                                              \
  W(foreign_node, "a node stands here that the host did not make [node]")                                           \
  W(foreign_variable, "a node stands here that the host did not make [node]")                                       \
  W(cycle, "a node stands below itself [node]")                                                                     \
  /* The module's table of functions. */                                                                            \
  W(statement_as_function, "which is no function [module]")                                                         \
  W(number_as_function, "which is no function [module]")                                                            \
  W(empty_name, "a function of the module has an empty name [module]")                                              \
  W(missing_function, "the module has no function `gone` [global]")                                                 \
  W(one_public_name_twice, "which the function `kernel` has too [public-name]")                                     \
  W(public_name_is_number, "the attribute `global_symbol` must be a name, but is an int [attribute]")               \
  W(payload_is_number, "payload 0 of the module cannot be used: it is no map")                                      \
  /* Scopes and owners. */                                                                                          \
  W(undefined_variable, "the variable `ghost` is used but not defined before [scope]")                              \
  W(undefined_buffer, "the buffer `ghost` is used but not defined before [scope]")                                  \
  W(undefined_extent, "the variable `ghost` is used but not defined before [scope]")                                \
  W(use_after_scope, "is used outside of the scope of its definition [scope]")                                      \
  W(two_definitions, "the variable `i` is defined in two places [single-definition]")                               \
  W(definition_in_own_scope, "is defined again inside of its own scope [single-definition]")                        \
  W(parameter_twice, "the variable `k` is defined again inside of its own scope [single-definition]")               \
  W(owned_by_two, "is defined in two functions [owner]")                                                            \
  W(owned_by_another, "belongs to another function [owner]")                                                        \
  W(undefined_in_annotation, "the variable `ghost` is used but not defined before [scope]")                         \
  /* Loop functions. */                                                                                             \
  W(expression_as_statement, "must be a statement, but is the variable `k` [level]")                                \
  W(statement_as_expression, "must be an expression, but is a tir.Evaluate node [level]")                           \
  W(graph_in_loop, "belongs to the graph level, but stands in a loop function [level]")                             \
  W(operand_dtypes, "the operands of tir.Add are int64 and int32 [dtype-operands]")                                 \
  W(result_dtype, "but its operands give int64 [dtype-result]")                                                     \
  W(arithmetic_on_handles, "is not defined on handles [dtype-operands]")                                            \
  W(condition_is_number, "must be a bool expression, but is the variable `k` [condition-bool]")                     \
  W(index_count, "but tir.BufferLoad gives 2 indices [index-rank]")                                                 \
  W(index_is_float, "must be an integer, but is the variable `f` [index-integer]")                                  \
  W(stored_dtype, "a value of dtype int64 is stored in the buffer `x`, which holds float32 there [store-dtype]")    \
  W(lanes, "makes 1 lanes of float32 [vector-lanes]")                                                               \
  W(constant_range, "the integer constant 300 is no value of int8 [constant-range]")                                \
  W(loop_kind, "a loop has the unknown kind 9 [loop-kind]")                                                         \
  W(thread_without_name, "a loop is bound to a thread without a name [loop-kind]")                                  \
  W(loop_over_float, "of a loop must be a scalar integer, but is float32 [loop-variable]")                          \
  W(bind_outside_sequence, "tir.Bind must stand directly in a tir.Seq [statement-place]")                           \
  W(block_values, "has 1 axes, but is realized with 0 values [block-axes]")                                         \
  W(block_init, "has an init but no reduction axis [block-init]")                                                   \
  W(block_region_rank, "has 2 ranges, but the buffer has 1 dimensions [block-region]")                              \
  W(block_region_outside,                                                                                           \
    "begins at 12 and has the extent 8 in dimension 0, but the buffer has the extent 16 [block-region]")            \
  W(block_matches_dtype, "holds int32, but matches the buffer `x`, which holds float32 [block-region]")             \
  W(block_allocates_variable, "must be a tir.Buffer, but is the variable `v` [level]")                              \
  W(negative_extent, "an extent of the buffer `y` is -4 [buffer]")                                                  \
  W(strides, "has 1 extents but 2 strides [buffer]")                                                                \
  W(offset_is_text, "the offset of the buffer `y` is a string [buffer]")                                            \
  W(init_is_list, "`init` of tir.Block is an array whose element 0 is an int [level]")                              \
  W(unknown_operator, "there is no operator `tir.exq` [call-operator]")                                             \
  W(graph_operator_in_loop, "is an operator of the graph level, but stands in a loop function [call-operator]")     \
  W(operator_arguments, "takes 1 argument, but 2 are given [call-operator]")                                        \
  W(operator_dtype, "`tir.exp` takes float, not int64 [call-dtype]")                                                \
  W(operator_dtypes, "the arguments of `tir.pow` are float32 and int64 [call-dtype]")                               \
  W(call_arguments, "`kernel` takes 1 arguments, but 0 are given [call-arguments]")                                 \
  W(call_argument_dtype, "must hold float32, but the buffer `flags` holds bool [call-arguments]")                   \
  W(call_a_number, "what is called is the variable `k` [call-target]")                                              \
  /* Graph functions. */                                                                                            \
  W(loop_in_graph, "must be an expression, but is a tir.Evaluate node [graph-level]")                               \
  W(function_in_tuple, "must be an expression, but is a relax.Function node [graph-level]")                         \
  W(untyped_parameter, "the parameter `p` has no type [parameter]")                                                 \
  W(type_rank, "lists 1 dimensions, but its ndim is 2 [type]")                                                      \
  W(type_negative, "dimension 0 of a tensor type is -3 [type]")                                                     \
  W(binding_type, "is bound to is not of its type: its dtype is float32, not int64 [binding-type]")                 \
  W(unbound_dimension, "which no parameter and no match_cast gives [symbol]")                                       \
  W(hidden_variable, "is used outside of the dataflow block that binds it [dataflow]")                              \
  W(effect_in_dataflow, "which has effects, stands in a dataflow block [dataflow]")                                 \
  W(effect_in_pure, "which has effects, stands in a pure function [purity]")                                        \
  W(branch_condition,                                                                                               \
    "the condition of a branch is neither a bool nor a tensor of one bool without dimensions [branch]")             \
  W(result_type,                                                                                                    \
    "the result is not of the type that the function declares: its dimension 1 is 4, not 7 [return-type]")          \
  W(tuple_field, "field 2 is taken of a tuple of 1 [tuple]")                                                        \
  W(constant_bytes, "a constant has 8 bytes, but its type needs 64 [constant]")                                     \
  W(graph_operator_type, "is not of the type that the operator gives: its dimension 1 is 5, not 4 [operator-type]") \
  W(graph_operator_arguments, "[operator-type]")                                                                    \
  W(call_tir_rank, "does not fit the buffer `A`: it has 0 dimensions, not 1 [call-arguments]")                      \
  W(call_tir_count, "`kernel` takes 1 argument, but 1 and 1 output are given [call-arguments]")                     \
  W(call_graph_as_loop, "which is no loop function of the module [destination]")                                    \
  W(in_place_outside, "inplace_indices[0] is 3, but the call has 1 argument [in-place]")                            \
  W(recursion, "it calls itself, but does not declare the type of its result [recursion]")

#endif
