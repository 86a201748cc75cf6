#include "command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <climits>

#include "diag/suggest.h"

namespace tenon::tool {

namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

// A shell gives an empty text for a variable that is not set; it must not pass for an option that was left out.
CLI::Option* filled(CLI::Option* option) {
  return option->check(CLI::Validator(
      [](const std::string& text) { return text.empty() ? std::string("an empty text is no value") : std::string(); },
      ""));
}

}  // namespace

Option Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::one_of(const std::vector<std::string>& words) {
  auto problem = [words](const std::string& word) {
    if (std::find(words.begin(), words.end(), word) != words.end()) return std::string();
    return "there is no '" + word + "'; " + did_you_mean(word, words, "it takes one of " + joined(words));
  };
  option_->check(CLI::Validator(problem, "{" + joined(words) + "}"));
  return *this;
}

Option Option::count(int n) {
  option_->expected(n);
  return *this;
}

Option Option::positive() {
  auto problem = [](const std::string& text) {
    char* end = nullptr;
    double value = std::strtod(text.c_str(), &end);
    bool right = !text.empty() && *end == '\0' && value > 0 && value <= INT_MAX;
    return right ? std::string() : "'" + text + "' is not a number from 1 to " + std::to_string(INT_MAX);
  };
  option_->check(CLI::Validator(problem, ""));
  return *this;
}

Command::Command(const std::string& name, const std::string& summary, const std::string& version)
    : name_(name), owned_(std::make_unique<CLI::App>(summary, name)), app_(owned_.get()) {
  app_->set_version_flag("--version", version);
}

Command::Command(const std::string& name, CLI::App* app) : name_(name), app_(app) {}

Command::~Command() = default;

Option Command::add_option(const std::string& names, std::string& to, const std::string& help) {
  return Option(filled(app_->add_option(names, to, help)));
}

Option Command::add_option(const std::string& names, std::vector<std::string>& to, const std::string& help) {
  CLI::Option* option = app_->add_option(names, to, help);
  if (names[0] == '-') option->expected(1)->take_all()->allow_extra_args(false);
  return Option(filled(option));
}

Option Command::add_option(const std::string& names, int& to, const std::string& help) {
  auto problem = [](const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool right = error == std::errc() && end == text.data() + text.size();
    return right ? std::string() : "'" + text + "' is not a whole number";
  };
  return Option(app_->add_option(names, to, help)->check(CLI::Validator(problem, "")));
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
  return names;
}

Command* Command::find(const std::string& name) const {
  for (const auto& command : commands_)
    if (command->name_ == name) return command.get();
  return nullptr;
}

// Says what no parser of options says well: the verb or option that there is not, with the nearest that there is. Fills
// `path` with the commands that the words name.
void Command::check_words(int argc, char** argv, std::vector<Command*>& path) {
  path = {this};
  auto option_of = [&](const std::string& word) -> CLI::Option* {
    for (const Command* command : path)
      if (CLI::Option* o = command->app_->get_option_no_throw(word)) return o;
    return nullptr;
  };
  auto path_text = [&] {
    std::string out;
    for (const Command* command : path) out += (out.empty() ? "" : " ") + command->name_;
    return out;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") return;
    if (word.size() < 2 || word[0] != '-') {
      if (path.back()->commands_.empty()) continue;
      Command* next = path.back()->find(word);
      if (!next) {
        std::vector<std::string> verbs;
        for (const auto& command : path.back()->commands_) verbs.push_back(command->name_);
        throw UsageError(
            path.size() == 1 ? "there is no verb '" + word + "'" : "'" + path_text() + "' has no verb '" + word + "'",
            did_you_mean(word, verbs, "the verbs are: " + joined(verbs)));
      }
      path.push_back(next);
      continue;
    }
    const size_t equals = word.find('=');
    const bool is_long = word[1] == '-';
    const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const CLI::Option* option = option_of(name);
    if (!option) {
      std::vector<std::string> known;
      for (const Command* command : path)
        for (std::string& n : command->option_names()) known.push_back(std::move(n));
      for (const auto& command : path.back()->commands_)
        if (command->app_->get_option_no_throw(name))
          throw UsageError("'" + path_text() + "' has no option " + name,
                           "it stands behind the verb: " + path_text() + " VERB " + name);
      throw UsageError("'" + path_text() + "' has no option " + name,
                       did_you_mean(name, known, "see: " + path_text() + " --help"));
    }
    const bool takes_value = option->get_expected_max() > 0 && option->get_type_size() > 0;
    if (!takes_value && is_long && equals != std::string::npos) throw UsageError(name + " takes no value");
    if (!takes_value || (is_long ? equals != std::string::npos : word.size() > 2)) continue;
    const std::string next = i + 1 < argc ? argv[i + 1] : "";
    if (i + 1 == argc || (next.starts_with("--") && option_of(next.substr(0, next.find('=')))))
      throw UsageError(name + " needs a value" + (next.empty() ? "" : ", and " + next + " follows"),
                       "see: " + path_text() + " --help");
    ++i;
  }
}

// Help shows what a command takes itself; the options of those around it may stand there too.
void Command::add_footers(const std::vector<std::string>& outer, const std::string& path) {
  if (!outer.empty())
    app_->footer("Options of '" + path + "' (see there) may stand here too:\n  " + joined(outer) + "\n");
  std::vector<std::string> own;
  const std::string own_path = path.empty() ? name_ : path + " " + name_;
  for (std::string& name : option_names())
    if (name != "--help" && name != "--version") own.push_back(std::move(name));
  for (const auto& command : commands_) command->add_footers(own, own_path);
}

std::optional<int> Command::parse(int argc, char** argv) {
  add_footers({}, "");
  std::vector<Command*> path;
  check_words(argc, argv, path);
  std::string text;
  for (const Command* command : path) text += (text.empty() ? "" : " ") + command->name_;
  try {
    app_->parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& e) { return app_->exit(e); } catch (const CLI::ParseError& e) {
    if (const auto& verbs = path.back()->commands_; !verbs.empty()) {
      std::vector<std::string> names;
      for (const auto& command : verbs) names.push_back(command->name_);
      throw UsageError("'" + text + "' needs a verb", "the verbs are: " + joined(names));
    }
    throw UsageError(e.what(), "see: " + text + " --help");
  }
}

}  // namespace tenon::tool
