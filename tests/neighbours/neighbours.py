"""Ours (LLVM 19), LLVM 15 and, where it is installed, PyTorch in one process, in every order and twice: all of them compile."""
import argparse
import ctypes.util
import importlib.util
import itertools
import subprocess
import sys

# What a child does for each name, in the order that it is given.
CHILD = """
import ctypes, sys
library, llvm15, order = sys.argv[1], sys.argv[2], sys.argv[3:]
def torch():
    import torch
    double = torch.jit.trace(lambda x: x + x, torch.arange(4))
    return 0 if torch.equal(double(torch.arange(4)), torch.arange(4) * 2) else 1
uses = {"tenon": lambda: ctypes.CDLL(library).use_tenon(),
        "llvm15": lambda: ctypes.CDLL(library).use_llvm15(llvm15.encode()),
        "torch": torch}
sys.exit(max(uses[name]() for name in order + order))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    args = parser.parse_args()
    llvm15 = ctypes.util.find_library("LLVM-15")
    if not llvm15:
        sys.exit("neighbours: libLLVM-15 is not installed: apt-get install libllvm15")
    names = ["tenon", "llvm15"]
    if importlib.util.find_spec("torch"):
        names.append("torch")
    else:
        print("PyTorch comes from the Python index and is not installed: orders with it are skipped")
    failures = 0
    for order in itertools.permutations(names):
        done = subprocess.run([sys.executable, "-B", "-c", CHILD, args.library, llvm15, *order], capture_output=True, text=True)
        print(f"{' then '.join(order)}, twice: {'both compile' if done.returncode == 0 else f'exit {done.returncode}'}")
        if done.returncode != 0:
            failures += 1
            print(done.stdout + done.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
