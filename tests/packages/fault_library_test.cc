// What can be wrong with a library: the file, its table, and what it does when it is loaded.
#include "fault_matrix.h"

namespace tenon {

namespace fs = std::filesystem;

TEST_F(FaultMatrix, Files) {
  const std::string good = plugin_library();
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
  // A host that asks what was already tried must not wait for a pipe, nor read a device to its end.
  auto probed = [&](const std::string& cause, const std::string& label,
                    const std::function<void(const std::string&)>& make) {
    expect(cause, "probed: " + label, [&](World& w) {
      w.probe = true;
      make(w.plugin(manifest_text(), "") + "/" + kId + ".so");
      w.session([](const TnCompiler* c, TnSession* s) { call([&](TnValue* ret) { return c->plugins(s, ret); }); });
      w.load();
    });
  };
  probed("not a file", "a folder", [](const std::string& path) { fs::create_directories(path); });
  probed("not a file", "a pipe", [](const std::string& path) { ::mkfifo(path.c_str(), 0600); });
  probed("not a file", "a device", [](const std::string& path) { fs::create_symlink("/dev/zero", path); });
  probed("library absent", "none", [](const std::string&) {});
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
}

TEST_F(FaultMatrix, Tables) {
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
  for (uint64_t size : {uint64_t{57}, uint64_t{1} << 20, ~uint64_t{0}})
    library("table too large", std::to_string(size), [&](ElfPatch& p) { p.at<uint64_t>(table_of(p)) = size; });
  for (const char* vocabulary : {"{consumes: 99}", "{emits: 99}", "{consumes: 1, emits: 9223372036854775807}"})
    manifest("vocabulary promised", manifest_text(std::string("vocabulary: ") + vocabulary + "\n"));
  auto table = [&](const std::string& cause, const std::string& fault) {
    expect(cause, fault, [&](World& w) {
      w.probe = true;
      ::setenv("TENON_TEST_TABLE", fault.c_str(), 1);
      w.plugin(manifest_with("[com.acme.thing/1]", "[tenon.pass/1]") +
               "passes: [{name: p, level: loop, summary: s}]\n");
      w.load();
    });
  };
  for (const char* fault : {"low", "odd", "unmapped"}) table("capability's table nowhere", fault);
  for (const char* fault : {"0", "7", "8", "23", "1048576", "18446744073709551615"})
    table("capability's table of no size", fault);
  for (const char* fault : {"data", "wild"}) table("capability's slot is no code", fault);
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
  for (const char* code : {"0", "-5", "9999"})
    expect("create fails with a strange code", code, [&](World& w) {
      ::setenv("TENON_TEST_CREATE_CODE", code, 1);
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
}

TEST_F(FaultMatrix, Initialisation) {
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
  init("init goes on elsewhere", "elsewhere", {"constructor", "entry", "create"});
  init("init changes the process", "locale", {"constructor", "entry", "create", "destroy"});
  for (const char* deed : {"umask", "timer", "signal", "descriptor", "child"})
    init("init changes the process", deed, {"constructor", "create"});
}

}  // namespace tenon
