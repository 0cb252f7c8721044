"""CUDA C, compiled for the processor and run there, one fiber to a thread of the device.

`prepare` compiles many texts in one run of the C++ compiler; `Program` is one of them, `Kernel` a function of it that
`Kernel.launch` runs with arguments as words. What a GPU leaves undefined raises `Undefined`. Texts stand alone, as
NVRTC compiles them: `extern "C" __global__` kernels, `extern __shared__` in functions, no includes, no inline PTX.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from dad.codegen.backends.cuda import nvrtc

HERE = Path(__file__).parent
STANDARD = ("-std=c++17", "-w", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing")
PLAIN, QUICK = ("-O1",), ("-O0",)
"""The second is compiled in half the time."""
ADDRESSES = ("-O0", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined,float-cast-overflow",
             "-fno-sanitize-recover=all", "-fno-sanitize=vptr", "-fsanitize-sections=dad_shared_*")
RACES = ("-O0", "-g", "-fno-omit-frame-pointer", "-fsanitize=thread")
VOLATILE = {False: ("--param=tsan-distinguish-volatile=1",), True: ("-mllvm", "-tsan-distinguish-volatile=1")}
"""What is volatile is a relaxed atomic access, as on a GPU: `machine.cpp` says so. By whether clang compiles."""
KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\(\s*(\d+)[^)]*\)\s*)?(\w+)\s*\(')
DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;")
ORDERS = {"forward": 0, "reverse": 1, "random": 2}


class Undefined(AssertionError):
    """A kernel did what no GPU promises to do: a mistake of who wrote it."""


@cache
def compiler() -> str | None:
    """The C++ compiler of this machine."""
    return next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)


class Mode:
    """The flags that texts are compiled with, and the order in which threads run: of the whole process."""

    def __init__(self) -> None:
        self.flags: tuple[str, ...] = PLAIN
        self.order: tuple[str, int] = ("forward", 0)

    @property
    def sanitised(self) -> bool:
        return any(flag.startswith("-fsanitize=") for flag in self.flags)


MODE = Mode()


@contextmanager
def quick() -> Iterator[None]:
    """Kernels are compiled for few calls inside."""
    before, MODE.flags = MODE.flags, QUICK
    try:
        yield
    finally:
        MODE.flags = before


def set_order(order: str, seed: int = 0) -> None:
    """Threads and blocks run `forward`, in `reverse`, or in `random` order from a seed."""
    MODE.order = (order, seed)
    machine().dad_order(ORDERS[order], seed)


@cache
def folder() -> Path:
    """Where compiled texts are kept: they are found by all that they are made of."""
    root = os.environ.get("DAD_CACHE_DIR")
    made = Path(root) / "cuda" if root else Path(tempfile.gettempdir()) / f"dad-cuda-{os.getuid()}"
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    return made


def compile_cpp(text: str, flags: Sequence[str]) -> Path:
    """A shared library, perhaps one that is there already."""
    command = compiler()
    assert command is not None, "there is no C++ compiler here to run kernels on the processor with"
    flags = (*flags, *(VOLATILE["clang" in command] if "-fsanitize=thread" in flags else ()))
    headers = (HERE / "device.h").read_text(encoding="utf-8")
    key = hashlib.sha256("\0".join([text, headers, command, *STANDARD, *flags]).encode()).hexdigest()[:32]
    target = folder() / f"{key}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        source, made = Path(scratch) / "kernels.cpp", Path(scratch) / "kernels.so"
        source.write_text(text, encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        done = subprocess.run([command, *STANDARD, *flags, f"-I{HERE}", str(source), "-o", str(made)],
                              capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise CompileError(done.stderr)
        os.replace(made, target)
    return target


class CompileError(Exception):
    """What the compiler says of a text."""


@cache
def machine_of(flags: tuple[str, ...]) -> ctypes.CDLL:
    text = (HERE / "machine.cpp").read_text(encoding="utf-8")
    library = ctypes.CDLL(str(compile_cpp(text, flags)), mode=ctypes.RTLD_GLOBAL)
    library.dad_launch.restype = ctypes.c_char_p
    library.dad_launch.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                                   ctypes.c_void_p, ctypes.c_size_t]
    library.dad_order.argtypes = [ctypes.c_int, ctypes.c_ulonglong]
    library.dad_order.restype = None
    library.dad_order(ORDERS[MODE.order[0]], MODE.order[1])
    return library


def machine() -> ctypes.CDLL:
    """One to a process, however kernels are compiled: they find its names."""
    return machine_of(MODE.flags if MODE.sanitised else PLAIN)


LAUNCHING = threading.Lock()
"""There is one machine, and `ctypes` lets other threads of Python run while it does."""


class Kernel:
    """A kernel: `parameters` are its types, as `*f8` (a pointer to numbers of 8 bytes), `i8`, `f4`, `bool`."""

    def __init__(self, library: ctypes.CDLL, prefix: str, name: str, most_threads: int) -> None:
        self.name, self.most_threads = name, most_threads
        self.entry = ctypes.cast(getattr(library, f"{prefix}_{name}"), ctypes.c_void_p)
        text = ctypes.create_string_buffer(1 << 16)
        getattr(library, f"{prefix}_{name}_signature")(text)
        said = [part.rsplit(":", 1) for part in text.value.decode().split()]
        self.parameters = [kind for kind, _ in said]
        self.sizes = [int(size) for _, size in said]
        bounds = (ctypes.c_size_t * 2)()
        getattr(library, f"{prefix}_shared")(bounds)
        self.shared, self.shared_size = bounds[0], bounds[1] - bounds[0]

    def launch(self, grid: Sequence[int], block: Sequence[int], values: Sequence[bytes], dynamic: int = 0) -> None:
        """Runs all threads. Arguments are the bytes of their values. Raises Undefined."""
        held = [ctypes.create_string_buffer(value, len(value)) for value in values]
        places = (ctypes.c_void_p * max(1, len(held)))(*[ctypes.addressof(each) for each in held])
        triple = ctypes.c_uint * 3
        with LAUNCHING:
            said = machine().dad_launch(self.entry, places, triple(*grid), triple(*block), dynamic, self.shared,
                                        self.shared_size)
        if said is not None:
            raise Undefined(f"kernel {self.name}: {said.decode()}")


class Program:
    """Kernels by name."""

    def __init__(self, library: ctypes.CDLL, prefix: str, text: str) -> None:
        self.text = text
        self.kernels = {name: Kernel(library, prefix, name, int(bound or 1024)) for bound, name in KERNEL.findall(text)}


MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
PREPARED: dict[tuple[str, tuple[str, ...]], Program] = {}


def adapted(text: str, prefix: str) -> str:
    """A text as C++: in a namespace of its own, with macros of its own, its kernels behind functions that take places
    of arguments."""
    names = [name for _, name in KERNEL.findall(text)]
    inner = DYNAMIC.sub(r"\1 *\2 = (\1 *)dad_here.dynamic;", text)
    inner = re.sub(r'extern\s+"C"\s+', "", inner)
    section = f"dad_shared_{prefix}"
    return "\n".join([
        "#undef __shared__", f'#define __shared__ static __attribute__((section("{section}")))',
        f"namespace {prefix} {{ namespace {{", f'#line 1 "{prefix}"', inner, "} }", '#line 1 "stubs"',
        *(f"#undef {macro}" for macro in dict.fromkeys(MACRO.findall(text))),
        f'static char {prefix}_pad __attribute__((section("{section}"), used, aligned(16)));',
        'extern "C" {',
        f'extern char __start_{section}[] __attribute__((visibility("hidden")));',
        f'extern char __stop_{section}[] __attribute__((visibility("hidden")));',
        f"void {prefix}_shared(size_t *to) {{ to[0] = (size_t)__start_{section}; to[1] = (size_t)__stop_{section}; }}",
        *(f"void {prefix}_{name}(void **a) {{ dad_enter({prefix}::{name}, a); }}\n"
          f"void {prefix}_{name}_signature(char *to) {{ dad_signature({prefix}::{name}, to); }}" for name in names),
        "}", ""])


def prepare(texts: Sequence[str]) -> None:
    """Compiles these together, with the flags of `MODE`, those not compiled yet."""
    flags = MODE.flags
    missing = [text for text in dict.fromkeys(texts) if (text, flags) not in PREPARED]
    if not missing:
        return
    machine()
    for_cards(missing)
    prefixes = [f"p{k}" for k in range(len(missing))]
    whole = '#include "device.h"\n' + "".join(map(adapted, missing, prefixes))
    library = ctypes.CDLL(str(compile_cpp(whole, flags)))
    for text, prefix in zip(missing, prefixes, strict=True):
        PREPARED[text, flags] = Program(library, prefix, text)


def for_cards(texts: Sequence[str]) -> None:
    """NVRTC takes these, too, for the architectures that `DAD_NVRTC` names. Raises nvrtc.CompileError."""
    for architecture in filter(None, os.environ.get("DAD_NVRTC", "").split(",")):
        for text in texts:
            nvrtc.compiled(text, int(architecture))


def program(text: str) -> Program:
    """The program of a text, compiled now if it was not yet."""
    prepare([text])
    return PREPARED[text, MODE.flags]


def in_front(flags: Sequence[str]) -> str:
    """The library that a process with code of these flags must start with; empty where it needs none."""
    command = compiler()
    assert command is not None
    wanted = {"address": "asan", "thread": "tsan"}
    for word, library in wanted.items():
        if any(flag.startswith("-fsanitize=") and word in flag for flag in flags):
            found: Any = subprocess.run([command, f"-print-file-name=lib{library}.so"], capture_output=True, text=True,
                                        check=True)
            assert "/" in found.stdout, f"{command} has no sanitisers"
            return str(found.stdout.strip())
    return ""
