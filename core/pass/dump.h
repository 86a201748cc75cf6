// A folder with the text of every state of a module: 000-input.py, 003-PLUGIN-PASS.py, and the bytes of
// constants once each under data/.
#ifndef TENON_PASS_DUMP_H
#define TENON_PASS_DUMP_H

#include <set>
#include <string>

#include "tenon/cxx/builder.h"

namespace tenon {

class ModuleDump {
 public:
  // Makes the folder. Throws TN_ERROR_IO.
  ModuleDump(const Builder& b, std::string directory);
  // `number` 0 is the input; `label` is the full name of the pass.
  void write(size_t number, const std::string& label, const Node& module);

  // "p:simplify" as 3 gives "003-p-simplify.py".
  static std::string file_name(size_t number, const std::string& label);
  // The number at the start of a dump's file name, or -1.
  static long number_of(const std::string& file);

 private:
  const Builder& b_;
  std::string directory_;
  std::set<std::string> written_;  // digests
};

// Script text of a tree.
std::string print_text(const Builder& b, const Value& tree);

// Writes the text of a module, and before it, once each under data/ beside it, the bytes that the text names by their
// digest. `written` holds digests that need not be written again. Throws TN_ERROR_IO.
void write_module_text(const Builder& b, const Node& module, const std::string& path, std::set<std::string>& written);

}  // namespace tenon
#endif
