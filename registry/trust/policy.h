// The trust policy: whose plugins are loaded. Two files are read, the site's and the user's; sdk/docs/trust.md
// describes them.
#ifndef TENON_REGISTRY_TRUST_POLICY_H
#define TENON_REGISTRY_TRUST_POLICY_H

#include <map>
#include <string>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

struct Policy {
  struct Vendor {
    std::string name;
    std::vector<std::string> keys;  // public keys in hex
  };
  struct Denial {
    std::string kind;  // a row of kDenials
    std::string value, reason;
    std::string where;  // file:line:col
  };
  std::vector<Vendor> vendors;
  std::vector<std::string> digests;             // packages that are trusted as they are
  std::vector<std::string> paths;               // folders whose plugins load unsealed
  std::vector<std::string> dev;                 // build trees: folders, "command-line", "environment"
  bool says_dev = false;                        // false: the default, both words
  std::vector<Denial> deny;                     // goes before all that admits
  std::map<std::string, std::string> use;       // id -> version or digest
  std::map<std::string, std::string> runtimes;  // stated versions
  bool locked = false;                          // the site's: no other file is read

  std::vector<std::string> files;  // that were read
  bool allows_dev(std::string_view word_or_folder) const;
};

inline constexpr const char* kDenials[] = {"id", "vendor", "key", "digest", "path"};

struct PolicyPlaces {
  std::string site, user;   // files; the user's is "" where there is none
  bool privileged = false;  // the program runs with another user's rights
  bool named = false;       // the user's was named on the command line or by the program: it must be there
};
// `override_user` instead of the user's own file, as TENON_TRUST is; neither counts in a privileged program.
PolicyPlaces policy_places(const std::string& override_user);

// Throws what is wrong with a file: then nothing is trusted. A file that others may write is refused.
Policy read_policy(const Builder& b, const PolicyPlaces& places);
Policy read_policy_file(const Builder& b, const std::string& file);
Policy parse_policy(const Builder& b, const std::string& text, const std::string& file);
// As it is written into a file.
std::string policy_text(const Policy& policy);

// Whether `path` is `folder` or lies in it, links followed.
bool lies_below(const std::string& path, const std::string& folder);

}  // namespace tenon
#endif
