// Packages under hostile circumstances: any byte changed, files swapped while they are loaded, processes that die, many
// at once. TENON_ROUNDS_SWAP and TENON_ROUNDS_KILL change the numbers of rounds.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "diag/sha256.h"
#include "package_fixture.h"
#include "registry/package/doctor.h"
#include "registry/probe/cache.h"
#include "registry/trust/verified_file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

int rounds(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

RegistryOptions options_with(std::vector<std::string> use) {
  RegistryOptions options;
  options.probe = false;
  options.use = std::move(use);
  return options;
}

class Packages : public testing::Test {
 protected:
  Packages() : w_(testing::TempDir() + "/tenon_packages_" + std::to_string(::getpid())) {}
  ~Packages() override { fs::remove_all(w_.dir); }
  // A package that is data alone, different for each number.
  std::string data_package(int number, const KeyChain& keys) const {
    const std::string folder = "data" + std::to_string(number);
    w_.write(folder + "/manifest.yaml", "id: com.acme.data\nversion: 1.0." + std::to_string(number) +
                                            "\nvendor: Acme\ntier: stable-c\nsummary: data\n");
    w_.write(folder + "/table.bin", std::string(20000 + static_cast<size_t>(number % 97), static_cast<char>(number)));
    return w_.sign(w_.pack(w_.dir + "/" + folder), keys);
  }
  template <class F>
  static int32_t code_of(F&& f) {
    try {
      f();
      return 0;
    } catch (const Error& e) { return e.code; }
  }
  World w_;
};

TEST_F(Packages, AreTheSameBytesEachTime) {
  w_.plugin();
  std::string first = w_.pack(w_.dir + "/plugins/" + kId);
  w_.write(std::string("plugins/") + kId + "/manifest.yaml", manifest_text());  // another time stamp
  EXPECT_EQ(digest_text(sha256(first)), digest_text(sha256(w_.pack(w_.dir + "/plugins/" + kId))));
  std::string listing;
  std::string file = w_.write("p.tnp", first);
  FILE* tar = ::popen(("tar tf " + file).c_str(), "r");
  for (char line[256]; std::fgets(line, sizeof line, tar);) listing += line;
  EXPECT_EQ(::pclose(tar), 0);
  EXPECT_EQ(listing, "seal.json\ncom.acme.thing.so\nmanifest.yaml\n");
}

TEST_F(Packages, NoByteCanBeChanged) {
  KeyChain keys = w_.key();
  w_.plugin();
  const std::string good = w_.sign(w_.pack(w_.dir + "/plugins/" + kId), keys);
  Policy policy;
  policy.vendors = {{"Acme", {keys[0].public_hex}}};
  auto admitted = [&](const std::string& bytes) {
    return code_of([&] { admit_package(policy, read_package(w_.b, bytes, "p.tnp"), today_utc()); }) == 0;
  };
  ASSERT_TRUE(admitted(good));
  std::string bytes = good;
  // Every byte but of the library's middle, of which every ninth.
  size_t tried = 0,
         library = good.find(
             "\x7f"
             "ELF"),
         end = library + plugin_library().size();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > library + 64 && i < end && i % 9) continue;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    ++tried;
    ASSERT_FALSE(admitted(bytes)) << "byte " << i;
    bytes[i] = good[i];
  }
  std::printf("%zu of %zu bytes changed, each refused\n", tried, good.size());
  EXPECT_TRUE(admitted(bytes));
}

TEST_F(Packages, KeysNameTheirSuccessors) {
  KeyChain old = w_.key("Acme", "2021-01-01"), middle = w_.key(), young = w_.key(), stranger = w_.key();
  name_successor(old[0], middle[0]);
  name_successor(middle[0], young[0]);
  KeyChain chain{young[0], middle[0], old[0]};
  Policy policy;
  policy.vendors = {{"Acme", {old[0].public_hex}}};
  w_.plugin();
  const std::string archive = w_.pack(w_.dir + "/plugins/" + kId);
  auto code = [&](const KeyChain& keys) {
    return code_of([&] { admit_package(policy, read_package(w_.b, w_.sign(archive, keys), "p.tnp"), today_utc()); });
  };
  EXPECT_EQ(code(chain), 0);  // the trusted key expired; the one that signs did not
  EXPECT_EQ(code({young[0]}), TN_ERROR_UNTRUSTED);
  EXPECT_EQ(code({old[0]}), TN_ERROR_UNTRUSTED);
  EXPECT_EQ(code({stranger[0], middle[0], old[0]}), TN_ERROR_CORRUPT);  // nobody names it
  Key forged = middle[0];
  forged.successor = stranger[0].public_hex;  // without the old key's secret
  EXPECT_EQ(code({stranger[0], forged, old[0]}), TN_ERROR_CORRUPT);
  EXPECT_EQ(code_of([&] {  // expired since it was installed
              Policy p;
              p.vendors = policy.vendors;
              admit_package(p, read_package(w_.b, w_.sign(archive, old), "p.tnp"), "");
            }),
            0);
}

// The message and signature of RFC 8032, 7.1, test 2, as another implementation would give them.
TEST_F(Packages, SignaturesAreEd25519) {
  Key k{"Acme", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "2020-01-01", "2999-01-01", {},
        {},     "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"};
  EXPECT_EQ(sign_bytes("\x72", {k}).bytes_hex,
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST_F(Packages, PrivilegedProgramsTakeNoOverride) {
  w_.write("trust.yaml", "dev: [/anywhere]\n");
  PolicyPlaces places{w_.dir + "/none.yaml", w_.dir + "/trust.yaml", false};
  EXPECT_TRUE(read_policy(w_.b, places).allows_dev("/anywhere/p"));
  places.privileged = true;
  EXPECT_FALSE(read_policy(w_.b, places).allows_dev("/anywhere/p"));
  places = {w_.write("site.yaml", "locked: true\ndev: []\n"), w_.dir + "/trust.yaml", false};
  EXPECT_FALSE(read_policy(w_.b, places).allows_dev("/anywhere/p"));
  EXPECT_FALSE(read_policy(w_.b, places).allows_dev("command-line"));
}

TEST_F(Packages, TwoVersionsLieSideBySide) {
  KeyChain keys = w_.key();
  w_.trust(keys);
  for (const char* version : {"1.0.0", "1.10.0", "1.9.0"}) {
    std::string library = plugin_library();
    fs::remove_all(w_.dir + "/plugins");
    std::string folder = w_.plugin(manifest_text("", version), "");
    w_.write(std::string("plugins/") + kId + "/" + kId + ".so", library);
    w_.install(w_.sign(w_.pack(folder), keys));
  }
  fs::remove_all(w_.dir + "/plugins");
  auto version = [&](std::vector<std::string> use) {
    Registry r(w_.b, options_with(std::move(use)), nullptr);
    const PluginInfo* p = r.find(kId);
    return p ? p->version : "none";
  };
  EXPECT_EQ(version({}), "1.10.0");
  EXPECT_EQ(version({std::string(kId) + "=1.9.0"}), "1.9.0");
  EXPECT_EQ(version({std::string(kId) + "=3.0.0"}), "none");
  w_.action("trust", {{"command", w_.b.string("use")}, {"subject", w_.b.string(std::string(kId) + "=1.0.0")}});
  EXPECT_EQ(version({}), "1.0.0");
  w_.load();  // its library says 1.0.0
  EXPECT_EQ(code_of([&] { w_.load(kId, {{"use", w_.b.array({w_.b.string(std::string(kId) + "=1.9.0")})}}); }),
            TN_ERROR_PLUGIN);
  w_.action("remove", {{"what", w_.b.string(std::string(kId) + "=1.0.0")}});
  EXPECT_EQ(version({}), "none");  // the policy asks for what is gone
}

TEST_F(Packages, TheBuildForThisMachineIsChosen) {
  KeyChain keys = w_.key();
  const char* builds[] = {"'>=11,<12'", "'>=12,<14'"};
  for (const char* range : builds) {
    fs::remove_all(w_.dir + "/plugins");
    w_.trust(keys, "runtimes: {cuda: 12.4}\n");
    std::string folder = w_.plugin(manifest_text(std::string("runtimes: {cuda: ") + range + "}\n"));
    w_.install(w_.sign(w_.pack(folder), keys));
  }
  fs::remove_all(w_.dir + "/plugins");
  auto range = [&](const std::string& cuda) {
    w_.trust(keys, "runtimes: {cuda: " + cuda + "}\n");
    Registry r(w_.b, options_with({}), nullptr);
    const PluginInfo* p = r.find(kId);
    return p ? p->runtimes[0].range : "none";
  };
  EXPECT_EQ(range("12.4"), ">=12,<14");
  EXPECT_EQ(range("11.8"), ">=11,<12");
  w_.trust(keys, "runtimes: {cuda: 10.2}\n");
  EXPECT_EQ(code_of([&] { w_.load(); }), TN_ERROR_NOT_FOUND);
}

TEST_F(Packages, RuntimesAreFoundByTheNamesOfTheirFiles) {
  w_.write("lib/libacme_rt.so.2.7.1", "");
  fs::create_symlink("libacme_rt.so.2.7.1", w_.dir + "/lib/libacme_rt.so.2");
  ::setenv("LD_LIBRARY_PATH", (w_.dir + "/lib").c_str(), 1);
  RuntimeNeed need{"com.acme.rt", ">=2", "libacme_rt.so"};
  EXPECT_EQ(Runtimes().versions(need), std::vector<std::string>{"2.7.1"});
  w_.write("lib/libcuda.so.535.104.05", "");
  EXPECT_EQ(Runtimes().versions({"cuda", "12", ""}).front(), "12.2");
  ::unsetenv("LD_LIBRARY_PATH");
}

// ---- Swapped files -----------------------------------------------------------------------------------------------

// Opens what a function gives and says whether the right library is in; closes it again.
bool loads(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  bool right = ::dlsym(library, "tenon_plugin") != nullptr;
  ::dlclose(library);
  return right;
}
bool evil_ran() { return std::getenv("TENON_TEST_EVIL") != nullptr; }

TEST_F(Packages, WhatIsVerifiedIsWhatIsMapped) {
  const std::string good = plugin_library(), evil = read_file(PLUGIN_FOLDER "/evil.so"),
                    digest = digest_text(sha256(good));
  const std::string path = w_.write("x.so", good), spare = w_.dir + "/spare.so";
  // What is to be prevented: the bytes are hashed, the file is swapped, the path is opened.
  ASSERT_EQ(digest_text(sha256(read_file(path))), digest);
  write_file(path, evil);
  loads(path);
  ASSERT_TRUE(evil_ran()) << "the test would not notice";
  ::unsetenv("TENON_TEST_EVIL");
  std::atomic<bool> stop{false};
  std::atomic<int> swaps{0};
  std::thread swapper([&] {
    for (int i = 0; !stop; ++i, ++swaps) {
      const std::string& bytes = i % 2 ? evil : good;
      if (i % 4 < 2) {  // another file under the name
        std::ofstream(spare, std::ios::binary) << bytes;
        fs::rename(spare, path);
      } else {  // other bytes in the same file
        int fd = ::open(path.c_str(), O_WRONLY);
        if (fd >= 0 && ::pwrite(fd, bytes.data(), bytes.size(), 0) < 0) ++swaps;
        if (fd >= 0) ::close(fd);
      }
    }
  });
  int loaded = 0, refused = 0;
  for (int i = 0, n = rounds("TENON_ROUNDS_SWAP", 10000); i < n; ++i) {
    try {
      VerifiedFile file(path, digest);
      loaded += loads(file.path());
    } catch (const Error& e) {
      EXPECT_TRUE(e.code == TN_ERROR_CORRUPT || e.code == TN_ERROR_IO) << e.message;
      ++refused;
    }
    if (evil_ran()) break;
  }
  stop = true;
  swapper.join();
  std::printf("%d loaded, %d refused, %d swaps\n", loaded, refused, swaps.load());
  EXPECT_FALSE(evil_ran());
  EXPECT_GT(loaded, 0);
  EXPECT_GT(refused, 0);
}

// ---- Killed processes --------------------------------------------------------------------------------------------

TEST_F(Packages, NothingAcknowledgedIsLostWhenKilled) {
  KeyChain keys = w_.key();
  w_.trust(keys);
  const int kinds = 24;
  std::vector<std::string> archives;
  for (int i = 0; i < kinds; ++i) archives.push_back(data_package(i, keys));
  auto start = std::chrono::steady_clock::now();
  bool first = false;
  install_package(w_.b, w_.dir + "/store", read_package(w_.b, archives[0], "p"), first);
  auto one = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(20261121);
  std::uniform_int_distribution<int> microseconds(0, static_cast<int>(std::min<int64_t>(one * 6, 100000)));
  auto record_file = [&](int number) { return w_.dir + "/record-" + std::to_string(number); };  // as caches are written
  int acknowledged = 0, killed = 0;
  const int n = rounds("TENON_ROUNDS_KILL", 500);
  for (int round = 0; round < n; ++round) {
    if (round % 10 == 0) {  // a cold store now and then
      for (int i = 0; i < kinds; ++i)
        remove_package(w_.dir + "/store", read_package(w_.b, archives[static_cast<size_t>(i)], "p").digest);
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = ::fork();
    if (child == 0) {
      for (int i = round;; ++i) {
        unsigned char number = static_cast<unsigned char>(i % kinds);
        bool already = false;
        install_package(w_.b, w_.dir + "/store", read_package(w_.b, archives[number], "p"), already);
        write_file(w_.dir + "/out-" + std::to_string(number) + ".tnp", archives[number]);
        write_record(record_file(number), {{"number", std::to_string(number)}, {"long", std::string(20'000, 'x')}});
        if (::write(ends[1], &number, 1) != 1) ::_exit(1);
        w_.action("trust", {{"command", w_.b.string("use")},
                            {"subject", w_.b.string("com.acme.data=1.0." + std::to_string(number))}});
      }
    }
    ::usleep(static_cast<useconds_t>(microseconds(random)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ::close(ends[1]);
    unsigned char number = 0;
    while (::read(ends[0], &number, 1) == 1) {
      ++acknowledged;
      const Package p = read_package(w_.b, archives[number], "p");
      EXPECT_EQ(code_of([&] { read_sealed_folder(w_.b, store_folder(w_.dir + "/store", p.digest), true); }), 0);
      EXPECT_EQ(read_file(w_.dir + "/out-" + std::to_string(number) + ".tnp"), archives[number]);
      std::optional<Record> record = read_record(record_file(number));
      EXPECT_TRUE(record && (*record)["number"] == std::to_string(number) && (*record)["long"].size() == 20'000);
    }
    ::close(ends[0]);
    // Whatever is there is whole, acknowledged or not.
    for (int i = 0; i < kinds; ++i)
      if (fs::exists(record_file(i))) { EXPECT_TRUE(read_record(record_file(i))); }
    std::error_code error;
    for (fs::directory_iterator it(w_.dir + "/store", error), end; !error && it != end; it.increment(error))
      if (!digest_of_folder(it->path().string()).empty()) {
        EXPECT_EQ(code_of([&] { read_sealed_folder(w_.b, it->path().string(), true); }), 0) << it->path();
      }
    EXPECT_EQ(code_of([&] { read_policy(w_.b, policy_places("")); }), 0);
  }
  bool already = false;
  install_package(w_.b, w_.dir + "/store", read_package(w_.b, archives[0], "p"), already);
  for (const auto& entry : fs::directory_iterator(w_.dir + "/store"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp-")) << "what the killed left is cleared";
  std::printf("%d rounds, %d killed, %d installs acknowledged, all there\n", n, killed, acknowledged);
  EXPECT_EQ(killed, n);
  EXPECT_GT(acknowledged, 0);
}

// ---- Many at once ------------------------------------------------------------------------------------------------

TEST_F(Packages, ManyProcessesShareAColdStore) {
  KeyChain keys = w_.key();
  w_.trust(keys);
  std::vector<std::string> archives{w_.sign(w_.pack(w_.plugin()), keys)};
  for (int i = 0; i < 4; ++i) archives.push_back(data_package(i, keys));
  fs::remove_all(w_.dir + "/plugins");
  const int processes = 32, each = rounds("TENON_ROUNDS_SHARED", 50);
  std::vector<pid_t> children;
  std::vector<int> outputs;
  for (int k = 0; k < processes; ++k) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = ::fork();
    if (child == 0) {
      std::string said;
      try {
        Sha256 all;
        for (int i = 0; i < each; ++i) {
          for (const std::string& archive : archives) {
            bool already = false;
            Package p = read_package(w_.b, archive, "p");
            install_package(w_.b, w_.dir + "/store", p, already);
            all.update(read_sealed_folder(w_.b, store_folder(w_.dir + "/store", p.digest), true).digest);
          }
          Registry r(w_.b, options_with({}), nullptr);
          const PluginInfo* plugin = r.find(kId);
          if (!plugin) throw Error(TN_ERROR_NOT_FOUND, "the installed plugin is not found");
          all.update(std::string(r.load(*plugin)->version) + plugin->digest);
        }
        said = digest_text(all.finish());
      } catch (const Error& e) { said = "error: " + e.message + " " + e.where; }
      ssize_t written = ::write(ends[1], said.data(), said.size());
      ::_exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    children.push_back(child);
    outputs.push_back(ends[0]);
  }
  std::map<std::string, int> results;
  for (size_t k = 0; k < children.size(); ++k) {
    char buffer[1000];
    ssize_t got = ::read(outputs[k], buffer, sizeof buffer);
    ::close(outputs[k]);
    int status = 0;
    ::waitpid(children[k], &status, 0);
    EXPECT_EQ(status, 0);
    ++results[std::string(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)))];
  }
  for (const auto& [text, count] : results) std::printf("%d processes x %d rounds: %s\n", count, each, text.c_str());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results.begin()->first.starts_with("sha256:"));
}

// ---- Doctor ------------------------------------------------------------------------------------------------------

TEST_F(Packages, TheDoctorNamesWhatIsMissing) {
  auto first = [&](const std::string& file) {
    Diagnosis d = diagnose_library(file);
    return d.first_problem() ? d.first_problem()->error.message : "nothing";
  };
  EXPECT_EQ(first(PLUGIN_FOLDER "/good.so"), "nothing");
  EXPECT_EQ(first(PLUGIN_FOLDER "/extra.so"), "exports 1 symbol besides tenon_plugin: another_symbol");
  std::string libc = first("/proc/self/exe");
  EXPECT_NE(libc.find("is a program"), std::string::npos) << libc;
}

}  // namespace
}  // namespace tenon
