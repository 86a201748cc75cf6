"""What each library needs at run time: libtenon_rt libc alone; libtenon no compiler backend; a plugin nothing of ours."""
import pathlib
import re

import elf

LOADER = r"ld-linux.*\.so\.\d+"
CXX = [r"libstdc\+\+\.so\.6", r"libgcc_s\.so\.1", r"libm\.so\.6", r"libc\.so\.6", LOADER]
# First the pattern of the library's path below lib/, then the patterns of all that it may need.
RULES = [
    (r"libtenon_rt\.so", [r"libc\.so\.6"]),
    (r"libtenon\.so", CXX + [r"libtenon_rt\.so", r"libboost_filesystem\.so.*", r"libyaml-cpp\.so.*"]),
    (r"tenon/plugins/.*", CXX + [r"libz\.so\.1", r"libzstd\.so\.1", r"libtinfo\.so\.6", r"libxml2\.so\.2", r"libffi\.so\.8",
                                 r"libedit\.so\.2"]),
]


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    lib = build / "lib"
    for library in [lib / "libtenon_rt.so", lib / "libtenon.so", *elf.plugin_libraries(build)]:
        if not library.exists():
            complaints.append(f"{library.name} was not built")
            continue
        name = str(library.relative_to(lib))
        allowed = next(a for pattern, a in RULES if re.fullmatch(pattern, name))
        for entry in elf.needed(library):
            if not any(re.fullmatch(a, entry) for a in allowed):
                complaints.append(f"{name} needs {entry}, which it may not")
    return complaints


MUTATIONS = [
    ("the runtime needs libm",
     elf.plant_libraries({"lib/libtenon_rt.so": ("double sin(double); double f(double x) { return sin(x); }",
                                                 "-fno-builtin", "-Wl,--no-as-needed", "-lm")}), "libtenon_rt.so needs libm.so.6"),
    ("a plugin needs a library of ours",
     elf.plant_libraries({"lib/tenon/plugins/p/p.so": ("int tenon_plugin;", "-Wl,--no-as-needed", "{lib}/libtenon_rt.so")}),
     "p.so needs"),
    ("the compiler needs a backend's library",
     elf.plant_libraries({"lib/libtenon.so": ("int tn_compiler;", "-Wl,--no-as-needed", "-lresolv")}), "needs libresolv.so.2"),
]
