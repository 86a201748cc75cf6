// Changes a trust policy file: `tenon plugin trust allow|deny|use`.
#ifndef TENON_REGISTRY_TRUST_EDIT_H
#define TENON_REGISTRY_TRUST_EDIT_H

#include "registry/trust/policy.h"

namespace tenon {

struct PolicyEdit {
  std::string command;  // allow, deny or use
  // allow: a public key file, a digest, or a folder of a build tree; deny: a key file, a digest, a folder, vendor:NAME
  // or id:NAME; use: ID=VERSION or ID=sha256:..., ID= to take it back
  std::string subject;
  std::string reason;
};

// Writes the file anew, complete or not at all; comments at its beginning are kept. Gives a sentence that says what
// changed.
std::string edit_policy(const Builder& b, const std::string& file, const PolicyEdit& edit);

}  // namespace tenon
#endif
