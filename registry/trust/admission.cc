#include "registry/trust/admission.h"

#include <algorithm>
#include <filesystem>

namespace tenon {

namespace {

std::string name_of(const PluginInfo& p) { return "the plugin '" + p.id + "' " + p.version; }

Error refused(const PluginInfo& p, const std::string& why, const std::string& hint) {
  return Error(TN_ERROR_UNTRUSTED, name_of(p) + " is not trusted: " + why, p.manifest, hint);
}

Error denied_by(const PluginInfo& p, const Policy::Denial& d) {
  return refused(p,
                 "the trust policy denies " + d.kind + " '" + d.value + "'" +
                     (d.reason.empty() ? "" : ": " + d.reason) + " (" + d.where + ")",
                 "remove the plugin, or install a version that is not denied");
}

std::string files_of(const Policy& policy) {
  std::string out;
  for (const std::string& f : policy.files) out += (out.empty() ? "" : " and ") + f;
  return out.empty() ? "no trust policy" : out;
}

// The vendor that the policy trusts with this key; null when none.
const Policy::Vendor* vendor_of_key(const Policy& policy, const std::string& public_hex) {
  for (const Policy::Vendor& v : policy.vendors)
    if (std::find(v.keys.begin(), v.keys.end(), public_hex) != v.keys.end()) return &v;
  return nullptr;
}

}  // namespace

namespace {
std::string folder_of(const PluginInfo& p) { return std::filesystem::path(p.manifest).parent_path().string(); }

// Its folder and its library, which may be a link to elsewhere.
bool all_lie_below(const PluginInfo& p, const std::string& folder) {
  return lies_below(folder_of(p), folder) && (p.library.empty() || lies_below(p.library, folder));
}
bool any_lies_below(const PluginInfo& p, const std::string& place) {
  return lies_below(folder_of(p), place) || lies_below(p.manifest, place) ||
         (!p.library.empty() && lies_below(p.library, place));
}
}  // namespace

Error denial(const Policy& policy, const PluginInfo& p) {
  for (const Policy::Denial& d : policy.deny) {
    bool hit = d.kind == "id"       ? d.value == p.id
               : d.kind == "vendor" ? d.value == p.vendor
               : d.kind == "digest" ? d.value == p.digest
               : d.kind == "path"   ? any_lies_below(p, d.value)
                                    : false;
    if (hit) return denied_by(p, d);
  }
  return Error(0, "");
}

std::string admit_package(const Policy& policy, const Package& package, const std::string& today) {
  const PluginInfo& p = package.plugin;
  if (Error e = denial(policy, p); e.code) throw e;
  const KeyChain none;
  const KeyChain& keys = package.signature ? package.signature->keys : none;
  for (const Key& key : keys)
    for (const Policy::Denial& d : policy.deny)
      if (d.kind == "key" && d.value == key.public_hex) throw denied_by(p, d);
  if (std::find(policy.digests.begin(), policy.digests.end(), package.digest) != policy.digests.end())
    return "its digest is listed in " + files_of(policy);
  if (keys.empty())
    throw refused(
        p, "its package is not signed",
        "ask " + p.vendor + " to sign it; to trust exactly these bytes: tenon plugin trust allow " + package.digest);
  const std::string signer = "key " + key_name(keys[0].public_hex) + " of " + keys[0].vendor;
  for (const Key& key : keys)
    if (key.vendor != p.vendor)
      throw refused(p, "its manifest says vendor '" + p.vendor + "', but it is signed by " + signer,
                    "a key signs plugins of its own vendor; this is a mistake or a forgery");
  for (const Key& key : keys) {
    const Policy::Vendor* vendor = vendor_of_key(policy, key.public_hex);
    if (!vendor) continue;
    if (vendor->name != p.vendor)
      throw refused(p, "the trust policy gives " + signer + " to the vendor '" + vendor->name + "'",
                    "a key signs plugins of its own vendor; this is a mistake or a forgery");
    if (!today.empty() && keys[0].expired(today))
      throw refused(p, "it is signed by " + signer + ", which expired on " + keys[0].expires,
                    keys[0].successor.empty() ? "ask " + p.vendor + " for a package signed with a valid key"
                                              : "ask " + p.vendor + " for a package signed with the key's successor " +
                                                    key_name(keys[0].successor));
    return "signed by " + signer + (&key == &keys[0] ? "" : ", successor of key " + key_name(key.public_hex)) +
           ", trusted in " + files_of(policy);
  }
  throw refused(p,
                "it is signed by " + signer + ", and " +
                    (policy.files.empty() ? "without a trust policy this machine does not trust that key"
                                          : files_of(policy) + " does not trust that key"),
                "when the key is the vendor's: tenon plugin trust allow KEY.pub");
}

std::string admit_unsealed(const Policy& policy, const PluginInfo& p) {
  if (Error e = denial(policy, p); e.code) throw e;
  if (p.origin == "installation") return "a part of this installation";
  for (const std::string& path : policy.paths)
    if (all_lie_below(p, path)) return "the trust policy lists the folder " + path;
  if (p.origin == "command line" && policy.allows_dev("command-line"))
    return "its folder was given by name (dev: command-line)";
  if (p.origin == "environment" && policy.allows_dev("environment"))
    return "its folder is in TENON_PLUGIN_PATH (dev: environment)";
  for (const std::string& line : policy.dev)
    if (line.starts_with('/') && all_lie_below(p, line)) return "it lies below a 'dev' folder of the trust policy";
  throw refused(p,
                policy.files.empty() ? "it is not sealed, and without a trust policy no unsealed plugin is loaded there"
                                     : "it is not sealed, and " + files_of(policy) + " admits no unsealed plugin there",
                "install its package, or as a developer: tenon plugin trust allow " + folder_of(p));
}

}  // namespace tenon
