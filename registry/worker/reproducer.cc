#include "registry/worker/reproducer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "diag/files.h"
#include "diag/sha256.h"
#include "diag/utf8.h"
#include "ir/ir_table.h"
#include "registry/probe/cache.h"
#include "script/print.h"

namespace tenon::worker {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostMessages = 8'000'002;              // what a call may ask, and its answers
constexpr uint64_t kMostListBytes = uint64_t{256} << 20;  // of constants.txt
constexpr size_t kKeptFolders = 32;                       // in the user's cache; older ones go

// A text in quotes, legal in YAML and in JSON.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 32) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string flow_text(const Value& v) {
  if (v.is_none()) return "null";
  if (v.is_bool()) return v.as_bool() ? "true" : "false";
  if (v.is_int()) return std::to_string(v.as_int());
  if (v.is_float()) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", v.as_float());
    return text;
  }
  if (v.is_string()) return in_quotes(v.as_string());
  std::string out;
  if (v.is_array()) {
    for (const Value& item : v.ref<Array>()) out += (out.empty() ? "" : ", ") + flow_text(item);
    return "[" + out + "]";
  }
  if (v.is_map()) {
    for (const Map::Entry& e : v.ref<Map>())
      out += (out.empty() ? "" : ", ") + std::string(e.key()) + ": " + flow_text(e.value());
    return "{" + out + "}";
  }
  return "null";
}

void put(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.flush();
  if (!out) throw Error(TN_ERROR_IO, "cannot write the file: " + std::string(std::strerror(errno)), file.string());
}

std::string absolute(const std::string& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error);
  return error || path.empty() ? path : whole.lexically_normal().string();
}

// As a shell reads it back.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                          "_-+=./:,@%") == std::string::npos;
  if (plain) return word;
  std::string escaped;
  for (char c : word) escaped += c == '\'' ? "'\\''" : std::string(1, c);
  return "'" + escaped + "'";
}

std::string command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::string all((std::istreambuf_iterator<char>(in)), {}), out;
  for (size_t at = 0; at < all.size();) {
    size_t end = std::min(all.find('\0', at), all.size());
    out += (out.empty() ? "" : " ") + shell_word(all.substr(at, end - at));
    at = end + 1;
  }
  return out + "\n";
}

// The module or function of a call as text; constants by their digests.
std::string module_text(const Builder& b, const Request& request, const Array& call_args) {
  Node tree;
  std::string name = "main";
  for (size_t i = 2; i < call_args.size(); ++i) {
    if (call_args[i].is_node()) {
      tree = as_node(call_args[i]);
      break;
    }
    if (call_args[i].is_string()) name = call_args[i].as_string();  // the last text before it: the function's name
  }
  if (!tree) return "";
  if (tree.is<tir::PrimFunc>() || tree.is<relax::Function>())
    tree = b.make<ir::Module>({b.map({{name, Value(tree)}}), b.map({}), b.map({}), b.array({})});
  PrintOptions options;
  options.inline_bytes = 0;
  (void)request;
  return print(Value(tree), options);
}

// Of the folders there, the oldest beyond those that are kept.
void prune(const fs::path& parent) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator it(parent, error); !error && it != fs::directory_iterator(); it.increment(error))
    if (fs::exists(it->path() / "reproducer.yaml", error)) found.push_back(it->path());
  if (found.size() <= kKeptFolders) return;
  std::sort(found.begin(), found.end(), [](const fs::path& x, const fs::path& y) {
    std::error_code ignored;
    return fs::last_write_time(x, ignored) < fs::last_write_time(y, ignored);
  });
  for (size_t i = 0; i + kKeptFolders < found.size(); ++i) fs::remove_all(found[i], error);
}

fs::path new_folder(const IsolationSettings& settings, const std::string& plugin) {
  static std::atomic<int> counter{0};
  fs::path parent = settings.repro_dir;
  if (parent.empty()) {
    std::string cache = cache_dir();
    if (cache.empty()) throw Error(TN_ERROR_IO, cache_problem());
    parent = fs::path(cache) / "repro";
    make_directories(parent.string());
    prune(parent);
  }
  char time_text[32];
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::strftime(time_text, sizeof time_text, "%Y%m%d-%H%M%S", &parts);
  fs::path folder =
      parent / (plugin + "-" + time_text + "-" + std::to_string(getpid()) + "-" + std::to_string(++counter));
  make_directories(folder.string());
  return folder;
}

// What is asked of whom: whoever changes a part of it asks something else than what failed.
class CallDigest {
 public:
  CallDigest(std::initializer_list<std::string_view> names) {
    for (std::string_view name : names) add(name);
  }
  void add(std::string_view part) {
    sha_.update(std::to_string(part.size()) + ":");
    sha_.update(part);
    largest_ = std::max(largest_, part.size());
  }
  size_t largest() const { return largest_; }
  std::string text() { return digest_text(sha_.finish()); }

 private:
  Sha256 sha_;
  size_t largest_ = 1;
};

std::string body_name(size_t i) { return "message-" + std::to_string(i) + ".bin"; }

}  // namespace

std::string write_reproducer(const IsolationSettings& settings, const PluginInfo& plugin, const Request& request,
                             const std::vector<Value>& said, const std::string& message, const std::string& log,
                             std::string* why) noexcept {
  try {
    Builder b = core_builder();
    fs::path folder = new_folder(settings, plugin.id);
    const SlotRow* row = slot_row(request.slot);
    std::map<std::string, Constant> constants;
    ObjectTable known;
    CallDigest call{plugin.id, plugin.version, row ? row->capability : "", row ? row->name : ""};
    for (size_t i = 0; i < said.size(); ++i) {
      std::string body = encode_tree(said[i].raw(), known);
      call.add(body);
      put(folder / body_name(i), body);
      for (const TnConstant* c : known.constants) constants.emplace(c->digest, Constant::share(c));
    }
    Array args = said.empty() ? Array() : said[0].ref<Array>();
    std::string list;
    for (const auto& [digest, c] : constants) {
      list += digest + " " + std::to_string(c->size) + " " + std::to_string(c->offset) + " " + c->store + "\n";
      if (!settings.keep_weights) continue;
      make_directories((folder / "data").string());
      put(folder / "data" / digest.substr(7), {static_cast<const char*>(c->data), c->size});
    }
    put(folder / "constants.txt", list);
    put(folder / "log.txt", log);
    put(folder / "command.txt", command_line());
    std::string digest = digest_of_file(plugin.library);
    bool is_pass = row && std::string_view(row->capability) == "tenon.pass/1";
    std::string stage;
    if (is_pass && args.size() > 3)
      stage = "{pass: " + plugin.id + ":" + std::string(args[2].as_string()) +
              ", options: " + flow_text(args[args.size() - 1]) + "}";
    put(folder / "lock.txt",
        (stage.empty() ? "" : stage + "\n") + "plugin " + plugin.id + " " + plugin.version + " " + digest + "\n");
    if (!stage.empty()) put(folder / "pipeline.yaml", "summary: the pass that failed\nstages:\n  - " + stage + "\n");
    if (std::string text = module_text(b, request, args); !text.empty()) put(folder / "module.py", text);
    std::string top = "# What a plugin was asked when it failed. See it again with: tenon repro FOLDER\n";
    auto line = [&](const char* key, const std::string& value) { top += std::string(key) + ": " + value + "\n"; };
    line("plugin", in_quotes(plugin.id));
    line("version", in_quotes(plugin.version));
    line("manifest", in_quotes(absolute(plugin.manifest)));
    line("digest", in_quotes(digest));
    line("capability", in_quotes(row ? row->capability : ""));
    line("slot", in_quotes(row ? row->name : ""));
    line("what", in_quotes(request.what));
    line("target", args.size() > 1 ? flow_text(args[1]) : "null");
    line("deadline_ms", std::to_string(settings.deadline_ms));
    line("memory_bytes", std::to_string(settings.memory_bytes));
    line("messages", std::to_string(said.size()));
    line("message_bytes", std::to_string(call.largest()));
    line("call", in_quotes(call.text()));
    line("error", in_quotes(message));
    put(folder / "reproducer.yaml", top);
    return absolute(folder.string());
  } catch (const Error& e) {
    *why = e.message + (e.where.empty() ? "" : ": " + e.where);
  } catch (const std::exception& e) { *why = e.what(); }
  return "";
}

std::string replay_command(const std::string& folder, const RegistryPlace& place) {
  std::string out = "tenon repro " + shell_word(folder);
  for (const SearchDir& dir : place.dirs)
    if (dir.origin == "command line") out += " --plugin-dir " + shell_word(dir.path);
  if (!place.policy.empty()) out += " --policy " + shell_word(place.policy);
  for (const std::string& choice : place.use) out += " --use " + shell_word(choice);
  return out;
}

Reproducer::Reproducer(const Builder& b, const std::string& folder) : folder_(folder) {
  std::string file = folder + "/reproducer.yaml";
  Value top = yaml_value(b, read_yaml(file), file);
  if (!top.is_map()) throw Error(TN_ERROR_PARSE, "this is no reproducer", file);
  const Map& m = top.ref<Map>();
  auto text = [&](const char* key) {
    const Value* v = m.find(key);
    if (!v || !v->is_string()) throw Error(TN_ERROR_PARSE, std::string("the reproducer says no '") + key + "'", file);
    return std::string(v->as_string());
  };
  auto number = [&](const char* key, int64_t least, int64_t most) {
    const Value* v = m.find(key);
    if (!v) throw Error(TN_ERROR_PARSE, std::string("the reproducer says no '") + key + "'", file);
    if (!v->is_int() || v->as_int() < least || v->as_int() > most)
      throw Error(TN_ERROR_PARSE,
                  "'" + std::string(key) + "' of a reproducer is a number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not " + shortened(flow_text(*v)),
                  file, "write what it was, or take the reproducer as it was written");
    return v->as_int();
  };
  plugin = text("plugin");
  version = text("version");
  manifest = text("manifest");
  digest = text("digest");
  what = text("what");
  error = text("error");
  deadline_ms = number("deadline_ms", 1, kMostMs);
  memory_bytes = static_cast<uint64_t>(number("memory_bytes", 0, kMostMemoryMb << 20));
  std::string capability = text("capability"), name = text("slot");
  for (slot = 0; slot_row(slot); ++slot)
    if (slot_row(slot)->capability == capability && slot_row(slot)->name == name) break;
  if (!slot_row(slot))
    throw Error(TN_ERROR_UNSUPPORTED,
                "the reproducer is of the slot " + name + " of " + capability + ", which is not known", file,
                "replay it with the version of Tenon that wrote it");
  auto message_bytes = static_cast<uint64_t>(number("message_bytes", 1, static_cast<int64_t>(kMostRegular)));
  for (int64_t i = 0, count = number("messages", 1, kMostMessages); i < count; ++i)
    bodies_.push_back(read_regular_file(folder + "/" + body_name(static_cast<size_t>(i)), message_bytes));
  CallDigest call{plugin, version, capability, name};
  for (const std::string& body : bodies_) call.add(body);
  if (call.text() != text("call"))
    throw Error(TN_ERROR_CORRUPT, "the reproducer is damaged: its call is not the one that was written", folder,
                "take it as it was written, or make the call that failed again");
  std::istringstream list(read_regular_file(folder + "/constants.txt", kMostListBytes));
  std::string of, where;
  uint64_t size, offset;
  while (list >> of >> size >> offset && std::getline(list >> std::ws, where)) places_[of] = {where, offset};
}

void Reproducer::start() {
  next_ = 0;
  known_ = ObjectTable();
}

Array Reproducer::next() {
  if (next_ > 0 && next_ < bodies_.size()) decode(next_++);  // the question that was answered then
  if (next_ >= bodies_.size()) return {};
  return decode(next_++);
}

Array Reproducer::decode(size_t number) {
  Value v = decode_tree(
      bodies_[number], [this](std::string_view digest, uint64_t size) { return constant(std::string(digest), size); },
      known_);
  if (!v.is_array()) throw Error(TN_ERROR_CORRUPT, "a message of the reproducer is no list", folder_);
  return v.ref<Array>();
}

Constant Reproducer::constant(const std::string& digest, uint64_t size) const {
  std::error_code error;
  std::string kept = folder_ + "/data/" + digest.substr(7);
  if (fs::file_size(kept, error) == size && !error) return constant_from_file(kept, 0, size, digest);
  auto place = places_.find(digest);
  if (place != places_.end() && !place->second.file.empty() && place->second.file[0] == '/') try {
      return constant_from_file(place->second.file, place->second.offset, size, digest);
    } catch (const Error&) {}  // the file is gone: zeros
  Fd zeros = memory_file("tenon-zeros", "");
  if (ftruncate(zeros.get(), static_cast<off_t>(std::max<uint64_t>(size, 1))) != 0)
    throw Error(TN_ERROR_OUT_OF_MEMORY, "no memory for a constant of " + std::to_string(size) + " bytes");
  return MappedStore(zeros.get(), "zeros").constant(0, size, digest);
}

}  // namespace tenon::worker
