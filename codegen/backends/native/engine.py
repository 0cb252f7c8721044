"""From a program to machine code in this process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import llvmlite.binding as llvm

from ....lang.core import ir
from ....lang.core.primitive import PRIMITIVES
from ..loops.lower import lower
from .host import HOST, runner
from .llvm import Text, emit

LIBRARY = "libm.so.6"


class Engine:
    """Machine code of all functions of a program, and what keeps it alive.

    `opt` is LLVM's level: 0 gives code at once, 2 good code later.
    """

    def __init__(self, program: ir.Program, opt: int = 1) -> None:
        self.program = program
        self.text: Text = emit(lower(program))
        self.machine = _machine(opt)
        self.callbacks = {symbol: HOST(runner(PRIMITIVES[call.name], call))
                          for symbol, call in self.text.hosts.items()}
        module = llvm.parse_assembly(self.text.text)
        module.verify()
        if opt:
            options = llvm.create_pipeline_tuning_options(speed_level=opt)
            options.loop_vectorization = options.slp_vectorization = opt > 1
            llvm.create_pass_builder(self.machine, options).getModulePassManager().run(
                module, llvm.create_pass_builder(self.machine, options))
        self.engine = llvm.create_mcjit_compiler(module, self.machine)
        for symbol, callback in self.callbacks.items():
            self.engine.add_global_mapping(module.get_function(symbol), _address(callback))
        self.engine.finalize_object()

    def address(self, function: str) -> int:
        """Where the machine code of a function of the program begins."""
        return int(self.engine.get_function_address(function))


def _machine(opt: int) -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently(LIBRARY)
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=opt, jit=True)


def _address(callback: Callable[..., bool]) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
