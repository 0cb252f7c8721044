"""Data files: `@file` holds values in Futhark's notation, `@file.npy` one NumPy array. U303 says what is wrong."""
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..lang.diagnostics.render import clean
from ..lang.diagnostics.report import Reporter
from ..lang.source import Source, Span
from .literals import Given, Literal, parse_values
from .values import DTYPES, dtype_name

MAX_BYTES = 1_000_000_000
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
        return parse_values(Source(str(folder / name), content.decode("utf-8-sig")), report)
    except Unusable as error:
        why, help = str(error), error.help
    except UnicodeDecodeError as error:
        why, help = f"it is not UTF-8 text (byte {error.start})", FORMS
    except (OSError, ValueError) as error:
        why, help = str(getattr(error, "strerror", None) or error), "check the path and its permissions"
    report.error("U303", f"cannot read the data file `{clean(name)}`: {why}", span, help=help)
    return None


def read(path: Path) -> bytes:
    if path.is_dir():
        raise Unusable("it is a folder")
    if path.exists() and not path.is_file():
        raise Unusable("it is not a regular file")
    if path.stat().st_size > MAX_BYTES:
        raise Unusable(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    return path.read_bytes()


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
