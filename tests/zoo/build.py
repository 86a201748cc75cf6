"""Builds the zoo: small plugins as vendors would have built them with this SDK, kept as binaries that every later host must run.

usage: build.py OUTPUT [SET ...]
The recipe is kept beside the binaries so that anybody can see what they are; what is checked in is never built again. When the SDK has
grown, a set is added beside the old ones."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
GCC = ("gcc", "g++", ["-static-libstdc++", "-static-libgcc"])
CLANG = ("clang-19", "clang++-19", ["-stdlib=libc++", "-static-libstdc++", "-lc++abi", "-lpthread"])
FLAGS = ["-Os", "-fPIC", "-shared", "-w", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fno-ident",
         "-Wl,--gc-sections", "-Wl,--exclude-libs,ALL", "-Wl,-z,defs", "-Wl,--build-id=none", "-s"]

COMMENT = r"  /\*(?:(?!\*/).)*\*/\s*"
# What the headers did not have yet, as edits of today's: (header, pattern).
BEFORE_SLOTS = [
    ("ir.h", COMMENT + r"int \(\*renew\).*?(?=\} TnHostIr;)"),
    ("ext/context.h", COMMENT + r"int \(\*signature\).*?(?=\} TnContext;)"),
    ("ext/pass.h", COMMENT + r"int \(\*run_function\).*?(?=\} TnPass;)"),
]
BEFORE_KINDS = [("kinds.h", r" *\\\n  K\(203, relax, DataTypeImm.*?E\(\)(?=\n)")]

# What must not happen: a slot is gone from the middle, and those after it have moved; one is put there; an operator's revision asks
# for an attribute that calls of the one before it do not have.
MUTATED = [("ir.h", r"  int \(\*span\)[^;]*;\n", )]
MUTATED_DRAFT = [("ext/draft/device.h", r"(?=  int \(\*alloc\))", "  void (*inserted)(void* device);\n")]
MUTATED_REVISION = {"times": (", default: 2", "")}

# A set: compilers, edits of headers, the plugins in it, edits of manifests. `draft-N` holds the capabilities of ext/draft at their
# revision N: a draft that changes raises its revision, and its set is replaced by another. In `before-revision` the pass was built when
# the operator had its first revision, and the operator at its second.
SETS = {
    "gcc": (GCC, [], ["pass", "codegen", "rest", "op"]),
    "clang-libc++": (CLANG, [], ["pass", "codegen", "rest", "op"]),
    "before-slots": (GCC, BEFORE_SLOTS, ["pass", "codegen"]),
    "before-kinds": (GCC, BEFORE_KINDS, ["pass", "codegen"]),
    "draft-1": (GCC, [], ["draft"]),
    "before-revision": (CLANG, [], ["caller", "times"]),
    "mutated": (GCC, MUTATED, ["pass"]),
    "mutated-draft": (GCC, MUTATED_DRAFT, ["draft"]),
    "mutated-revision": (CLANG, [], ["caller", "times"], MUTATED_REVISION),
}


def include_folder(folder: pathlib.Path, edits) -> pathlib.Path:
    """The SDK's headers, edited."""
    for root in ("core/include", "sdk/include"):
        shutil.copytree(SOURCE / root, folder, dirs_exist_ok=True)
    for header, pattern, *replacement in edits:
        path = folder / "tenon" / header
        text = path.read_text()
        changed = re.sub(pattern, replacement[0] if replacement else "", text, count=1, flags=re.S)
        if changed == text:
            raise SystemExit(f"an edit of {header} finds nothing to change")
        path.write_text(changed)
    return folder


def build(name: str, output: pathlib.Path):
    (cc, cxx, libraries), edits, plugins, *manifests = SETS[name]
    with tempfile.TemporaryDirectory() as scratch:
        include = include_folder(pathlib.Path(scratch), edits)
        for plugin in plugins:
            source = next(p for p in (HERE / "sources" / f"{plugin}.c", HERE / "sources" / f"{plugin}.cc") if p.exists())
            is_cxx = source.suffix == ".cc"
            folder = output / name / f"zoo-{plugin}"
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([cxx if is_cxx else cc, "-std=c++20" if is_cxx else "-std=gnu11", f"-I{include}", *FLAGS,
                            f'-DTENON_PLUGIN_ID="zoo-{plugin}"', '-DTENON_PLUGIN_VERSION="1.0.0"', source, "-o",
                            folder / f"zoo-{plugin}.so", *(libraries if is_cxx else [])], check=True)
            manifest = (HERE / "sources" / f"{plugin}.yaml").read_text()
            if manifests and plugin in manifests[0]:
                manifest = manifest.replace(*manifests[0][plugin])
            (folder / "manifest.yaml").write_text(manifest)


if __name__ == "__main__":
    for wanted in sys.argv[2:] or SETS:
        build(wanted, pathlib.Path(sys.argv[1]))
