"""Core knows no plugin and no library but DLPack: its files do not contain the words of words.txt."""
import pathlib
import re

import tree

LIST = pathlib.Path(__file__).with_name("words.txt")


def read_list():
    """The words for core, the words for every file, and the exceptions as (pattern of paths, words)."""
    words, current = {"core": [], "everywhere": [], "except": []}, "core"
    for line in LIST.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith("#"):
            words[current].append(line)
    exceptions = [(line.split()[0], line.split()[1:]) for line in words["except"]]
    return words["core"], words["everywhere"], exceptions


def find(source: pathlib.Path, files, words, exceptions=()):
    pattern = re.compile(r"(?<![A-Za-z0-9])(" + "|".join(words) + r")(?![A-Za-z0-9])", re.I)
    for file in files:
        if file.suffix not in tree.SOURCES or file.name == LIST.name:
            continue
        for number, line in enumerate(tree.text(source / file).splitlines(), 1):
            for match in pattern.finditer(line):
                if not any(file.match(path) and match.group(1).lower() in allowed for path, allowed in exceptions):
                    yield file, number, match.group(1)


def check(source: pathlib.Path, build: pathlib.Path):
    core, everywhere, exceptions = read_list()
    plugins = {f.parts[1] for f in tree.files(source, "plugins") if len(f.parts) > 2}
    words = core + [re.escape(p) for p in sorted(plugins)]
    found = find(source, tree.files(source, "core"), words, exceptions)
    complaints = [f"{f}:{n}: core may not say '{w}'" for f, n, w in found]
    here = pathlib.PurePath("tests/structure/check_words.py")
    files = [f for f in tree.files(source) if f != here]
    return complaints + [f"{f}:{n}: no file may say '{w}'" for f, n, w in find(source, files, everywhere)]


MUTATIONS = [
    ("core says LLVM", tree.plant({"core/ir/a.cc": "// LLVM does it\n"}), "core/ir/a.cc:1: core may not say 'LLVM'"),
    ("core names a plugin",
     tree.plant({"core/ir/a.cc": 'x("passes-zz:y");\n', "plugins/passes-zz/manifest.yaml": ""}), "'passes-zz'"),
    ("core includes Boost", tree.plant({"core/ir/a.cc": "#include <boost/dll.hpp>\n"}), "'boost'"),
    ("a word that only another file may say", tree.plant({"core/runtime/other.cc": "// CUDA\n"}), "'CUDA'"),
    ("a path of a machine", tree.plant({"sdk/docs/a.md": "see /work/x\n"}), "no file may say '/work/x'"),
]
