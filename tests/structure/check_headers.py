"""The C headers of the contract compile alone as C11, C17, C++17 and C++20, the C++ headers as C++20, without warnings."""
import pathlib
import shutil
import subprocess

import tree

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
C_STANDARDS = [("c", "c11"), ("c", "c17"), ("c++", "c++17"), ("c++", "c++20")]
COMPILERS = [(("gcc",), ("g++",)), (("clang-19", "clang"), ("clang++-19", "clang++"))]


def compilers():
    """(C compiler, C++ compiler) pairs that are installed."""
    for c_names, cxx_names in COMPILERS:
        c = next(filter(None, map(shutil.which, c_names)), None)
        cxx = next(filter(None, map(shutil.which, cxx_names)), None)
        if c and cxx:
            yield c, cxx


def cases(source: pathlib.Path):
    """(header, as included, [(language, standard)]): all headers of one language go into one translation unit each."""
    for root in ("core/include", "sdk/include"):
        for file in tree.files(source, root.split("/")[0]):
            if file.suffix != ".h" or not str(file).startswith(root + "/tenon/"):
                continue
            name = file.relative_to(root)
            is_c = root == "core/include" and "cxx" not in name.parts
            yield file, name, C_STANDARDS if is_c else [("c++", "c++20")]


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    include = [f"-I{source / r}" for r in ("core/include", "sdk/include")]
    for c, cxx in compilers():
        for file, name, standards in cases(source):
            for language, standard in standards:
                command = [c if language == "c" else cxx, "-x", language, f"-std={standard}", *WARNINGS, *include, "-"]
                unit = f"#include <{name}>\ntypedef int not_empty;\n"
                done = subprocess.run(command, input=unit, capture_output=True, text=True)
                if done.returncode != 0:
                    complaints.append(f"{file} as {standard} with {pathlib.Path(command[0]).name}: {done.stderr.strip()}")
    return complaints


MUTATIONS = [
    ("a C++ comment style that C11 refuses: a declaration in C++ only",
     tree.plant({"core/include/tenon/a.h": "struct A { int x = 1; };\n"}), "a.h as c11"),
    ("a header that needs another one", tree.plant({"core/include/tenon/a.h": "int32_t f(void);\n"}), "a.h as c17"),
    ("an unused parameter in a C++ header",
     tree.plant({"sdk/include/tenon/a.h": "inline int f(int x) { return 1; }\n"}), "a.h as c++20"),
]
