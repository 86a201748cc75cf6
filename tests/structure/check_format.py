"""C and C++ are laid out as .clang-format says (sdk/dev format). Absence of clang-format-19 is a fault."""
import pathlib
import re
import subprocess

import tree

STYLE = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"


def check(source: pathlib.Path, build: pathlib.Path):
    names = [str(f) for f in tree.files(source, "core", "registry", "sdk", "plugins", "tests")
             if f.suffix in (".c", ".cc", ".h") and "data" not in f.parts]
    command = ["clang-format-19", f"--style=file:{STYLE}", "--dry-run", *names]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    wrong = sorted({m[1] for m in re.finditer(r"^([^:\n]+):\d+:\d+: warning", done.stderr, re.MULTILINE)})
    if done.returncode and not wrong:
        return [done.stderr.strip()]
    return [f"{name} is not laid out as .clang-format says; sdk/dev format does that" for name in wrong]


MUTATIONS = [("a statement in the first column", tree.plant({"core/ir/a.cc": "void f() {\nreturn;\n}\n"}),
              "core/ir/a.cc is not laid out")]
