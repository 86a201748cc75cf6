"""Builds and tests a plugin's folder alone: no checkout, only an SDK that `cmake --install` laid down.

  plugin_alone.py install --build BUILD --work WORK         the SDK into WORK/sdk
  plugin_alone.py build NAME --source TREE --work WORK      the plugin TREE/plugins/NAME in WORK/NAME
  plugin_alone.py build NAME --folder FOLDER --source TREE --work WORK      a plugin elsewhere in the tree
  plugin_alone.py demo --source TREE --work WORK            the demo with the libraries built alone: the same artifact
  plugin_alone.py mutations --source TREE --work WORK       plugins that lean on the checkout must fail
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import elf
import tree


class Failed(Exception):
    pass


def run(command, folder: pathlib.Path, environment=None):
    done = subprocess.run([str(c) for c in command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failed(f"{done.stdout}\n'{' '.join(map(str, command))}' exited {done.returncode}")
    return done.stdout


def install(build: pathlib.Path, work: pathlib.Path):
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run(["cmake", "--install", build, "--prefix", work / "sdk"], work)
    for file in ("bin/tenon", "bin/tenon-test", "lib/libtenon.so", "lib/cmake/Tenon/TenonConfig.cmake"):
        if not (work / "sdk" / file).exists():
            raise Failed(f"the install tree lacks {file}")


def environment():
    """What a newcomer's shell has: no variable that could lead back to the checkout."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "CCACHE_DIR")}
    if shutil.which("ccache"):
        kept |= {"CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    return kept


def leans_on_checkout(output: pathlib.Path, checkout: pathlib.Path):
    """Fails when a file of the checkout was read: as ninja's dependencies and commands say."""
    read = [(output / line.strip()).resolve() for line in run(["ninja", "-C", output, "-t", "deps"], output).splitlines()
            if line.startswith("    ")]
    commands = run(["ninja", "-C", output, "-t", "commands"], output)
    for part in ("core", "registry", "sdk", "plugins"):
        if any(checkout / part in path.parents for path in read) or f"{checkout}/{part}/" in commands:
            raise Failed(f"the build read or named a file of {checkout}/{part}")


# Whether it builds and is right is asked here, not how fast it runs.
FASTER_TO_BUILD = ["-DCMAKE_C_FLAGS_RELEASE=-O1", "-DCMAKE_CXX_FLAGS_RELEASE=-O1"]


def build(name: str, origin: pathlib.Path, work: pathlib.Path, checkout: pathlib.Path):
    folder, sdk = work / name / "plugin", work / name / "sdk"
    shutil.rmtree(work / name, ignore_errors=True)
    (work / name).mkdir(parents=True)
    shutil.copytree(origin, folder)
    # The SDK with all plugins but this one, so that only what is built here can be loaded.
    shutil.copytree(work / "sdk", sdk, copy_function=os.link, ignore=lambda path, names: (
        [name] if pathlib.Path(path) == work / "sdk/lib/tenon/plugins" else []))
    output = work / name / "build"
    # The libraries of the SDK are built with each plugin, and compiled once: their paths count from the plugin's folder.
    env = environment() | {"CCACHE_BASEDIR": str(work)}
    run(["cmake", "-S", folder, "-B", output, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={sdk}",
         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *FASTER_TO_BUILD], work, env)
    run(["ninja", "-C", output, f"-j{os.cpu_count()}"], work, env)
    leans_on_checkout(output, checkout)
    for library in elf.plugin_libraries(output):
        if elf.exported(library) != ["tenon_plugin"]:
            raise Failed(f"{library} exports {elf.exported(library)}")
    print(run(["ctest", "--output-on-failure", "--no-tests=error", f"-j{os.cpu_count()}"], output, env)[-2000:])


def demo(source: pathlib.Path, work: pathlib.Path):
    """The digits model, compiled and run with the plugins of the tree and with those built alone. Their artifacts differ in the
    lock, which names the libraries by digest."""
    sdk, digits = work / "demo-sdk", source / "sdk/examples/digits"
    shutil.rmtree(sdk, ignore_errors=True)
    shutil.copytree(work / "sdk", sdk, copy_function=os.link)
    names = sorted(p.name for p in (work / "sdk/lib/tenon/plugins").iterdir())
    for name in names:
        built = work / name / "build/lib/tenon/plugins" / name
        if not built.is_dir():
            raise Failed(f"{name} was not built alone: run structure/plugin_alone/{name} first")
        shutil.rmtree(sdk / "lib/tenon/plugins" / name)
        shutil.copytree(built, sdk / "lib/tenon/plugins" / name)
    said = []
    for prefix in (work / "sdk", sdk):
        artifact, object_file, out = work / "digits.so", work / "digits.o", work / "digits-out"
        run([prefix / "bin/tenon", "compile", digits / "digits.onnx", "--emit", "object", "-o", object_file], work)
        run([prefix / "bin/tenon", "compile", digits / "digits.onnx", "-o", artifact], work)
        run([prefix / "bin/tenon", "run", artifact, "--input", f"images={digits}/images.npy", "--output", out], work)
        said.append((object_file.read_bytes(), (out / "result.npy").read_bytes()))
    if said[0][0] != said[1][0]:
        raise Failed("the code of the demo differs with the plugins built alone")
    if said[0][1] != said[1][1]:
        raise Failed("the demo's result differs with the plugins built alone")
    print(f"{len(names)} plugins built alone: the same code of {len(said[0][0])} bytes, the same result")


def demo_mutations(source: pathlib.Path, work: pathlib.Path):
    """What demo() must refuse: a plugin that was not built alone, and one that is not what the tree has."""
    plugin, manifest = "codegen-llvm", "lib/tenon/plugins/codegen-llvm/manifest.yaml"

    def absent(folder: pathlib.Path):
        shutil.rmtree(folder)

    def another(folder: pathlib.Path):
        text = (folder / "build" / manifest).read_text()
        changed = text.replace("opt_level: {type: int, default: 2", "opt_level: {type: int, default: 0")
        if changed == text:
            raise Failed("the mutation of codegen-llvm's manifest finds nothing to change")
        (folder / "build" / manifest).write_text(changed)

    for title, change, expected in (("was not built alone", absent, "was not built alone"),
                                    ("is another one", another, "the code of the demo differs")):
        mutated = work / "demo-mutated"
        shutil.rmtree(mutated, ignore_errors=True)
        mutated.mkdir()
        (mutated / "sdk").symlink_to(work / "sdk")
        for folder in (work / "sdk/lib/tenon/plugins").iterdir():
            (mutated / folder.name).symlink_to(work / folder.name)
        (mutated / plugin).unlink()
        kept = (mutated / plugin / "build" / manifest).parent
        shutil.copytree((work / plugin / "build" / manifest).parent, kept)
        change(mutated / plugin)
        try:
            demo(source, mutated)
        except Failed as e:
            if expected not in str(e):
                raise
            print(f"a demo whose {plugin} {title} is refused: {e}")
        else:
            raise Failed(f"a demo whose {plugin} {title} was not noticed")


CMAKE = """cmake_minimum_required(VERSION 3.25)
project(probe LANGUAGES C)
find_package(Tenon REQUIRED)
tenon_add_plugin(probe SOURCES src/probe.c {libs})
tenon_add_text_tests(tests)
"""
CODE = """LINE
#include <tenon/abi.h>
static int create(const TnHost* host, void** instance, TnValue* ret) { (void)ret; *instance = (void*)host; return 0; }
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) { (void)instance; (void)id; return 0; }
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, 0, "probe", "0.1.0", &create, &destroy, &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
"""
MANIFEST = """id: probe
version: 0.1.0
vendor: Example
license: Apache-2.0 WITH LLVM-exception
tier: stable-c
summary: A plugin that does nothing
library: probe.so
"""
# What a plugin does that it may not, or None for the one that is right; then its libraries, first line, and test.
PROBES = [
    (None, "", "", "# run: test -e $TENON_PLUGIN_PATH/probe/probe.so\n"),
    ("includes core's sources", "", '#include "ir/ir_table.h"', "# run: true\n"),
    ("includes the registry", "", '#include "registry/registry.h"', "# run: true\n"),
    ("links a library of core", "LIBS tenon_ir", "", "# run: true\n"),
    ("calls what it does not define", "", "int elsewhere(void); int f(void); int f(void) { return elsewhere(); }", "# run: true\n"),
    ("names its checkout", "", '#include "{source}/core/include/tenon/ir.h"', "# run: true\n"),
    ("fails its test", "", "", "# run: false\n"),
]


def mutations(source: pathlib.Path, work: pathlib.Path):
    for number, (title, libs, line, test) in enumerate(PROBES):
        with tempfile.TemporaryDirectory() as folder:
            planted = pathlib.Path(folder)
            tree.plant({"plugins/probe/CMakeLists.txt": CMAKE.format(libs=libs), "plugins/probe/tests/a.test": test,
                        "plugins/probe/manifest.yaml": MANIFEST,
                        "plugins/probe/src/probe.c": CODE.replace("LINE", line.replace("{source}", str(source)))})(planted)
            try:
                build("probe", planted / "plugins/probe", work, source)
            except Failed as e:
                if title is None:
                    raise
                print(f"a plugin that {title} is refused: {str(e).strip().splitlines()[-1]}")
            else:
                if title is not None:
                    raise Failed(f"a plugin that {title} was not noticed (probe {number})")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["install", "build", "demo", "demo_mutations", "mutations"])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--source", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    try:
        if args.verb == "install":
            install(args.build, args.work)
        elif args.verb == "build":
            source = args.source.resolve()
            origin = args.folder.resolve() if args.folder else source / "plugins" / args.name
            build(args.name, origin, args.work.resolve(), source)
        elif args.verb == "demo":
            demo(args.source.resolve(), args.work.resolve())
        elif args.verb == "demo_mutations":
            demo_mutations(args.source.resolve(), args.work.resolve())
        else:
            mutations(args.source.resolve(), args.work.resolve())
    except Failed as e:
        sys.exit(f"plugin_alone: {e}")


if __name__ == "__main__":
    main()
