// The fault matrix of loading: what can be wrong with a plugin, its package, its signature, the policy and the machine.
// Each case runs in a process of its own; it must end in an error with the code and the words of its cause, which name
// the plugin and say what to do, and never in a signal. Two causes never say the same words.
//
// The cases stand in fault_*_test.cc, one file for each thing that can be wrong.
#ifndef TENON_TESTS_PACKAGES_FAULT_MATRIX_H
#define TENON_TESTS_PACKAGES_FAULT_MATRIX_H

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "elf_patch.h"
#include "package_fixture.h"

namespace tenon {

struct Cause {
  const char* name;
  int32_t code;
  const char* words;  // of the message; no other cause's message has them
};
const std::vector<Cause>& fault_causes();

struct Outcome {
  int status = 0;
  int32_t code = 0;
  std::string message, where, hint;
};
// Runs f in another process.
Outcome in_child(const std::function<void()>& f);

class FaultMatrix : public testing::Test {
 protected:
  using Use = std::function<void(World&)>;
  // `names`: what the error must name: the plugin, unless it has no name yet.
  void expect(const std::string& cause, const std::string& label, const Use& use, const std::string& names = kId);
  // The library of a plugin in a search folder, patched.
  void library(const std::string& cause, const std::string& label, const std::function<void(ElfPatch&)>& patch);
  void manifest(const std::string& cause, const std::string& text);
  // A plugin without a name that could be asked for: `tenon plugin list` shows it.
  void listed(const std::string& cause, const std::string& text);
  // A signed package of a trusted key, changed, then installed.
  void package(const std::string& cause, const std::string& label, const std::function<void(std::string&)>& change);
  // A manifest that is right but for `from`, which reads `to`.
  static std::string manifest_with(const std::string& from, const std::string& to);
};

uint64_t table_of(ElfPatch& p);
size_t header_at(const std::string& archive, const std::string& path);

}  // namespace tenon
#endif
