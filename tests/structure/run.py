"""Runs one structure check on the tree, then on each of its mutations, on which it must complain.

A check is a module with
  check(source: Path, build: Path) -> list of complaints
  MUTATIONS: [(title, prepare(folder: Path) -> (source, build), text that a complaint must contain)]
A prepare() may change the environment of the process, which is put back after its check.
"""
import argparse
import importlib
import os
import pathlib
import sys
import tempfile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    args = parser.parse_args()
    module = importlib.import_module("check_" + args.name)
    failures = [f"{args.name}: {complaint}" for complaint in module.check(args.source.resolve(), args.build.resolve())]
    for title, prepare, expected in module.MUTATIONS:
        before = dict(os.environ)
        with tempfile.TemporaryDirectory() as folder:
            complaints = module.check(*prepare(pathlib.Path(folder).resolve()))
        os.environ.clear()
        os.environ.update(before)
        if not any(expected in c for c in complaints):
            failures.append(f"{args.name}: the check did not notice the mutation '{title}'; it said {complaints}")
    print("\n".join(failures) or f"{args.name}: holds, and {len(module.MUTATIONS)} mutations were noticed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
