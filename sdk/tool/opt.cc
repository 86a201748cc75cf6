// tenon opt: runs passes on a module, text in, text out.
#include <nlohmann/json.hpp>

#include "passes.h"

namespace tenon::tool {

Run add_opt(Command& app, std::shared_ptr<Common> common) {
  struct Args {
    std::string module, output;
    PassOptions passes;
  };
  auto args = std::make_shared<Args>();
  app.add_option("MODULE", args->module, "the module's text, '-' for standard input");
  args->passes.add_to(app);
  app.add_option("-o,--output", args->output, "write the text there instead of to standard output").type_name("FILE");
  return [args, common] {
    if (args->module.empty() && args->passes.start_from.empty())
      throw UsageError("a module is needed", "tenon opt MODULE.py --pass PLUGIN:PASS");
    auto session = common->open();
    PassesResult result = run_passes(*session, *common, args->passes, args->module, "");
    if (common->json && (args->output.empty() || args->output == "-")) {
      print_json(
          with_check(Json{{"module", session->print(result.module)}, {"passes", to_json(result.records)}}, result));
      return int{kOk};
    }
    write_module(*session, result.module, args->output);
    if (common->json)
      print_json(with_check(Json{{"output", args->output}, {"passes", to_json(result.records)}}, result));
    return int{kOk};
  };
}

}  // namespace tenon::tool
