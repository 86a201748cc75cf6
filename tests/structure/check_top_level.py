"""The top level holds the agreed names only."""
import pathlib

import tree

NAMES = {"core", "registry", "sdk", "plugins", "tests", "CMakeLists.txt", "CMakePresets.json", "plugins.yaml", "README.md",
         "LICENSE", "NOTICE"}


def check(source: pathlib.Path, build: pathlib.Path):
    names = {f.parts[0] for f in tree.files(source)}
    return [f"'{n}' does not belong to the top level" for n in sorted(names) if n not in NAMES and not n.startswith(".")]


MUTATIONS = [
    ("a stray folder", tree.plant({"utils/a.cc": "", "core/a.cc": ""}), "'utils'"),
    ("a stray file", tree.plant({"TODO.md": ""}), "'TODO.md'"),
]
