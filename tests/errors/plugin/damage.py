"""Makes libraries that are cut short, or say that they are for another machine, from a right one."""
import pathlib
import sys

library, folder = pathlib.Path(sys.argv[1]).read_bytes(), pathlib.Path(sys.argv[2])
for name, data in {
    "cut-short": library[: len(library) // 2],
    "another-machine": library[:18] + (243).to_bytes(2, "little") + library[20:],  # e_machine: RISC-V
}.items():
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / f"{name}.so").write_bytes(data)
