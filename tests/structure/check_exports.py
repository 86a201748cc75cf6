"""Each library exports one symbol: libtenon_rt tn_runtime, libtenon tn_compiler, every plugin tenon_plugin."""
import pathlib

import elf


def expected(build: pathlib.Path):
    yield build / "lib/libtenon_rt.so", ["tn_runtime"]
    yield build / "lib/libtenon.so", ["tn_compiler"]
    for library in elf.plugin_libraries(build):
        yield library, ["tenon_plugin"]


def check(source: pathlib.Path, build: pathlib.Path):
    complaints = []
    for library, symbols in expected(build):
        if not library.exists():
            complaints.append(f"{library.name} was not built")
        elif elf.exported(library) != symbols:
            complaints.append(f"{library.name} exports {elf.exported(library)}, not {symbols}")
    if not elf.plugin_libraries(build):
        complaints.append("there is no plugin in lib/tenon/plugins")
    return complaints


MUTATIONS = [
    ("a second symbol of a plugin",
     elf.plant_libraries({"lib/tenon/plugins/p/p.so": ("int tenon_plugin, helper;",)}), "p.so exports ['helper'"),
    ("a plugin without its symbol", elf.plant_libraries({"lib/tenon/plugins/p/p.so": ("int x;",)}), "p.so exports ['x']"),
    ("a second symbol of the runtime",
     elf.plant_libraries({"lib/libtenon_rt.so": ("int tn_runtime, leak;",)}), "libtenon_rt.so exports ['leak'"),
    ("a library is missing", lambda folder: (folder, folder), "libtenon.so was not built"),
]
