// tenon-test: runs text tests (test_file.h), in parallel, each in a folder of its own.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <regex>
#include <thread>
#include <vector>

#include "runner.h"

namespace {

namespace fs = std::filesystem;
using tenon::texttest::Outcome;

constexpr const char* kUsage = R"(usage: tenon-test [options] FILE.test|FOLDER ...
  --bless         rewrite expectations that differ (and add missing ones)
  --jobs N        tests at a time; default: the number of cores
  --filter REGEX  only files whose path contains a match
  --bin FOLDER    the folder of the programs under test; default: where tenon-test lies
  --keep          leave the folders of the tests and name them
  --list          print the files and run nothing
exit status: 0 all passed, 1 some failed, 2 the call or a test file is malformed
)";

struct Options {
  tenon::texttest::RunOptions run;
  std::vector<std::string> paths;
  std::string filter;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool list = false, help = false;
};

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Options parse(int argc, char** argv) {
  Options o;
  o.run.bin = fs::read_symlink("/proc/self/exe").parent_path().string();
  for (int i = 1; i < argc; ++i) {
    std::string a = argv[i];
    auto value = [&]() -> std::string {
      if (i + 1 == argc) throw UsageError(a + " needs a value");
      return argv[++i];
    };
    if (a == "--bless") {
      o.run.bless = true;
    } else if (a == "--keep") {
      o.run.keep = true;
    } else if (a == "--list") {
      o.list = true;
    } else if (a == "--help" || a == "-h") {
      o.help = true;
    } else if (a == "--filter") {
      o.filter = value();
    } else if (a == "--bin") {
      o.run.bin = fs::absolute(value()).lexically_normal().string();
    } else if (a == "--jobs") {
      std::string n = value();
      auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), o.jobs);
      if (error != std::errc{} || end != n.data() + n.size() || o.jobs == 0)
        throw UsageError("--jobs needs a number from 1, not '" + n + "'");
    } else if (a.substr(0, 1) == "-") {
      throw UsageError("unknown option " + a);
    } else {
      o.paths.push_back(a);
    }
  }
  if (!o.help && o.paths.empty()) throw UsageError("no test was named");
  return o;
}

std::vector<std::string> collect(const Options& o) {
  std::vector<std::string> files;
  for (const std::string& path : o.paths) {
    size_t before = files.size();
    if (!fs::is_directory(path)) {
      if (!fs::exists(path)) throw UsageError("there is no " + path);
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() && entry.path().extension() == ".test") files.push_back(entry.path().string());
    if (files.size() == before) throw UsageError("the folder " + path + " holds no *.test file");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  if (!o.filter.empty()) {
    std::regex filter(o.filter);
    std::erase_if(files, [&](const std::string& f) { return !std::regex_search(f, filter); });
    if (files.empty()) throw UsageError("no test matches '" + o.filter + "'");
  }
  return files;
}

int run_all(const std::vector<std::string>& files, const Options& o) {
  std::vector<tenon::texttest::TestResult> results(files.size());
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < files.size(); i = next++) results[i] = tenon::texttest::run_test(files[i], o.run);
  };
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < std::min<size_t>(o.jobs, files.size()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();

  size_t counts[4] = {0, 0, 0, 0};
  for (const auto& r : results) {
    std::cout << r.report;
    ++counts[static_cast<size_t>(r.outcome)];
  }
  std::cout << counts[0] << " passed";
  if (counts[1]) std::cout << ", " << counts[1] << " blessed";
  if (counts[2]) std::cout << ", " << counts[2] << " failed";
  if (counts[3]) std::cout << ", " << counts[3] << " malformed";
  std::cout << "\n";
  return counts[3] ? 2 : counts[2] ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  Options o = parse(argc, argv);
  if (o.help) {
    std::cout << kUsage;
    return 0;
  }
  std::vector<std::string> files = collect(o);
  if (!o.list) return run_all(files, o);
  for (const std::string& f : files) std::cout << f << "\n";
  return 0;
} catch (const UsageError& e) {
  std::cerr << "tenon-test: " << e.what() << "\n" << kUsage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "tenon-test: " << e.what() << "\n";
  return 2;
}
