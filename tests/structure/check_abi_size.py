"""The contract stays small enough to read: abi.h has at most 250 lines of code."""
import pathlib
import re

import tree

HEADER = "core/include/tenon/abi.h"
LIMIT = 250


def code_lines(text: str) -> int:
    """Lines that hold more than space and comments."""
    without_comments = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return sum(1 for line in without_comments.splitlines() if line.strip())


def check(source: pathlib.Path, build: pathlib.Path):
    lines = code_lines(tree.text(source / HEADER))
    return [] if lines <= LIMIT else [f"{HEADER} has {lines} lines of code; at most {LIMIT}: a capability is a header in ext/"]


MUTATIONS = [("251 lines of code", tree.plant({HEADER: "/* a comment\n */\n\n" + "int x;\n" * 251}), "has 251 lines of code")]
