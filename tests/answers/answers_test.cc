// What a plugin answers wrongly is refused by the host, in words that name the plugin and say what to do, wherever the
// plugin runs. Each answer is given in a process of its own: a host that dies of it is seen.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <tenon/compiler_session.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "wrong-answers";
constexpr const char* kLoops =
    "@T.prim_func\ndef main(A: T.Buffer((4,), \"int32\")):\n    for i in range(4):\n        A[i] = i\n";

const fs::path& temporary() {
  static const fs::path folder = [] {
    fs::path p = fs::path(testing::TempDir()) / ("tenon_answers_" + std::to_string(getpid()));
    fs::create_directories(p);
    return p;
  }();
  return folder;
}

// What became of a use of the plugin: the error's code, 0 for none; the signal that ended the process.
struct Outcome {
  int signal = 0;
  int32_t code = 0;
  std::string message, hint;
};

// Uses a plugin in another process, in the way `answer`.
Outcome outcome_of(const std::string& answer, bool isolated,
                   const std::function<void(CompilerSession&, const fs::path& folder)>& use) {
  int ends[2];
  if (pipe(ends) != 0) return {-1, 0, "", ""};
  const fs::path folder = temporary() / "work";
  fs::create_directories(folder);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    setenv("TENON_ANSWER", answer.c_str(), 1);
    if (!std::getenv("TENON_ANSWER_OBJECT")) setenv("TENON_ANSWER_OBJECT", OBJECT, 1);
    setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    std::string said = "0";
    try {
      Builder b(tn_compiler()->runtime, nullptr);
      CompilerSession session(tn_compiler(), Value(b.map({{"plugin_dirs", Value(b.array({b.string(PLUGINS)}))},
                                                          {"probe", Value(false)},
                                                          {"isolate", Value(isolated)}})));
      use(session, folder);
    } catch (const Error& e) { said = std::to_string(e.code) + '\0' + e.message + '\0' + e.hint; }
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 9);
  }
  close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  Outcome out;
  out.signal = WIFSIGNALED(status) ? WTERMSIG(status) : said.empty() ? -1 : 0;
  out.code = std::atoi(said.c_str());
  std::vector<std::string> parts(1);
  for (char c : said)
    if (c)
      parts.back() += c;
    else
      parts.emplace_back();
  parts.resize(3);
  out.message = parts[1];
  out.hint = parts[2];
  return out;
}

struct Answer {
  const char* way;
  const char* says;
  int32_t code = TN_ERROR_PLUGIN;
};

void expect_refused(const std::vector<Answer>& answers,
                    const std::function<void(CompilerSession&, const fs::path& folder)>& use,
                    const std::string& names = kId, bool isolable = true) {
  for (bool isolated : {false, true}) {
    if (isolated && !isolable) continue;
    for (const Answer& a : answers) {
      SCOPED_TRACE(std::string(a.way) + (isolated ? ", isolated" : ""));
      Outcome o = outcome_of(a.way, isolated, use);
      EXPECT_EQ(o.signal, 0) << "the host died";
      EXPECT_EQ(o.code, a.code) << o.message;
      EXPECT_NE(o.message.find(a.says), std::string::npos) << o.message;
      EXPECT_NE((o.message + o.hint).find(names), std::string::npos) << o.message << o.hint;
      EXPECT_NE(o.hint, "") << o.message;
      size_t left = 0;
      for (const auto& e : fs::directory_iterator(temporary() / "work"))
        left += e.path().filename() != "cache" && e.path().filename() != "out.so";
      EXPECT_EQ(left, 0u) << "files are left";
      fs::remove_all(temporary() / "work");
    }
  }
}

void compile(CompilerSession& session, const fs::path& folder, const char* linker = "link-lld") {
  const Builder& b = session.builder();
  session.compile(session.parse(kLoops, "in.py"), (folder / "out.so").string(),
                  Value(b.map({{"codegen", b.string(kId)}, {"linker", b.string(linker)}})));
}

TEST(Answers, OfCodeGenerators) {
  auto use = [](CompilerSession& session, const fs::path& folder) { compile(session, folder); };
  EXPECT_EQ(outcome_of("", false, use).message, "");
  expect_refused({{"a list for a payload", "returned a list, not a payload"},
                  {"format is a number", "it has no format"},
                  {"format holds NUL", "it has no format"},
                  {"format is text", "it is no object file"},
                  {"format is unlisted", "its format 'elf/1' is not among those of the plugin's manifest"},
                  {"bytes are a number", "its bytes are neither bytes nor a constant"},
                  {"bytes are none", "it has no bytes"},
                  {"bytes are no object", "is no object file, though its format says so"},
                  {"exports are missing", "it has no map of exports"},
                  {"exports are a list", "it has no map of exports"},
                  {"symbol is a number", "its export 'main' names no symbol"},
                  {"symbol holds NUL", "its export 'main' names no symbol"},
                  {"symbol is not there", "which its object does not define"},
                  {"exports what there is not", "it exports 'other', which is none of the functions"},
                  {"imports are a number", "its imports are no list of names"},
                  {"imports are numbers", "its imports are no list of names"},
                  {"imports hold NUL", "its imports are no list of names"},
                  {"symbols are numbers", "its symbols are no list of names"},
                  {"constants are a number", "its constants are no list of constants"},
                  {"constants are numbers", "its constants are no list of constants"},
                  {"device is malformed", "its device is no name of one"},
                  {"requirements are a number", "its requirements are no map"}},
                 use);
  // In process: what crosses into another process is refused before.
  for (const char* way : {"requirements are deep", "requirements are without end", "requirements hold a function"}) {
    Outcome o = outcome_of(way, false, use);
    EXPECT_EQ(o.signal, 0) << way;
    EXPECT_NE(o.message.find("its requirements are no plain values, or too many"), std::string::npos) << o.message;
  }
}

// Damaged objects are the linker's to refuse; LLD itself ends its process over many of them.
TEST(Answers, OfCodeGeneratorsThatHandOverDamagedObjects) {
  std::ifstream in(OBJECT, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const std::string file = (temporary() / "damaged.o").string();
  setenv("TENON_ANSWER_OBJECT", file.c_str(), 1);
  auto use = [](CompilerSession& session, const fs::path& folder) { compile(session, folder); };
  auto refused = [&](const std::string& bytes, const std::string& label) {
    std::ofstream(file, std::ios::binary) << bytes;
    Outcome o = outcome_of("", false, use);
    std::vector<std::string> left;
    for (const auto& e : fs::directory_iterator(temporary() / "work"))
      if (e.path().filename() != "cache") left.push_back(e.path().filename());
    fs::remove_all(temporary() / "work");
    EXPECT_EQ(o.signal, 0) << label << ": the host died";
    if (o.code == 0) return false;
    EXPECT_EQ(o.code, TN_ERROR_PLUGIN) << label << ": " << o.message;
    EXPECT_TRUE(o.message.find("link-lld") != std::string::npos || o.message.find(kId) != std::string::npos)
        << label << ": " << o.message;
    EXPECT_NE(o.hint, "") << label << ": " << o.message;
    EXPECT_EQ(left, std::vector<std::string>()) << label;
    return true;
  };
  Elf64_Ehdr header;
  std::memcpy(&header, good.data(), sizeof header);
  auto patched = [&](auto&& patch) {
    std::string bytes = good;
    auto* sections = reinterpret_cast<Elf64_Shdr*>(bytes.data() + header.e_shoff);
    for (int i = 0; i < header.e_shnum; ++i) patch(sections[i], bytes);
    return bytes;
  };
  // LLD leaves by itself, and by a signal.
  EXPECT_TRUE(refused(patched([](Elf64_Shdr& s, std::string&) {
                        if (s.sh_type == SHT_SYMTAB) s.sh_info = 1 << 20;
                      }),
                      "local symbols without end"));
  EXPECT_TRUE(refused(patched([](Elf64_Shdr& s, std::string& bytes) {
                        if (s.sh_type == SHT_RELA)
                          reinterpret_cast<Elf64_Rela*>(bytes.data() + s.sh_offset)->r_offset = uint64_t{1} << 60;
                      }),
                      "a relocation elsewhere"));
  const char* given = std::getenv("TENON_SEED");
  const uint32_t seed = given ? static_cast<uint32_t>(std::atoi(given)) : std::random_device{}();
  std::printf("TENON_SEED=%u\n", seed);
  std::mt19937 random(seed);
  constexpr uint64_t kOdd[] = {0, 1, 0x7fffffff, 0xffffffff, uint64_t{1} << 40, ~uint64_t{0}, 0x1000};
  int count = 0;
  for (int i = 0; i < 60; ++i) {
    std::string bytes = good;
    const bool in_headers = random() % 3 != 0;
    const size_t from = in_headers ? header.e_shoff : sizeof header;
    const size_t size =
        (in_headers ? header.e_shnum * sizeof(Elf64_Shdr) : header.e_shoff - sizeof header) & ~size_t{7};
    const uint64_t odd = kOdd[random() % std::size(kOdd)];
    const size_t at = from + random() % (size / 8) * 8;
    if (random() % 2)
      std::memcpy(bytes.data() + at, &odd, 8);
    else
      bytes[at + random() % 8] ^= static_cast<char>(1 << random() % 8);
    count += refused(bytes, "random object " + std::to_string(i));
  }
  EXPECT_GT(count, 10);
  unsetenv("TENON_ANSWER_OBJECT");
}

// The code that an application gets is one of abi.h, whatever the plugin said, and the words are never missing.
TEST(Answers, ThatAreErrorsAndNone) {
  const std::vector<Answer> answers = {{"a code below all", "a code of its own"},
                                       {"the code 0", "a code of its own"},
                                       {"no words", "it failed and does not say why", TN_ERROR_ARGUMENT},
                                       {"no error", "a call failed without an error object"}};
  expect_refused(answers, [](CompilerSession& session, const fs::path& folder) { compile(session, folder); });
  expect_refused({{"no value", "a call returned what is no value"}},
                 [](CompilerSession& session, const fs::path& folder) { compile(session, folder); });
}

TEST(Answers, OfFrontends) {
  auto imports = [](const std::string& text) {
    return [text](CompilerSession& session, const fs::path& folder) {
      const std::string path = (folder.parent_path() / "model.answers").string();
      std::ofstream(path) << text;
      session.import_model(path, Value());
    };
  };
  const std::string model = "@R.function\ndef main(x: R.Tensor((4,), \"float32\")):\n    return x\n";
  const std::string head = "@R.function(private=True)\n";
  EXPECT_EQ(outcome_of("", false, imports(model)).message, "");
  expect_refused({{"a map for a module", "returned a map, not a module"}}, imports(model));
  expect_refused({{"", "without a function `main`, which is the model"}},
                 imports("@R.function\ndef foo(x: R.Tensor((4,), \"float32\")):\n    return x\n"));
  expect_refused({{"", "whose `main` is private"}}, imports(head + model.substr(model.find("def"))));
  EXPECT_EQ(outcome_of("", false, imports(kLoops)).message, "");  // as plugins of the first release give it
}

TEST(Answers, OfOperators) {
  auto use = [](CompilerSession& session, const fs::path&) {
    const Builder& b = session.builder();
    Node module = session.parse(
        "@R.function\ndef main(x: R.Tensor((4,), \"float32\")):\n    return I.op(\"answers.same\")(x)\n", "in.py");
    session.run_pipeline(
        module, Value(b.array({b.string("passes-graph:normalize"), b.string("passes-graph:legalize")})), Value());
  };
  EXPECT_EQ(outcome_of("", false, use).message, "");
  expect_refused({{"no type", "infer_type of the operator 'answers.same' returned nothing"},
                  {"a number for a type", "infer_type of the operator 'answers.same' returned an integer"},
                  {"a call for a type", "infer_type of the operator 'answers.same' returned ir.Call/1"},
                  {"a text for a loop function", "compute of the operator 'answers.same' returned a string"},
                  {"no loop function", "compute of the operator 'answers.same' returned nothing"},
                  {"a call for a loop function", "compute of the operator 'answers.same' returned ir.Call/1"},
                  {"loops of no parameters", "with 0 parameters, where 2 are due"},
                  {"loops of another rank", "whose parameter 0 has 2 dimensions, where 1 are due"},
                  {"loops of another dtype", "whose parameter 1 holds int8, where float32 is due"}},
                 use);
}

TEST(Answers, OfLinkers) {
  expect_refused({{"links nothing", "reported no error, but wrote no file"},
                  {"links into a folder", "made a folder where a library is due"},
                  {"links into a pipe", "made no regular file"},
                  {"links to a device", "made a link to another file where a library is due"},
                  {"links to itself", "made a link to another file where a library is due"},
                  {"links into holes", "wrote a file of 68719476736 bytes for objects of "},
                  {"links into an empty file", "wrote no library with the sections of an artifact"},
                  {"links garbage", "wrote no library with the sections of an artifact"}},
                 [](CompilerSession& session, const fs::path& folder) { compile(session, folder, kId); });
}

// What every slot may do wrongly.
const std::vector<Answer> kEscapes = {{"an exception", "let an exception escape: oops"},
                                      {"a number is thrown", "let an exception escape"},
                                      {"no error", "a call failed without an error object"},
                                      {"no words", "it failed and does not say why"},
                                      {"an internal error", "unforeseen"},
                                      {"no value", "a call returned what is no value"}};

std::vector<Answer> with_escapes(std::vector<Answer> answers) {
  answers.insert(answers.begin(), kEscapes.begin(), kEscapes.end());
  return answers;
}

TEST(Answers, OfKinds) {
  auto use = [](CompilerSession& session, const fs::path&) {
    session.load(session.parse("@T.prim_func\ndef main(A: T.Buffer((4,), \"float32\")):\n    A[0] = "
                               "I.node(\"com.example.escape/1\", type=I.dtype(\"float32\"), a=A[1])\n",
                               "in.py"),
                 "eval-interp", Value());
  };
  expect_refused(with_escapes({{"twice itself", "it still makes more"},
                               {"a variable of nobody",
                                "after the kinds of 'escapes-isolable' were lowered to run it: in function "
                                "`main`, at body.value: the variable `ghost` is used but not defined"}}),
                 use, "escapes-isolable", false);
}

TEST(Answers, OfPartitioners) {
  expect_refused(
      kEscapes,
      [](CompilerSession& session, const fs::path&) {
        const Builder& b = session.builder();
        Node module =
            session.parse("@R.function\ndef main(x: R.Tensor((4,), \"float32\")):\n    return R.add(x, x)\n", "in.py");
        session.run_pipeline(module,
                             Value(b.array({b.string("passes-graph:normalize"),
                                            b.string("passes-graph:partition{partitioners: [escapes-isolable]}")})),
                             Value());
      },
      "this is a bug of the plugin 'escapes-isolable'", false);
}

// A field of a message of ONNX's, which is protobuf: with a number, or with bytes.
std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number * 8 + 2)) + static_cast<char>(bytes.size()) + bytes;
}
std::string field(int number, int value) {
  return std::string(1, static_cast<char>(number * 8)) + static_cast<char>(value);
}

TEST(Answers, OfConverters) {
  const std::string type = field(2, field(1, field(1, 1) + field(2, field(1, field(1, 4)))));
  const std::string node = field(1, "x") + field(2, "y") + field(4, "Escape") + field(7, "escapes");
  const std::string model =
      field(1, 8) +
      field(7, field(1, node) + field(2, "main") + field(11, field(1, "x") + type) + field(12, field(1, "y") + type)) +
      field(8, field(1, "escapes") + field(2, 1));
  auto use = [&](CompilerSession& session, const fs::path& folder) {
    const std::string path = (folder.parent_path() / "model.onnx").string();
    std::ofstream(path, std::ios::binary) << model;
    session.import_model(path, Value());
  };
  EXPECT_EQ(outcome_of("", false, use).message, "");
  expect_refused(with_escapes({{"too many", "did not return one expression for each output"},
                               {"a variable of nobody", "neither a call of an operator nor an input of the node"},
                               {"a type", "neither a call of an operator nor an input of the node"},
                               {"a call of a variable", "returned a call of what is no operator"}}),
                 use, "this is a bug of the plugin 'escapes-isolable'", false);
}

TEST(Answers, OfExecutors) {
  auto use = [](CompilerSession& session, const fs::path&) {
    Value main = *session.load(session.parse(kLoops, "in.py"), "escapes-in-process", Value()).find("main");
    call_function(main, {});
  };
  EXPECT_EQ(outcome_of("", false, use).message, "");
  expect_refused(with_escapes({{"a number", "returned an integer for 'main', not a function"},
                               {"another function", "did not make the function 'main' callable"}}),
                 use, "escapes-in-process", false);
  setenv("TENON_ANSWER_LATER", "1", 1);  // not while it loads, but when its function is called
  expect_refused(with_escapes({{"an error and no failure", "it did not fail and returned an error"}}), use,
                 "escapes-in-process", false);
  unsetenv("TENON_ANSWER_LATER");
}

TEST(Answers, OfInstruments) {
  auto use = [](CompilerSession& session, const fs::path&) {
    const Builder& b = session.builder();
    session.run_pipeline(session.parse(kLoops, "in.py"), Value(b.array({b.string("passes-loop:simplify")})),
                         Value(b.map({{"instruments", Value(b.array({b.string("escapes-in-process")}))}})));
  };
  EXPECT_EQ(outcome_of("", false, use).message, "");
  const auto answers = with_escapes({{"an error and no failure", "it did not fail and returned an error"}});
  expect_refused(answers, use, "escapes-in-process", false);
  setenv("TENON_ANSWER_LATER", "1", 1);  // not before a pass, but after it
  expect_refused(answers, use, "escapes-in-process", false);
  unsetenv("TENON_ANSWER_LATER");
}

class Cleaner : public testing::Environment {
  void TearDown() override { fs::remove_all(temporary()); }
};
const auto* const cleaner = testing::AddGlobalTestEnvironment(new Cleaner);

}  // namespace
}  // namespace tenon
