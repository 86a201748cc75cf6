#include "registry/trust/edit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "diag/files.h"
#include "diag/utf8.h"
#include "registry/package/key.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

bool is_digest(const std::string& s) {
  return s.starts_with("sha256:") && s.size() == 7 + 64 &&
         s.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

void refuse_wrong_digest(const std::string& s) {
  if (s.starts_with("sha256:"))
    throw Error(TN_ERROR_ARGUMENT, "'" + shortened(s, 200) + "' is no digest of a package", {},
                "write sha256: and 64 hex digits, as tenon plugin verify shows it");
}

void add(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

// The keys of a file, for a subject that is nothing else.
KeyChain keys_of(const std::string& subject, const std::string& others) {
  if (!is_regular_file(subject))
    throw Error(TN_ERROR_NOT_FOUND, "'" + subject + "' names nothing that a policy knows", {},
                "name the file of a public key, sha256: with 64 digits, or a folder" + others);
  return read_keys(subject);
}

std::string allow(Policy& p, const std::string& subject) {
  std::error_code error;
  if (is_digest(subject)) {
    add(p.digests, subject);
    return "trusts the package " + subject;
  }
  if (subject == "command-line" || subject == "environment" || fs::is_directory(subject, error)) {
    if (!p.says_dev) p.dev = {"command-line", "environment"};
    p.says_dev = true;
    std::string folder = fs::is_directory(subject, error) ? fs::canonical(subject).string() : subject;
    add(p.dev, folder);
    return "loads unsealed plugins below " + folder;
  }
  refuse_wrong_digest(subject);
  KeyChain keys = keys_of(subject, "; vendors and ids are trusted by their keys");
  auto vendor =
      std::find_if(p.vendors.begin(), p.vendors.end(), [&](const auto& v) { return v.name == keys[0].vendor; });
  if (vendor == p.vendors.end()) vendor = p.vendors.insert(vendor, {keys[0].vendor, {}});
  add(vendor->keys, keys[0].public_hex);
  return "trusts key " + key_name(keys[0].public_hex) + " for plugins of " + keys[0].vendor;
}

std::string deny(Policy& p, const std::string& subject, const std::string& reason) {
  std::error_code error;
  Policy::Denial d{"key", "", reason, ""};
  if (is_digest(subject))
    d = {"digest", subject, reason, ""};
  else if (subject.starts_with("vendor:"))
    d = {"vendor", subject.substr(7), reason, ""};
  else if (subject.starts_with("id:"))
    d = {"id", subject.substr(3), reason, ""};
  else if (fs::is_directory(subject, error))
    d = {"path", fs::canonical(subject).string(), reason, ""};
  else {
    refuse_wrong_digest(subject);
    d.value = keys_of(subject, ", or vendor:NAME, or id:NAME")[0].public_hex;
  }
  if (d.value.empty())
    throw Error(TN_ERROR_ARGUMENT, "'" + subject + "' names nobody", {}, "write " + subject + "NAME");
  p.deny.push_back(d);
  return "denies " + d.kind + " " + d.value;
}

std::string use(Policy& p, const std::string& subject) {
  size_t equals = subject.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(TN_ERROR_ARGUMENT, "'" + subject + "' does not say which version of a plugin to use", {},
                "write ID=VERSION, ID=sha256:DIGEST, or ID= to take it back");
  std::string id = subject.substr(0, equals), version = subject.substr(equals + 1);
  p.use.erase(id);
  if (version.empty()) return "uses the newest version of " + id;
  p.use[id] = version;
  return "uses version " + version + " of " + id;
}

// The lines with which a file begins that are comments.
std::string leading_comments(const std::string& text) {
  size_t at = 0;
  while (at < text.size() && text[at] == '#') at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return text.substr(0, at);
}

}  // namespace

std::string edit_policy(const Builder& b, const std::string& file, const PolicyEdit& edit) {
  make_directories(fs::path(file).parent_path().string());
  int lock = ::open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct Close {
    int fd;
    ~Close() {
      if (fd >= 0) ::close(fd);
    }
  } closer{lock};
  if (lock >= 0) ::flock(lock, LOCK_EX);
  Policy policy;
  std::string head = "# Whose plugins Tenon loads. Written by: tenon plugin trust\n";
  std::error_code error;
  if (fs::exists(file, error)) {
    policy = read_policy_file(b, file);
    head = leading_comments(read_file(file));
  }
  std::string done;
  if (edit.command == "allow")
    done = allow(policy, edit.subject);
  else if (edit.command == "deny")
    done = deny(policy, edit.subject, edit.reason);
  else if (edit.command == "use")
    done = use(policy, edit.subject);
  else
    throw Error(TN_ERROR_ARGUMENT, "trust has no command '" + edit.command + "'", {}, "allow, deny, use or show");
  const std::string text = head + policy_text(policy);
  try {
    parse_policy(b, text, file);
  } catch (const Error& e) {  // what nobody could read again is not written
    throw Error(TN_ERROR_ARGUMENT, "the trust policy cannot say that: " + e.message, file,
                "it was not changed; name a key's file, sha256:DIGEST, a folder, vendor:NAME or id:NAME");
  }
  write_file(file, text);
  ::chmod(file.c_str(), 0644);
  return done;
}

}  // namespace tenon
