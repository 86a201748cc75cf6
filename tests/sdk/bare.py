"""An installation runs on a machine that was just installed: what its programs and libraries need is in it, or on every Debian."""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "structure"))
import elf  # noqa: E402

# Of Debian's minbase: libc, what apt is written with, and what it unpacks with.
EVERYWHERE = re.compile(r"(libc|libm|libstdc\+\+|libgcc_s|libz|libzstd|ld-linux-.*)\.so\.\d+")


def missing(sdk: pathlib.Path, present):
    files = [f for part in ("bin", "lib", "libexec") for f in (sdk / part).rglob("*")
             if f.is_file() and not f.is_symlink() and f.read_bytes()[:4] == b"\x7fELF"]
    return [f"{f.relative_to(sdk)} needs {name}, which is neither in the installation nor on every machine"
            for f in files for name in elf.needed(f) if name not in present and not EVERYWHERE.fullmatch(name)], len(files)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    sdk = parser.parse_args().sdk
    present = {f.name for f in (sdk / "lib").iterdir()}
    complaints, files = missing(sdk, present)
    if complaints or files < 10:
        sys.exit("\n".join(complaints) or f"only {files} programs and libraries were found")
    # It can fail: without a library that lies beside them, it does.
    if not missing(sdk, present - {"libtenon_rt.so"})[0]:
        sys.exit("a library that is missing is not seen")
    print(f"{files} programs and libraries need nothing that a bare machine lacks")


if __name__ == "__main__":
    main()
