"""LLVM: assembly to object code, object code into memory.

Every use of LLVM is made while `LOCK` is held: its global context is not for several threads, and a fork waits for it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from ....lang.clock import timed
from . import symbols

LOCK = threading.RLock()
ROOM_FOR_LINKS = "@dad.links = hidden global [1 x i64] zeroinitializer, align 4096"
"""Belongs into every module: LLVM's loader does not count a word for each function that is called from outside, so that
it aborts when these do not fit into what is left of a page; with this there is a page more.
"""


@dataclass(frozen=True)
class Environment:
    """What object code depends on besides its text."""

    compiler: str
    llvm: str
    triple: str
    cpu: str
    features: str

    def key(self, digest: str, tier: int) -> str:
        """The name of object code: of a unit with this digest, compiled for this tier here."""
        parts = (digest, str(tier), self.compiler, self.llvm, self.triple, self.cpu, self.features)
        return sha256("\n".join(parts).encode()).hexdigest()


@cache
def environment() -> Environment:
    return Environment(fingerprint(), ".".join(map(str, llvm.llvm_version_info)), llvm.get_process_triple(),
                       llvm.get_host_cpu_name(), features())


@cache
def features() -> str:
    return str(llvm.get_host_cpu_features().flatten())


def fingerprint() -> str:
    """The code generator, by its files: another version of it may write other code for the same text."""
    found = sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        about = file.stat()
        found.update(f"{file.name} {about.st_size} {about.st_mtime_ns}\n".encode())
    return found.hexdigest()[:16]


@cache
def _started() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    symbols.install()
    # rows of arrays of records have a stride that is hardly ever 1: no second loop for that, in place of vectors
    llvm.set_option("", "-enable-mem-access-versioning=false")


def _machine(opt: int) -> llvm.TargetMachine:
    _started()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=environment().cpu, features=features(), opt=opt, reloc="pic", codemodel="small", jit=True)


@cache
def _emitter(opt: int) -> llvm.TargetMachine:
    """The machine that writes object code; it is never given to an engine, which would free it."""
    return _machine(opt)


@timed("LLVM parse")
def parsed(text: str) -> llvm.ModuleRef:
    with LOCK:
        _started()
        made = llvm.parse_assembly(text)
        made.verify()  # a twentieth of the time of what follows, and what follows ends the process where it is wrong
        return made


@timed("LLVM passes")
def optimised(made: llvm.ModuleRef, level: int) -> None:
    """LLVM's passes over a module with loops; at level 1 without those that make code longer."""
    with LOCK:
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = True
        options.slp_vectorization = False  # a sixth of the time, and nothing won
        options.loop_unrolling = options.loop_interleaving = level > 1
        builder = llvm.create_pass_builder(_emitter(level), options)
        builder.getModulePassManager().run(made, builder)


@timed("LLVM code")
def object_code(made: llvm.ModuleRef, opt: int) -> bytes:
    with LOCK:
        return bytes(_emitter(opt).emit_object(made))


class Loaded:
    """Object code in memory, which lies there as long as this does."""

    @timed("link")
    def __init__(self, code: bytes) -> None:
        with LOCK:
            _started()
            self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(0), use_lmm=True)
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self.engine.finalize_object()

    def function(self, symbol: str) -> int:
        with LOCK:
            return int(self.engine.get_function_address(symbol))

    def words(self, symbol: str, count: int) -> Any:
        """The words of a table."""
        with LOCK:
            return (ctypes.c_int64 * count).from_address(self.engine.get_global_value_address(symbol))


def declared(made: llvm.ModuleRef) -> list[str]:
    """The functions that a module calls and that are not its own. Raises RuntimeError when the module is not sound:
    LLVM would end the process later.
    """
    with LOCK:
        made.verify()
        return [f.name for f in made.functions if f.is_declaration]


def _before_fork() -> None:
    LOCK.acquire()


def _after_fork() -> None:
    LOCK.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
