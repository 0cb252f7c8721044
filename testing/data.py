"""Data files: `@file` holds values as text or in Futhark's binary form, or is an .npy file. U303 says what is wrong."""
from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..lang.diagnostics.render import clean
from ..lang.diagnostics.report import Reporter
from ..lang.source import Source, Span
from .literals import Given, Literal, Unreadable, parse_values
from .script import Script, ScriptReader
from .values import DTYPES, dtype_name

MAX_BYTES = 1_000_000_000
BLANKS = b" \t\r\n"
FORMS = "a data file holds values, as in `1.0 [2, 3]`, or is an .npy file"


class Unusable(Exception):
    """Why a data file cannot be read, and what to do."""

    def __init__(self, why: str, help: str = FORMS) -> None:
        super().__init__(why)
        self.help = help


def read_values(name: str, folder: Path, span: Span, report: Reporter) -> list[Literal] | None:
    """The values of the file `name`, relative to `folder`; None where it can't be read, reported at `span`."""
    try:
        content = read(folder / name)
        if content.startswith(b"\x93NUMPY"):
            return [Given(load(content), span)]
        if name.endswith(".npy"):
            raise Unusable("it is not in NumPy's format")
        if content.lstrip(BLANKS).startswith(b"b"):
            return [Given(array, span) for array in binary_values(content)]
        return parse_values(Source(str(folder / name), content.decode("utf-8-sig")), report)
    except Unusable as error:
        why, help = str(error), error.help
    except UnicodeDecodeError as error:
        why, help = f"it is not UTF-8 text (byte {error.start})", FORMS
    except (OSError, ValueError) as error:
        why, help = str(getattr(error, "strerror", None) or error), "check the path and its permissions"
    report.error("U303", f"cannot read the data file `{clean(name)}`: {why}", span, help=help)
    return None


def read_script(name: str, folder: Path, span: Span, report: Reporter) -> Script | None:
    """The script in a file; None where it can't be read, reported."""
    try:
        text = read(folder / name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report.error("U303", f"cannot read the script `{clean(name)}`: it is not UTF-8 text (byte {error.start})", span)
        return None
    except (Unusable, OSError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or error)
        report.error("U303", f"cannot read the script `{clean(name)}`: {why}", span)
        return None
    reader = ScriptReader(Source(str(folder / name), text), report)
    try:
        found = reader.script_expression()
        if reader.peek():
            raise reader.astray("expected the end of the script", reader.at, reader.at + 1)
    except Unreadable:
        return None
    return found


def read(path: Path) -> bytes:
    if path.is_dir():
        raise Unusable("it is a folder")
    if path.exists() and not path.is_file():
        raise Unusable("it is not a regular file")
    if path.stat().st_size > MAX_BYTES:
        raise Unusable(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    content = path.read_bytes()
    return unpacked(content) if path.suffix == ".gz" else content


def unpacked(content: bytes) -> bytes:
    """What a .gz file holds."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            whole = file.read(MAX_BYTES + 1)
    except (EOFError, zlib.error) as error:
        raise Unusable(f"it is not a whole .gz file: {error}") from None
    if len(whole) > MAX_BYTES:
        raise Unusable(f"it holds more than {MAX_BYTES // 1_000_000} MB")
    return whole


def load(content: bytes) -> Any:
    """The array of an .npy file, in this machine's byte order; nothing in it is executed."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # NumPy's reader raises whatever its parts raise on a damaged header
        raise Unusable(f"NumPy says: {str(error)[:200]}") from None
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if dtype_name(native.dtype) not in DTYPES:
        raise Unusable(f"it holds {native.dtype}, which is no type of Dad", "save it as one of " + " ".join(DTYPES))
    return native


def binary_values(content: bytes) -> Iterator[Any]:
    """Values in Futhark's binary form: `b`, version 2, rank, type in four characters, sizes (u64), elements; all
    little-endian.
    """
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        if count > len(content) - at:
            raise Unusable("the value ends too early")
        at += count
        return content[at - count:at]

    while True:
        while content[at:at + 1] in (b" ", b"\t", b"\r", b"\n"):
            at += 1
        if at == len(content):
            return
        if take(1) != b"b":
            raise Unusable("it holds something else beside values", "binary and text cannot stand in one file")
        version, rank = take(2)
        if version != 2:
            raise Unusable(f"it is in version {version} of Futhark's binary form; only 2 is known")
        name = take(4).decode("latin-1").strip()
        if name not in DTYPES:
            raise Unusable(f"it holds values of type {name}", "types are " + " ".join(DTYPES))
        if rank > 32:
            raise Unusable(f"it holds an array of {rank} axes; there may be 32")
        sizes = [int.from_bytes(take(8), "little") for _ in range(rank)]
        if any(size >= 2**40 for size in sizes):
            raise Unusable("the size of an axis is beyond all memory")
        dtype = np.dtype(DTYPES[name])
        little = np.dtype(np.uint8) if name == "bool" else dtype.newbyteorder("<")
        stored = np.frombuffer(take(prod(sizes) * dtype.itemsize), little)
        if name == "bool" and bool(np.any(stored > 1)):
            raise Unusable("it holds a bool that is neither 0 nor 1")
        yield stored.astype(dtype).reshape(sizes)
