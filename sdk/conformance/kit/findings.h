// What a check finds out, as it goes: each line is on its way before the next call of the plugin, which may end the
// process.
#ifndef TENON_CONFORMANCE_FINDINGS_H
#define TENON_CONFORMANCE_FINDINGS_H

#include <functional>
#include <set>
#include <string>

namespace tenon::conformance {

class Findings {
 public:
  // `line(kind, text)` takes what is reported.
  using Sink = std::function<void(const std::string& kind, const std::string& text)>;
  explicit Findings(Sink sink) : sink_(std::move(sink)) {}

  // What is being done: stands in the result when the process dies or hangs.
  void at(const std::string& what) {
    at_ = what;
    sink_("at", what);
  }
  const std::string& where() const { return at_; }
  void fail(const std::string& rule, const std::string& why) {
    if (seen_.insert(rule + why).second && seen_.size() <= 20) sink_("fail", "[" + rule + "] " + at_ + ": " + why);
  }
  void note(const std::string& text) { sink_("note", text); }
  bool failed() const { return !seen_.empty(); }
  void done() { sink_("done", ""); }
  void skip(const std::string& why) { sink_("skip", why); }
  // A part of the result that must be the same in every process.
  void digest(const std::string& name, const std::string& digest) { sink_("digest", name + "\t" + digest); }
  void cell(const std::string& op, const std::string& dtype, const std::string& result, const std::string& note) {
    sink_("cell", op + "\t" + dtype + "\t" + result + "\t" + note);
  }

 private:
  Sink sink_;
  std::string at_;
  std::set<std::string> seen_;
};

}  // namespace tenon::conformance
#endif
