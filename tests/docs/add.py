"""Runs the pages "add a ...": their files are written and their commands run in order, against an installed SDK; each page has at most
five numbered steps. Broken on purpose, each page goes red."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Per page: a file that it leads to, and what is put in place of what in it, so that its tests must fail.
BROKEN = {
    "add-a-pass.md": ("com.acme.tidy/src/plugin.cc", "return mul->a();", "return mul->b();"),
    "add-an-operator.md": ("com.acme.ops/src/plugin.cc", '"tir.tanh"', '"tir.sigmoid"'),
    "add-a-codegen.md": ("com.acme.npu/src/kernel.c", ": a > b ? a : b;", ": a < b ? a : b;"),
    "add-a-partitioner.md": ("com.acme.parts/src/plugin.cc", "width->value() < 16", "width->value() < 2"),
    "add-a-frontend.md": ("com.acme.lines/src/plugin.cc", '"#", 0) == 0) continue;', '"#", 0) == 0) break;'),
}
PART = re.compile(r"^`(?P<file>[^`\n]+/[^`\n]+)`\n```\w*\n(?P<text>.*?)^```$|^```sh\n(?P<sh>.*?)^```$", re.M | re.S)


def environment(sdk: pathlib.Path):
    env = {k: v for k, v in os.environ.items() if k in ("HOME", "TMPDIR", "CCACHE_DIR")}
    # Debug builds fastest; whether the pages are right is asked here.
    env |= {"PATH": f"{sdk}/bin:{os.environ['PATH']}", "PREFIX": str(sdk), "CMAKE_BUILD_TYPE": "Debug"}
    if not shutil.which("make"):
        env["CMAKE_GENERATOR"] = "Ninja"
    return env


def shell(commands: str, sdk: pathlib.Path, folder: pathlib.Path):
    done = subprocess.run(["/bin/sh", "-euc", commands], cwd=folder, env=environment(sdk), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def run(page: str, sdk: pathlib.Path, folder: pathlib.Path):
    said = ""
    for part in PART.finditer(page):
        if part["file"]:
            (folder / part["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / part["file"]).write_text(part["text"])
            continue
        status, output = shell(part["sh"], sdk, folder)
        said += output
        if status != 0:
            return status, said
    return 0, said


def complaint(name: str, docs: pathlib.Path, sdk: pathlib.Path):
    page = (docs / name).read_text()
    steps = re.findall(r"^(\d+)\. ", page, re.M)
    if steps != [str(i + 1) for i in range(len(steps))] or not 1 <= len(steps) <= 5:
        return f"{name}: its steps are {', '.join(steps)}"
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        status, said = run(page, sdk, folder)
        if status != 0 or "100% tests passed" not in said or "/conforms" not in said:
            return f"{name}: exit status {status}\n{said}"
        file, before, after = BROKEN[name]
        text = (folder / file).read_text()
        if before not in text:
            return f"{name}: '{before}' is not there to be broken"
        (folder / file).write_text(text.replace(before, after))
        project = file.split("/")[0]
        # The kit sees a code generator that computes something else, too; the others' own tests are enough, and faster.
        tests = "" if "codegen" in name else "-E conforms"
        status, said = shell(f"cmake --build {project}/build; ctest --test-dir {project}/build {tests}", sdk, folder)
        if status == 0 or "tests failed out of" not in said or (not tests and "/conforms (Failed)" not in said):
            return f"{name}: broken on purpose ('{after}') its tests do not fail\n{said[-1500:]}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=pathlib.Path, required=True)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("pages", nargs="*")
    args = parser.parse_args()
    docs, sdk = args.docs.resolve(), args.sdk.resolve()
    pages = args.pages or sorted(p.name for p in docs.glob("add-*.md"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complaints = [c for c in pool.map(lambda name: complaint(name, docs, sdk), pages) if c]
    if complaints:
        sys.exit("\n".join(complaints))
    print(f"{len(pages)} pages: each runs as it stands, and fails when its example is broken")


if __name__ == "__main__":
    main()
