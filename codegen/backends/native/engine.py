"""Loading machine code and calling it."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from ....lang.core import ir
from ....lang.core.primitive import PRIMITIVES
from ....lang.prims.checks import MESSAGES, message_of
from ....lang.prims.common import NUMPY_NAMES
from ...runtime.depth import too_deep
from ...runtime.errors import RunError
from ..loops.lower import lower
from .llvm import SLOTS, VALUES, HostCall, Text, emit

RESERVED = 1 << 38
CTYPES: dict[str, Any] = {
    "f64": ctypes.c_double, "f32": ctypes.c_float, "f16": ctypes.c_uint16, "bool": ctypes.c_bool,
} | {f"{s}{b}": getattr(ctypes, f"c_{'u' * (s == 'u')}int{b}") for s in "iu" for b in (8, 16, 32, 64)}
HOST = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def where(span: Any) -> str:
    return f"{span.source.name}:{span.line}" if span else ""


class Engine:
    def __init__(self, program: ir.Program, opt: int = 1) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.load_library_permanently("libm.so.6")
        self.program = program
        self.text: Text = emit(lower(program))
        self.callbacks = {symbol: HOST(self.host(call)) for symbol, call in self.text.hosts.items()}
        for symbol, callback in self.callbacks.items():
            llvm.add_symbol(symbol, ctypes.cast(callback, ctypes.c_void_p).value)
        self.machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=opt, jit=True)
        module = llvm.parse_assembly(self.text.text)
        module.verify()
        if opt:
            options = llvm.create_pipeline_tuning_options(speed_level=opt)
            options.loop_vectorization = options.slp_vectorization = opt > 1
            builder = llvm.create_pass_builder(self.machine, options)
            builder.getModulePassManager().run(module, builder)
        self.engine = llvm.create_mcjit_compiler(module, self.machine)
        self.engine.finalize_object()
        self.arena = mmap.mmap(-1, RESERVED, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.arena))
        self.context = np.zeros((SLOTS + 16 * 4096) // 8, np.int64)

    def host(self, call: HostCall) -> Callable[[int, int, int], bool]:
        evaluate = PRIMITIVES[call.name].evaluate
        attrs = dict(call.attrs)

        def run(context: int, given: int, out: int) -> bool:
            slots = (ctypes.c_int64 * 64).from_address(given)
            at = 0
            values = []
            for dtype, rank in call.args:
                kind = np.dtype(NUMPY_NAMES[dtype])
                if rank:
                    shape = tuple(slots[at + 1 + k] for k in range(rank))
                    values.append(self.view(slots[at], kind, shape))
                else:
                    values.append(np.frombuffer(bytes((ctypes.c_char * 8).from_address(given + 8 * at)), kind, 1)[0])
                at += 1 + rank
            results = evaluate(*values, **attrs)
            results = results if len(call.results) > 1 else (results,)
            where = 0
            for (dtype, rank), value in zip(call.results, results, strict=True):
                value = np.ascontiguousarray(value, NUMPY_NAMES[dtype])
                target = out + 8 * where
                if rank:
                    top = int(self.context[0])
                    size = (value.nbytes + 63) // 64 * 64
                    self.context[0] = top + size
                    ctypes.memmove(top, value.ctypes.data, value.nbytes)
                    (ctypes.c_int64 * (1 + rank)).from_address(target)[:] = [top, *value.shape]
                else:
                    ctypes.memmove(target, value.ctypes.data, value.nbytes)
                where += 1 + rank
            return False

        return run

    def view(self, address: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
        count = int(np.prod(shape)) if shape else 1
        if count == 0:
            return np.zeros(shape, dtype)
        raw = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
        return np.frombuffer(raw, dtype).reshape(shape)

    def function(self, name: str) -> Callable[..., tuple[Any, ...]]:
        f = self.program.functions[name]
        types: list[Any] = [ctypes.c_void_p]
        for p in f.params:
            types += [CTYPES[p.type.dtype]] if p.type.rank == 0 else [ctypes.c_void_p] + [ctypes.c_int64] * p.type.rank
        native = ctypes.CFUNCTYPE(ctypes.c_bool, *types, ctypes.c_void_p)(self.engine.get_function_address(name))
        results = [a.type for a in f.body.results]
        width = sum(1 + t.rank for t in results)

        def call(*values: Any) -> tuple[Any, ...]:
            flat: list[Any] = []
            keep = []
            for p, value in zip(f.params, values, strict=True):
                dtype = np.dtype(NUMPY_NAMES[p.type.dtype])
                if p.type.rank:
                    array = np.ascontiguousarray(value, dtype)
                    keep.append(array)
                    flat += [array.ctypes.data, *array.shape]
                elif p.type.dtype == "f16":
                    flat.append(int(np.float16(value).view(np.uint16)))
                else:
                    flat.append(dtype.type(value).item())
            out = np.zeros(max(width, 1), np.int64)
            self.context[0] = self.start
            self.context[1] = self.start + RESERVED
            self.context[2:9] = 0
            if native(self.context.ctypes.data, *flat, out.ctypes.data):
                raise self.failure()
            found = []
            at = 0
            for t in results:
                dtype = np.dtype(NUMPY_NAMES[t.dtype])
                if t.rank:
                    shape = tuple(int(n) for n in out[at + 1:at + 1 + t.rank])
                    found.append(self.view(int(out[at]), dtype, shape).copy())
                else:
                    found.append(out[at:at + 1].view(dtype)[0])
                at += 1 + t.rank
            return tuple(found)

        return call

    def failure(self) -> RunError:
        site = self.text.sites[int(self.context[3]) - 1]
        if site.name.startswith("depth "):
            function = self.program.functions[site.name[6:]]
            return too_deep(function.source_name or function.name, where(site.span), 20000)
        values = []
        for k, dtype in enumerate(site.dtypes):
            cell = self.context[VALUES // 8 + k:VALUES // 8 + k + 1]
            values.append(cell.view(NUMPY_NAMES[dtype])[0].item() if dtype != "bool" else bool(cell[0] & 1))
        return RunError(MESSAGES[site.name][0], message_of(site.name, values, dict(site.attrs)), where(site.span))
