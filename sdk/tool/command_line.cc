#include "command_line.h"

#include <CLI/CLI.hpp>

#include "diag/suggest.h"

namespace tenon::tool {

Option Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option Option::count(int n) {
  option_->expected(n);
  return *this;
}

Option Option::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Command::Command(const std::string& name, const std::string& summary, const std::string& version)
    : name_(name), owned_(std::make_unique<CLI::App>(summary, name)), app_(owned_.get()) {
  app_->set_version_flag("--version", version);
}

Command::Command(const std::string& name, CLI::App* app) : name_(name), app_(app) {}

Command::~Command() = default;

Option Command::add_option(const std::string& names, std::string& to, const std::string& help) {
  return Option(app_->add_option(names, to, help));
}

Option Command::add_option(const std::string& names, std::vector<std::string>& to, const std::string& help) {
  CLI::Option* option = app_->add_option(names, to, help);
  if (names[0] == '-') option->expected(1)->take_all()->allow_extra_args(false);
  return Option(option);
}

Option Command::add_option(const std::string& names, int& to, const std::string& help) {
  return Option(app_->add_option(names, to, help));
}

Option Command::add_option(const std::string& names, double& to, const std::string& help) {
  return Option(app_->add_option(names, to, help));
}

Option Command::add_flag(const std::string& names, bool& to, const std::string& help) {
  return Option(app_->add_flag(names, to, help));
}

Command* Command::add_command(const std::string& name, const std::string& summary) {
  app_->require_subcommand(1);
  if (!owned_) app_->fallthrough();
  CLI::App* app = app_->add_subcommand(name, summary);
  if (!owned_) app->fallthrough();
  commands_.emplace_back(new Command(name, app));
  return commands_.back().get();
}

bool Command::parsed() const { return app_->parsed(); }

std::vector<std::string> Command::option_names() const {
  std::vector<std::string> names;
  for (const CLI::Option* o : app_->get_options())
    for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
  for (const auto& command : commands_)
    for (std::string& name : command->option_names()) names.push_back(std::move(name));
  return names;
}

std::optional<int> Command::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& e) { return app_->exit(e); } catch (const CLI::ParseError& e) {
    std::string hint = "see: " + name_ + " --help";
    for (const auto& command : commands_) {
      if (!command->parsed()) continue;
      hint = "see: " + name_ + " " + command->name_ + " --help";
      const std::vector<std::string> known = command->option_names();
      for (int i = 2; i < argc; ++i) {
        std::string word = argv[i];
        word = word.substr(0, word.find('='));
        bool is_known = word.rfind("--", 0) != 0 || std::find(known.begin(), known.end(), word) != known.end();
        if (!is_known)
          throw UsageError("'" + name_ + " " + command->name_ + "' has no option " + word,
                           did_you_mean(word, known, hint));
      }
    }
    throw UsageError(e.what(), hint);
  }
}

}  // namespace tenon::tool
