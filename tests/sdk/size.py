"""The SDK is at most 1 MB: everything of an installation that a plugin is written and built with.

Counted, in bytes of files: headers, the libraries of sdk/lib (source), the CMake package, templates, the conformance kit's modules and
the documentation. Not counted: programs, libtenon, and our own plugins, which run plugins and are no part of them."""
import argparse
import pathlib
import sys
import tempfile

PARTS = ["include", "lib/cmake", "share"]
LIMIT = 1_000_000


def sizes(sdk: pathlib.Path):
    return {part: sum(f.stat().st_size for f in (sdk / part).rglob("*") if f.is_file()) for part in PARTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", type=pathlib.Path, required=True)
    sdk = parser.parse_args().sdk
    found = sizes(sdk)
    print(", ".join(f"{part} {size}" for part, size in found.items()), "together", sum(found.values()), "bytes")
    if min(found.values()) == 0 or sum(found.values()) > LIMIT:
        sys.exit(f"the SDK is to have at most {LIMIT} bytes, and none of its parts is empty")
    with tempfile.TemporaryDirectory() as folder:  # the count sees what is added
        big = pathlib.Path(folder) / "include/big.h"
        big.parent.mkdir()
        big.write_bytes(bytes(LIMIT + 1))
        if sum(sizes(pathlib.Path(folder)).values()) <= LIMIT:
            sys.exit("a header of more than the limit was not counted")


if __name__ == "__main__":
    main()
