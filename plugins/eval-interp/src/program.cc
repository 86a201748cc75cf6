// Compiles a module: signatures first, because calls need those of their callees.
#include "program.h"

#include "compiler.h"
#include "graph.h"

namespace tenon::interp {

std::string position_text(const TnSpan* span) {
  if (!span || span->line == 0) return {};
  return std::string(span->source) + ":" + std::to_string(span->line) + ":" + std::to_string(span->column);
}

std::shared_ptr<const Program> compile_program(const Builder& b, const ir::Module& module, const Map& imports,
                                               const Options& options, const TnHostOps* ops, const TnContext* context) {
  auto program = std::make_shared<Program>(
      Program{b.runtime(), options, Node(module.get()), {}, {}, std::make_shared<GraphProgram>()});
  for (const Map::Entry& e : imports)
    if (e.value().type_index() == TN_FUNCTION)
      program->imports.emplace(e.key(),
                               Ref<TnFunction>::share(reinterpret_cast<const TnFunction*>(e.value().raw().as.object)));
  const WrittenParams written = find_written_params(b, module);
  for (const Map::Entry& e : module.functions()) {
    const auto* function = as_node(e.value()).as<tir::PrimFunc>();
    if (!function) continue;
    auto code = std::make_unique<Code>();
    code->name = e.key();
    code->signature = function_signature(e.key(), *function, written.find(e.key())->second);
    code->view = std::make_unique<SignatureView>(code->signature);
    program->functions.emplace(code->name, std::move(code));
  }
  const ModuleScope scope{b, *program, module, imports};
  // Graph functions first: loop functions may call them.
  compile_graph(scope, ops, context, b, *program->graph);
  for (auto& [name, code] : program->functions) {
    FunctionCompiler compiler(scope, *code);
    compiler.compile(as_node(*module.functions().find(name)).to<tir::PrimFunc>());
  }
  return program;
}

}  // namespace tenon::interp
