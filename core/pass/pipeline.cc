#include "pass/pipeline.h"

#include <charconv>

#include "diag/suggest.h"

namespace tenon {

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kModule: return "module";
    case Level::kLoop: return "loop";
    case Level::kGraph: return "graph";
  }
  return "";
}

namespace {

// The whole text as a number, or -1.
long number_of(std::string_view text) {
  long n = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size() ? n : -1;
}

}  // namespace

size_t find_stage(const Pipeline& pipeline, std::string_view reference, std::string_view purpose) {
  auto fail = [&](const std::string& why, const std::string& hint) -> Error {
    return Error(TN_ERROR_ARGUMENT, std::string(purpose) + " '" + std::string(reference) + "': " + why, {}, hint);
  };
  if (long n = number_of(reference); n >= 0) {
    if (n >= 1 && static_cast<size_t>(n) <= pipeline.stages.size()) return static_cast<size_t>(n) - 1;
    throw fail("the pipeline has " + std::to_string(pipeline.stages.size()) + " stages, numbered from 1", "");
  }
  std::string_view name = reference;
  long occurrence = 0;  // not given
  if (size_t hash = reference.find('#'); hash != std::string_view::npos) {
    name = reference.substr(0, hash);
    occurrence = number_of(reference.substr(hash + 1));
    if (occurrence < 1) throw fail("after '#' stands a number from 1", "");
  }
  std::vector<size_t> found;
  std::vector<std::string> names;
  for (size_t i = 0; i < pipeline.stages.size(); ++i) {
    names.push_back(pipeline.stages[i].pass->full_name());
    if (names.back() == name) found.push_back(i);
  }
  if (found.empty()) throw fail("the pipeline does not run this pass", did_you_mean(name, names));
  if (occurrence > 0) {
    if (static_cast<size_t>(occurrence) <= found.size()) return found[static_cast<size_t>(occurrence) - 1];
    throw fail("the pipeline runs it " + std::to_string(found.size()) + " times", "");
  }
  if (found.size() > 1) {
    std::string numbers;
    for (size_t i : found) numbers += (numbers.empty() ? "" : ", ") + std::to_string(i + 1);
    throw fail("the pipeline runs this pass more than once, as stages " + numbers,
               "write '" + std::string(name) + "#1', '#2', ..., or the number of the stage");
  }
  return found[0];
}

}  // namespace tenon
