// Whether the trust policy admits a plugin, and why.
#ifndef TENON_REGISTRY_TRUST_ADMISSION_H
#define TENON_REGISTRY_TRUST_ADMISSION_H

#include "registry/package/package.h"
#include "registry/trust/policy.h"

namespace tenon {

// Why the policy denies it by id, vendor, digest or path; code 0 when it does not.
Error denial(const Policy& policy, const PluginInfo& plugin);

// Each says why the plugin is admitted ("signed by key ed25519:... of Acme, which FILE trusts") or throws
// TN_ERROR_UNTRUSTED with what to do.
//
// `today` is "" when the plugin is installed already: a key that expired since then does not stop it.
std::string admit_package(const Policy& policy, const Package& package, const std::string& today);
std::string admit_unsealed(const Policy& policy, const PluginInfo& plugin);

}  // namespace tenon
#endif
