#include "pass/dump.h"

#include <cstdio>
#include <cstdlib>

#include "diag/files.h"

namespace tenon {

namespace {

constexpr int64_t kInlineBytes = 1024;  // smaller constants stand in the text

}  // namespace

std::string print_text(const Builder& b, const Value& tree) {
  Value options = b.map({{"inline_bytes", Value(kInlineBytes)}});
  Value text = call([&](TnValue* ret) { return b.ir()->print(b.ir()->self, tree.ptr(), options.ptr(), ret); });
  return std::string(text.as_string());
}

ModuleDump::ModuleDump(const Builder& b, std::string directory) : b_(b), directory_(std::move(directory)) {
  make_directories(directory_);
}

std::string ModuleDump::file_name(size_t number, const std::string& label) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%03zu-", number);
  std::string name = digits + label + ".py";
  for (char& c : name)
    if (c == ':' || c == '/') c = '-';
  return name;
}

long ModuleDump::number_of(const std::string& file) {
  std::string name = file.substr(file.rfind('/') + 1);
  size_t digits = name.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos || digits > 9 || name[digits] != '-') return -1;
  return std::strtol(name.c_str(), nullptr, 10);
}

void ModuleDump::write(size_t number, const std::string& label, const Node& module) {
  write_module_text(b_, module, directory_ + "/" + file_name(number, label), written_);
}

namespace {

// The constants within a value, as a constant's node or a payload holds them.
void write_constants(const Value& value, const std::string& folder, std::set<std::string>& written) {
  if (value.is_array())
    for (const Value& item : value.ref<Array>()) write_constants(item, folder, written);
  if (value.is_map())
    for (const Map::Entry& e : value.ref<Map>()) write_constants(e.value(), folder, written);
  if (value.type_index() != TN_CONSTANT) return;
  const auto* data = reinterpret_cast<const TnConstant*>(value.raw().as.object);
  if (data->size < uint64_t{kInlineBytes}) return;
  std::string digest = data->digest;
  if (!written.insert(digest).second) return;
  make_directories(folder);
  write_file(folder + "/" + digest.substr(digest.find(':') + 1), {static_cast<const char*>(data->data), data->size});
}

}  // namespace

void write_module_text(const Builder& b, const Node& module, const std::string& path, std::set<std::string>& written) {
  size_t slash = path.rfind('/');
  std::string folder = (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "data";
  b.walk(module, [&](const Node& n) {
    if (const auto* constant = n.as<ir::Constant>()) write_constants(constant->data(), folder, written);
  });
  if (const auto* m = module.as<ir::Module>())
    for (const Value& payload : m->payloads()) write_constants(payload, folder, written);
  write_file(path, print_text(b, module));
}

}  // namespace tenon
