// Damages models in every way that one byte can be damaged, and at random: each import ends with a module that is legal
// or with an error of the input, never with a signal or an error of Tenon's own. A child process imports, so that a
// signal is charged to the damage that it was about.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tenon/compiler_session.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "onnx_model.h"

namespace tenon {
namespace {

uint64_t seed() {
  static const uint64_t value = [] {
    const char* given = std::getenv("TENON_TEST_SEED");
    uint64_t s = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    std::printf("TENON_TEST_SEED=%llu\n", static_cast<unsigned long long>(s));
    return s;
  }();
  return value;
}

// What the child tells the parent.
struct Report {
  uint64_t current;  // the damage that is being tried
  uint64_t accepted, refused;
  char failure[512];
};

// What is wrong with the outcome of importing these bytes; "" when nothing is.
std::string judge(const CompilerSession& session, const std::string& path, const std::string& bytes, Report& report) {
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    Node module = session.import_model(path, Value());
    ++report.accepted;
    session.verify(module);
    return "";
  } catch (const Error& e) {
    ++report.refused;
    bool ours =
        e.code == TN_ERROR_INTERNAL || e.code == TN_ERROR_PLUGIN || e.code == TN_ERROR_VERIFY || e.message.empty();
    return ours ? "error " + std::to_string(e.code) + ": " + e.message : "";
  }
}

// Tries damage(0), damage(1), ... and fails with the first that does harm.
void try_all(uint64_t count, const std::function<std::string(uint64_t)>& damage) {
  auto* report =
      static_cast<Report*>(mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(report, MAP_FAILED);
  std::fflush(nullptr);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // In memory where there is such a place: the files are many.
    std::string pattern = (access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : testing::TempDir()) + "onnx_damage_XXXXXX";
    if (!mkdtemp(pattern.data())) _exit(3);
    std::string path = pattern + "/model.onnx";
    int status = 0;
    {
      const CompilerSession session(tn_compiler(), Value());
      for (report->current = 0; report->current < count && status == 0; ++report->current) {
        std::string why = judge(session, path, damage(report->current), *report);
        if (why.empty()) continue;
        std::snprintf(report->failure, sizeof report->failure, "%s", why.c_str());
        status = 1;
        --report->current;
      }
    }
    unlink(path.c_str());
    rmdir(pattern.c_str());
    _exit(status);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFSIGNALED(status)) << "signal " << WTERMSIG(status) << " at damage " << report->current;
  EXPECT_TRUE(!WIFEXITED(status) || WEXITSTATUS(status) == 0)
      << "at damage " << report->current << ": " << report->failure;
  std::printf("%llu damages: %llu models, %llu refusals\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(report->accepted), static_cast<unsigned long long>(report->refused));
  EXPECT_EQ(report->accepted + report->refused, count);
  munmap(report, sizeof(Report));
}

std::string flipped(std::string bytes, uint64_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

const std::string& digits() {
  static const std::string bytes = [] {
    std::ostringstream text;
    text << std::ifstream(DIGITS_MODEL, std::ios::binary).rdbuf();
    return text.str();
  }();
  return bytes;
}

TEST(OnnxDamage, EveryLength) {
  const std::string whole = test::OnnxModel().bytes();
  try_all(whole.size() + 1, [&](uint64_t k) { return whole.substr(0, k); });
}

TEST(OnnxDamage, EveryBit) {
  const std::string whole = test::OnnxModel().bytes();
  try_all(whole.size() * 8, [&](uint64_t k) { return flipped(whole, k); });
}

// Bytes replaced, taken out, put in and repeated.
TEST(OnnxDamage, SeveralBytesAtRandom) {
  const std::string whole = test::OnnxModel().bytes();
  try_all(20000, [&](uint64_t k) {
    std::mt19937_64 random(seed() + k);
    std::string bytes = whole;
    for (uint64_t n = 1 + random() % 4; n-- > 0 && !bytes.empty();) {
      size_t at = random() % bytes.size(), length = 1 + random() % 8;
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes.erase(at, length); break;
        case 2: bytes.insert(at, std::string(length, static_cast<char>(random() % 2 ? 0xFF : random()))); break;
        default: bytes.insert(at, bytes.substr(random() % bytes.size(), 4 * length)); break;
      }
    }
    return bytes;
  });
}

TEST(OnnxDamage, TheDigitsModel) {
  ASSERT_GT(digits().size(), 1000u);
  try_all(1500, [&](uint64_t k) {
    std::mt19937_64 random(seed() * 3 + k);
    if (k % 3 == 0) return digits().substr(0, random() % digits().size());
    // Most of the file are weights, which hold any number: half of the flips go to the last bytes before each name.
    uint64_t bit = random() % (digits().size() * 8);
    if (k % 2) {
      size_t name = digits().find("onv", bit / 8);
      if (name != std::string::npos && name > 40)
        bit = (name - 40 + random() % 80) % digits().size() * 8 + random() % 8;
    }
    return flipped(digits(), bit);
  });
}

}  // namespace
}  // namespace tenon
