// Versions as manifests write them, and ranges of versions.
#ifndef TENON_REGISTRY_PACKAGE_VERSION_H
#define TENON_REGISTRY_PACKAGE_VERSION_H

#include <string>
#include <string_view>
#include <vector>

namespace tenon {

// Below 0, 0 or above 0, as strcmp: numbers between dots are compared as numbers, a missing one is 0, and what has a
// "-suffix" comes before what has none.
int compare_versions(std::string_view a, std::string_view b);

// ">=12,<14": every part must hold. The operators are >=, >, <=, < and =; "=12" and plain "12" take every 12.x.
class VersionRange {
 public:
  VersionRange() = default;  // takes every version
  // Why the text is no range; empty when it is one.
  static std::string problem(std::string_view text);
  explicit VersionRange(std::string_view text);
  bool contains(std::string_view version) const;

 private:
  struct Part {
    std::string op, version;
  };
  std::vector<Part> parts_;
};

}  // namespace tenon
#endif
