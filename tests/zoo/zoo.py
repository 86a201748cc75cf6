"""Today's host runs every binary of the zoo; the sets `mutated...`, built against headers or with manifests that break the promise, must fail."""
import argparse
import pathlib
import platform
import subprocess
import sys
import tempfile

LIMIT = 1 << 20  # bytes of all binaries together


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    args = parser.parse_args()
    machine = platform.machine()
    sets = sorted((pathlib.Path(__file__).resolve().parent / machine).glob("*"))
    if not sets:
        print(f"the zoo has no binaries for {machine}: skipped")
        return 77
    failures, binaries, size = [], 0, 0
    for folder in sets:
        libraries = list(folder.glob("*/*.so"))
        binaries, size = binaries + len(libraries), size + sum(l.stat().st_size for l in libraries)
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run([args.program, folder, scratch], capture_output=True, text=True)
        good = done.returncode == 0
        if folder.name.startswith("mutated"):
            print(f"{folder.name}: {'NOT NOTICED' if good else 'noticed'} (exit {done.returncode})")
            good = not good
        else:
            print(f"{folder.name}: {', '.join(sorted(l.stem for l in libraries))}: {'run' if good else f'exit {done.returncode}'}")
        if not good:
            failures.append(f"{folder.name}: {done.stdout}{done.stderr}")
    print(f"{binaries} binaries, {size} bytes")
    if size > LIMIT:
        failures.append(f"the zoo has {size} bytes, at most {LIMIT}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
