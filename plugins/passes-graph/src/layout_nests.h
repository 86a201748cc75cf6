// The nests of a loop function that only rewrite a parameter into another layout, and the function taken apart at them.
#ifndef PASSES_GRAPH_LAYOUT_NESTS_H
#define PASSES_GRAPH_LAYOUT_NESTS_H

#include <functional>
#include <vector>

#include "passes.h"

namespace tenon::graph {

// The block attribute that marks such a nest: TVM's own.
inline constexpr std::string_view kLayoutRewrite = "meta_schedule.layout_rewrite_preproc";

// Nests that fill one buffer from one parameter.
struct LayoutRewrite {
  std::string name;         // of the first block
  size_t source = 0;        // the parameter that is read
  Node packed;              // the buffer that is filled; allocated in the function
  std::vector<Node> nests;  // statements of the function's body, in order
};

// The rewrites of a function that may stand before it. What is marked and may not is told to `complain`, with the
// reason.
std::vector<LayoutRewrite> layout_rewrites(PassesGraph& self, const tir::PrimFunc& f,
                                           const std::function<void(const Node& at, const std::string& why)>& complain);

// The nests as a function of their own: params source, packed. Everything it defines is its own.
Node rewrite_function(const Builder& b, const tir::PrimFunc& f, const LayoutRewrite& rewrite);

// The function without the nests of `rewrites`, which takes the packed buffers instead. `inputs` is the number of
// tensors that it reads, which come first. `dropped` says for each rewrite whether the packed buffer stands in the
// place of its source; otherwise it follows the inputs.
Node packed_function(const Builder& b, const tir::PrimFunc& f, const std::vector<LayoutRewrite>& rewrites,
                     size_t inputs, std::vector<bool>& dropped);

}  // namespace tenon::graph
#endif
