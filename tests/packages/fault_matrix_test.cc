// The fault matrix of loading: what can be wrong with a plugin, its package, its signature, the policy and the machine.
// Each case runs in a process of its own; it must end in an error with the code and the words of its cause, which name
// the plugin and say what to do, and never in a signal. Two causes never say the same words.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <functional>
#include <map>

#include "elf_patch.h"
#include "package_fixture.h"
#include "tenon/ext/op.h"
#include "tenon/kinds.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

struct Cause {
  const char* name;
  int32_t code;
  const char* words;  // of the message; no other cause's message has them
};

constexpr Cause kCauses[] = {
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
    {"capability missing", TN_ERROR_PLUGIN, ", its library does not"},
    // What it does when it is loaded.
    {"init crashes", TN_ERROR_PLUGIN, "was stopped by SIGSEGV"},
    {"init aborts", TN_ERROR_PLUGIN, "was stopped by SIGABRT"},
    {"init exits", TN_ERROR_PLUGIN, "called exit("},
    {"init hangs", TN_ERROR_PLUGIN, "did not come back within"},
    {"init throws", TN_ERROR_PLUGIN, "exception"},
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
    {"policy of others", TN_ERROR_UNTRUSTED, "can be written by others"},
    // The store.
    {"store folder renamed", TN_ERROR_CORRUPT, "is not the one that the folder is named by"},
    {"store without a seal", TN_ERROR_CORRUPT, "has no seal"},
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
    {"signing with a public key", TN_ERROR_ARGUMENT, "which cannot sign"},
    {"signing for another vendor", TN_ERROR_UNTRUSTED, "the package says '"},
    {"key read by others", TN_ERROR_UNTRUSTED, "can be read by others"},
    {"detached of another key", TN_ERROR_CORRUPT, "the detached signature is not one of key"},
    {"detached malformed", TN_ERROR_CORRUPT, "a detached signature is 64 bytes"},
};

struct Outcome {
  int status = 0;
  int32_t code = 0;
  std::string message, where, hint;
};

// Runs f in another process.
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

class FaultMatrix : public testing::Test {
 protected:
  using Use = std::function<void(World&)>;
  // `names`: what the error must name: the plugin, unless it has no name yet.
  void expect(const std::string& cause, const std::string& label, const Use& use, const std::string& names = kId) {
    const std::string dir =
        testing::TempDir() + "/tenon_fault_" + std::to_string(::getpid()) + "_" + std::to_string(cases_++);
    Outcome o = in_child([&] {
      World w(dir);
      use(w);
    });
    fs::remove_all(dir);
    SCOPED_TRACE(cause + ": " + label + ": " + std::to_string(o.code) + " " + o.message + " | " + o.where + " | " +
                 o.hint);
    const Cause* row = nullptr;
    for (const Cause& c : kCauses)
      if (c.name == cause) row = &c;
    ASSERT_NE(row, nullptr);
    EXPECT_TRUE(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 0) << "the host ended with status " << o.status;
    EXPECT_EQ(o.code, row->code);
    EXPECT_NE(o.message.find(row->words), std::string::npos);
    EXPECT_NE((o.message + " " + o.where).find(names), std::string::npos) << "it does not name " << names;
    EXPECT_NE(o.hint, "") << "it does not say what to do";
    for (const Cause& c : kCauses)
      if (std::string(c.words) != row->words && c.code == row->code) {
        EXPECT_EQ(o.message.find(c.words), std::string::npos) << "it could be '" << c.name << "' as well";
      }
    ++counts_[cause];
  }
  // The library of a plugin in a search folder, patched.
  void library(const std::string& cause, const std::string& label, const std::function<void(ElfPatch&)>& patch) {
    expect(cause, label, [&](World& w) {
      ElfPatch p(plugin_library());
      patch(p);
      w.plugin(manifest_text(), p.take());
      w.load();
    });
  }
  void manifest(const std::string& cause, const std::string& text) {
    expect(cause, text.substr(0, 60), [&](World& w) {
      w.plugin(text);
      w.load();
    });
  }
  // A plugin without a name that could be asked for: `tenon plugin list` shows it.
  void listed(const std::string& cause, const std::string& text) {
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
  // A signed package of a trusted key, changed, then installed.
  void package(const std::string& cause, const std::string& label, const std::function<void(std::string&)>& change) {
    expect(cause, label, [&](World& w) {
      KeyChain keys = w.key();
      w.trust(keys);
      std::string bytes = w.sign(w.pack(w.plugin()), keys);
      change(bytes);
      w.action("install", {{"file", w.b.string(w.write("com.acme.thing.tnp", bytes))}});
    });
  }
  int cases_ = 0;
  std::map<std::string, int> counts_;
};

uint64_t table_of(ElfPatch& p) { return p.table(sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY); }
size_t header_at(const std::string& archive, const std::string& path) {
  for (size_t at = 0; at < archive.size(); at += 512)
    if (archive.compare(at, path.size() + 1, path + '\0') == 0 && archive.compare(at + 257, 5, "ustar") == 0) return at;
  throw std::logic_error("the archive has no file " + path);
}

TEST_F(FaultMatrix, EveryFaultIsAnErrorThatSaysWhatToDo) {
  {  // Without a fault everything works; else the matrix shows nothing.
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
  const std::string good = plugin_library();
  // ---- The file
  expect("library absent", "no file", [](World& w) {
    w.plugin(manifest_text(), "");
    w.load();
  });
  expect("library absent", "a dangling link", [](World& w) {
    fs::create_symlink("nowhere", w.plugin(manifest_text(), "") + "/" + kId + ".so");
    w.load();
  });
  expect("not a file", "a folder", [](World& w) {
    fs::create_directories(w.plugin(manifest_text(), "") + "/" + kId + ".so");
    w.load();
  });
  expect("not a file", "a pipe", [](World& w) {
    ::mkfifo((w.plugin(manifest_text(), "") + "/" + kId + ".so").c_str(), 0600);
    w.load();
  });
  expect("library empty", "no byte", [](World& w) {
    w.plugin(manifest_text(), "");
    w.write(std::string("plugins/") + kId + "/" + kId + ".so", "");
    w.load();
  });
  for (const char* text : {"#!/bin/sh\n",
                           "\x7f"
                           "ELG",
                           "PK\3\4", "!<arch>\n", "seal.json", "MZ"})
    expect("not ELF", text, [&](World& w) {
      w.plugin(manifest_text(), text);
      w.load();
    });
  for (size_t size : {4u, 16u, 63u, 64u, 100u, 1000u, 4096u, 8000u, 12000u})
    expect("cut short", std::to_string(size), [&](World& w) {
      w.plugin(manifest_text(), good.substr(0, std::min(size, good.size() - 1)));
      w.load();
    });
  library("32 bits", "class", [](ElfPatch& p) { p.header().e_ident[EI_CLASS] = ELFCLASS32; });
  library("32 bits", "no class", [](ElfPatch& p) { p.header().e_ident[EI_CLASS] = 0; });
  library("big-endian", "data", [](ElfPatch& p) { p.header().e_ident[EI_DATA] = ELFDATA2MSB; });
  for (int machine : {EM_386, EM_ARM, EM_RISCV, EM_PPC64, EM_S390, 0, 9999})
    library("another machine", std::to_string(machine),
            [&](ElfPatch& p) { p.header().e_machine = static_cast<uint16_t>(machine); });
  for (int type : {ET_NONE, ET_REL, ET_EXEC, ET_CORE})
    library("not a shared object", std::to_string(type),
            [&](ElfPatch& p) { p.header().e_type = static_cast<uint16_t>(type); });
  library("damaged header", "size of headers", [](ElfPatch& p) { p.header().e_phentsize = 32; });
  library("damaged header", "offset of headers", [](ElfPatch& p) { p.header().e_phoff = ~uint64_t{0} - 64; });
  for (int64_t tag : {DT_STRTAB, DT_SYMTAB, DT_GNU_HASH, DT_VERNEED})
    library("damaged tables", "address of " + std::to_string(tag),
            [&](ElfPatch& p) { p.dynamic(tag).d_un.d_ptr = uint64_t{1} << 40; });
  library("damaged tables", "size of names", [](ElfPatch& p) { p.dynamic(DT_STRSZ).d_un.d_val = 1; });
  library("damaged tables", "name of a library", [](ElfPatch& p) { p.dynamic(DT_NEEDED).d_un.d_val = 1 << 30; });
  library("damaged tables", "no dynamic section", [](ElfPatch& p) { p.segment(PT_DYNAMIC).p_type = PT_NULL; });
  library("damaged tables", "notes", [](ElfPatch& p) { p.segment(PT_NOTE).p_filesz = ~uint64_t{0} / 2; });
  library("damaged tables", "dynamic behind the end",
          [](ElfPatch& p) { p.segment(PT_DYNAMIC).p_offset = uint64_t{1} << 50; });
  library("a program", "has an interpreter", [](ElfPatch& p) { p.segment(PT_NOTE).p_type = PT_INTERP; });
  library("no entry", "another name", [](ElfPatch& p) { p.rename("tenon_plugin", "tenon_plugim"); });
  library("no entry", "another case", [](ElfPatch& p) { p.rename("tenon_plugin", "Tenon_plugin"); });
  library("text relocations", "tag", [](ElfPatch& p) { p.dynamic(DT_RELACOUNT).d_tag = DT_TEXTREL; });
  library("text relocations", "flag", [](ElfPatch& p) { p.dynamic(DT_RELACOUNT) = {DT_FLAGS, {DF_TEXTREL}}; });
  library("executable stack", "flag", [](ElfPatch& p) { p.segment(PT_GNU_STACK).p_flags |= PF_X; });
  library("executable stack", "not said", [](ElfPatch& p) { p.segment(PT_GNU_STACK).p_type = PT_NULL; });
  library("writable code", "flag", [](ElfPatch& p) { p.segment(PT_LOAD, PF_X).p_flags |= PF_W; });
  for (const char* name : {"libq.so.6", "libc.so.7", "libz.so.9"})
    library("missing library", name, [&](ElfPatch& p) { p.rename("libc.so.6", name); });
  for (const char* version : {"GLIBC_2.9.5", "GLIBC_9.9.9", "GLIBQ_2.2.5"})
    library("missing version", version, [&](ElfPatch& p) { p.need_version("GLIBC_2.2.5", version); });
  for (const char* symbol : {"getenw", "_nowhe"})
    library("missing symbol", symbol, [&](ElfPatch& p) { p.rename("getenv", symbol); });
  // ---- The table
  expect("null table", "null", [](World& w) {
    ::setenv("TENON_TEST_NULL_ENTRY", "1", 1);
    w.plugin();
    w.load();
  });
  for (uint64_t size : {0u, 1u, 8u, 15u})
    library("table too small", std::to_string(size), [&](ElfPatch& p) { p.at<uint64_t>(table_of(p)) = size; });
  for (uint64_t size : {16u, 24u, 32u, 40u, 48u, 55u})
    library("slot missing", std::to_string(size), [&](ElfPatch& p) { p.at<uint64_t>(table_of(p)) = size; });
  for (uint64_t slot : {16u, 24u, 32u, 40u, 48u})
    library("slot missing", "null at " + std::to_string(slot),
            [&](ElfPatch& p) { p.null_pointer(table_of(p) + slot); });
  for (uint32_t abi : {2u, 3u, 999u, 0xffffffffu})
    library("newer ABI", std::to_string(abi), [&](ElfPatch& p) { p.at<uint32_t>(table_of(p) + 8) = abi; });
  library("ABI 0", "0", [](ElfPatch& p) { p.at<uint32_t>(table_of(p) + 8) = 0; });
  for (uint32_t vocabulary : {TN_IR_VOCABULARY + 1u, 999u, 0xffffffffu})
    library("newer vocabulary", std::to_string(vocabulary),
            [&](ElfPatch& p) { p.at<uint32_t>(table_of(p) + 12) = vocabulary; });
  for (const char* id : {"com.acme.think", "com.evil.thing"})
    library("another id", id, [&](ElfPatch& p) { p.rename(kId, id); });
  for (const char* version : {"1.0.1", "0.9.0", "2.0.0"})
    library("another version", version, [&](ElfPatch& p) { p.rename("1.0.0", version); });
  expect("create fails", "with an error", [](World& w) {
    ::setenv("TENON_TEST_CREATE_ERROR", "1", 1);
    w.plugin();
    w.load();
  });
  expect("create fails without a word", "-1", [](World& w) {
    ::setenv("TENON_TEST_CREATE_SILENT", "1", 1);
    w.plugin();
    w.load();
  });
  expect("capability missing", "another capability", [](World& w) {
    std::string text = manifest_text();
    w.plugin(text.replace(text.find("[com.acme.thing/1]"), 18, "[com.zzzz.thing/1]"));
    w.load();
  });
  expect("capability missing", "tenon.linker/1", [](World& w) {
    std::string text = manifest_text();
    w.plugin(text.replace(text.find("[com.acme.thing/1]"), 18, "[tenon.linker/1]"));
    w.load();
  });
  // ---- What it does when it is loaded: in a process of its own first
  auto init = [&](const std::string& cause, const std::string& deed, std::initializer_list<const char*> moments) {
    for (const char* moment : moments)
      expect(cause, moment, [&](World& w) {
        w.probe = true;
        ::setenv("TENON_TEST_INIT", (std::string(moment) + ":" + deed).c_str(), 1);
        w.plugin();
        // A deadline for those that hang alone: a busy machine is slow to start a process.
        w.load(kId, {{"isolation", w.b.map({{"probe_deadline_ms", Value(int64_t{deed == "hang" ? 500 : 60'000})}})}});
      });
  };
  init("init crashes", "crash", {"constructor", "entry", "create", "destroy"});
  init("init aborts", "abort", {"constructor", "entry", "create", "destroy"});
  init("init exits", "exit", {"constructor", "entry", "create", "destroy"});
  init("init hangs", "hang", {"constructor", "entry", "create", "destroy"});
  init("init throws", "throw", {"entry", "create"});
  init("init changes the process", "locale", {"constructor", "entry", "create", "destroy"});
  // ---- The manifest
  const std::string head = manifest_text();
  auto with = [&](const std::string& from, const std::string& to) {
    std::string text = head;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const char* text : {"id: com.acme.thing\n{", "id: com.acme.thing\nversion: [", "id: com.acme.thing\n\tx: 1\n"})
    manifest("not YAML", text);
  listed("not a map", "- 1\n");
  listed("not a map", "text\n");
  for (const char* key : {"vesion: 1\n", "abi: 1\n", "depends: []\n"}) manifest("unknown key", head + key);
  for (const char* key : {"version: 1.0.0\n", "tier: stable-c\n", "summary: a thing\n"})
    manifest("missing key", with(key, ""));
  manifest("repeated key", head + "tier: stable-c\n");
  listed("wrong id", "id: Com.Acme\n" + head.substr(head.find('\n') + 1));
  listed("wrong id", "id: 9\n" + head.substr(head.find('\n') + 1));
  for (const char* version : {"version: one\n", "version: 1.0\n", "version: 1.0.0.0\n", "version: 1.0.0-\n"})
    manifest("wrong version", with("version: 1.0.0\n", version));
  for (const char* tier : {"tier: stable\n", "tier: gold\n"}) manifest("wrong tier", with("tier: stable-c\n", tier));
  for (const char* library : {"library: ../x.so\n", "library: /lib/x.so\n", "library: ''\n"})
    manifest("library elsewhere", with("library: com.acme.thing.so\n", library));
  for (const char* capability : {"[pass]", "[tenon.pass]", "[/1]", "[tenon.pass/one]"})
    manifest("wrong capability", with("[com.acme.thing/1]", capability));
  for (const char* capability : {"[tenon.pass/1]", "[tenon.codegen/1]", "[tenon.executor/1]", "[tenon.frontend/1]"})
    manifest("provides nothing described", with("[com.acme.thing/1]", capability));
  manifest("describes nothing provided", head + "passes: [{name: p, level: loop, summary: s}]\n");
  manifest("describes nothing provided", head + "executor:\n");
  manifest("provides without a library", with("library: com.acme.thing.so\n", ""));
  const std::string passes = with("[com.acme.thing/1]", "[tenon.pass/1]");
  manifest("wrong pass name", passes + "passes: [{name: A B, level: loop, summary: s}]\n");
  manifest("repeated pass",
           passes + "passes: [{name: p, level: loop, summary: s}, {name: p, level: loop, summary: s}]\n");
  for (const char* type : {"number", "i32"})
    manifest("wrong option type",
             passes + "passes: [{name: p, level: loop, summary: s, options: {n: {type: " + type + "}}}]\n");
  for (const char* option : {"{type: int, default: many}", "{type: bool, default: 3}"})
    manifest("wrong default", passes + "passes: [{name: p, level: loop, summary: s, options: {n: " + option + "}}]\n");
  manifest("one op with two schemas", head +
                                          "ops: [{id: com.acme.op, level: loop, args: [x], result: first}, {id: "
                                          "com.acme.op, level: loop, args: [x, y], result: first}]\n");
  // Of two plugins neither has what they declare differently.
  auto two = [&](const std::string& cause, const std::string& label, const std::string& mine, const std::string& theirs,
                 const std::function<void(const TnCompiler*, TnSession*)>& use) {
    expect(cause, label, [&](World& w) {
      auto manifest_of = [&](const std::string& id, const std::string& more) {
        std::string text = manifest_text(more, "1.0.0", id);
        if (more.starts_with("kinds")) text.replace(text.find("[com.acme.thing/1]"), 18, "[tenon.kind/1]");
        w.plugin(text, plugin_library(), id);
      };
      manifest_of(kId, mine);
      manifest_of("com.bolt.other", theirs);
      w.session(use);
    });
  };
  auto ask_for_op = [](const TnCompiler* c, TnSession* s) {
    auto* ops = static_cast<const TnHostOps*>(c->service(s, TN_HOST_OPS));
    call([&](TnValue* ret) { return ops->find(ops->self, "com.acme.op", ret); });
  };
  const std::string op = "ops: [{id: com.acme.op, level: loop, args: [x], result: first}]\n";
  two("one op with two schemas", "of two plugins", op,
      "ops: [{id: com.acme.op, level: loop, args: [x, y], result: first}]\n", ask_for_op);
  two("one op with two schemas", "of two plugins, alike", op, op, ask_for_op);
  auto kind = [](const std::string& level, const std::string& slot) {
    return "kinds: [{id: com.acme.Scale/1, level: " + level +
           ", role: expression, effects: pure, slots: [{name: " + slot + "}]}]\n";
  };
  auto ask_for_plugin = [](const TnCompiler* c, TnSession* s) {
    call([&](TnValue* ret) { return c->load_plugin(s, kId, ret); });
  };
  for (const std::string& theirs :
       {kind("graph", "y, type: node"), kind("graph", "x, type: int"), kind("loop", "x, type: node")})
    two("one kind with two schemas", theirs, kind("graph", "x, type: node"), theirs, ask_for_plugin);
  manifest("unknown runtime", head + "runtimes: {cudo: '12'}\n");
  for (const char* range : {"12;14", ">=", "newest"})
    manifest("wrong range", head + "runtimes: {cuda: '" + range + "'}\n");
  manifest("two documents", head + "---\nx: 1\n");
  std::string bomb = head + "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i ? ",*" : "*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  manifest("alias bomb", bomb);
  for (const char* runtime :
       {"{cuda: '>=90'}", "{glibc: '>=99'}", "{glibc: '<2'}", "{com.acme.rt: {version: '1', library: libacme_rt.so}}"})
    manifest("runtime not met", head + "runtimes: " + runtime + "\n");
  expect("runtime not met", "stated in the policy", [&](World& w) {
    w.write("trust.yaml", "runtimes: {cuda: 13.1}\n");
    w.plugin(head + "runtimes: {cuda: '>=12,<13'}\n");
    w.load();
  });
  expect("two plugins of one id", "in one folder", [](World& w) {
    w.plugin();
    w.plugin(manifest_text(), plugin_library(), "twin");
    w.load();
  });
  // ---- The package
  for (double part : {0.0, 0.1, 0.5, 0.9})
    package("package cut short", std::to_string(part),
            [&](std::string& s) { s.resize(static_cast<size_t>(static_cast<double>(s.size()) * part)); });
  package("package cut short", "the end", [](std::string& s) { s.pop_back(); });
  for (size_t at : {0u, 1u, 100u, 110u, 124u, 137u, 148u, 156u, 157u, 257u, 265u, 345u, 500u})
    package("archive header changed", std::to_string(at),
            [&](std::string& s) { s[at] = static_cast<char>(s[at] ^ 1); });
  package("archive header changed", "of the library",
          [](std::string& s) { s[header_at(s, "com.acme.thing.so") + 3] = 'X'; });
  package("padding changed", "after the seal", [](std::string& s) { s[header_at(s, "seal.sig") - 1] = 1; });
  package("bytes appended", "a block", [](std::string& s) { s += std::string(512, '\0'); });
  package("bytes appended", "a byte", [](std::string& s) { s += 'x'; });
  package("no seal", "an empty archive", [](std::string& s) { s = std::string(1024, '\0'); });
  package("no seal", "without it",
          [](std::string& s) { s = write_archive({{"manifest.yaml", "id: com.acme.thing\n"}}); });
  for (const char* word : {"\"abi\": 1", "\"platform\"", "\"files\"", "\"build_id\""})
    package("seal changed", word, [&](std::string& s) { s[s.find(word) + 1] = 'x'; });
  package("seal changed", "a space", [](std::string& s) { s[s.find("  \"id\"")] = '\t'; });
  package("newer package", "form 2", [](std::string& s) { s[s.find("tenon.package/1") + 14] = '2'; });
  package("newer package", "form 9", [](std::string& s) { s[s.find("tenon.package/1") + 14] = '9'; });
  for (size_t at : {0u, 64u, 1000u, 5000u})
    package("file changed", "library at " + std::to_string(at),
            [&](std::string& s) { s[header_at(s, "com.acme.thing.so") + 512 + at] ^= 1; });
  package("file changed", "manifest", [](std::string& s) { s[header_at(s, "manifest.yaml") + 512 + 5] ^= 1; });
  auto repack = [](std::string& s, const std::function<void(ArchiveFiles&)>& change) {
    const std::string old = s;
    ArchiveFiles files = read_archive(old, "p");
    change(files);
    s = write_archive(files);
  };
  package("file left out", "the library",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.erase(f.begin() + 2); }); });
  package("file left out", "all", [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.resize(2); }); });
  package("file added", "at the end",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.emplace_back("zzz", "x"); }); });
  package("file added", "before",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.emplace(f.begin() + 2, "aaa", "x"); }); });
  // A seal that says something else, signed by the vendor itself.
  auto resealed = [&](const std::string& cause, const std::string& label, const std::function<void(Seal&)>& change) {
    package(cause, label, [&](std::string& s) {
      World w(testing::TempDir() + "/tenon_fault_reseal_" + std::to_string(::getpid()));
      Package p = read_package(w.b, s, "com.acme.thing.tnp");
      change(p.seal);
      std::string text = seal_text(p.seal);
      ArchiveFiles files = p.files;
      files.emplace(files.begin(), kSealFile, text);
      s = write_archive(files);
      fs::remove_all(w.dir);
    });
  };
  resealed("seal and manifest differ", "version", [](Seal& s) { s.version = "2.0.0"; });
  resealed("seal and manifest differ", "vendor", [](Seal& s) { s.vendor = "Evil"; });
  resealed("seal and manifest differ", "tier", [](Seal& s) { s.tier = "preview-c"; });
  resealed("another platform", "aarch64 or x86_64",
           [](Seal& s) { s.platform = s.platform == "linux-x86_64" ? "linux-aarch64" : "linux-x86_64"; });
  resealed("another platform", "windows", [](Seal& s) { s.platform = "windows-x86_64"; });
  resealed("newer ABI", "in the seal", [](Seal& s) { s.abi = TN_ABI_VERSION + 1; });
  resealed("newer vocabulary", "in the seal", [](Seal& s) { s.vocabulary = TN_IR_VOCABULARY + 1; });
  for (const char* sdk : {"0.0.9", "0.9.0", "7.0.0"})
    expect("preview of another minor", sdk, [&](World& w) {
      Package p = read_package(w.b, w.pack(w.plugin(with("tier: stable-c", "tier: preview-c"))), "p.tnp");
      p.seal.sdk = sdk;
      std::string text = seal_text(p.seal);
      ArchiveFiles files = p.files;
      files.emplace(files.begin(), kSealFile, text);
      w.action("install", {{"file", w.b.string(w.write("p.tnp", write_archive(files)))}});
    });
  // ---- The signature and the policy
  for (const char* word :
       {"tenon-signature/1", "tenon-key/1", "vendor: Acme", "expires: 2", "successor: none", "created: 2"})
    package("signature changed", word, [&](std::string& s) { s[s.find(word, header_at(s, "seal.sig")) + 1] = 'Q'; });
  package("signature changed", "expiry",
          [](std::string& s) { s[s.find("expires: 2", header_at(s, "seal.sig")) + 9] = '3'; });
  package("signature of another seal", "of another key", [&](std::string& s) {
    size_t at = s.find("\nsignature: ", header_at(s, "seal.sig")) + 12;
    s[at] = s[at] == 'a' ? 'b' : 'a';
  });
  package("signature of another seal", "of another package", [&](std::string& s) {
    World w(testing::TempDir() + "/tenon_fault_other_" + std::to_string(::getpid()));
    w.plugin();
    w.write(std::string("plugins/") + kId + "/more.txt", "x");
    Package other = read_package(w.b, w.pack(w.dir + "/plugins/" + kId), "o.tnp"), mine = read_package(w.b, s, "p.tnp");
    Signature stolen = *mine.signature;
    s = with_signature(other, stolen);
    fs::remove_all(w.dir);
  });
  auto signed_by = [&](const std::string& cause, const std::string& label,
                       const std::function<KeyChain(World&)>& policy) {
    expect(cause, label, [&](World& w) {
      KeyChain keys = policy(w);
      std::string archive = w.pack(w.plugin());
      if (!keys.empty()) archive = w.sign(archive, keys);
      w.action("install", {{"file", w.b.string(w.write("p.tnp", archive))}});
    });
  };
  signed_by("not signed", "no policy", [](World&) { return KeyChain(); });
  signed_by("not signed", "a policy for the vendor", [](World& w) {
    w.trust(w.key());
    return KeyChain();
  });
  signed_by("not signed", "another digest", [](World& w) {
    w.write("trust.yaml", "digests: ['sha256:" + std::string(64, '0') + "']\n");
    return KeyChain();
  });
  signed_by("key not trusted", "no policy", [](World& w) { return w.key(); });
  signed_by("key not trusted", "another key", [](World& w) {
    w.trust(w.key());
    return w.key();
  });
  signed_by("key not trusted", "a successor that nobody names", [](World& w) {
    KeyChain old = w.key(), next = w.key();
    w.trust(old);
    return next;
  });
  signed_by("key expired", "long ago", [](World& w) {
    KeyChain k = w.key("Acme", "2021-01-01");
    w.trust(k);
    return k;
  });
  signed_by("key expired", "with a successor", [](World& w) {
    KeyChain k = w.key("Acme", "2021-01-01");
    name_successor(k[0], w.key()[0]);
    w.trust(k);
    return k;
  });
  signed_by("key of another vendor", "Evil", [](World& w) {
    KeyChain k = w.key("Evil");
    w.trust(k, "", "Evil");
    return k;
  });
  signed_by("key given to another vendor", "Bolt", [](World& w) {
    KeyChain k = w.key();
    w.trust(k, "", "Bolt");
    return k;
  });
  for (const char* line : {"{vendor: Acme}", "{id: com.acme.thing, reason: crashes}"})
    signed_by("denied", line, [&](World& w) {
      KeyChain k = w.key();
      w.trust(k, std::string("deny: [") + line + "]\n");
      return k;
    });
  signed_by("denied", "the key", [](World& w) {
    KeyChain k = w.key();
    w.trust(k, "deny: [{key: '" + k[0].public_hex + "', reason: stolen}]\n");
    return k;
  });
  signed_by("denied", "the key before", [](World& w) {
    KeyChain old = w.key(), next = w.key();
    name_successor(old[0], next[0]);
    w.trust(next, "deny: [{key: '" + old[0].public_hex + "'}]\n");
    return KeyChain{next[0], old[0]};
  });
  expect("denied", "the digest, when installed", [](World& w) {
    KeyChain k = w.key();
    std::string archive = w.sign(w.pack(w.plugin()), k);
    fs::remove_all(w.dir + "/plugins");
    w.install(archive);
    w.trust(k, "deny: [{digest: '" + read_package(w.b, archive, "p").digest + "'}]\n");
    w.load();
  });
  expect("denied", "the folder", [](World& w) {
    w.write("trust.yaml", "deny: [{path: " + w.plugin() + "}]\n");
    w.load();
  });
  expect("not sealed", "no build tree is trusted", [](World& w) {
    w.write("trust.yaml", "dev: []\n");
    w.plugin();
    w.load();
  });
  expect("not sealed", "another build tree", [](World& w) {
    w.write("trust.yaml", "dev: [environment, /nowhere]\n");
    w.plugin();
    w.load();
  });
  expect("not sealed", "from the environment", [](World& w) {
    w.write("trust.yaml", "dev: [command-line]\n");
    w.plugin();
    fs::rename(w.dir + "/plugins", w.dir + "/elsewhere");
    ::setenv("TENON_PLUGIN_PATH", (w.dir + "/elsewhere").c_str(), 1);
    w.load();
  });
  auto policy = [&](const std::string& cause, const std::string& text) {
    expect(
        cause, text,
        [&](World& w) {
          w.write("trust.yaml", text);
          w.plugin();
          w.load();
        },
        "trust.yaml");
  };
  policy("policy not YAML", "vendors: [\n");
  policy("policy not YAML", "vendors: [}\n");
  policy("policy key unknown", "vendor: []\n");
  policy("policy key unknown", "allow: everything\n");
  policy("policy value wrong", "vendors: [{name: Acme, keys: [abc]}]\n");
  policy("policy value wrong", "vendors: [{name: Acme, keys: ['" + std::string(63, 'a') + "G']}]\n");
  for (mode_t mode : {0666, 0664, 0646})
    expect(
        "policy of others", std::to_string(mode),
        [&](World& w) {
          ::chmod(w.write("trust.yaml", "dev: [command-line]\n").c_str(), mode);
          w.plugin();
          w.load();
        },
        "trust.yaml");
  // ---- The store
  auto installed = [&](const std::string& cause, const std::string& label,
                       const std::function<void(World&, const std::string&)>& change) {
    expect(cause, label, [&](World& w) {
      KeyChain k = w.key();
      w.trust(k);
      w.write(std::string("plugins/") + kId + "/data.txt", "data");
      std::string folder = w.install(w.sign(w.pack(w.plugin()), k));
      fs::remove_all(w.dir + "/plugins");
      ::chmod(folder.c_str(), 0755);
      change(w, folder);
      w.load();
    });
  };
  auto flip = [](const std::string& file, size_t at) {
    std::string bytes = read_file(file);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    fs::remove(file);
    write_file(file, bytes);
  };
  for (size_t at : {0u, 700u, 9000u})
    installed("library swapped", std::to_string(at),
              [&](World&, const std::string& f) { flip(f + "/" + kId + ".so", at); });
  installed("library swapped", "another library", [](World&, const std::string& f) {
    fs::remove(f + "/" + kId + ".so");
    write_file(f + "/" + kId + ".so", read_file(PLUGIN_FOLDER "/evil.so"));
  });
  installed("file changed", "manifest in the store",
            [&](World&, const std::string& f) { flip(f + "/manifest.yaml", 60); });
  installed("file changed", "data in the store", [&](World&, const std::string& f) { flip(f + "/data.txt", 0); });
  installed("seal changed", "in the store", [&](World&, const std::string& f) { flip(f + "/seal.json", 0); });
  installed("signature changed", "in the store", [&](World&, const std::string& f) { flip(f + "/seal.sig", 3); });
  installed("not signed", "signature taken away", [&](World&, const std::string& f) { fs::remove(f + "/seal.sig"); });
  installed("store folder renamed", "other digits",
            [](World& w, const std::string& f) { fs::rename(f, w.dir + "/store/sha256-" + std::string(64, '0')); });
  installed("store folder renamed", "no digest",
            [](World& w, const std::string& f) { fs::rename(f, w.dir + "/store/thing"); });
  installed("store without a seal", "taken away", [](World&, const std::string& f) { fs::remove(f + "/seal.json"); });
  installed("key not trusted", "policy changed since", [](World& w, const std::string&) { w.trust(w.key()); });
  expect("two builds of a version", "same id and version", [](World& w) {
    KeyChain k = w.key();
    w.trust(k);
    w.install(w.sign(w.pack(w.plugin()), k));
    w.write(std::string("plugins/") + kId + "/more.txt", "x");
    w.action("install",
             {{"file", w.b.string(w.write("com.acme.thing.tnp", w.sign(w.pack(w.dir + "/plugins/" + kId), k)))}});
  });
  for (const char* version : {"9.9.9", "sha256:0000000000000000"})
    installed("version not installed", version, [&](World& w, const std::string&) {
      w.load(kId, {{"use", w.b.array({w.b.string(std::string(kId) + "=" + version)})}});
    });
  for (const char* line : {"com.acme.thing", "com.acme.thing=", "=1"})
    expect(
        "malformed choice", line,
        [&](World& w) {
          w.plugin();
          w.load(kId, {{"use", w.b.array({w.b.string(line)})}});
        },
        line);
  // ---- Making packages
  auto packing = [&](const std::string& cause, const std::string& label, const std::function<void(World&)>& change) {
    expect(cause, label, [&](World& w) {
      w.plugin();
      change(w);
      w.action("pack", {{"folder", w.b.string(w.dir + "/plugins/" + kId)}, {"output", w.b.string(w.dir + "/p.tnp")}});
    });
  };
  const std::string folder = std::string("plugins/") + kId + "/";
  packing("packing without a vendor", "none", [&](World& w) { w.plugin(with("vendor: Acme\n", "")); });
  packing("packing a link", "to a file",
          [&](World& w) { fs::create_symlink("manifest.yaml", w.dir + "/" + folder + "link"); });
  packing("packing a link", "a pipe", [&](World& w) { ::mkfifo((w.dir + "/" + folder + "pipe").c_str(), 0600); });
  for (const char* name : {".hidden", "a b", "-x", "\xc3\xa4"})
    packing("packing a strange name", name, [&](World& w) { w.write(folder + name, "x"); });
  packing("packing what is sealed", "seal.json", [&](World& w) { w.write(folder + "seal.json", "{}"); });
  packing("packing what is sealed", "seal.sig", [&](World& w) { w.write(folder + "seal.sig", ""); });
  packing("packing more exports", "one more",
          [&](World& w) { w.plugin(manifest_text(), read_file(PLUGIN_FOLDER "/extra.so")); });
  auto signing = [&](const std::string& cause, const std::string& label,
                     const std::function<Builder::Entries(World&)>& options, const std::string& names) {
    expect(
        cause, label,
        [&](World& w) {
          Builder::Entries e = options(w);
          e.emplace_back("file", w.b.string(w.write("com.acme.thing.tnp", w.pack(w.plugin()))));
          w.action("sign", e);
        },
        names);
  };
  auto key_file = [](World& w, const KeyChain& keys, bool secret) {
    std::string file = w.write("acme.key", keys_text(keys, secret));
    ::chmod(file.c_str(), 0600);
    return w.b.string(file);
  };
  signing(
      "signing with a public key", "no secret",
      [&](World& w) -> Builder::Entries { return {{"key", key_file(w, w.key(), false)}}; }, "key");
  signing(
      "signing for another vendor", "Evil",
      [&](World& w) -> Builder::Entries { return {{"key", key_file(w, w.key("Evil"), true)}}; }, kId);
  for (mode_t mode : {0644, 0640})
    signing(
        "key read by others", std::to_string(mode),
        [&](World& w) -> Builder::Entries {
          Value file = key_file(w, w.key(), true);
          ::chmod(std::string(file.as_string()).c_str(), mode);
          return {{"key", file}};
        },
        "acme.key");
  signing(
      "detached of another key", "zeros",
      [&](World& w) -> Builder::Entries {
        return {{"key", key_file(w, w.key(), false)},
                {"detached", w.b.string(w.write("s.sig", std::string(64, '\0')))}};
      },
      "s.sig");
  for (size_t size : {0u, 63u, 65u, 127u})
    signing(
        "detached malformed", std::to_string(size),
        [&](World& w) -> Builder::Entries {
          return {{"key", key_file(w, w.key(), false)},
                  {"detached", w.b.string(w.write("s.sig", std::string(size, 'x')))}};
        },
        "s.sig");

  for (const Cause& c : kCauses) {
    std::printf("  %-32s code %2d  x %d\n", c.name, c.code, counts_[c.name]);
    EXPECT_GT(counts_[c.name], 0) << c.name << " has no case";
  }
  std::printf("fault matrix: %zu causes in %d cases\n", counts_.size(), cases_);
  EXPECT_GE(counts_.size(), 60u);
  EXPECT_GE(cases_, 200);
}

}  // namespace
}  // namespace tenon
