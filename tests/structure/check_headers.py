"""The C headers of the contract compile alone as C11, C17, C++17 and C++20, the C++ headers as C++20, without warnings."""
import os
import pathlib
import shutil
import subprocess

import tree

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
COMPILERS = [(("gcc",), ("g++",)), (("clang-19", "clang"), ("clang++-19", "clang++"))]


def compilers():
    """(C compiler, C++ compiler) pairs; None for what is not installed."""
    for c_names, cxx_names in COMPILERS:
        yield tuple(next(filter(None, map(shutil.which, names)), None) for names in (c_names, cxx_names))


def headers(source: pathlib.Path):
    """(file, as included, is C) of each public header."""
    for root in ("core/include", "sdk/include"):
        for file in tree.files(source, root.split("/")[0]):
            if file.suffix == ".h" and str(file).startswith(root + "/tenon/"):
                name = file.relative_to(root)
                yield file, name, root == "core/include" and "cxx" not in name.parts


def cases(source: pathlib.Path):
    """(what, names included, language, standard): each header alone in one standard, all together in the others."""
    found = list(headers(source))
    c_names = [name for _, name, is_c in found if is_c]
    for language, standard in (("c", "c17"), ("c++", "c++17"), ("c++", "c++20")):
        yield "all C headers", c_names, language, standard
    for file, name, is_c in found:
        yield str(file), [name], *(("c", "c11") if is_c else ("c++", "c++20"))


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    include = [f"-I{source / r}" for r in ("core/include", "sdk/include")]
    for (c, cxx), (names, _) in zip(compilers(), COMPILERS):
        if not c or not cxx:
            complaints.append(f"{names[0]} is not installed: the headers are not checked with it")
            continue
        for what, names, language, standard in cases(source):
            command = [c if language == "c" else cxx, "-x", language, f"-std={standard}", *WARNINGS, *include, "-"]
            unit = "".join(f"#include <{n}>\n" for n in names) + "typedef int not_empty;\n"
            done = subprocess.run(command, input=unit, capture_output=True, text=True)
            if done.returncode != 0:
                complaints.append(f"{what} as {standard} with {pathlib.Path(command[0]).name}: {done.stderr.strip()}")
    return complaints


def without_clang(folder: pathlib.Path):
    """A right header, on a machine that has gcc alone."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("gcc", "g++"):
        (tools / name).write_text(f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        (tools / name).chmod(0o755)
    os.environ["PATH"] = str(tools)
    return tree.plant({"core/include/tenon/a.h": "typedef int a;\n"})(folder)


MUTATIONS = [
    ("a machine without clang", without_clang, "clang-19 is not installed: the headers are not checked with it"),
    ("a declaration that only C++ has", tree.plant({"core/include/tenon/a.h": "struct A { int x = 1; };\n"}), "a.h as c11"),
    ("a conversion that only C has",
     tree.plant({"core/include/tenon/a.h": "static inline int* f(void* p) { return p; }\n"}), "as c++17"),
    ("a header that needs another one", tree.plant({"core/include/tenon/a.h": "int32_t f(void);\n"}), "a.h as c11"),
    ("an unused parameter in a C++ header",
     tree.plant({"sdk/include/tenon/a.h": "inline int f(int x) { return 1; }\n"}), "a.h as c++20"),
]
