// What plugins do wrong stays in their process: the host goes on, names them, and the next call works.
#include <sys/stat.h>
#include <sys/wait.h>

#include <cfenv>
#include <chrono>
#include <clocale>
#include <random>

#include "host.h"

namespace tenon::sabotage {
namespace {

TEST(Sabotage, EveryDeedAtUseIsAnErrorThatNamesThePluginAndTheNextCallWorks) {
  temporary();
  const std::string folder = fs::current_path(), locale = setlocale(LC_ALL, nullptr);
  const int rounding = std::fegetround();
  size_t before = open_descriptors();
  {
    Host host;
    for (const char* kind : kKinds) {
      expect_works(host, kind, "nothing");
      for (const Deed& deed : kDeeds) {
        will("call", deed.name, kind);
        std::string said = host.use(kind);
        if (deed.effect == Effect::kHarmless) continue;  // what it gives may be right or wrong
        if (deed.effect == Effect::kGiven && std::string(kind) == "frontend") continue;
        if (std::string(deed.name) == "throw" && said.empty()) continue;
        EXPECT_NE(said, "") << kind << " " << deed.name;
        if (deed.effect == Effect::kAnswer) continue;
        EXPECT_NE(said.find(std::string("sabotage-") + kind), std::string::npos)
            << kind << " " << deed.name << ": " << said;
        if (std::string(deed.name) == "release-once" || std::string(deed.name) == "write-below") {
          EXPECT_NE(said.find("a list that it was given"), std::string::npos)
              << kind << " " << deed.name << ": " << said;
        }
        if (deed.effect == Effect::kHangs) {
          EXPECT_EQ(host.last.code, TN_ERROR_LIMIT) << kind << " " << deed.name << ": " << said;
        }
        expect_works(host, kind, deed.name);
      }
    }
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(fs::current_path(), folder);
  EXPECT_EQ(setlocale(LC_ALL, nullptr), locale);
  EXPECT_EQ(std::fegetround(), rounding);
}

TEST(Sabotage, EveryDeedAtTheFirstLoadingIsFoundOut) {
  temporary();
  Host host(false);
  for (const char* kind : kKinds) {
    for (const Deed& deed : kDeeds) {
      if (!deed.anywhere && deed.effect != Effect::kAnswer && std::string(deed.name) != "wild-error") continue;
      bool settles = deed.effect == Effect::kHarmless && std::string(deed.name) == "fork";
      if (std::string(deed.name) == "pointer") settles = true;
      will("create", deed.name, kind);
      std::string standing = deed.effect == Effect::kHangs ? host.standing(kind) : host.standing_in_time(kind);
      EXPECT_EQ(standing.substr(0, 2) == "ok", settles) << kind << " " << deed.name << ": " << standing;
    }
    for (const char* deed : {"segv", "exit-3", "loop"}) {
      will("load", deed, kind);
      EXPECT_TRUE(host.standing(kind).starts_with("quarantined: ")) << kind << " " << deed;
    }
    will("end", "abort", kind);
    std::string at_end = host.standing(kind);
    EXPECT_TRUE(at_end.starts_with("quarantined: ")) << kind << " at its end: " << at_end;
    will("create", "segv", kind);
    std::string standing = host.standing_in_time(kind);
    EXPECT_NE(standing.find("SIGSEGV (segmentation fault) at address 0x8 in sabotage-" + std::string(kind) + ".so+0x"),
              std::string::npos)
        << standing;
    // It is kept out, in this session and the next, until it is tried again.
    will("create", "none", kind);
    for (int i = 0; i < 2; ++i) {
      Host other(false);
      EXPECT_NE((i == 0 ? host : other).use(kind).find("is in quarantine"), std::string::npos) << kind;
    }
    EXPECT_EQ(host.standing_in_time(kind), "ok: ") << kind;
    EXPECT_EQ(host.use(kind), "") << kind;
  }
}

TEST(Sabotage, AThousandFaultsLeaveTheHostAlive) {
  temporary();
  const char* wanted = std::getenv("TENON_FAULTS");
  const int count = wanted ? std::atoi(wanted) : 1000;
  const char* given = std::getenv("TENON_SEED");
  const uint32_t seed = given ? static_cast<uint32_t>(std::atoi(given)) : std::random_device{}();
  std::printf("TENON_SEED=%u\n", seed);
  std::mt19937 random(seed);
  std::vector<const Deed*> fast;
  for (const Deed& d : kDeeds)
    if (d.effect == Effect::kEnds && std::string(d.name) != "close-all") fast.push_back(&d);
  Host host;
  size_t before = 0;
  for (int i = 0; i < count; ++i) {
    const char* kind = kKinds[random() % std::size(kKinds)];
    // Those that take their time are one in fifty.
    const Deed& deed = random() % 50 == 0 ? kDeeds[random() % std::size(kDeeds)] : *fast[random() % fast.size()];
    will("call", deed.name, kind);
    std::string said = host.use(kind);
    if (deed.effect == Effect::kEnds) {
      ASSERT_NE(said.find(std::string("sabotage-") + kind), std::string::npos)
          << i << " " << kind << " " << deed.name << ": " << said;
    }
    if (i == 100) before = open_descriptors();
  }
  EXPECT_LE(open_descriptors(), (before ? before : 1000) + 10) << "descriptors leak";
  for (const char* kind : kKinds) expect_works(host, kind, "all of them");
}

TEST(Sabotage, ReproducersFailAgainAndHoldNoWeights) {
  temporary();
  Host host(true, 20'000);
  for (const char* kind : {"pass", "op", "codegen", "frontend", "partitioner", "kind"}) {
    will("call", "segv", kind);
    ASSERT_NE(host.use(kind), "");
    size_t at = host.last.hint.find("tenon repro ");
    ASSERT_NE(at, std::string::npos) << host.last.hint;
    std::string folder = host.last.hint.substr(at + 12);
    folder.resize(folder.find(' '));
    EXPECT_EQ(host.last.hint.substr(at + 12 + folder.size()), " --plugin-dir " PLUGINS);
    std::string first = host.last.message.substr(0, host.last.message.find(" at address"));
    try {
      host.session().replay(folder);
      ADD_FAILURE() << kind << " did not fail again";
    } catch (const Error& e) {
      std::string again = e.message.substr(0, e.message.find(" at address"));
      EXPECT_NE(first.find(again), std::string::npos) << again << " | " << first;
      EXPECT_EQ(e.hint, "it fails as the reproducer says") << e.message;
    }
    EXPECT_TRUE(fs::exists(fs::path(folder) / "log.txt"));
    EXPECT_FALSE(fs::exists(fs::path(folder) / "data"));
    will("call", "none", kind);
    EXPECT_EQ(host.session().replay(folder).find("plugin")->as_string(), std::string("sabotage-") + kind);
    will("call", "segv", kind);
  }
}

// A copy of a reproducer of a crash, changed; what replaying it says.
class Reproducers : public testing::Test {
 protected:
  void SetUp() override {
    temporary();
    will("call", "segv", "pass");
    ASSERT_NE(host_.use("pass"), "");
    for (const auto& entry : fs::directory_iterator(temporary() / "repro"))
      if (whole_.empty() || entry.last_write_time() > fs::last_write_time(whole_)) whole_ = entry.path();
  }
  static std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void replace(const fs::path& file, const std::string& from, const std::string& to) {
    std::string text = content(file);
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    std::ofstream(file, std::ios::binary) << text.replace(at, from.size(), to);
  }
  // "MESSAGE | HINT"
  std::string replay(const std::function<void(const fs::path&)>& change) {
    fs::path copy = temporary() / "copy";
    fs::remove_all(copy);
    fs::copy(whole_, copy);
    change(copy);
    try {
      host_.session().replay(copy.string());
    } catch (const Error& e) { return e.message + " | " + e.hint; }
    return "does not fail any more";
  }
  std::string replay_with(const std::string& from, const std::string& to) {
    return replay([&](const fs::path& f) { replace(f / "reproducer.yaml", from, to); });
  }
  Host host_{true, 20'000};
  fs::path whole_;
};

void expect_words(const std::string& said, const std::string& words) {
  EXPECT_NE(said.find(words), std::string::npos) << said << " does not say " << words;
}

TEST_F(Reproducers, NumbersThatAreNoneAreNamed) {
  expect_words(replay_with("messages: 1", "messages: 0"), "'messages' of a reproducer is a number from 1 to");
  expect_words(replay_with("messages: 1", "messages: -1"), ", not -1");
  expect_words(replay_with("messages: 1", "messages: 2"), "cannot read the file");
  expect_words(replay_with("deadline_ms: 20000", "deadline_ms: -5"), "'deadline_ms' of a reproducer is a number");
  expect_words(replay_with("deadline_ms: 20000", "deadline_ms: 9223372036854775807"), ", not 9223372036854775807");
  expect_words(replay_with("deadline_ms: 20000", "deadline_ms: soon"), ", not \"soon\"");
  expect_words(replay_with("deadline_ms: 20000\n", ""), "the reproducer says no 'deadline_ms'");
}

TEST_F(Reproducers, SpecialFilesAndLargeOnesAreRefused) {
  for (const char* name : {"message-0.bin", "constants.txt", "reproducer.yaml"}) {
    expect_words(replay([&](const fs::path& f) {
                   fs::remove(f / name);
                   ASSERT_EQ(mkfifo((f / name).c_str(), 0600), 0);
                 }),
                 "regular file");
    expect_words(replay([&](const fs::path& f) {
                   fs::remove(f / name);
                   fs::create_symlink("/dev/zero", f / name);
                 }),
                 "regular file");
    expect_words(replay([&](const fs::path& f) { fs::resize_file(f / name, uint64_t{3} << 30); }), "larger than");
  }
}

TEST_F(Reproducers, WhatIsNotTheCallThatFailedIsNotTakenForIt) {
  const std::string damaged = "its call is not the one that was written";
  const auto size = fs::file_size(whole_ / "message-0.bin");
  expect_words(replay([&](const fs::path& f) { fs::resize_file(f / "message-0.bin", size - 1); }), damaged);
  expect_words(replay([&](const fs::path& f) {
                 std::string bytes = content(f / "message-0.bin");
                 bytes[size / 2] = static_cast<char>(bytes[size / 2] ^ 1);
                 std::ofstream(f / "message-0.bin", std::ios::binary) << bytes;
               }),
               damaged);
  expect_words(replay_with("slot: \"run_module\"", "slot: \"run_function\""), damaged);
  expect_words(replay_with("version: \"1.2.3\"", "version: \"1.2.4\""), damaged);
  expect_words(replay([](const fs::path&) {}), "it fails as the reproducer says");
  will("call", "exit-3", "pass");
  expect_words(replay([](const fs::path&) {}), "it fails otherwise than the reproducer says, which is: the plugin");
}

// The program dies in the plugin; the next one knows why.
TEST(Sabotage, ACrashInTheProcessItselfIsChargedAtTheNextStart) {
  temporary();
  std::ofstream(temporary() / "m.py")
      << "@T.prim_func\ndef main(A: T.Buffer((4,), \"int32\")):\n    for i in range(4):\n        A[i] = i\n";
  const std::string out = (temporary() / "said").string();
  auto tool = [&](const std::string& words) {
    int status =
        std::system((std::string(TOOL) + " " + words + " --plugin-dir " PLUGINS " > " + out + " 2>&1").c_str());
    std::ifstream in(out);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    return std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)) + " " + text;
  };
  const std::string opt = "opt " + (temporary() / "m.py").string() + " --pass sabotage-pass:act";
  will("call", "none", "pass");
  tool("plugin probe sabotage-pass");
  ASSERT_TRUE(tool(opt).starts_with("0 ")) << tool(opt);
  will("call", "segv", "pass");
  EXPECT_TRUE(tool(opt).starts_with("139 "));
  std::string list = tool("plugin list");
  EXPECT_NE(list.find("in quarantine since "), std::string::npos) << list;
  EXPECT_NE(list.find(": it was stopped by SIGSEGV (segmentation fault) in sabotage-pass:act"), std::string::npos)
      << list;
  will("call", "none", "pass");
  EXPECT_TRUE(tool(opt).starts_with("4 error: the plugin 'sabotage-pass' 1.2.3 is in quarantine")) << tool(opt);
  EXPECT_TRUE(tool(opt + " --isolate-plugin sabotage-pass").starts_with("0 "));
  EXPECT_TRUE(tool("plugin probe sabotage-pass").starts_with("0 sabotage-pass: ok"));
  EXPECT_TRUE(tool(opt).starts_with("0 "));
}

// A plugin that forks and returns answers once: what its second process says is nobody's.
TEST(Sabotage, WhatAPluginLeavesRunningDoesNotDisturbTheNextCalls) {
  temporary();
  Host host(true, 20'000);
  for (const char* kind : kKinds) {
    // A process that may not wait for the host is started anew before the next call.
    will("call", "no-files", kind);
    host.use(kind);
    expect_works(host, kind, "no-files");
    for (const char* deed : {"fork-return", "late"}) {
      will("call", deed, kind);
      EXPECT_EQ(host.use(kind), "") << kind << " " << deed;
      for (int i = 0; i < 3; ++i) expect_works(host, kind, deed);
    }
  }
}

TEST(Sabotage, AProcessThatIsGoneIsNotWaitedFor) {
  temporary();
  Host host(true, 60'000);
  const auto begin = std::chrono::steady_clock::now();
  const std::pair<const char*, const char*> says[] = {{"fork-leave", "was stopped by SIGABRT (abort) in sabotage-"},
                                                      {"trace-me", "was stopped by SIGABRT (abort)"},
                                                      {"cut", "cut the connection to the host"},
                                                      {"replace-all", "cut the connection to the host"}};
  for (const char* kind : kKinds)
    for (auto [deed, text] : says) {
      will("call", deed, kind);
      const std::string said = host.use(kind);
      EXPECT_NE(said.find(text), std::string::npos) << kind << " " << deed << ": " << said;
    }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(50));
}

// By number, and by size: one fact may be large.
TEST(Sabotage, APluginThatReportsOrRecordsWithoutEndIsEnded) {
  temporary();
  for (const char* deed : {"talk", "facts"}) {
    Host host(true, 120'000);
    will("call", deed, "pass");
    EXPECT_NE(host.use("pass").find("reported or asked without end in pass act"), std::string::npos)
        << deed << ": " << host.last.message;
    EXPECT_EQ(host.last.code, TN_ERROR_LIMIT) << deed;
    expect_works(host, "pass", deed);
  }
}

TEST(Sabotage, AResultThatIsTooDeepIsToldAsThat) {
  temporary();
  Host host(true, 20'000);
  will("call", "deep", "pass");
  EXPECT_NE(host.use("pass").find("its result cannot be read: arrays and maps are nested more than"), std::string::npos)
      << host.last.message;
  EXPECT_EQ(host.last.code, TN_ERROR_LIMIT);
  will("call", "none", "pass");
  EXPECT_EQ(host.use("pass"), "");
}

// One cache for all: whoever comes first tries the plugin, and whoever dies meanwhile harms nobody.
TEST(Sabotage, ManyProcessesShareOneColdCache) {
  temporary();
  const std::string out = (temporary() / "many").string(), cache = (temporary() / "many_cache").string();
  will("call", "none", "pass");
  auto shell = [&](const std::string& script) {
    const std::string check =
        std::string("env XDG_CACHE_HOME=") + cache + " " + TOOL + " plugin check sabotage-pass --plugin-dir " PLUGINS;
    return std::system(("check() { " + check + " >> " + out + " 2>&1; }; " + script).c_str());
  };
  for (int round = 0; round < 2; ++round) {
    fs::remove_all(cache);
    fs::remove(out);
    shell("for i in $(seq 32); do check & done; wait");
    std::ifstream in(out);
    std::string line;
    int good = 0;
    while (std::getline(in, line)) good += line == "sabotage-pass: ok";
    EXPECT_EQ(good, 32);
  }
  fs::remove_all(cache);
  fs::remove(out);
  // The shell's children are the tool: killed after 1 to 40 ms, wherever they are.
  shell(
      "for i in $(seq 40); do check & p=$!; sleep 0.0$((i % 4))$((i % 10)); kill -9 $p 2>/dev/null; "
      "pkill -9 -P $p 2>/dev/null; done; wait 2>/dev/null; rm -f " +
      out + "; check");
  std::ifstream in(out);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text, "sabotage-pass: ok\n");
}

TEST(Sabotage, WhatAPluginRecordsReachesTheHost) {
  temporary();
  will("call", "none", "partitioner");
  Host host, in_process(false);
  ASSERT_EQ(host.use("partitioner"), "");
  ASSERT_EQ(in_process.use("partitioner"), "");
  EXPECT_EQ(host.facts, std::vector<std::string>{"sabotage: it takes all"});
  EXPECT_EQ(host.facts, in_process.facts);
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {(std::istreambuf_iterator<char>(in)), {}};
}

// The artifact names what it was made with, wherever that ran.
TEST(Sabotage, AnIsolatedCompileMakesTheSameBytes) {
  temporary();
  const fs::path here = temporary() / "here.so", isolated = temporary() / "isolated.so";
  const std::string compile = TOOL " compile " DIGITS " -o ";
  ASSERT_EQ(std::system((compile + here.string() + " > /dev/null").c_str()), 0);
  ASSERT_EQ(std::system((compile + isolated.string() + " --isolate > /dev/null").c_str()), 0);
  ASSERT_GT(bytes_of(here).size(), 10'000u);
  EXPECT_TRUE(bytes_of(here) == bytes_of(isolated));
}

// What one call did to a node shows, and does not become the next one's: the worker keeps the nodes that it knows.
TEST(Sabotage, ACallAfterALongConversationIsAsTheFirst) {
  temporary();
  Host host;
  for (int round = 0; round < 3; ++round)
    for (const char* kind : kKinds) expect_works(host, kind, "calls before it");
  will("call", "write-below", "pass");
  EXPECT_NE(host.use("pass").find("wrote into a node"), std::string::npos);
  expect_works(host, "pass", "write-below");
}

// Many large modules, each another: the two ends forget the nodes of the old ones, at the same time.
TEST(Sabotage, ModulesThatDoNotComeAgainAreForgotten) {
  temporary();
  will("call", "none", "pass");
  Host host(true, 60'000);
  Node first;
  for (int round = 0; round < 8; ++round) {
    std::string text = "@T.prim_func\ndef main(A: T.Buffer((4,), \"int32\")):\n";
    for (int i = 0; i < 6000; ++i) text += "    A[" + std::to_string(i % 4) + "] = A[1] + " + std::to_string(i) + "\n";
    Node module = host.session().parse(text, "large.py");
    if (!first) first = module;
    for (const Node& m : {module, first, module}) {
      Map r = host.session().run_pipeline(
          m, Value(host.session().builder().array({host.session().builder().string("sabotage-pass:act")})), Value());
      ASSERT_TRUE(as_node(*r.find("module")).same_as(m)) << round;
    }
  }
}

class Cleaner : public testing::Environment {
  void TearDown() override { fs::remove_all(temporary()); }
};
const auto* const cleaner = testing::AddGlobalTestEnvironment(new Cleaner);

}  // namespace
}  // namespace tenon::sabotage
