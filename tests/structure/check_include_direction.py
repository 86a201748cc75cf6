"""Includes go down only: plugins -> sdk/include, sdk/lib -> core/include; sdk/tool -> registry -> core; within core in order."""
import pathlib
import re

import tree

CORE = ["diag", "runtime", "ir", "arith", "script", "pass", "build"]
# What each part of the house may include; core's folders and a plugin's own folder are added below.
ALLOWED = {
    "core/include": {"core/include"},
    "registry": {"core/include", "registry"} | {f"core/{f}" for f in CORE},
    "sdk/include": {"core/include", "sdk/include"},
    "sdk/lib": {"core/include", "sdk/include", "sdk/lib"},
    "sdk/tool": {"core/include", "sdk/include", "sdk/lib", "sdk/tool", "registry"} | {f"core/{f}" for f in CORE},
    "sdk/conformance": {"core/include", "sdk/include", "sdk/lib", "sdk/conformance"},
    "sdk/examples": {"core/include", "sdk/include", "sdk/lib", "sdk/examples"},
    "sdk/templates": {"core/include", "sdk/include", "sdk/lib", "sdk/templates"},
    "sdk/python": {"core/include", "sdk/include", "sdk/lib", "sdk/python"},
}
for i, name in enumerate(CORE):
    ALLOWED[f"core/{name}"] = {"core/include"} | {f"core/{f}" for f in CORE[:i + 1]}
# Where an include that is not beside the file is looked up.
ROOTS = ["core/include", "sdk/include", "core", "sdk/lib", ".", "sdk", "plugins"]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def part(path: pathlib.PurePath) -> str:
    return "registry" if path.parts[0] == "registry" else "/".join(path.parts[:2])


def resolve(source: pathlib.Path, file: pathlib.PurePath, name: str):
    """The file of the tree that an include means, or None for one from outside."""
    own = file.parts[:2] if file.parts[0] in ("plugins", "sdk") else file.parts[:1]
    for root in [file.parent, pathlib.PurePath(*own), pathlib.PurePath(*own, "src")] + [pathlib.PurePath(r) for r in ROOTS]:
        path = source / root / name
        if path.is_file() and source in path.resolve().parents:
            return path.resolve().relative_to(source)
    return None


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    for file in tree.files(source, "core", "registry", "sdk", "plugins"):
        if file.suffix not in (".h", ".cc", ".c") or len(file.parts) < 3 and file.parts[0] != "registry":
            continue
        home = part(file)
        allowed = ALLOWED.get(home, {home, "core/include", "sdk/include", "sdk/lib"})
        for name in INCLUDE.findall(tree.text(source / file)):
            target = resolve(source, file, name)
            if target and target.parts[0] == "tests":
                continue
            if target and part(target) not in allowed:
                complaints.append(f"{file} includes {target}; {home} may include from {', '.join(sorted(allowed))}")
    return complaints


MUTATIONS = [
    ("core/diag includes core/ir", tree.plant({"core/diag/a.cc": '#include "ir/b.h"\n', "core/ir/b.h": ""}), "core/ir/b.h"),
    ("core includes the registry",
     tree.plant({"core/build/a.cc": '#include "registry/b.h"\n', "registry/b.h": ""}), "registry/b.h"),
    ("core includes the SDK's headers",
     tree.plant({"core/ir/a.cc": "#include <tenon/plugin.h>\n", "sdk/include/tenon/plugin.h": ""}), "sdk/include"),
    ("a plugin includes core's sources",
     tree.plant({"plugins/p/src/a.cc": '#include "ir/b.h"\n', "core/ir/b.h": ""}), "core/ir/b.h"),
    ("a plugin includes another plugin",
     tree.plant({"plugins/p/src/a.cc": '#include "../../q/src/b.h"\n', "plugins/q/src/b.h": ""}), "plugins/q/src/b.h"),
    ("the contract includes core's sources",
     tree.plant({"core/include/tenon/a.h": '#include "../../ir/b.h"\n', "core/ir/b.h": ""}), "core/ir/b.h"),
    ("the registry includes the tool",
     tree.plant({"registry/a.cc": '#include "sdk/tool/b.h"\n', "sdk/tool/b.h": ""}), "sdk/tool/b.h"),
]
