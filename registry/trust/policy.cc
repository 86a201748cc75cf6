#include "registry/trust/policy.h"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "diag/sha256.h"
#include "registry/package/key.h"
#include "registry/yaml_reader.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

bool is_hex(std::string_view s, size_t digits) {
  return s.size() == digits && s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}
bool is_digest(std::string_view s) { return s.starts_with("sha256:") && is_hex(s.substr(7), 64); }

bool is_id(std::string_view s) {
  return !s.empty() && s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

// What a denial may name: what could never be met would deny nothing.
bool is_denied_thing(std::string_view kind, std::string_view value) {
  return kind == "key"      ? is_hex(value, 64)
         : kind == "digest" ? is_digest(value)
         : kind == "id"     ? is_id(value)
         : kind == "path"   ? value.starts_with('/')
                            : !value.empty();
}

// A name of that form may be there all the same.
bool is_pattern(const std::string& path) {
  struct stat status;
  return path.find_first_of("*?") != std::string::npos && ::lstat(path.c_str(), &status) != 0;
}

bool is_choice(std::string_view s) {
  if (s.starts_with("sha256:")) return s.size() >= 7 + 8 && is_hex(s.substr(7), s.size() - 7);
  return !s.empty() && s[0] >= '0' && s[0] <= '9' &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+_") ==
             std::string_view::npos;
}
bool is_plain_version(std::string_view s) {
  return !s.empty() && s.find_first_not_of("0123456789.") == std::string_view::npos;
}

class PolicyReader {
 public:
  PolicyReader(const Builder& b, const std::string& file) : r_(b, file) {}

  Policy read(const Yaml& top) {
    p_.files.push_back(r_.file());
    if (!top.is_null() &&
        r_.map(top, "the trust policy",
               {{"vendors"}, {"digests"}, {"paths"}, {"dev"}, {"deny"}, {"use"}, {"runtimes"}, {"locked"}})) {
      if (const Yaml* vendors = top.find("vendors")) read_vendors(*vendors);
      p_.digests = listed(top, "digests", "sha256: and 64 hex digits", is_digest);
      p_.paths = listed(top, "paths", "an absolute folder", [](std::string_view s) { return s.starts_with('/'); });
      p_.says_dev = top.find("dev") != nullptr;
      p_.dev = listed(top, "dev", "an absolute folder, command-line or environment", [](std::string_view s) {
        return s.starts_with('/') || s == "command-line" || s == "environment";
      });
      if (const Yaml* deny = top.find("deny")) read_denials(*deny);
      p_.use = texts_of(top, "use", "a version such as 1.2.0 or sha256:DIGEST", is_choice);
      p_.runtimes = texts_of(top, "runtimes", "a version such as 12.4", is_plain_version);
      p_.locked = r_.boolean(top, "locked", false);
    }
    raise(r_.complaints(), "correct the trust policy; until then nothing is trusted");
    return std::move(p_);
  }

 private:
  std::vector<std::string> listed(const Yaml& map, const char* key, const char* form,
                                  bool (*accepts)(std::string_view)) {
    const Yaml* list = map.find(key);
    std::vector<std::string> out = r_.texts(map, key);
    for (size_t i = 0; !out.empty() && i < list->items.size(); ++i)
      if (const Yaml& item = list->items[i]; item.is_scalar() && !accepts(item.text))
        r_.complain(item, "'" + std::string(key) + "' lists " + form + ", not '" + item.text + "'");
    return out;
  }

  std::map<std::string, std::string> texts_of(const Yaml& map, const char* key, const std::string& form,
                                              bool (*accepts)(std::string_view)) {
    std::map<std::string, std::string> out;
    const Yaml* node = map.find(key);
    if (!node || node->is_null()) return out;
    if (!node->is_map()) r_.complain(*node, "'" + std::string(key) + "' is a map, not " + yaml_kind(*node));
    for (const auto& [name, value] : node->entries) {
      if (!value.is_scalar() || !accepts(value.text))
        r_.complain(value, "'" + name.text + "' takes " + form + ", not " + yaml_kind(value));
      if (!out.emplace(name.text, value.text).second)
        r_.complain(name, "'" + name.text + "' comes twice in '" + key + "'", {}, TN_ERROR_DUPLICATE);
    }
    return out;
  }

  void read_vendors(const Yaml& list) {
    if (!list.is_list()) return r_.complain(list, "'vendors' is a list, not " + yaml_kind(list));
    for (const Yaml& item : list.items) {
      if (!r_.map(item, "a vendor", {{"name", true}, {"keys", true}})) continue;
      Policy::Vendor v{r_.text(item, "name"), r_.texts(item, "keys")};
      const Yaml* keys = item.find("keys");
      for (size_t i = 0; !v.keys.empty() && i < keys->items.size(); ++i)
        if (const Yaml& key = keys->items[i]; key.is_scalar() && !is_hex(key.text, 64))
          r_.complain(key, "a key is 64 hex digits, not '" + key.text + "'",
                      "it is the line 'public' of the key's file");
      p_.vendors.push_back(std::move(v));
    }
  }

  void read_denials(const Yaml& list) {
    if (!list.is_list()) return r_.complain(list, "'deny' is a list, not " + yaml_kind(list));
    for (const Yaml& item : list.items) {
      if (!r_.map(item, "a denial", {{"id"}, {"vendor"}, {"key"}, {"digest"}, {"path"}, {"reason"}})) continue;
      bool any = false;
      for (const char* kind : kDenials)
        if (item.find(kind)) {
          std::string value = r_.text(item, kind);
          if (std::string_view(kind) == "path" && is_pattern(value))
            r_.complain(*item.find(kind), "'" + value + "' is a pattern, and a denial names one folder or file",
                        "name the folder: what lies below it is denied too");
          if (!is_denied_thing(kind, value))
            r_.complain(*item.find(kind),
                        "'" + value + "' is no " + (std::string_view(kind) == "path" ? "absolute folder" : kind));
          p_.deny.push_back({kind, value, r_.text(item, "reason"), r_.where(item)});
          any = true;
        }
      if (!any) r_.complain(item, "a denial names an id, vendor, key, digest or path");
    }
  }

  YamlReader r_;
  Policy p_;
};

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += code;
    else
      out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return out + "\"";
}

// The user's and the site's together: denials and permissions of both; the site's choices go first.
void merge(Policy& into, Policy from) {
  auto append = [](auto& a, auto& b) { a.insert(a.end(), b.begin(), b.end()); };
  append(into.vendors, from.vendors);
  append(into.digests, from.digests);
  append(into.paths, from.paths);
  append(into.dev, from.dev);
  append(into.deny, from.deny);
  append(into.files, from.files);
  into.use.insert(from.use.begin(), from.use.end());
  into.runtimes.insert(from.runtimes.begin(), from.runtimes.end());
  into.says_dev = into.says_dev || from.says_dev;
}

}  // namespace

bool lies_below(const std::string& path, const std::string& folder) {
  std::error_code error;
  std::string p = fs::weakly_canonical(path, error).string(), f = fs::weakly_canonical(folder, error).string();
  return p == f || (p.size() > f.size() && p.starts_with(f) && (f.ends_with('/') || p[f.size()] == '/'));
}

bool Policy::allows_dev(std::string_view what) const {
  if (!says_dev && (what == "command-line" || what == "environment")) return true;
  for (const std::string& line : dev)
    if (line == what || (line[0] == '/' && what[0] == '/' && lies_below(std::string(what), line))) return true;
  return false;
}

PolicyPlaces policy_places(const std::string& override_user) {
  PolicyPlaces places{"/etc/tenon/trust.yaml", override_user, getauxval(AT_SECURE) != 0, !override_user.empty()};
  if (places.privileged) {
    places.user.clear();
    return places;
  }
  const char* variable = std::getenv("TENON_TRUST");
  if (places.user.empty() && variable) places.user = variable;
  if (!places.user.empty()) return places;
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config && *config == '/')
    places.user = std::string(config) + "/tenon/trust.yaml";
  else if (home && *home == '/')
    places.user = std::string(home) + "/.config/tenon/trust.yaml";
  return places;
}

Policy parse_policy(const Builder& b, const std::string& text, const std::string& file) {
  return PolicyReader(b, file).read(parse_yaml(text, file));
}

Policy read_policy_file(const Builder& b, const std::string& file) {
  struct stat status;
  if (::stat(file.c_str(), &status) == 0) {
    if ((status.st_mode & 022) != 0 && S_ISREG(status.st_mode))
      throw Error(TN_ERROR_UNTRUSTED, "the trust policy can be written by others, so it is not believed", file,
                  "chmod go-w " + file);
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
      throw Error(TN_ERROR_UNTRUSTED, "the trust policy belongs to another user, so it is not believed", file,
                  "a policy belongs to root or to the user who runs the program");
  }
  try {
    return PolicyReader(b, file).read(read_yaml(file));
  } catch (Error& e) {
    if (e.hint.empty()) e.hint = "correct the trust policy; until then nothing is trusted";
    e.message = "the trust policy cannot be read: " + e.message;
    throw;
  }
}

// A link to nothing, or a folder that may not be searched, is not the same as no policy. Below what is no folder, such
// as the home /dev/null of a service, there can be none.
bool is_there(const std::string& file) {
  struct stat status;
  return ::lstat(file.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

Policy read_policy(const Builder& b, const PolicyPlaces& places) {
  Policy policy;
  if (is_there(places.site)) policy = read_policy_file(b, places.site);
  if (policy.locked || places.privileged || places.user.empty()) return policy;
  if (!is_there(places.user) && !places.named) return policy;
  merge(policy, read_policy_file(b, places.user));
  return policy;
}

std::string policy_text(const Policy& p) {
  std::string out;
  auto list = [&](const char* key, const std::vector<std::string>& items, bool always) {
    if (items.empty() && !always) return;
    out += std::string(key) + (items.empty() ? ": []\n" : ":\n");
    for (const std::string& item : items) out += "  - " + quoted(item) + "\n";
  };
  auto map = [&](const char* key, const std::map<std::string, std::string>& items) {
    if (items.empty()) return;
    out += std::string(key) + ":\n";
    for (const auto& [name, value] : items) out += "  " + quoted(name) + ": " + quoted(value) + "\n";
  };
  if (!p.vendors.empty()) out += "vendors:\n";
  for (const Policy::Vendor& v : p.vendors) {
    out += "  - name: " + quoted(v.name) + "\n    keys:\n";
    for (const std::string& key : v.keys) out += "      - " + quoted(key) + "\n";
  }
  list("digests", p.digests, false);
  list("paths", p.paths, false);
  list("dev", p.dev, p.says_dev);
  if (!p.deny.empty()) out += "deny:\n";
  for (const Policy::Denial& d : p.deny)
    out +=
        "  - {" + d.kind + ": " + quoted(d.value) + (d.reason.empty() ? "" : ", reason: " + quoted(d.reason)) + "}\n";
  map("use", p.use);
  map("runtimes", p.runtimes);
  if (p.locked) out += "locked: true\n";
  return out;
}

}  // namespace tenon
