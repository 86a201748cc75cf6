// Watches the references of what a plugin makes: every fresh object that a service gives it is held with a thousand
// references more, and when the plugin is done exactly these must be left. More is a leak, less a double release.
#ifndef TENON_CONFORMANCE_PINS_H
#define TENON_CONFORMANCE_PINS_H

#include <tenon/ir.h>
#include <tenon/runtime.h>

#include <mutex>
#include <string>
#include <vector>

namespace tenon::conformance {

class Pins {
 public:
  Pins(const TnRuntime* runtime, const TnHostIr* ir);
  ~Pins();
  Pins(const Pins&) = delete;

  // The tables to give to the plugin.
  const TnRuntime* runtime() const { return &runtime_; }
  const TnHostIr* ir() const { return &ir_; }

  // Lets all of them go. What is wrong with them: "a string that it made has 1 reference left", at most five.
  std::vector<std::string> finish();

  void pin(const TnValue* v, const char* maker);

 private:
  struct Pinned {
    TnObject* object;
    const char* maker;
  };
  std::mutex mutex_;
  std::vector<Pinned> pinned_;
  TnRuntime runtime_;
  TnHostIr ir_;
};

}  // namespace tenon::conformance
#endif
