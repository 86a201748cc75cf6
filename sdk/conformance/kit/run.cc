// Runs the checks and says how each ended.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <clocale>
#include <cstring>
#include <ctime>
#include <map>
#include <thread>

#include "check.h"
#include "child.h"

namespace tenon::conformance {

namespace {

constexpr const char* kMatrix = "matrix";

// The surroundings in which a result must be the same. Memory that was freed is overwritten in the second.
const std::vector<std::string> kSurroundings[] = {
    {},
    {"GLIBC_TUNABLES=glibc.malloc.perturb=165", "HOME=/nonexistent", "TZ=Asia/Kathmandu", "LC_ALL=C.UTF-8",
     "COLUMNS=13", "TENON_CHECK_FOLDER=/"},
    {"TENON_CHECK_LOCALE=1", "TZ=Pacific/Chatham", "USER=nobody"},
};

std::string how_it_died(const ChildEnd& end) {
  std::string out = end.signal ? std::string("killed by ") + (sigabbrev_np(end.signal) ? "SIG" : "") +
                                     (sigabbrev_np(end.signal) ? sigabbrev_np(end.signal) : std::to_string(end.signal))
                               : "it ended the process with exit status " + std::to_string(end.exit);
  if (!end.last.empty()) out += ", while: " + end.last;
  std::string said = end.err.substr(0, end.err.find_last_not_of('\n') + 1);
  if (size_t newline = said.rfind('\n'); newline != std::string::npos) said.erase(0, newline + 1);
  if (!said.empty()) out += " (it said: " + said + ")";
  return out;
}

// Findings become the result of a check.
void add_line(Result& r, const std::string& kind, const std::string& text) {
  if (kind == "note") {
    if (std::find(r.notes.begin(), r.notes.end(), text) == r.notes.end()) r.notes.push_back(text);
  } else if (kind == "skip") {
    r.verdict = Verdict::skip;
    r.message = text;
  } else if (kind == "fail") {
    if (r.verdict != Verdict::fail)
      r.message = text;
    else if (std::find(r.notes.begin(), r.notes.end(), text) == r.notes.end())
      r.notes.push_back(text);
    r.verdict = Verdict::fail;
  }
}

using Digests = std::map<std::string, std::string>;

Result in_child(const Options& options, const Check& check) {
  Result r{check.info.name, check.info.rules, Verdict::pass, "", {}, 0};
  Digests first;
  size_t n = 0;
  for (const std::vector<std::string>& surroundings : kSurroundings) {
    if (n > 0 && !check.vary) break;
    // What depends on the time of day shows in another second.
    for (const std::time_t second = std::time(nullptr); n == 1 && std::time(nullptr) == second;) usleep(5'000);
    ChildEnd end = run_child_process(options, check.info.name, surroundings);
    for (const auto& [kind, text] : end.lines) {
      if (kind != "digest") {
        add_line(r, kind, text);
        continue;
      }
      size_t tab = text.rfind('\t');
      std::string name = text.substr(0, tab), digest = text.substr(tab + 1);
      if (n == 0)
        first[name] = digest;
      else if (first.contains(name) && first[name] != digest)
        add_line(r, "fail", "[R1] " + name + ": another process gives another result");
    }
    if (end.timed_out) {
      r.verdict = Verdict::hang;
      r.message = "no answer after " + std::to_string(options.timeout_s) + " s" +
                  (end.last.empty() ? "" : ", while: " + end.last);
    } else if (!end.finished) {
      r.verdict = Verdict::crash;
      r.message = how_it_died(end);
    } else if (r.verdict != Verdict::fail && (end.signal != 0 || end.exit != 0)) {
      r.verdict = Verdict::crash;
      end.last = "the end of the process";
      r.message = how_it_died(end);
    }
    if (r.verdict != Verdict::pass) break;
    ++n;
  }
  return r;
}

void run_here(const Subject& subject, const Check& check, Findings& findings) {
  try {
    check.run(subject, findings);
  } catch (const Violation& v) { findings.fail(v.rule, v.what); } catch (const Error& e) {
    findings.fail("E6", "it refused: " + e.message);
  }
}

Result in_process(const Subject& subject, const Check& check) {
  Result r{check.info.name, check.info.rules, Verdict::pass, "", {}, 0};
  Findings findings([&](const std::string& kind, const std::string& text) { add_line(r, kind, text); });
  run_here(subject, check, findings);
  return r;
}

std::vector<Cell> run_matrix(const Options& options) {
  std::vector<Cell> out;
  std::string after;
  for (;;) {
    ChildEnd end = run_child_process(options, std::string(kMatrix) + after, {});
    auto part = [](const std::string& text, size_t k) {
      size_t from = 0;
      while (k-- > 0) from = text.find('\t', from) + 1;
      return text.substr(from, text.find('\t', from) - from);
    };
    for (const auto& [kind, text] : end.lines)
      if (kind == "cell")
        out.push_back({part(text, 0), part(text, 1), part(text, 2), text.substr(text.rfind('\t') + 1)});
    if (end.finished) return out;
    // The cell that ended the process is a result; the rest goes on in another.
    std::string op = part(end.last, 0), dtype = part(end.last, 1);
    std::string next = ":" + op + ":" + dtype;
    if (op.empty() || next == after) return out;
    out.push_back({op, dtype, "crash", end.timed_out ? "no answer in time" : how_it_died(end)});
    after = next;
  }
}

// Whether the target is a file, and not the library.
bool is_other_file(const std::string& target, const std::string& library) {
  struct stat t, l;
  if (stat(target.c_str(), &t) != 0 || stat(library.c_str(), &l) != 0) return true;
  return !S_ISDIR(t.st_mode) && (t.st_dev != l.st_dev || t.st_ino != l.st_ino);
}

bool is_chosen(const Options& o, const Check& c) {
  return o.only.empty() || std::find(o.only.begin(), o.only.end(), c.info.name) != o.only.end();
}

}  // namespace

Report run_kit(const Options& given) {
  Options options = given;  // a check may run in another folder
  if (char* real = realpath(options.target.c_str(), nullptr)) options.target = real, std::free(real);
  for (std::string& s : options.samples)
    if (char* real = realpath(s.c_str(), nullptr)) s = real, std::free(real);
  for (const std::string& name : options.only) {
    bool known = false;
    for (size_t k = 0; k < kCheckCount; ++k) known = known || name == kChecks[k].info.name;
    std::string all;
    for (size_t k = 0; k < kCheckCount; ++k) all += (k ? ", " : "") + std::string(kChecks[k].info.name);
    if (!known) throw Error(TN_ERROR_ARGUMENT, "there is no check '" + name + "'", {}, "the checks are: " + all);
  }
  const Subject subject(options);
  Report report{subject.id(), std::string(subject.info().find("version")->as_string()), subject.library(), {}, {}};
  std::vector<const Check*> chosen;
  for (size_t k = 0; k < kCheckCount; ++k)
    if (is_chosen(options, kChecks[k]) && subject.provides(kChecks[k].info.capability)) chosen.push_back(&kChecks[k]);
  if (subject.library().empty())
    throw Error(TN_ERROR_ARGUMENT, "the plugin '" + subject.id() + "' has no library: there is nothing to run");
  const std::string folder = subject.library().substr(0, subject.library().rfind('/'));
  if (access(subject.library().c_str(), F_OK) != 0)
    throw Error(TN_ERROR_NOT_FOUND, "the library of '" + subject.id() + "' is not beside its manifest",
                subject.library(),
                folder.ends_with("/lib/tenon/plugins/" + subject.id())
                    ? "build it again; its manifest names the file under 'library'"
                    : "build it, and give the folder of both that the build makes, such as " + folder +
                          "/build/lib/tenon/plugins/" + subject.id());
  struct stat status;
  if (stat(subject.library().c_str(), &status) == 0 && !S_ISREG(status.st_mode))  // the loader might wait for it
    throw Error(TN_ERROR_CORRUPT, "the library of '" + subject.id() + "' is not a regular file", subject.library(),
                "put a regular file in its place");
  if (is_other_file(options.target, subject.library()))
    throw Error(TN_ERROR_ARGUMENT, "the manifest beside it names another library, " + subject.library(),
                options.target);
  report.results.resize(chosen.size());
  auto run = [&](size_t k) {
    auto start = std::chrono::steady_clock::now();
    try {
      report.results[k] = options.in_process ? in_process(subject, *chosen[k]) : in_child(options, *chosen[k]);
    } catch (const Error& e) {
      report.results[k] = {chosen[k]->info.name, chosen[k]->info.rules, Verdict::fail, e.message, {}, 0};
    }
    report.results[k].seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const size_t jobs = options.in_process ? 1 : std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 8);
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t k; (k = next++) < chosen.size();) run(k);
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < jobs; ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  if (options.matrix) report.matrix = run_matrix(options);
  return report;
}

int run_child(const Options& options, const std::string& check) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  fcntl(3, F_SETFD, FD_CLOEXEC);
  if (const char* folder = std::getenv("TENON_CHECK_FOLDER"); folder && chdir(folder) != 0) return 1;
  Findings findings([](const std::string& kind, const std::string& text) {
    std::string line = kind + "\t" + text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += '\n';
    for (size_t done = 0; done < line.size();) {
      ssize_t n = write(3, line.data() + done, line.size() - done);
      if (n <= 0) _exit(1);
      done += static_cast<size_t>(n);
    }
  });
  const Subject subject(options);
  if (check.rfind(kMatrix, 0) == 0) {
    std::string op, dtype;
    if (size_t colon = check.find(':'); colon != std::string::npos) {
      size_t last = check.rfind(':');
      op = check.substr(colon + 1, last - colon - 1);
      dtype = check.substr(last + 1);
    }
    fill_matrix(subject, findings, op, dtype);
  }
  for (size_t k = 0; k < kCheckCount; ++k)
    if (check == kChecks[k].info.name) run_here(subject, kChecks[k], findings);
  findings.done();
  return 0;
}

}  // namespace tenon::conformance
