"""Every project that `tenon plugin new` makes, in both languages, built against an installed SDK with nothing else.

The tests of each pass when the plugin is there and fail when it is not; none is longer than promised."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

KINDS = ["pass", "op", "codegen", "partitioner", "frontend", "linker", "kind", "converter", "instrument", "executor", "device", "loader"]
LANGUAGES = {"c": "c", "c++": "cxx"}
IN_ONE_LANGUAGE = {"device": "c", "executor": "c++"}
MOST_LINES = {"pass": 60, "codegen": 150, "device": 200, "loader": 210, "executor": 190}
# A program that only runs models opens plugins for their devices and loaders without a compiler.
RUNS_ONLY = """#include <stdio.h>
#include <tenon/runtime.h>
int main(int argc, char** argv) {
  int failures = 0;
  for (int i = 1; i < argc; ++i) {
    TnValue opened;
    if (tn_runtime()->plugin_open(argv[i], &opened))
      printf("%s: %s\\n", argv[i], ((TnError*)opened.as.object)->message), ++failures;
    tn_value_release(&opened);
  }
  return failures;
}
"""


def run(command, folder: pathlib.Path, environment):
    return subprocess.run([str(c) for c in command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def must(command, folder, environment):
    done = run(command, folder, environment)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n'{' '.join(map(str, command))}' exited {done.returncode}")
    return done.stdout


def count_lines(folder: pathlib.Path):
    return sum(f.read_text().count("\n") for f in folder.rglob("*") if f.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    sdk, work = args.sdk.resolve(), args.work.resolve()
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "CCACHE_DIR")}
    if shutil.which("ccache"):
        env |= {"CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    if not shutil.which("make"):
        env["CMAKE_GENERATOR"] = "Ninja"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    ids = []
    for kind in KINDS:
        for language, letters in LANGUAGES.items():
            if language != IN_ONE_LANGUAGE.get(kind, language):
                continue
            ids.append(f"com.vendor.{kind}-{letters}")
            must([sdk / "bin/tenon", "plugin", "new", kind, ids[-1], "--lang", language], work, env)
            lines = count_lines(work / ids[-1])
            print(f"{ids[-1]}: {lines} lines")
            if lines > MOST_LINES.get(kind, 150):
                sys.exit(f"a {kind} in {language} has {lines} lines, more than {MOST_LINES.get(kind, 150)}")
    # One project over all of them: they are configured once, and each is built as it would be alone.
    (work / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(all LANGUAGES C CXX)\nenable_testing()\n"
                                         + "".join(f"add_subdirectory({i})\n" for i in ids)
                                         + "find_package(Tenon REQUIRED)\nadd_executable(runs-only runs_only.c)\n"
                                         "target_link_libraries(runs-only PRIVATE Tenon::sdk Tenon::runtime)\n")
    (work / "runs_only.c").write_text(RUNS_ONLY)
    # Debug builds fastest.
    must(["cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={sdk}", "-DCMAKE_BUILD_TYPE=Debug"], work, env)
    must(["cmake", "--build", "build", "-j", os.cpu_count()], work, env)
    # Those in C++ go through the conformance kit as the pages of the documentation have them (tests/docs).
    skipped = "((pass|op|codegen|frontend|partitioner)-cxx)/conforms"
    said = must(["ctest", "--test-dir", "build", "-E", skipped, "--output-on-failure", "--no-tests=error", "-j", os.cpu_count()],
                work, env)
    print(said[-300:])
    must(["build/runs-only", *(f"build/lib/tenon/plugins/{i}/{i}.so" for i in ids if "device-" in i or "loader-" in i)], work, env)
    # Without the plugins every one of these tests is red.
    shutil.move(work / "build/lib/tenon/plugins", work / "away")
    (work / "build/lib/tenon/plugins").mkdir()
    said = run(["ctest", "--test-dir", "build", "-j", os.cpu_count()], work, env).stdout
    if passed := re.findall(r"(\S+) \.*\s+Passed", said):
        sys.exit(f"these tests pass although their plugin is not there: {', '.join(passed)}")


if __name__ == "__main__":
    main()
