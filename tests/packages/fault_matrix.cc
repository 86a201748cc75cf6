#include "fault_matrix.h"

#include <sys/wait.h>

#include <cstdio>

#include "tenon/kinds.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

const std::vector<Cause> kCauses = {
    // The file.
    {"library absent", TN_ERROR_NOT_FOUND, "its library does not exist"},
    {"library empty", TN_ERROR_CORRUPT, "its library is empty"},
    {"not ELF", TN_ERROR_CORRUPT, "its library is not an ELF file"},
    {"not a file", TN_ERROR_CORRUPT, "its library is not a regular file"},
    {"cut short", TN_ERROR_CORRUPT, "its library is cut short"},
    {"32 bits", TN_ERROR_CORRUPT, "is a 32-bit library"},
    {"big-endian", TN_ERROR_CORRUPT, "is big-endian"},
    {"another machine", TN_ERROR_ABI_MISMATCH, "its library is built for"},
    {"not a shared object", TN_ERROR_CORRUPT, "is an ELF file but not a shared library"},
    {"damaged header", TN_ERROR_CORRUPT, "has a damaged ELF header"},
    {"damaged tables", TN_ERROR_CORRUPT, "its library is damaged: "},
    {"a program", TN_ERROR_CORRUPT, "is a program, not a shared library"},
    {"no entry", TN_ERROR_PLUGIN, "exports no symbol 'tenon_plugin'"},
    {"text relocations", TN_ERROR_PLUGIN, "has text relocations"},
    {"executable stack", TN_ERROR_PLUGIN, "asks for an executable stack"},
    {"writable code", TN_ERROR_PLUGIN, "has a segment that is writable and executable"},
    {"missing library", TN_ERROR_NOT_FOUND, "it needs the library "},
    {"missing version", TN_ERROR_NOT_FOUND, " of libc.so.6, and "},
    {"missing symbol", TN_ERROR_NOT_FOUND, "it needs the symbol "},
    // The table.
    {"null table", TN_ERROR_PLUGIN, "returned null"},
    {"table too small", TN_ERROR_PLUGIN, "too small for a version"},
    {"slot missing", TN_ERROR_PLUGIN, "of its table is missing"},
    {"newer ABI", TN_ERROR_ABI_MISMATCH, ", this Tenon has ABI "},
    {"ABI 0", TN_ERROR_PLUGIN, "its table says ABI version 0"},
    {"newer vocabulary", TN_ERROR_ABI_MISMATCH, ", this Tenon has vocabulary "},
    {"another id", TN_ERROR_PLUGIN, "its library says that it is"},
    {"another version", TN_ERROR_PLUGIN, "its library has version "},
    {"create fails", TN_ERROR_DEVICE, "could not start: "},
    {"create fails without a word", TN_ERROR_PLUGIN, "a call failed without an error object"},
    {"create fails with a strange code", TN_ERROR_PLUGIN, "could not start: a code of its own"},
    {"capability missing", TN_ERROR_PLUGIN, ", its library does not"},
    {"table too large", TN_ERROR_PLUGIN, "bytes, which no table is"},
    {"vocabulary promised", TN_ERROR_PLUGIN, ", its library was built with vocabulary"},
    {"capability's table nowhere", TN_ERROR_PLUGIN, "is at an address where none can be"},
    {"capability's table of no size", TN_ERROR_PLUGIN, "its table of tenon.pass/1 says that it is"},
    {"capability's slot is no code", TN_ERROR_PLUGIN, "that points to no code"},
    // What it does when it is loaded.
    {"init crashes", TN_ERROR_PLUGIN, "was stopped by SIGSEGV"},
    {"init aborts", TN_ERROR_PLUGIN, "was stopped by SIGABRT"},
    {"init exits", TN_ERROR_PLUGIN, "called exit("},
    {"init hangs", TN_ERROR_PLUGIN, "did not come back within"},
    {"init throws", TN_ERROR_PLUGIN, "exception"},
    {"init goes on elsewhere", TN_ERROR_PLUGIN, "ended its process with status"},
    {"init changes the process", TN_ERROR_PLUGIN, "of its process when it was loaded, and left it so"},
    // The manifest.
    {"not YAML", TN_ERROR_PARSE, "cannot be used: not legal YAML"},
    {"not a map", TN_ERROR_PARSE, "the manifest is a map"},
    {"unknown key", TN_ERROR_PARSE, "the manifest has no key"},
    {"missing key", TN_ERROR_PARSE, "the manifest lacks the key"},
    {"repeated key", TN_ERROR_DUPLICATE, "comes twice in the manifest"},
    {"wrong id", TN_ERROR_PARSE, "is not a plugin id"},
    {"wrong version", TN_ERROR_PARSE, "is not a version"},
    {"wrong tier", TN_ERROR_PARSE, "'tier' takes one of"},
    {"library elsewhere", TN_ERROR_PARSE, "'library' is the name of a file next to the manifest"},
    {"wrong capability", TN_ERROR_PARSE, "is not a capability"},
    {"provides nothing described", TN_ERROR_PARSE, "describes none"},
    {"describes nothing provided", TN_ERROR_PARSE, "is described but 'provides' lacks"},
    {"provides without a library", TN_ERROR_PARSE, "names no 'library'"},
    {"wrong pass name", TN_ERROR_PARSE, "is not a pass name"},
    {"repeated pass", TN_ERROR_DUPLICATE, "is declared twice"},
    {"wrong option type", TN_ERROR_PARSE, "'type' takes one of"},
    {"wrong default", TN_ERROR_PARSE, "is wrong: the option takes"},
    {"one op with two schemas", TN_ERROR_DUPLICATE, "and already by"},
    {"one kind with two schemas", TN_ERROR_DUPLICATE, "with another schema than"},
    {"unknown runtime", TN_ERROR_PARSE, "is not known by name"},
    {"wrong range", TN_ERROR_PARSE, "takes a range of versions"},
    {"two documents", TN_ERROR_PARSE, "a second YAML document"},
    {"alias bomb", TN_ERROR_LIMIT, "aliases expanded"},
    {"runtime not met", TN_ERROR_NOT_FOUND, ", this machine has "},
    {"manifest is a folder", TN_ERROR_IO, "cannot be used: it is a folder, not a file"},
    {"manifest is a pipe", TN_ERROR_IO, "cannot be used: it is no regular file"},
    {"manifest cannot be read", TN_ERROR_IO, "cannot be used: cannot read the file"},
    {"manifest too large", TN_ERROR_LIMIT, "larger than 16 MiB"},
    {"nested too deep", TN_ERROR_LIMIT, "nested deeper than"},
    {"map too large", TN_ERROR_LIMIT, "a map of more than"},
    {"not UTF-8", TN_ERROR_PARSE, "is no UTF-8 text"},
    {"UTF-16", TN_ERROR_PARSE, "the file is UTF-16 text"},
    {"control byte", TN_ERROR_PARSE, "is a control character"},
    {"NUL in a text", TN_ERROR_PARSE, "a NUL character stands in a text"},
    {"control characters", TN_ERROR_PARSE, "holds control characters"},
    {"capability twice", TN_ERROR_DUPLICATE, "comes twice in 'provides'"},
    {"capability of a later Tenon", TN_ERROR_ABI_MISMATCH, ", this Tenon has tenon."},
    {"capability that Tenon does not have", TN_ERROR_ABI_MISMATCH, "is no capability of this Tenon"},
    {"two plugins of one id", TN_ERROR_DUPLICATE, "is also claimed by"},
    // The package.
    {"package cut short", TN_ERROR_CORRUPT, "or it was changed: it is cut short"},
    {"archive header changed", TN_ERROR_CORRUPT, "or it was changed: the header at byte"},
    {"padding changed", TN_ERROR_CORRUPT, "there are bytes after the end of"},
    {"bytes appended", TN_ERROR_CORRUPT, "there are bytes after its end"},
    {"no seal", TN_ERROR_CORRUPT, "it does not begin with seal.json"},
    {"seal changed", TN_ERROR_CORRUPT, "the seal is damaged"},
    {"newer package", TN_ERROR_ABI_MISMATCH, "the package has the form"},
    {"file changed", TN_ERROR_CORRUPT, "is not the one that was sealed: its digest"},
    {"file grown", TN_ERROR_CORRUPT, "is not the one that was sealed: it has"},
    {"seal grown", TN_ERROR_CORRUPT, " bytes, which none has"},
    {"file left out", TN_ERROR_CORRUPT, "the package lacks the file"},
    {"file added", TN_ERROR_CORRUPT, ", which its seal does not list"},
    {"seal and manifest differ", TN_ERROR_CORRUPT, ", the manifest '"},
    {"another platform", TN_ERROR_ABI_MISMATCH, ", this machine is "},
    {"preview of another minor", TN_ERROR_ABI_MISMATCH, "is of tier preview-c"},
    // The signature and the policy.
    {"signature changed", TN_ERROR_CORRUPT, "this is no key or signature"},
    {"signature of another seal", TN_ERROR_CORRUPT, "does not belong to this seal"},
    {"not signed", TN_ERROR_UNTRUSTED, "its package is not signed"},
    {"key not trusted", TN_ERROR_UNTRUSTED, "does not trust that key"},
    {"key expired", TN_ERROR_UNTRUSTED, "which expired on"},
    {"key of another vendor", TN_ERROR_UNTRUSTED, "its manifest says vendor"},
    {"key given to another vendor", TN_ERROR_UNTRUSTED, "to the vendor '"},
    {"denied", TN_ERROR_UNTRUSTED, "the trust policy denies"},
    {"not sealed", TN_ERROR_UNTRUSTED, "it is not sealed"},
    {"policy not YAML", TN_ERROR_PARSE, "the trust policy cannot be read: not legal YAML"},
    {"policy key unknown", TN_ERROR_PARSE, "cannot be read: the trust policy has no key"},
    {"policy value wrong", TN_ERROR_PARSE, "a key is 64 hex digits"},
    {"policy cannot be read", TN_ERROR_IO, "the trust policy cannot be read: cannot read the file"},
    {"policy is not there", TN_ERROR_IO, "the trust policy cannot be read: there is no such file"},
    {"policy denies a pattern", TN_ERROR_PARSE, "' is a pattern, and a denial names"},
    {"policy denies nothing", TN_ERROR_PARSE, "' is no absolute folder"},
    {"policy states no version", TN_ERROR_PARSE, "' takes a version such as"},
    {"policy that could not be read again", TN_ERROR_ARGUMENT, "the trust policy cannot say that"},
    {"denies nobody", TN_ERROR_ARGUMENT, "' names nobody"},
    {"malformed digest", TN_ERROR_ARGUMENT, "is no digest of a package"},
    {"policy of others", TN_ERROR_UNTRUSTED, "can be written by others"},
    // The store.
    {"store folder renamed", TN_ERROR_CORRUPT, "is not the one that the folder is named by"},
    {"store without a seal", TN_ERROR_CORRUPT, "has no seal"},
    {"not a file in the store", TN_ERROR_CORRUPT, ".so is not a regular file"},
    {"pipe in the store", TN_ERROR_CORRUPT, "cannot be used: it is not a regular file"},
    {"library gone from the store", TN_ERROR_IO, "cannot open the library"},
    {"store cannot be made", TN_ERROR_IO, "cannot make the store"},
    {"folder without a seal", TN_ERROR_ARGUMENT, "has no seal.json"},
    {"library swapped", TN_ERROR_CORRUPT, "the library's bytes are not those that were sealed"},
    {"two builds of a version", TN_ERROR_DUPLICATE, "is installed that suits this machine as well"},
    {"version not installed", TN_ERROR_NOT_FOUND, "is asked for and not installed"},
    {"malformed choice", TN_ERROR_ARGUMENT, "does not say which version"},
    // Making packages.
    {"packing without a vendor", TN_ERROR_ARGUMENT, "names no vendor"},
    {"packing a link", TN_ERROR_ARGUMENT, "holds regular files only"},
    {"packing a strange name", TN_ERROR_ARGUMENT, "cannot hold a file of this name"},
    {"packing what is sealed", TN_ERROR_ARGUMENT, "that is sealed already"},
    {"packing more exports", TN_ERROR_PLUGIN, "besides tenon_plugin"},
    {"key that expired already", TN_ERROR_ARGUMENT, "would sign nothing"},
    {"key over another", TN_ERROR_IO, "cannot write the key"},
    {"signing with a public key", TN_ERROR_ARGUMENT, "which cannot sign"},
    {"signing for another vendor", TN_ERROR_UNTRUSTED, "the package says '"},
    {"key read by others", TN_ERROR_UNTRUSTED, "can be read by others"},
    {"detached of another key", TN_ERROR_CORRUPT, "the detached signature is not one of key"},
    {"detached malformed", TN_ERROR_CORRUPT, "a detached signature is 64 bytes"},
};

struct Matrix {
  int cases = 0;
  std::map<std::string, int> counts;
};
Matrix& matrix() {
  static Matrix all;
  return all;
}

// When all files have run: what there was, and whether anything is missing.
class Sum : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "FaultMatrix.*" && testing::GTEST_FLAG(filter) != "*") return;
    for (const Cause& c : kCauses) {
      std::printf("  %-32s code %2d  x %d\n", c.name, c.code, matrix().counts[c.name]);
      EXPECT_GT(matrix().counts[c.name], 0) << c.name << " has no case";
    }
    std::printf("fault matrix: %zu causes in %d cases\n", kCauses.size(), matrix().cases);
    EXPECT_GE(kCauses.size(), 60u);
    EXPECT_GE(matrix().cases, 200);
  }
};
const testing::Environment* const kSum = testing::AddGlobalTestEnvironment(new Sum);

}  // namespace

const std::vector<Cause>& fault_causes() { return kCauses; }

Outcome in_child(const std::function<void()>& f) {
  int ends[2];
  if (::pipe(ends) != 0) return {-1, 0, "", "", ""};
  std::fflush(nullptr);
  pid_t child = ::fork();
  if (child == 0) {
    std::string said = "0";
    try {
      f();
    } catch (const Error& e) {
      said = std::to_string(e.code) + '\0' + e.message + '\0' + e.where + '\0' + e.hint;
    } catch (const std::exception& e) { said = std::string("-1") + '\0' + e.what(); }
    ssize_t n = ::write(ends[1], said.data(), said.size());
    ::_exit(n == static_cast<ssize_t>(said.size()) ? 0 : 9);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(n));
  ::close(ends[0]);
  Outcome o;
  ::waitpid(child, &o.status, 0);
  std::vector<std::string> parts;
  for (size_t at = 0; at <= said.size();) {
    size_t end = std::min(said.find('\0', at), said.size());
    parts.push_back(said.substr(at, end - at));
    at = end + 1;
  }
  parts.resize(4);
  o.code = said.empty() ? 0 : std::atoi(parts[0].c_str());
  o.message = parts[1];
  o.where = parts[2];
  o.hint = parts[3];
  return o;
}

void FaultMatrix::expect(const std::string& cause, const std::string& label, const Use& use, const std::string& names) {
  const std::string dir =
      testing::TempDir() + "/tenon_fault_" + std::to_string(::getpid()) + "_" + std::to_string(matrix().cases++);
  Outcome o = in_child([&] {
    World w(dir);
    use(w);
  });
  fs::remove_all(dir);
  SCOPED_TRACE(cause + ": " + label + ": " + std::to_string(o.code) + " " + o.message + " | " + o.where + " | " +
               o.hint);
  const Cause* row = nullptr;
  for (const Cause& c : fault_causes())
    if (c.name == cause) row = &c;
  ASSERT_NE(row, nullptr);
  EXPECT_TRUE(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 0) << "the host ended with status " << o.status;
  EXPECT_EQ(o.code, row->code);
  EXPECT_NE(o.message.find(row->words), std::string::npos);
  EXPECT_NE((o.message + " " + o.where).find(names), std::string::npos) << "it does not name " << names;
  EXPECT_NE(o.hint, "") << "it does not say what to do";
  for (const Cause& c : fault_causes())
    if (std::string(c.words) != row->words && c.code == row->code) {
      EXPECT_EQ(o.message.find(c.words), std::string::npos) << "it could be '" << c.name << "' as well";
    }
  ++matrix().counts[cause];
}

void FaultMatrix::library(const std::string& cause, const std::string& label,
                          const std::function<void(ElfPatch&)>& patch) {
  expect(cause, label, [&](World& w) {
    ElfPatch p(plugin_library());
    patch(p);
    w.plugin(manifest_text(), p.take());
    w.load();
  });
}

void FaultMatrix::manifest(const std::string& cause, const std::string& text) {
  expect(cause, text.substr(0, 60), [&](World& w) {
    w.plugin(text);
    w.load();
  });
}

void FaultMatrix::listed(const std::string& cause, const std::string& text) {
  expect(cause, text.substr(0, 20), [&](World& w) {
    w.plugin(text);
    w.session([](const TnCompiler* c, TnSession* s) {
      Value all = call([&](TnValue* ret) { return c->plugins(s, ret); });
      const Map broken = all.ref<Map>().find("broken")->ref<Array>()[0].ref<Map>();
      const Map e = broken.find("complaints")->ref<Array>()[0].ref<Map>();
      auto text_of = [&](const char* key) { return std::string(e.find(key)->as_string()); };
      throw Error(static_cast<int32_t>(e.find("code")->as_int()), text_of("message"), text_of("where"),
                  "as `tenon plugin list` shows it");
    });
  });
}

void FaultMatrix::package(const std::string& cause, const std::string& label,
                          const std::function<void(std::string&)>& change) {
  expect(cause, label, [&](World& w) {
    KeyChain keys = w.key();
    w.trust(keys);
    std::string bytes = w.sign(w.pack(w.plugin()), keys);
    change(bytes);
    w.action("install", {{"file", w.b.string(w.write("com.acme.thing.tnp", bytes))}});
  });
}

std::string FaultMatrix::manifest_with(const std::string& from, const std::string& to) {
  std::string text = manifest_text();
  return text.replace(text.find(from), from.size(), to);
}

uint64_t table_of(ElfPatch& p) { return p.table(sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY); }
size_t header_at(const std::string& archive, const std::string& path) {
  for (size_t at = 0; at < archive.size(); at += 512)
    if (archive.compare(at, path.size() + 1, path + '\0') == 0 && archive.compare(at + 257, 5, "ustar") == 0) return at;
  throw std::logic_error("the archive has no file " + path);
}

TEST_F(FaultMatrix, WithoutAFaultEverythingWorks) {  // else the matrix shows nothing
  Outcome o = in_child([] {
    World w(testing::TempDir() + "/tenon_fault_none");
    KeyChain keys = w.key();
    w.trust(keys);
    w.plugin();
    w.load();
    std::string archive = w.sign(w.pack(w.dir + "/plugins/" + kId), keys);
    fs::remove_all(w.dir + "/plugins");
    w.action("install", {{"file", w.b.string(w.write("p.tnp", archive))}});
    w.load();
    fs::remove_all(w.dir);
  });
  ASSERT_TRUE(o.status == 0 && o.code == 0) << o.status << " " << o.message << " " << o.where;
}

}  // namespace tenon
