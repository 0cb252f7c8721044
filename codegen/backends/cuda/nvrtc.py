"""CUDA C to code for GPUs, without a GPU: NVIDIA's run-time compiler NVRTC, a library that is called through `ctypes`.

It comes with `pip install "dad-lang[cuda]"` (the package nvidia-cuda-nvrtc), and with CUDA itself. A text that stands
alone becomes machine code for one architecture (a cubin), and PTX, assembly that the driver of any later card compiles;
with them comes what each kernel uses. The same text and options give the same bytes.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ARCHITECTURES = (75, 90, 120)
"""What modules are built for. Cards between them take the PTX of the first."""
OPTIONS = ("--std=c++17",)
MISSING = "NVRTC, the compiler for GPUs, is not installed"
HELP = 'pip install "dad-lang[cuda]"'


class CompileError(Exception):
    """NVRTC refuses a text: a mistake of who wrote it."""


@dataclass(frozen=True)
class Usage:
    """What a kernel needs: `registers` of each thread, `shared` memory of a block in bytes, bytes of each thread that
    are `spilled` from registers, stored and loaded, and its `stack`.
    """

    kernel: str
    registers: int
    shared: int
    spilled: int
    stack: int


@dataclass(frozen=True)
class Code:
    """Code for one architecture."""

    architecture: int
    cubin: bytes
    ptx: bytes
    usage: tuple[Usage, ...]


# ------------------------------------------------------------------ the library


def candidates() -> Iterator[str]:
    """Where NVRTC may be: NVIDIA's packages for Python, CUDA's own folder, the system's libraries."""
    windows = sys.platform == "win32"
    pattern = "nvrtc64_*.dll" if windows else "libnvrtc.so*"
    spec = find_spec("nvidia")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    inner = ("*/bin", "*/bin/x86_64") if windows else ("*/lib",)
    roots = [(folder, part) for folder in folders for part in inner]
    if home := os.environ.get("CUDA_PATH") or os.environ.get("CUDA_HOME"):
        roots += [(Path(home), part) for part in ("bin", "bin/x64", "lib64", "targets/*/lib")]
    for root, part in roots:
        for found in sorted(root.glob(f"{part}/{pattern}"), key=newest):
            if "builtins" not in found.name and ".alt." not in found.name:
                yield str(found)
    if named := find_library("nvrtc"):
        yield named


def newest(path: Path) -> tuple[int, str]:
    """Sorts libraries by version, the newest first.

    >>> sorted(map(Path, ["libnvrtc.so.12", "libnvrtc.so.13"]), key=newest)[0].name
    'libnvrtc.so.13'
    """
    numbers = re.findall(r"\d+", path.name)
    return (-int(numbers[-1]) if numbers else 0, path.name)


@cache
def library() -> Any:
    """NVRTC, or None where there is none that can be loaded."""
    for path in candidates():
        try:
            found = ctypes.CDLL(path)
            found.nvrtcGetErrorString.restype = ctypes.c_char_p
            return found
        except (OSError, AttributeError):
            continue
    return None


def installed() -> bool:
    return library() is not None


@cache
def version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


@cache
def supported() -> tuple[int, ...]:
    """The architectures that this NVRTC compiles for."""
    count = ctypes.c_int()
    library().nvrtcGetNumSupportedArchs(ctypes.byref(count))
    found = (ctypes.c_int * count.value)()
    library().nvrtcGetSupportedArchs(found)
    return tuple(found)


# ------------------------------------------------------------------ compiling


def options_of(architecture: int, options: Sequence[str]) -> tuple[str, ...]:
    """All that NVRTC is given. Without textures and what kernels that launch others need (`--minimal`) a small text is
    compiled a third faster."""
    less = ("--minimal",) if version() >= (13, 0) else ()
    return (f"-arch=sm_{architecture}", *OPTIONS, *less, "-Xptxas=-v", *options)


def compiled(text: str, architecture: int, options: Sequence[str] = ()) -> Code:
    """Code for an architecture, as 90 for sm_90. Raises CompileError with NVRTC's words, that name lines of the text.
    """
    nvrtc = library()
    program = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None))
    try:
        given = [option.encode() for option in options_of(architecture, options)]
        status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
        said = received(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if status:
            raise CompileError(f"sm_{architecture}: {said or nvrtc.nvrtcGetErrorString(status).decode()}")
        return Code(architecture, received(program, "CUBIN"), received(program, "PTX").rstrip(b"\0"), usage(said))
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def received(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    check(getattr(library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    data = ctypes.create_string_buffer(size.value)
    check(getattr(library(), f"nvrtcGet{what}")(program, data))
    return data.raw


def check(status: int) -> None:
    if status:
        raise CompileError(library().nvrtcGetErrorString(status).decode())


FUNCTION = re.compile(r"Compiling entry function '(\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def usage(said: str) -> tuple[Usage, ...]:
    """What the assembler tells of each kernel, in the order of their names.

    >>> usage('''ptxas info    : Compiling entry function 'k1' for 'sm_90'
    ... ptxas         .     8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads
    ... ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem''')
    (Usage(kernel='k1', registers=40, shared=2048, spilled=40, stack=8),)
    """
    found: list[Usage] = []
    for part in re.split(r"(?=ptxas info\s+: Compiling entry function)", said):
        name, used = FUNCTION.search(part), USED.search(part)
        if name is None or used is None:
            continue
        stack, stores, loads = map(int, match.groups()) if (match := STACK.search(part)) else (0, 0, 0)
        shared = SHARED.search(part)
        found.append(Usage(name[1], int(used[1]), int(shared[1]) if shared else 0, stores + loads, stack))
    return tuple(sorted(found, key=lambda u: (len(u.kernel), u.kernel)))
