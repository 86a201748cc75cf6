"""Each file here compiles as it stands, and with MISTAKE defined it does not: the compiler then says what `// says:` says.

A file is a plugin, whole, so that what fails is the mistake alone."""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
         '-DTENON_PLUGIN_ID="com.vendor.thing"', '-DTENON_PLUGIN_VERSION="1.0.0"']


def compile_file(args, file, *flags):
    include = [f"-I{args.source / root}" for root in ("core/include", "sdk/include")]
    return subprocess.run([args.compiler, *FLAGS, *include, *flags, str(file)], capture_output=True, text=True)


def check(args, file):
    complaints = []
    control = compile_file(args, file)
    if control.returncode:
        complaints.append(f"{file.name}: the right form does not compile:\n{control.stderr}")
    for number, words in enumerate(re.findall(r"^// says: (.*)$", file.read_text(), re.M), 1):
        wrong = compile_file(args, file, f"-DMISTAKE={number}")
        said = re.sub("[‘’`]", "'", wrong.stderr)
        if wrong.returncode == 0:
            complaints.append(f"{file.name}: mistake {number} compiles")
        elif not re.search(words, said):
            complaints.append(f"{file.name}: mistake {number} fails for another reason than '{words}':\n{said[:2000]}")
    return complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    args = parser.parse_args()
    files = sorted(pathlib.Path(__file__).parent.glob("*.cc"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complaints = [c for found in pool.map(lambda f: check(args, f), files) for c in found]
    print("\n".join(complaints) or f"{len(files)} mistakes do not compile, and their right forms do")
    return 1 if complaints or not files else 0


sys.exit(main())
