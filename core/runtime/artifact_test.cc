// Artifacts that are damaged in every way are refused before their code runs; a whole one runs. The artifact is made
// here by the C compiler, and its seal by the text of the format, not by the code that is tested.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "tenon/cxx/builder.h"
#include "tenon/ext/draft/loader.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();
Builder b(rt, nullptr);

// ---- The index, as runtime/value_bytes.h describes it.

std::string word(uint64_t v) { return std::string(reinterpret_cast<char*>(&v), 8); }
std::string text(const std::string& s) { return "s" + word(s.size()) + s; }
std::string integer(int64_t i) { return "i" + word(static_cast<uint64_t>(i)); }
std::string array(std::initializer_list<std::string> items) {
  std::string out = "a" + word(items.size());
  for (const std::string& i : items) out += i;
  return out;
}
std::string map(std::initializer_list<std::pair<std::string, std::string>> entries) {
  std::string out = "m" + word(entries.size());
  for (const auto& [key, value] : entries) out += text(key) + value;
  return out;
}

std::string digest_of(const std::string& bytes) {
  uint8_t d[32];
  rt->sha256(bytes.data(), bytes.size(), d);
  return std::string(reinterpret_cast<char*>(d), 32);
}

std::string hex_digest(const std::string& bytes) {
  std::string out = "sha256:";
  for (char c : digest_of(bytes)) {
    char two[3];
    snprintf(two, sizeof two, "%02x", static_cast<uint8_t>(c));
    out += two;
  }
  return out;
}

// ---- The file.

const std::string constant(64, 7);
const std::string loadable = "payload!";

constexpr const char* kSource = R"(
#include <tenon/runtime.h>
/* The sum of the bytes of the constant. */
int tenon_fn_sum(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = ((TnFunction*)self)->context;
  (void)args, (void)n;
  ret->type_index = TN_INT;
  ret->small_size = 0;
  ret->as.i = 0;
  for (int i = 0; i < 64; ++i) ret->as.i += ((const char*)context->constants[0])[i];
  return 0;
}
int tenon_fn_other(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = ((TnFunction*)self)->context;
  return context->imports[0]->call(context->imports[0], args, n, ret);
}
/* What the payload implements: its own import of twice the argument, and the first byte of its own constant. */
int tenon_fn_pay(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = ((TnFunction*)self)->context;
  TnValue doubled = args[0];
  (void)n;
  doubled.as.i *= 2;
  if (context->imports[0]->call(context->imports[0], &doubled, 1, ret)) return -1;
  ret->as.i += ((const char*)context->constants[0])[0];
  return 0;
}
int tenon_fn_through(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = ((TnFunction*)self)->context;
  return context->imports[1]->call(context->imports[1], args, n, ret);
}
__asm__(".section .tenon.payloads,\"\",@progbits\n.balign 4096\n.incbin \"payloads.bin\"\n"
        ".section .tenon.index,\"\",@progbits\n.incbin \"index.bin\"\n"
        ".section .tenon.constants,\"\",@progbits\n.balign 4096\n.incbin \"constants.bin\"\n"
        ".section .tenon.seal,\"\",@progbits\n.ascii \"TNSEAL1\\0\"\n.zero 64\n.text\n");
)";

template <class T>
T at(const std::string& bytes, size_t offset) {
  T t;
  memcpy(&t, bytes.data() + offset, sizeof t);
  return t;
}

// Offset and size of a section.
std::pair<size_t, size_t> section(const std::string& file, const std::string& name) {
  auto header = at<Elf64_Ehdr>(file, 0);
  auto get = [&](size_t i) { return at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr)); };
  for (size_t i = 0; i < header.e_shnum; ++i)
    if (file.c_str() + get(header.e_shstrndx).sh_offset + get(i).sh_name == name)
      return {get(i).sh_offset, get(i).sh_size};
  ADD_FAILURE() << "no section " << name;
  return {0, 0};
}

std::string seal(std::string file) {
  auto header = at<Elf64_Ehdr>(file, 0);
  std::string loaded(32, 0);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    size_t place = header.e_phoff + i * sizeof(Elf64_Phdr);
    auto p = at<Elf64_Phdr>(file, place);
    loaded += file.substr(place, sizeof p);
    loaded += p.p_type == PT_LOAD ? digest_of(file.substr(p.p_offset, p.p_filesz)) : std::string(32, 0);
    loaded = digest_of(loaded);
  }
  auto [index, index_size] = section(file, ".tenon.index");
  file.replace(section(file, ".tenon.seal").first + 8, 64, loaded + digest_of(file.substr(index, index_size)));
  return file;
}

void write(const std::string& path, const std::string& bytes) {
  std::remove(path.c_str());  // a file of its own: the loader knows open libraries by their inode
  std::ofstream(path, std::ios::binary) << bytes;
}

// An artifact with this index, compiled.
std::string compiled(const std::string& index) {
  std::string folder = testing::TempDir() + "/tenon_artifact_test_" + std::to_string(getpid());
  mkdir(folder.c_str(), 0700);
  write(folder + "/index.bin", index);
  write(folder + "/constants.bin", constant);
  write(folder + "/payloads.bin", std::string(4096, 1) + loadable);
  write(folder + "/a.c", kSource);
  std::string command =
      "cd " + folder + " && cc -shared -fPIC -O1 -nostdlib -I" TENON_INCLUDE " -o a.so a.c && cat a.so > b.so";
  EXPECT_EQ(system(command.c_str()), 0) << command;
  std::ostringstream read;
  read << std::ifstream(folder + "/b.so", std::ios::binary).rdbuf();
  std::string remove = "rm -r " + folder;
  EXPECT_EQ(system(remove.c_str()), 0);
  return seal(read.str());
}

// The whole artifact, compiled once.
const std::string& whole() {
  static const std::string bytes = compiled(map(
      {{"version", integer(1)},
       {"functions", map({{"sum", map({{"symbol", text("tenon_fn_sum")}})},
                          {"other", map({{"symbol", text("tenon_fn_other")}})},
                          {"through", map({{"symbol", text("tenon_fn_through")}})}})},
       {"constants",
        array({map({{"offset", integer(0)}, {"size", integer(64)}, {"digest", text(hex_digest(constant))}})})},
       {"imports", array({text("ext.f"), text("pay.f")})},
       {"payloads", array({map({{"functions", map({{"pay.f", text("tenon_fn_pay")}})},
                                {"imports", array({text("ext.f")})},
                                {"constants", array({map({{"offset", integer(8)},
                                                          {"size", integer(3)},
                                                          {"digest", text(hex_digest(std::string(3, 7)))}})})}})})}}));
  return bytes;
}

// The same with a payload that a loader takes, and that implements what `through` calls.
const std::string& loaded() {
  static const std::string bytes = compiled(map(
      {{"version", integer(2)},
       {"functions", map({{"through", map({{"symbol", text("tenon_fn_through")}})}})},
       {"constants", array({})},
       {"imports", array({text("ext.f"), text("pay.g")})},
       {"payloads", array({map({{"format", text("com.test.text/1")},
                                {"codegen", text("com.test.maker")},
                                {"device", text("")},
                                {"requirements", map({{"answer", integer(3)}})},
                                {"digest", text(hex_digest(loadable))},
                                {"offset", integer(4096)},
                                {"size", integer(static_cast<int64_t>(loadable.size()))},
                                {"functions", map({{"pay.g", text("sum")}})},
                                {"imports", array({})},
                                {"constants", array({map({{"offset", integer(8)},
                                                          {"size", integer(3)},
                                                          {"digest", text(hex_digest(std::string(3, 7)))}})})}})})}}));
  return bytes;
}

// The file with `from` in its index replaced by `to` of the same length, sealed again.
std::string with_index(const std::string& from, const std::string& to, const std::string& whole_file = whole()) {
  EXPECT_EQ(from.size(), to.size());
  std::string file = whole_file;
  auto [offset, size] = section(file, ".tenon.index");
  size_t place = file.find(from, offset);
  EXPECT_LT(place, offset + size) << from;
  return seal(file.replace(place, from.size(), to));
}

// ---- Opening.

Value import_map() {
  Value f = call([](TnValue* ret) {
    return rt->function(
        [](void*, const TnValue* args, int32_t n, TnValue* r) {
          *r = n == 1 ? args[0] : TnValue{TN_NONE, 0, {0}};
          return 0;
        },
        nullptr, nullptr, ret);
  });
  return Value(b.map({{"ext.f", f}}));
}

Value open_file(const std::string& path, const Value& imports, bool verify = true) {
  return call([&](TnValue* ret) { return rt->artifact_open(path.c_str(), imports.ptr(), verify, ret); });
}

Value open_bytes(const std::string& bytes, const Value& imports = import_map(), bool verify = true) {
  std::string path = testing::TempDir() + "/tenon_artifact_test_" + std::to_string(getpid()) + ".so";
  write(path, bytes);
  try {
    Value v = open_file(path, imports, verify);
    std::remove(path.c_str());
    return v;
  } catch (...) {
    std::remove(path.c_str());
    throw;
  }
}

// "CODE message" of the refusal.
template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const Error& e) { return std::to_string(e.code) + " " + e.message; }
  return "accepted";
}

int64_t call_function(const Value& artifact, const char* name, TnValue arg) {
  const Value* f = artifact.ref<Map>().find("functions")->ref<Map>().find(name);
  auto* function = reinterpret_cast<TnFunction*>(f->raw().as.object);
  return call([&](TnValue* ret) { return function->call(function, &arg, 1, ret); }).as_int();
}

TEST(Artifact, RefusesFilesThatAreNone) {
  std::string folder = testing::TempDir();
  EXPECT_EQ(refusal([] { open_file("/no/such/file.so", Value()); }),
            "14 the artifact cannot be opened: No such file or directory");
  EXPECT_EQ(refusal([&] { open_file(folder, Value()); }), "14 the artifact is no regular file");
  EXPECT_EQ(refusal([] { open_bytes(""); }), "18 the artifact is empty");
  EXPECT_EQ(refusal([] { open_bytes("no ELF file"); }), "18 the artifact is no complete 64-bit ELF file");
  EXPECT_EQ(refusal([] { open_file("/proc/self/exe", Value()); }),
            "18 the file is no Tenon artifact: it has no seal or no index");
}

TEST(Artifact, RefusesATruncatedFile) {
  const std::string& file = whole();
  for (size_t n = 1; n < file.size(); n += 1 + file.size() / 97)
    EXPECT_EQ(refusal([&] { open_bytes(file.substr(0, n)); }).substr(0, 3), "18 ") << n;
}

TEST(Artifact, RefusesADamagedPart) {
  auto flipped = [](size_t place) {
    std::string file = whole();
    file[place] = static_cast<char>(file[place] ^ 4);
    return file;
  };
  auto refuse = [&](size_t place) { return refusal([&] { open_bytes(flipped(place)); }); };
  constexpr const char* code = "18 the code of the artifact does not match its digest";
  const std::string& file = whole();
  EXPECT_EQ(refuse(section(file, ".text").first + 3), code);
  EXPECT_EQ(refuse(section(file, ".dynsym").first + 30), code);
  EXPECT_EQ(refuse(at<Elf64_Ehdr>(file, 0).e_phoff + 5), code);
  EXPECT_EQ(refuse(section(file, ".tenon.seal").first + 10), code);
  EXPECT_EQ(refuse(section(file, ".tenon.seal").first + 50), "18 the index of the artifact does not match its digest");
  EXPECT_EQ(refuse(section(file, ".tenon.seal").first + 2), "18 the artifact has a seal of another version");
  EXPECT_EQ(refuse(section(file, ".tenon.index").first + 20), "18 the index of the artifact does not match its digest");
  size_t data = section(file, ".tenon.constants").first;
  EXPECT_EQ(refuse(data + 63), "18 a constant of the artifact does not match its digest");
  EXPECT_EQ(call_function(open_bytes(flipped(data + 63), import_map(), false), "sum", {TN_NONE, 0, {0}}),
            63 * 7 + (7 ^ 4));  // as it was asked for: not verified
  std::string other = whole();
  other[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  EXPECT_EQ(refusal([&] { open_bytes(seal(other)); }), "13 the artifact was compiled for another processor");
}

TEST(Artifact, RefusesAnIndexThatDoesNotHold) {
  auto refuse = [](const std::string& from, const std::string& to) {
    return refusal([&] { open_bytes(with_index(from, to)); });
  };
  EXPECT_NE(refuse(text("version") + integer(1), text("version") + integer(3))
                .find("the artifact has format 3, this runtime reads formats 1 to 2"),
            std::string::npos);
  EXPECT_EQ(refuse("version", "vermont"), "18 the index of the artifact has no version");
  EXPECT_EQ(refuse("tenon_fn_sum", "tenon_fn_mus"),
            "18 the artifact lacks the code of a function that its index names");
  EXPECT_EQ(refuse("tenon_fn_pay", "tenon_fn_pya"),
            "18 the artifact lacks the code of a function that its index names");
  EXPECT_EQ(refuse(text("payloads"), text("payloadz")), "11 the artifact needs the external function 'pay.f'");
  EXPECT_EQ(refuse(text("offset") + integer(8), text("offset") + integer(62)),
            "18 a constant of the artifact lies outside its section");
  EXPECT_EQ(refuse("functions", "functionz"), "18 the index of the artifact has no functions");
  for (int64_t offset : {int64_t{1}, int64_t{-1}, INT64_MAX})
    EXPECT_EQ(refuse(text("offset") + integer(0), text("offset") + integer(offset)),
              "18 a constant of the artifact lies outside its section");
  size_t begin = section(whole(), ".tenon.index").first, tag = whole().find(text("imports"), begin) + 16 - begin;
  EXPECT_EQ(refuse(text("imports") + "a", text("imports") + "x"), "18 an unknown tag at byte " + std::to_string(tag));
}

TEST(Artifact, RefusesMissingImports) {
  constexpr const char* missing = "11 the artifact needs the external function 'ext.f'";
  EXPECT_EQ(refusal([] { open_bytes(whole(), Value()); }), missing);
  EXPECT_EQ(refusal([] { open_bytes(whole(), Value(b.map({{"ext.f", 1}}))); }), missing);
}

// A sealed index of any content is refused or opened, never a fault.
TEST(Artifact, SurvivesAnyIndex) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto [offset, size] = section(whole(), ".tenon.index");
  Value imports = import_map();
  for (int i = 0; i < 500; ++i) {
    std::string file = whole();
    for (unsigned n = 1 + random() % 3; n-- > 0;)
      file[offset + random() % size] = static_cast<char>(random() % 2 ? random() : "ntfidsbam"[random() % 9]);
    std::string said = refusal([&] { open_bytes(seal(file), imports); });
    ASSERT_TRUE(said == "accepted" || said.substr(0, 2) == "18" || said.substr(0, 2) == "13" ||
                said.substr(0, 2) == "11" || said.substr(0, 2) == "12" || said.substr(0, 2) == "17")
        << said;
  }
}

TEST(Artifact, FunctionsRunAndKeepItOpen) {
  Value function;
  {
    Value artifact = open_bytes(whole());
    EXPECT_EQ(call_function(artifact, "sum", {TN_NONE, 0, {0}}), 64 * 7);
    EXPECT_EQ(call_function(artifact, "other", {TN_INT, 0, {42}}), 42);
    EXPECT_EQ(call_function(artifact, "through", {TN_INT, 0, {42}}), 2 * 42 + 7) << "main, payload, import";
    EXPECT_EQ(artifact.ref<Map>().find("index")->ref<Map>().find("version")->as_int(), 1);
    function = *artifact.ref<Map>().find("functions")->ref<Map>().find("sum");
  }
  auto* f = reinterpret_cast<TnFunction*>(function.raw().as.object);
  EXPECT_EQ(call([&](TnValue* ret) { return f->call(f, nullptr, 0, ret); }).as_int(), 64 * 7);
}

TEST(Artifact, RunsFromManyThreadsAtOnce) {
  const Value artifact = open_bytes(whole());
  std::vector<std::thread> threads(16);
  for (std::thread& t : threads)
    t = std::thread([&artifact] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(call_function(artifact, "sum", {TN_NONE, 0, {0}}), 64 * 7);
        EXPECT_EQ(call_function(artifact, "other", {TN_INT, 0, {i}}), i);
        EXPECT_EQ(call_function(artifact, "through", {TN_INT, 0, {i}}), 2 * i + 7);
      }
    });
  for (std::thread& t : threads) t.join();
}

TEST(Artifact, OpensManyTimes) {
  std::vector<Value> open(40);
  for (Value& artifact : open) artifact = open_bytes(whole());
  for (size_t i = 0; i < open.size(); i += 2) open[i] = Value();
  for (size_t i = 0; i < open.size(); i += 2) open[i] = open_bytes(whole());
  for (const Value& artifact : open) EXPECT_EQ(call_function(artifact, "sum", {TN_NONE, 0, {0}}), 64 * 7);
}

// ---- Payloads that a loader takes.

// A loader whose modules are payloads: their one function adds up the bytes of text, of constant and of argument.
const char* const kFormats[] = {"com.test.text/1", nullptr};
constexpr TnLoader kLoader = {
    sizeof(TnLoader),
    kFormats,
    [](void*, const char*, const TnValue* requirements, const TnValue* properties, int32_t* answer, TnValue* ret) {
      const TnValue* given = tn_map_find(requirements, "answer");
      EXPECT_EQ(properties->type_index, TN_NONE);
      *answer = given && given->type_index == TN_INT ? static_cast<int32_t>(given->as.i) : 0;
      return rt->string("as it was told", 14, ret);
    },
    [](void*, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue*) {
      EXPECT_EQ(target->device, nullptr);
      EXPECT_EQ(std::string(target->name), "cpu:0");
      EXPECT_EQ(reinterpret_cast<uintptr_t>(payload->data) % 4096, 0u);
      *module = const_cast<TnPayload*>(payload);
      return 0;
    },
    [](void*) {},
    [](void* module, const char* symbol, TnLoadedFunction* out, TnValue* ret) {
      if (std::string(symbol) != "sum")
        return rt->error(TN_ERROR_NOT_FOUND, "no such function", nullptr, nullptr, nullptr, ret);
      out->function = module;
      out->inputs = 1;
      out->outputs = 0;
      return 0;
    },
    [](void*, void* function, void* queue, const TnValue* args, int32_t, TnValue* ret) {
      auto* p = static_cast<const TnPayload*>(function);
      EXPECT_EQ(queue, nullptr);
      *ret = TnValue{TN_INT, 0, {args[0].as.i}};
      for (uint64_t i = 0; i < p->bytes; ++i) ret->as.i += static_cast<const char*>(p->data)[i];
      for (size_t k = 0; k < p->constant_count; ++k)
        for (uint64_t i = 0; i < p->constants[k].bytes; ++i)
          ret->as.i += static_cast<const char*>(p->constants[k].data)[i];
      return 0;
    }};
constexpr TnPlugin kPlugin = {
    sizeof(TnPlugin),
    TN_ABI_VERSION,
    0,
    "com.test.loader",
    "1.0.0",
    [](const TnHost*, void**, TnValue*) { return 0; },
    [](void*) {},
    [](void*, const char* id) -> const void* { return std::string(id) == TN_LOADER ? &kLoader : nullptr; }};

Value instantiate(const std::string& bytes, Builder::Entries options = {}) {
  Value plugin = call([](TnValue* ret) { return rt->plugin_wrap(&kPlugin, nullptr, nullptr, ret); });
  options.emplace_back("plugins", b.array({plugin}));
  options.emplace_back("imports", import_map());
  const Value map = b.map(options);
  std::string path = testing::TempDir() + "/tenon_artifact_test_" + std::to_string(getpid()) + ".so";
  write(path, bytes);
  TnValue ret{TN_NONE, 0, {0}};
  int status = rt->instantiate(path.c_str(), map.ptr(), &ret);
  std::remove(path.c_str());
  return check(status, ret);
}

int64_t expected_sum(int64_t argument) {
  for (char c : loadable) argument += c;
  return argument + 3 * 7;
}

TEST(LoadedPayload, ImplementsWhatTheArtifactCalls) {
  Value instance = instantiate(loaded(), {{"verify_constants", Value(true)}});
  EXPECT_EQ(call_function(instance, "through", {TN_INT, 0, {5}}), expected_sum(5));
  const Map& told = instance.ref<Map>().find("payloads")->ref<Array>()[0].ref<Map>();
  EXPECT_EQ(told.find("answer")->as_string(), "best");
  EXPECT_EQ(told.find("plugin")->as_string(), "com.test.loader");
  EXPECT_EQ(told.find("device")->as_string(), "cpu:0");
  Value function = *told.find("functions")->ref<Map>().find("pay.g");
  instance = Value();  // the function keeps the artifact
  auto* f = reinterpret_cast<TnFunction*>(function.raw().as.object);
  TnValue one{TN_INT, 0, {1}};
  EXPECT_EQ(call([&](TnValue* ret) { return f->call(f, &one, 1, ret); }).as_int(), expected_sum(1));
}

TEST(LoadedPayload, IsAskedForBeforeAnythingIsLoaded) {
  Value instance = instantiate(loaded(), {{"check_only", Value(true)}});
  EXPECT_EQ(instance.ref<Map>().find("functions"), nullptr);
  EXPECT_EQ(instance.ref<Map>().find("payloads")->ref<Array>().size(), 1u);
  auto answer = [](int64_t a) {
    return refusal(
        [&] { instantiate(with_index(text("answer") + integer(3), text("answer") + integer(a), loaded())); });
  };
  EXPECT_EQ(answer(2), "accepted");
  EXPECT_NE(
      answer(1).find("10 the payload of the code generator 'com.test.maker' (com.test.text/1) must be compiled again "
                     "for 'cpu:0': the loader 'com.test.loader' says: as it was told"),
      std::string::npos);
  EXPECT_NE(answer(0).find("cannot run on 'cpu:0'"), std::string::npos);
  EXPECT_NE(answer(9).find("gave the answer 9, which is none: a bug of the plugin"), std::string::npos);
  EXPECT_NE(refusal([] { open_bytes(loaded()); }).find("11 nothing loads payloads of the format 'com.test.text/1'"),
            std::string::npos);
}

TEST(LoadedPayload, IsRefusedWhenDamaged) {
  auto refuse = [](const std::string& from, const std::string& to) {
    return refusal([&] { instantiate(with_index(from, to, loaded())); });
  };
  EXPECT_EQ(refuse(text("offset") + integer(4096), text("offset") + integer(4097)),
            "18 a payload of the artifact does not begin at a page");
  EXPECT_EQ(refuse(text("offset") + integer(4096), text("offset") + integer(8192)),
            "18 a payload of the artifact lies outside its section");
  EXPECT_EQ(refuse(text("size") + integer(8), text("size") + integer(9)),
            "18 a payload of the artifact lies outside its section");
  EXPECT_EQ(refuse(text("size") + integer(8), text("size") + integer(7)),
            "18 a payload of the artifact does not match its digest");
  const std::string unknown = refuse(text("sum"), text("mus"));
  EXPECT_NE(unknown.find("11 the plugin 'com.test.loader' failed in "), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("no such function"), std::string::npos) << unknown;
  std::string flipped = loaded();
  flipped[section(flipped, ".tenon.payloads").first + 4096] ^= 1;
  EXPECT_EQ(refusal([&] { instantiate(flipped); }), "18 a payload of the artifact does not match its digest");
  std::mt19937 random(std::random_device{}());
  auto [offset, size] = section(loaded(), ".tenon.index");
  for (int i = 0; i < 300; ++i) {
    std::string file = loaded();
    for (unsigned n = 1 + random() % 3; n-- > 0;)
      file[offset + random() % size] = static_cast<char>(random() % 2 ? random() : "ntfidsbam"[random() % 9]);
    refusal([&] { instantiate(seal(file)); });
  }
}

TEST(Instance, IsMadeAndCalledFromSixteenThreadsAtOnce) {
  const std::string path = testing::TempDir() + "/tenon_artifact_threads_" + std::to_string(getpid()) + ".so";
  write(path, loaded());
  Value plugin = call([](TnValue* ret) { return rt->plugin_wrap(&kPlugin, nullptr, nullptr, ret); });
  const Value options(b.map({{"plugins", b.array({plugin})}, {"imports", import_map()}}));
  Value shared = call([&](TnValue* ret) { return rt->instantiate(path.c_str(), options.ptr(), ret); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 4; ++round) {
        Value own = call([&](TnValue* ret) { return rt->instantiate(path.c_str(), options.ptr(), ret); });
        for (const Value& v : {own, shared}) EXPECT_EQ(call_function(v, "through", {TN_INT, 0, {i}}), expected_sum(i));
      }
    });
  for (std::thread& t : threads) t.join();
  std::remove(path.c_str());
}

TEST(Instance, BindsWhatItIsGiven) {
  Value before = instantiate(whole()), twice = instantiate(whole());  // two of one file
  int events = 0;
  TnProfiler profiler{sizeof profiler, &events, [](void* self, const TnProfileEvent* e) {
                        EXPECT_EQ(e->kind, TN_PROFILE_RUN);
                        ++*static_cast<int*>(self);
                      }};
  TnValue pointer{TN_POINTER, 0, {0}};
  pointer.as.p = &profiler;
  Value instance = instantiate(whole(), {{"profiler", Value::adopt(pointer)}, {"threads", Value(2)}});
  for (const Value& v : {before, twice, instance}) EXPECT_EQ(call_function(v, "sum", {}), 448);
  EXPECT_EQ(events, 1);
}

}  // namespace
}  // namespace tenon
