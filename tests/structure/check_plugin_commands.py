"""Read from the compile and link commands: no plugin sees core's sources or the registry, none links ours but sdk/lib."""
import json
import pathlib
import shlex
import subprocess

import elf
import tree


def include_paths(command, folder: pathlib.Path):
    words = iter(command)
    for word in words:
        for flag in ("-I", "-isystem", "-iquote", "-include"):
            if word == flag:
                yield (folder / next(words)).resolve()
                break
            if word.startswith(flag) and len(word) > len(flag) and flag != "-include":
                yield (folder / word[len(flag):]).resolve()
                break


def compile_complaints(source: pathlib.Path, build: pathlib.Path):
    allowed = [source / "core/include", source / "sdk/include", source / "sdk/lib"]
    found = False
    for entry in json.loads(tree.text(build / "compile_commands.json")):
        file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if source / "plugins" not in file.parents:
            continue
        found = True
        own = source / pathlib.Path(*file.relative_to(source).parts[:2])
        for path in include_paths(shlex.split(entry["command"]), pathlib.Path(entry["directory"])):
            inside = path == source or source in path.parents
            if inside and build not in path.parents and not any(path == a or a in path.parents for a in [*allowed, own]):
                yield f"{file.relative_to(source)} is compiled with the include path {path.relative_to(source)}"
    if not found:
        yield "no compile command of a plugin was found"


def link_command(build: pathlib.Path, library: pathlib.Path):
    """The words of the command that links a library; from a file in mutations, else from ninja."""
    planted = build / "link_commands" / library.name
    if planted.exists():
        return shlex.split(tree.text(planted))
    target = str(library.relative_to(build))
    out = subprocess.run(["ninja", "-C", str(build), "-t", "commands", target], capture_output=True, text=True)
    return shlex.split(next((line for line in out.stdout.splitlines() if f"-o {target} " in line), ""))


def link_complaints(build: pathlib.Path):
    for library in elf.plugin_libraries(build):
        plugin = library.parent.name
        command = link_command(build, library)
        if not command:
            yield f"{library.relative_to(build)} is left over from an earlier build; delete it"
        for word in command:
            path = (build / word).resolve()
            if path.suffix not in (".a", ".so", ".o") or path == library or build not in path.parents:
                continue
            inside = path.relative_to(build)
            if inside.parts[:2] != ("plugins", plugin) and inside.parts[:2] != ("sdk", "lib"):
                yield f"{plugin} links {inside}; only sdk/lib is for plugins"


def check(source: pathlib.Path, build: pathlib.Path):
    return [*compile_complaints(source, build), *link_complaints(build)]


def planted(flags: str, link: str):
    def prepare(folder: pathlib.Path):
        source, build = folder / "s", folder / "b"
        tree.plant({"s/plugins/p/src/a.cc": "", "b/lib/tenon/plugins/p/p.so": "", "b/link_commands/p.so": "cc " + link})(folder)
        entry = {"directory": str(build), "file": str(source / "plugins/p/src/a.cc"),
                 "command": "c++ -I../s/core/include -I" + str(source / "sdk/include") + " " + flags}
        (build / "compile_commands.json").write_text(json.dumps([entry]))
        return source, build
    return prepare


MUTATIONS = [
    ("an include path into core", planted("-I../s/core", "plugins/p/a.o"), "include path core"),
    ("an include path into the registry", planted("-isystem ../s/registry", "plugins/p/a.o"), "include path registry"),
    ("the whole tree as include path", planted("-I ../s", "plugins/p/a.o"), "include path ."),
    ("another plugin as include path", planted("-I../s/plugins/q/src", "plugins/p/a.o"), "include path plugins/q"),
    ("a library of core linked", planted("", "plugins/p/a.o core/ir/libtenon_ir.a"), "links core/ir/libtenon_ir.a"),
    ("libtenon linked", planted("", "plugins/p/a.o lib/libtenon.so"), "links lib/libtenon.so"),
    ("an object of another plugin linked", planted("", "plugins/p/a.o plugins/q/b.o"), "links plugins/q/b.o"),
]
