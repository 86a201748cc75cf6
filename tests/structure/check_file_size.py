"""A file has one subject: over 500 lines is reported, over 1,000 is a fault. Test data is exempt."""
import pathlib

import tree

SUFFIXES = {".c", ".cc", ".h", ".py", ".cmake", ".sh"}


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    for file in tree.files(source, "core", "registry", "sdk", "plugins", "tests"):
        if file.suffix not in SUFFIXES or "data" in file.parts:
            continue
        lines = tree.text(source / file).count("\n")
        if lines > 1000:
            complaints.append(f"{file} has {lines} lines; split it by subject")
        elif lines > 500:
            print(f"note: {file} has {lines} lines; which second subject crept in?")
    return complaints


MUTATIONS = [("a file of 1,001 lines", tree.plant({"core/ir/a.cc": "\n" * 1001}), "core/ir/a.cc has 1001 lines")]
