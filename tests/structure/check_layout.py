"""The layouts, numbers and ids of the contract are those of tests/abi/layout.txt: every struct, member, enumerator, id and kind.

`python3 tests/structure/check_layout.py --bless` writes additions down; it refuses what breaks plugins that are already built."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tree

ROOT, REFERENCE = "core/include", "tests/abi/layout.txt"
STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{")
ENUM = re.compile(r"\benum\s*\w*\s*\{([^}]*)\}")
DEFINE = re.compile(r'^#define (TN_\w+) ("[^"]*"|\d+u?)\s*$', re.M)


def headers(source: pathlib.Path):
    """The C headers of the contract, as they are included; drafts last."""
    names = [p.relative_to(source / ROOT).as_posix() for p in sorted((source / ROOT / "tenon").rglob("*.h"))]
    return sorted((n for n in names if "/cxx/" not in n), key=lambda n: ("/draft/" in n, n))


def bare(text: str) -> str:
    """Without comments and preprocessor lines."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)


def body_of(text: str, start: int) -> str:
    depth, at = 1, start
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[start:at - 1]


def members(body: str):
    """The names that the declarations of a struct's body declare."""
    depth, item, items = 0, "", []
    for c in body:
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(c, 0)
        if c == ";" and depth == 0:
            items.append(item.strip())
            item = ""
        else:
            item += c
    for item in filter(None, items):
        pointer = re.search(r"\(\s*\*\s*(?:const\b\s*)?(\w+)\s*\)\s*\(", item)
        if "{" in item:
            item = item[item.rindex("}") + 1:]
        elif pointer:
            yield pointer.group(1)
            continue
        for part in item.split(","):
            name = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", part.strip())
            if name:
                yield name.group(1)


def program(source: pathlib.Path) -> str:
    """A C program that prints the layout."""
    lines, seen = [], set()
    for header in headers(source):
        raw = tree.text(source / ROOT / header)
        text = bare(raw)
        draft = " draft" if "/draft/" in header else ""
        for match in STRUCT.finditer(text):
            name = match.group(1)
            lines.append(f'printf("struct {name} size %zu align %zu{draft}\\n", sizeof({name}), _Alignof({name}));')
            for m in members(body_of(text, match.end())):
                lines.append(f'printf("{name}.{m} at %zu size %zu{draft}\\n", offsetof({name}, {m}), sizeof((({name}*)0)->{m}));')
        for match in ENUM.finditer(text):
            own = re.sub(r"TN_KINDS\([^)]*\)", "", match.group(1))  # those are listed as kinds
            for name in re.findall(r"(?:^|,)\s*(TN_\w+)", own):
                if name not in seen:
                    lines.append(f'printf("enum {name} %lld{draft}\\n", (long long){name});')
                    seen.add(name)
        for name, value in DEFINE.findall(raw):
            text = value.replace('"', '\\"')
            lines.append(f'printf("define {name} {text}{draft}\\n");')
    includes = "".join(f"#include <{h}>\n" for h in headers(source))
    kinds = """
#define K(number, ns, Name, revision, flags) printf("kind %d %s.%s/%d flags %u\\n", number, #ns, #Name, revision, (unsigned)(flags)); kind = #ns "." #Name;
#define S(name, type, role) printf("kind %s slot %s %s %s\\n", kind, #name, #type, #role);
#define E()
enum { EXPR = TN_KIND_EXPR, STMT = TN_KIND_STMT, TYPE = TN_KIND_TYPE, SCOPE = TN_KIND_SCOPE, IDENTITY = TN_KIND_IDENTITY, FUNCTION = TN_KIND_FUNCTION };
static void kinds(void) { const char* kind = ""; TN_KINDS(K, S, E) (void)kind; }
""" if "tenon/kinds.h" in headers(source) else "static void kinds(void) {}\n"
    return "#include <stdio.h>\n" + includes + kinds + "int main(void) {\n" + "\n".join(lines) + "\nkinds();\nreturn 0;\n}\n"


def layout(source: pathlib.Path) -> list:
    with tempfile.TemporaryDirectory() as folder:
        exe = pathlib.Path(folder) / "layout"
        command = [shutil.which("gcc") or shutil.which("cc"), "-std=c11", "-w", "-x", "c", f"-I{source / ROOT}", "-", "-o", str(exe)]
        done = subprocess.run(command, input=program(source), capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"the headers do not compile: {done.stderr.strip()}")
        return subprocess.run([exe], check=True, capture_output=True, text=True).stdout.splitlines()


def key(line: str) -> str:
    """What a line is about; the rest says how it is."""
    words = line.split()
    return " ".join(words[:4] if words[0] == "kind" and words[2] == "slot" else words[:2] if words[0] in ("struct", "enum", "define", "kind") else words[:1])


def compare(before: list, now: list):
    """(what breaks plugins that are built, what is new) between two layouts."""
    old, new = {key(l): l for l in before}, {key(l): l for l in now}
    tables = {k.split(".")[0] for k in old if k.endswith(".size") and " at 0 " in old[k]}
    broken, added = [], [l for l in now if key(l) not in old]
    # Slots of a kind are a list: those that were there stay, in their order.
    for k in old:
        if k not in new:
            broken.append(f"'{old[k]}' is gone")
        elif new[k] != old[k]:
            name = k.split()[-1]
            grown = k.startswith("struct ") and name in tables and int(new[k].split()[3]) > int(old[k].split()[3])
            raised = k in ("define TN_IR_VOCABULARY",) and int(new[k].split()[2].rstrip("u")) > int(old[k].split()[2].rstrip("u"))
            draft = old[k].endswith(" draft")
            (added if grown or raised or draft else broken).append(f"'{old[k]}' is now '{new[k]}'")
    order = lambda lines: [key(l) for l in lines if key(l) in old and key(l) in new]
    if order(before) != order(now) and not broken:
        broken.append("what was there stands in another order")
    draft_gone = [b for b in broken if " draft' is gone" in b]
    return [b for b in broken if b not in draft_gone], added + draft_gone


def check(source: pathlib.Path, build: pathlib.Path):
    before = (source / REFERENCE).read_text().splitlines()
    broken, added = compare(before, layout(source))
    return ([f"{b}: plugins that are built break; append, or make a new revision beside the old one" for b in broken] +
            [f"{a}: an addition that {REFERENCE} does not have; write it down with check_layout.py --bless" for a in added])


def copied(header: str, old: str, new: str):
    """A mutation: the real headers and their reference, with one change."""
    def prepare(folder: pathlib.Path):
        source = pathlib.Path(__file__).resolve().parents[2]
        shutil.copytree(source / ROOT, folder / ROOT)
        (folder / REFERENCE).parent.mkdir(parents=True)
        shutil.copy(source / REFERENCE, folder / REFERENCE)
        text = (folder / ROOT / "tenon" / header).read_text()
        if old not in text:
            raise SystemExit(f"the mutation of {header} finds nothing to change: {old!r}")
        (folder / ROOT / "tenon" / header).write_text(text.replace(old, new, 1))
        return folder, folder
    return prepare


MUTATIONS = [
    ("two members change places", copied("ir.h", "uint32_t kind;\n  uint32_t depth;", "uint32_t depth;\n  uint32_t kind;"), "plugins that are built break"),
    ("a member becomes wider", copied("abi.h", "  int32_t code;\n  int32_t reserved;", "  int64_t code;\n  int32_t reserved;"), "plugins that are built break"),
    ("a slot is put into the middle",
     copied("ext/pass.h", "  int (*run_function)", "  int (*early)(void* instance);\n  int (*run_function)"), "'TnPass.run_function at 16 size 8' is now"),
    ("a slot is taken away", copied("ext/context.h", "  int (*cancelled)(void* self);", ""), "'TnContext.cancelled at 32 size 8' is gone"),
    ("a slot is appended", copied("ext/linker.h", "} TnLinker;", "  int (*late)(void* instance);\n} TnLinker;"), "TnLinker.late at 16 size 8: an addition"),
    ("a number is given anew", copied("abi.h", "TN_ERROR_SHAPE = 5", "TN_ERROR_SHAPE = 55"), "'enum TN_ERROR_SHAPE 5' is now"),
    ("an id changes", copied("ext/pass.h", 'TN_PASS "tenon.pass/1"', 'TN_PASS "tenon.pass/2"'), "plugins that are built break"),
    ("a kind changes its number", copied("kinds.h", "K(137, tir, Assert", "K(157, tir, Assert"), "plugins that are built break"),
    ("a kind changes the role of a slot", copied("kinds.h", "S(value, Node, USE) S(var, Node, DEF) E()", "S(value, Node, USE) S(var, Node, USE) E()"), "plugins that are built break"),
    ("a slot of a kind goes", copied("kinds.h", "S(message, Str, USE)", ""), "is gone"),
]

if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parents[2]
    reference = here / REFERENCE
    current = layout(here)
    if sys.argv[1:] != ["--bless"]:
        sys.exit(__doc__)
    breaks = compare(reference.read_text().splitlines(), current)[0] if reference.exists() else []
    if breaks:
        sys.exit("not written down, since plugins that are built break:\n" + "\n".join(breaks))
    reference.write_text("\n".join(current) + "\n")
