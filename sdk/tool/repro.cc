// tenon repro: what an isolated plugin was asked when it failed is asked again.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tool.h"

namespace tenon::tool {

Run add_repro(Command& app, std::shared_ptr<Common> common) {
  auto folder = std::make_shared<std::string>();
  app.add_option("FOLDER", *folder, "the folder that the error named").required();
  return [=] {
    auto session = common->open();
    Json result = to_json(session->replay(*folder));  // fails when it fails again
    if (common->json) {
      print_json(result);
    } else {
      print_line(result["plugin"].get<std::string>() + ": does not fail any more in " +
                 result["what"].get<std::string>());
      print_line("  it was: " + result["error"].get<std::string>());
    }
    return int{kOk};
  };
}

}  // namespace tenon::tool
