"""From an installed SDK to a green conformance report: seconds for a first pass and a first code generator, step by step.

  newcomer.py --sdk PREFIX [--root FOLDER] [--lang c|c++]

With --root the commands run in that folder by chroot: a bare Debian in which PREFIX (a path below it, as seen from inside) is an
installed SDK. `debootstrap --variant=minbase --include=g++,cmake,make,libyaml-cpp0.7 bookworm FOLDER` makes one. No compiler cache."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--lang", default="c++")
    args = parser.parse_args()
    inside = ["chroot", str(args.root)] if args.root else []
    folder = "/tmp" if args.root else tempfile.mkdtemp()
    total_of = {}
    for kind in ("pass", "codegen"):
        plugin = f"com.acme.first-{kind}-{int(time.time())}"
        at, sdk = f"{folder}/{plugin}", args.sdk
        steps = {
            "new": f"{sdk}/bin/tenon plugin new {kind} {plugin} --lang {args.lang} --output {at}",
            "configure": f"cmake -S {at} -B {at}/build -DCMAKE_PREFIX_PATH={sdk}",
            "build": f"cmake --build {at}/build",
            "test": f"ctest --test-dir {at}/build --output-on-failure",
            "report": f"{sdk}/bin/tenon plugin check {at}/build/lib/tenon/plugins/{plugin} --json",
        }
        seconds = {}
        for step, command in steps.items():
            start = time.monotonic()
            done = subprocess.run(inside + ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            seconds[step] = time.monotonic() - start
            if done.returncode != 0:
                sys.exit(f"{done.stdout}\n'{command}' exited {done.returncode}")
        report = json.loads(done.stdout)
        total_of[kind] = sum(seconds.values())
        print(f"{kind}: {total_of[kind]:.1f} s (" + ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()) + f"); {len(report['checks'])} checks, "
              f"conforms: {report['conforms']}")


if __name__ == "__main__":
    main()
