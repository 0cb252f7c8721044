"""The machine that code is made for: this one."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm

LIBRARY = "libm.so.6"


def machine(opt: int) -> llvm.TargetMachine:
    """LLVM's description of this CPU, for one engine; `opt` is the effort of generating code, from 0 to 3."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently(LIBRARY)
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=opt, jit=True)


@cache
def features() -> dict[str, bool]:
    """What this CPU can do, by LLVM's names."""
    return dict(llvm.get_host_cpu_features())
