"""Builds and tests a plugin's folder alone: no checkout, only an SDK that `cmake --install` laid down.

  plugin_alone.py install --build BUILD --work WORK         the SDK into WORK/sdk
  plugin_alone.py build NAME --source TREE --work WORK      the plugin in WORK/NAME
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import elf


def run(command, folder: pathlib.Path, environment=None):
    done = subprocess.run([str(c) for c in command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nplugin_alone: '{' '.join(map(str, command))}' exited {done.returncode}")
    return done.stdout


def install(build: pathlib.Path, work: pathlib.Path):
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run(["cmake", "--install", build, "--prefix", work / "sdk"], work)
    for file in ("bin/tenon", "bin/tenon-test", "lib/libtenon.so", "lib/cmake/Tenon/TenonConfig.cmake"):
        if not (work / "sdk" / file).exists():
            sys.exit(f"plugin_alone: the install tree lacks {file}")


def environment():
    """What a newcomer's shell has: no variable that could lead back to the checkout."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "CCACHE_DIR")}
    if shutil.which("ccache"):
        kept |= {"CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    return kept


def build(name: str, source: pathlib.Path, work: pathlib.Path):
    folder, sdk = work / name / "plugin", work / name / "sdk"
    shutil.rmtree(work / name, ignore_errors=True)
    (work / name).mkdir(parents=True)
    shutil.copytree(source / "plugins" / name, folder)
    # The SDK with all plugins but this one, so that only what is built here can be loaded.
    shutil.copytree(work / "sdk", sdk, copy_function=os.link, ignore=lambda path, names: (
        [name] if pathlib.Path(path) == work / "sdk/lib/tenon/plugins" else []))
    output = work / name / "build"
    env = environment()
    run(["cmake", "-S", folder, "-B", output, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={sdk}",
         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"], work, env)
    run(["ninja", "-C", output, f"-j{os.cpu_count()}"], work, env)
    for file in (output / "build.ninja", output / "compile_commands.json"):
        if file.exists() and any(f"{source}/{part}" in file.read_text() for part in ("core", "registry", "sdk", "plugins")):
            sys.exit(f"plugin_alone: {file.name} of {name} has a path into the checkout")
    for library in elf.plugin_libraries(output):
        if elf.exported(library) != ["tenon_plugin"]:
            sys.exit(f"plugin_alone: {library} exports {elf.exported(library)}")
    print(run(["ctest", "--output-on-failure", "--no-tests=error", f"-j{os.cpu_count()}"], output, env)[-2000:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["install", "build"])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--source", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    args = parser.parse_args()
    if args.verb == "install":
        install(args.build, args.work)
    else:
        build(args.name, args.source.resolve(), args.work.resolve())


if __name__ == "__main__":
    main()
