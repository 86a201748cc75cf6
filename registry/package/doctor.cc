#include "registry/package/doctor.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "registry/elf.h"
#include "registry/package/elf_image.h"
#include "registry/package/library_search.h"
#include "registry/package/version.h"

namespace tenon {

namespace {

const Error kFine(0, "");

std::string listed(const std::vector<std::string>& names, size_t most) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < most; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
  return out;
}

Error entry_problem(const ElfImage& image) {
  for (const ElfSymbol& s : image.symbols)
    if (s.defined && s.name == TN_PLUGIN_SYMBOL) return kFine;
  return Error(TN_ERROR_PLUGIN, "exports no symbol '" TN_PLUGIN_SYMBOL "'", {}, "declare the plugin with TENON_PLUGIN");
}

Error text_relocation_problem(const ElfImage& image) {
  if (!image.text_relocations) return kFine;
  return Error(TN_ERROR_PLUGIN, "has text relocations: its code would be made writable", {},
               "compile all of it with -fPIC");
}

Error stack_problem(const ElfImage& image) {
  if (!image.executable_stack) return kFine;
  return Error(TN_ERROR_PLUGIN, "asks for an executable stack, which the whole process would get", {},
               "link with -Wl,-z,noexecstack, and give assembly files a .note.GNU-stack section");
}

Error writable_code_problem(const ElfImage& image) {
  if (!image.writable_code) return kFine;
  return Error(TN_ERROR_PLUGIN, "has a segment that is writable and executable", {}, "link without -N");
}

Error program_problem(const ElfImage& image) {
  if (!image.is_program) return kFine;
  return Error(TN_ERROR_CORRUPT, "is a program, not a shared library", {}, "link it with -shared");
}

Error export_problem(const ElfImage& image) {
  std::vector<std::string> others;
  for (const std::string& name : image.exports())
    if (name != TN_PLUGIN_SYMBOL) others.push_back(name);
  if (others.empty()) return kFine;
  return Error(TN_ERROR_PLUGIN,
               "exports " + std::to_string(others.size()) + (others.size() == 1 ? " symbol" : " symbols") +
                   " besides " TN_PLUGIN_SYMBOL ": " + listed(others, 3),
               {},
               "build it with tenon_add_plugin, or link with a version script that leaves " TN_PLUGIN_SYMBOL " alone");
}

Error unique_problem(const ElfImage& image) {
  std::vector<std::string> names;
  for (const ElfSymbol& s : image.symbols)
    if (s.unique && s.defined) names.push_back(s.name);
  if (names.empty()) return kFine;
  return Error(TN_ERROR_PLUGIN, "defines symbols that are one for the whole process: " + listed(names, 3), {},
               "compile with -fno-gnu-unique");
}

// The libraries that a library brings, itself first, in the loader's order.
class Closure {
 public:
  explicit Closure(const std::string& file) { visit(file, "", file); }

  Error missing_library() const { return missing_; }
  Error missing_version() const {
    for (const auto& [file, image] : images_)
      for (const ElfVersionNeed& need : image.version_needs) {
        auto provider = by_soname_.find(need.library);
        if (need.weak || provider == by_soname_.end()) continue;
        const std::vector<std::string>& has = image_of(provider->second)->version_definitions;
        if (has.empty() || std::find(has.begin(), has.end(), need.version) != has.end()) continue;
        return Error(TN_ERROR_NOT_FOUND,
                     "needs " + need.version + " of " + need.library + by(file) + ", and " + provider->second +
                         " has " + newest_like(has, need.version),
                     {}, "build the plugin on an older system, or upgrade this one");
      }
    return kFine;
  }
  Error missing_symbol() const {
    if (missing_.code) return kFine;  // it may be there
    std::set<std::string_view> defined;
    for (const auto& [file, image] : images_)
      for (const ElfSymbol& s : image.symbols)
        if (s.defined) defined.insert(s.name);
    std::vector<std::string> missing;
    for (const ElfSymbol& s : images_[0].second.symbols)
      if (!s.defined && !s.weak && !defined.count(s.name)) missing.push_back(s.name);
    if (missing.empty()) return kFine;
    return Error(TN_ERROR_NOT_FOUND, "needs the symbol " + listed(missing, 3) + ", which no library provides", {},
                 "link what defines it into the plugin; -Wl,-z,defs finds this at build time");
  }
  const ElfImage& own() const { return images_[0].second; }

 private:
  void visit(const std::string& file, const std::string& soname, const std::string& needed_by) {
    if (!soname.empty()) by_soname_.emplace(soname, file);
    if (image_of(file)) return;
    MappedFile mapped(file);
    images_.emplace_back(file, read_elf(mapped.bytes()));
    const ElfImage image = images_.back().second;
    std::string origin = std::filesystem::absolute(file).parent_path().string();
    std::vector<std::string> folders = run_path(image.runpath.empty() ? image.rpath : image.runpath, origin);
    for (const std::string& name : image.needed) {
      if (by_soname_.count(name)) continue;
      std::string found = search_.find(name, folders);
      if (!found.empty()) {
        visit(found, name, file);
      } else if (!missing_.code) {
        std::string by = file == needed_by ? "" : " (for " + std::filesystem::path(file).filename().string() + ")";
        missing_ = Error(TN_ERROR_NOT_FOUND, "needs the library " + name + by + ", which is not found on this machine",
                         {}, "install what is missing, then try again");
      }
    }
  }
  const ElfImage* image_of(const std::string& file) const {
    for (const auto& [name, image] : images_)
      if (name == file) return &image;
    return nullptr;
  }
  std::string by(const std::string& file) const {
    return file == images_[0].first ? "" : " (for " + std::filesystem::path(file).filename().string() + ")";
  }
  // "GLIBCXX up to GLIBCXX_3.4.30"
  static std::string newest_like(const std::vector<std::string>& has, const std::string& wanted) {
    std::string stem = wanted.substr(0, wanted.find_first_of("0123456789")), newest;
    for (const std::string& name : has) {
      if (!name.starts_with(stem) || name.size() == stem.size() || name[stem.size()] < '0' || name[stem.size()] > '9')
        continue;
      if (newest.empty() || compare_versions(name.substr(stem.size()), newest.substr(stem.size())) > 0) newest = name;
    }
    return newest.empty() ? "no such version" : "versions up to " + newest;
  }

  LibrarySearch search_;
  std::vector<std::pair<std::string, ElfImage>> images_;
  std::map<std::string, std::string> by_soname_;
  Error missing_ = kFine;
};

}  // namespace

const Finding* Diagnosis::first_problem() const {
  for (const Finding& f : findings)
    if (f.error.code) return &f;
  return nullptr;
}

Diagnosis diagnose_library(const std::string& file) {
  Diagnosis d{file, {}, {}, {}};
  std::string header = library_problem(file);
  if (!header.empty()) {
    bool absent = header == "does not exist", foreign = header.find("built for") != std::string::npos;
    d.findings.push_back(
        {"file", Error(absent    ? TN_ERROR_NOT_FOUND
                       : foreign ? TN_ERROR_ABI_MISMATCH
                                 : TN_ERROR_CORRUPT,
                       header, {}, foreign ? "get the build of the plugin for this machine" : "get the file again")});
    return d;
  }
  Closure closure(file);
  const ElfImage& image = closure.own();
  d.findings.push_back(
      {"file", image.problem.empty() ? kFine : Error(TN_ERROR_CORRUPT, image.problem, {}, "get the file again")});
  if (!image.problem.empty()) return d;
  d.sdk = image.note.sdk;
  d.build_id = image.build_id;
  d.findings.push_back({"kind of file", program_problem(image)});
  d.findings.push_back({"needed libraries", closure.missing_library()});
  d.findings.push_back({"symbol versions", closure.missing_version()});
  d.findings.push_back({"needed symbols", closure.missing_symbol()});
  d.findings.push_back({"entry", entry_problem(image)});
  d.findings.push_back({"exported symbols", export_problem(image)});
  d.findings.push_back({"text relocations", text_relocation_problem(image)});
  d.findings.push_back({"stack", stack_problem(image)});
  d.findings.push_back({"writable code", writable_code_problem(image)});
  d.findings.push_back({"unique symbols", unique_problem(image)});
  return d;
}

Error mapping_problem(const std::string& file) {
  MappedFile mapped(file);
  if (!mapped.error().empty()) return Error(TN_ERROR_IO, "cannot be read: " + mapped.error(), {}, "");
  ElfImage image = read_elf(mapped.bytes());
  if (!image.problem.empty()) return Error(TN_ERROR_CORRUPT, image.problem, {}, "get the file again");
  for (Error (*check)(const ElfImage&) :
       {program_problem, entry_problem, text_relocation_problem, stack_problem, writable_code_problem})
    if (Error e = check(image); e.code) return e;
  return kFine;
}

}  // namespace tenon
