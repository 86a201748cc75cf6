"""From an installed SDK to a green conformance report: seconds for a first pass and a first code generator, step by step.

  newcomer.py --sdk PREFIX [--root FOLDER] [--lang c|c++]

With --root the commands run in that folder by chroot: a bare Debian in which PREFIX (a path below it, as seen from inside) is an
installed SDK. `debootstrap --variant=minbase bookworm FOLDER` makes one; the packages that are missing in it (a compiler, CMake, make)
are installed before, which is timed apart. No compiler cache. Exits with 1 when a plugin does not conform or takes more than 60 s."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

PACKAGES = "g++ cmake make"
LIMIT = 60


def timed(inside, command):
    """Seconds and output of a command that must succeed."""
    start = time.monotonic()
    done = subprocess.run(inside + ["/bin/sh", "-ec", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n'{command}' exited {done.returncode}")
    return time.monotonic() - start, done.stdout


def install_packages(inside):
    install = f"DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {PACKAGES}"
    download, _ = timed(inside, f"apt-get update -qq; {install} --download-only")
    unpack, _ = timed(inside, install)
    print(f"packages ({PACKAGES}): downloaded in {download:.1f} s, installed in {unpack:.1f} s")


def first_plugin(inside, sdk, folder, kind, language):
    plugin = f"com.acme.first-{kind}-{int(time.time())}"
    at = f"{folder}/{plugin}"
    steps = {
        "new": f"{sdk}/bin/tenon plugin new {kind} {plugin} --lang {language} --output {at}",
        "configure": f"cmake -S {at} -B {at}/build -DCMAKE_PREFIX_PATH={sdk}",
        "build": f"cmake --build {at}/build",
        "test": f"ctest --test-dir {at}/build --output-on-failure",
        "report": f"{sdk}/bin/tenon plugin check {at}/build/lib/tenon/plugins/{plugin}/{plugin}.so --json",
    }
    seconds = {}
    for step, command in steps.items():
        seconds[step], said = timed(inside, command)
    report, total = json.loads(said), sum(seconds.values())
    passed = sum(c["result"] == "pass" for c in report["checks"])
    print(f"{kind}, {language}: {total:.1f} s (" + ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()) +
          f"); {passed} of {len(report['checks'])} checks passed, conforms: {report['conforms']}")
    for c in report["checks"]:
        if c["result"] != "pass":
            print(f"  {c['result']} {c['check']}: {c['message']}")
    return report["conforms"] and total <= LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--lang", choices=["c++", "c"], help="both when it is not said")
    args = parser.parse_args()
    inside = ["chroot", str(args.root)] if args.root else []
    if args.root and not all((args.root / "usr/bin" / program).exists() for program in ("c++", "cmake", "make")):
        install_packages(inside)
    with tempfile.TemporaryDirectory() as here:
        folder = "/tmp" if args.root else here
        good = [first_plugin(inside, args.sdk, folder, kind, language)
                for language in ([args.lang] if args.lang else ["c++", "c"]) for kind in ("pass", "codegen")]
    sys.exit(0 if all(good) else f"not every plugin conforms within {LIMIT} s")


if __name__ == "__main__":
    main()
