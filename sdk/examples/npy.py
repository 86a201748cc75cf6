"""Reads and writes float32 arrays (and reads int64 ones) as .npy files, with the standard library alone."""
import array
import ast
import pathlib
import struct
import sys

MAGIC = b"\x93NUMPY\x01\x00"


def write(path: pathlib.Path, shape, values):
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode("latin1")
    header += b" " * (-(len(MAGIC) + 2 + len(header) + 1) % 64) + b"\n"
    data = array.array("f", values)
    if sys.byteorder == "big":
        data.byteswap()
    path.write_bytes(MAGIC + struct.pack("<H", len(header)) + header + data.tobytes())


def read(path: pathlib.Path):
    """(shape, values)."""
    raw = path.read_bytes()
    if raw[:6] != MAGIC[:6]:
        raise ValueError(f"{path} is no .npy file")
    width, start = ("<H", 10) if raw[6] == 1 else ("<I", 12)
    length = struct.unpack_from(width, raw, 8)[0]
    header = ast.literal_eval(raw[start:start + length].decode("latin1"))
    if header["descr"] not in ("<f4", "<i8") or header["fortran_order"]:
        raise ValueError(f"{path} holds {header['descr']}, neither float32 nor int64 in C order")
    values = array.array("f" if header["descr"] == "<f4" else "q", raw[start + length:])
    if sys.byteorder == "big":
        values.byteswap()
    return header["shape"], values
