// Why a plugin's library would not load, or should not: read from its bytes and from what is installed, without running
// any of it.
#ifndef TENON_REGISTRY_PACKAGE_DOCTOR_H
#define TENON_REGISTRY_PACKAGE_DOCTOR_H

#include <string>
#include <vector>

#include "tenon/cxx/object.h"

namespace tenon {

struct Finding {
  std::string check;  // "needed libraries"
  Error error;        // code 0 when there is nothing to complain of; `message` completes "it ..."
};

struct Diagnosis {
  std::string file;
  std::vector<Finding> findings;  // one a check, in the order in which the loader would fail; then what is bad style
  std::string sdk, build_id;      // what the library says of itself; "" when it does not
  const Finding* first_problem() const;
};

Diagnosis diagnose_library(const std::string& file);

// What must be right before the loader may map the file, because its code runs while it is mapped: the entry is there,
// no text relocations, no executable stack. Code 0 when all is right.
Error mapping_problem(const std::string& file);

}  // namespace tenon
#endif
