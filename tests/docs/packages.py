"""Runs the commands of the page on packages, in order, with a plugin that `tenon plugin new` wrote: what is packed, signed, trusted and
installed there is found afterwards."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```\n(tenon plugin keygen.*?|tar xf.*?)^```$", re.M | re.S)
PLUGIN = "codegen-npu"


def environment(sdk: pathlib.Path, folder: pathlib.Path):
    env = {k: v for k, v in os.environ.items() if k in ("TMPDIR", "CCACHE_DIR")}
    env |= {"PATH": f"{sdk}/bin:{os.environ['PATH']}", "HOME": str(folder / "home"), "CMAKE_BUILD_TYPE": "Debug"}
    if not shutil.which("make"):
        env["CMAKE_GENERATOR"] = "Ninja"
    return env


def shell(commands: str, env, folder: pathlib.Path):
    done = subprocess.run(["/bin/sh", "-euc", commands], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=pathlib.Path, required=True)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    args = parser.parse_args()
    blocks = BLOCK.findall((args.docs / "packages.md").read_text())
    if len(blocks) != 2:
        sys.exit(f"{len(blocks)} of 2 blocks of commands were found")
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        (folder / "home").mkdir()
        env = environment(args.sdk.resolve(), folder)
        made = f"""tenon plugin new codegen {PLUGIN} --output source
            sed -i -e 's/^version:.*/version: 1.2.0/' -e 's/^vendor:.*/vendor: Acme Accelerators/' source/manifest.yaml
            cmake -S source -B build -DCMAKE_PREFIX_PATH={args.sdk.resolve()} && cmake --build build"""
        for commands in [made, blocks[0]]:
            status, said = shell(commands, env, folder)
            if status != 0:
                sys.exit(f"{said}\nexit status {status}:\n{commands}")
        status, said = shell(f"tenon plugin info {PLUGIN}", env, folder)
        if status != 0 or "1.2.0" not in said:
            sys.exit(f"{said}\nthe plugin that was installed is not found")
        # A signature made elsewhere: here with the same key, by the library that the page's reader would use.
        status, said = shell(blocks[1].splitlines()[0], env, folder)
        if status != 0 or not (folder / "seal.json").exists():
            sys.exit(f"{said}\nthe seal does not come out of the package")
        (folder / "seal.json.sig").write_bytes(bytes(64))
        status, said = shell(blocks[1].splitlines()[1], env, folder)
        if status == 0:
            sys.exit("a signature of zeros is taken")
        # It can fail: with a byte of the package changed, the page's commands do.
        package = folder / f"{PLUGIN}-1.2.0.tnp"
        damaged = bytearray(package.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        package.write_bytes(damaged)
        if shell(blocks[0][blocks[0].index("tenon plugin verify"):], env, folder)[0] == 0:
            sys.exit("a damaged package is verified and installed")
    print("packages.md: its commands run, and refuse a package that was changed")


if __name__ == "__main__":
    main()
