"""Reads shared libraries through binutils, and makes small ones for mutations."""
import pathlib
import re
import subprocess


def exported(library: pathlib.Path):
    out = subprocess.run(["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    return sorted(line.split()[-1].split("@")[0] for line in out.splitlines())


def needed(library: pathlib.Path):
    out = subprocess.run(["readelf", "-dW", str(library)], check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", out))


def plugin_libraries(build: pathlib.Path):
    return sorted((build / "lib/tenon/plugins").glob("*/*.so"))


def compile_library(path: pathlib.Path, code: str, *flags: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(path), *flags]
    subprocess.run(command, input=code, check=True, text=True, capture_output=True)


def plant_libraries(libraries: dict):
    """A prepare() that compiles name -> (C code, flags...) into a build tree whose other libraries are right."""
    good = {"lib/libtenon_rt.so": ("int tn_runtime;",), "lib/libtenon.so": ("int tn_compiler;",),
            "lib/tenon/plugins/p/p.so": ("int tenon_plugin;",)}

    def prepare(folder: pathlib.Path):
        for name, (code, *flags) in (good | libraries).items():
            compile_library(folder / name, code, *(f.replace("{lib}", str(folder / "lib")) for f in flags))
        return folder, folder
    return prepare
