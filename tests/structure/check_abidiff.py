"""What abidiff says of the interface: the types that the tables of the contract reach are those of tests/abi/surface.abi, and the
libraries export what they did.

`python3 tests/structure/check_abidiff.py --bless` writes them down."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import check_layout
import tree

REFERENCE = "tests/abi/surface.abi"
EXPORTS = {"libtenon_rt.so": "tn_runtime", "libtenon.so": "tn_compiler"}
DUMP = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--type-id-style", "hash", "--no-write-default-sizes"]


def surface(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A library with one function for each struct of the contract, drafts apart, with the types in its debug information."""
    headers = [h for h in check_layout.headers(source) if "/draft/" not in h]
    names = sorted({m.group(1) for h in headers
                    for m in check_layout.STRUCT.finditer(check_layout.bare(tree.text(source / check_layout.ROOT / h)))})
    code = "".join(f"#include <{h}>\n" for h in headers) + "".join(
        f"const {n}* surface_{n}(const {n}* p);\nconst {n}* surface_{n}(const {n}* p) {{ return p; }}\n" for n in names)
    (folder / "surface.c").write_text(code)
    subprocess.run([shutil.which("gcc") or "cc", "-std=c11", "-w", "-g", f"-ffile-prefix-map={folder}=.", "-gdwarf-4", "-fPIC", "-shared", "-nostdlib",
                    f"-I{source / check_layout.ROOT}", "-o", folder / "libsurface.so", folder / "surface.c"], check=True)
    return folder / "libsurface.so"


def check(source: pathlib.Path, build: pathlib.Path):
    if not shutil.which("abidiff"):
        return ["abidiff is not installed: apt-get install abigail-tools"]
    complaints = []
    with tempfile.TemporaryDirectory() as folder:
        library = surface(source, pathlib.Path(folder))
        done = subprocess.run(["abidiff", "--no-show-locs", source / REFERENCE, library], capture_output=True, text=True)
        if done.returncode != 0:
            report = "\n".join(l for l in done.stdout.splitlines() if l.strip())[:4000]
            complaints.append(f"abidiff finds changes; where they are meant, write them down with check_abidiff.py --bless:\n{report}"
                              f"{done.stderr}")
    for name, symbol in EXPORTS.items():
        library = build / "lib" / name
        if not library.exists():
            continue
        text = subprocess.run(["abidw", *DUMP[:2], library], capture_output=True, text=True).stdout
        found = [l.split("name='")[1].split("'")[0] for l in text.splitlines() if "<elf-symbol " in l]
        if found != [symbol]:
            complaints.append(f"{name} exports {found}, and is to export {symbol} alone")
    return complaints


def with_types(header: str, old: str, new: str):
    planted = check_layout.copied(header, old, new)

    def prepare(folder: pathlib.Path):
        planted(folder)
        shutil.copy(pathlib.Path(__file__).resolve().parents[2] / REFERENCE, folder / REFERENCE)
        return folder, folder
    return prepare


def with_library(folder: pathlib.Path):
    source, _ = with_types("abi.h", "TN_STRING = 65", "TN_STRING = 65")(folder)
    (folder / "lib").mkdir()
    (folder / "a.c").write_text("int tn_runtime(void) { return 0; }\nint leaked(void) { return 1; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-o", folder / "lib/libtenon_rt.so", folder / "a.c"], check=True)
    return source, folder


MUTATIONS = [
    ("a slot takes another type", with_types("ext/pass.h", "const char* pass, const TnNode* module,", "int64_t pass, const TnNode* module,"),
     "abidiff finds changes"),
    ("a slot returns another type", with_types("ir.h", "uint32_t (*find_kind)", "int64_t (*find_kind)"), "abidiff finds changes"),
    ("a member becomes a pointer", with_types("runtime.h", "  int32_t param_count;\n  int32_t symbol_count;", "  void* param_count;"),
     "abidiff finds changes"),
    ("a library exports another symbol", with_library, "libtenon_rt.so exports ['leaked', 'tn_runtime']"),
]

if __name__ == "__main__":
    if sys.argv[1:] != ["--bless"]:
        sys.exit(__doc__)
    here = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as scratch:
        built = surface(here, pathlib.Path(scratch))
        subprocess.run(["abidw", *DUMP, "--out-file", here / REFERENCE, built], check=True)
