"""The kernels by name, and their machine code: compiled when first asked for, once in a process.

The symbol `dad_NAME_DTYPE_LANES` is kernel NAME for that many lanes: `dad_exp_f64_4` takes and returns `<4 x double>`,
`dad_exp_f64_1` takes and returns `double`. Kernels of `f32` compute in double precision and round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from .. import jit, store
from . import trigonometric
from .builder import Builder, Value
from .catalog import FAMILIES as FAMILIES
from .catalog import KERNELS as KERNELS
from .catalog import PRIMITIVES as PRIMITIVES
from .catalog import RESULTS as RESULTS
from .catalog import known as known
from .catalog import meaning as meaning
from .catalog import named as named
from .catalog import split as split

LONG = 400
"""Instructions of a kernel that does not become part of other code."""
EFFORT = 2
"""Of LLVM, in generating code."""
LETTERS = {"f64": "double", "f32": "float"}


@dataclass(frozen=True)
class Symbol:
    """One kernel for one dtype and number of lanes."""

    kernel: str
    dtype: str
    lanes: int

    def __str__(self) -> str:
        return f"dad_{self.kernel}_{self.dtype}_{self.lanes}"

    @property
    def type(self) -> str:
        one = LETTERS[self.dtype]
        return one if self.lanes == 1 else f"<{self.lanes} x {one}>"

    @property
    def result(self) -> str:
        count = RESULTS.get(self.kernel, 1)
        return self.type if count == 1 else "{" + ", ".join([self.type] * count) + "}"

    def declaration(self) -> str:
        args = ", ".join([self.type] * meaning(self.kernel)[1])
        return f"declare {self.result} @{self}({args}) nounwind willreturn speculatable memory(none)"


def with_vectors(declared: dict[str, str]) -> dict[str, str]:
    """Declarations of a module, with those of kernels for vectors of this CPU, which LLVM may call in loops."""
    made: dict[str, str] = {}
    for name, text in declared.items():
        what = symbol(name)
        if what is not None and what.lanes == 1:
            wide = Symbol(what.kernel, what.dtype, lanes(what.dtype))
            mangled = f"_ZGV_LLVM_N{wide.lanes}{'v' * meaning(what.kernel)[1]}_{what}({wide})"
            text = f'{text} "vector-function-abi-variant"="{mangled}"'
            made[str(wide)] = wide.declaration()
        made[name] = text
    used = [f"ptr @{name}" for name in made if name not in declared]
    if used:
        made["llvm.compiler.used"] = (f"@llvm.compiler.used = appending global [{len(used)} x ptr] "
                                      f"[{', '.join(used)}], section \"llvm.metadata\"")
    return made


def inlined(declared: dict[str, str]) -> dict[str, str]:
    """In the place of declarations of kernels for vectors the kernels, and what they declare: for code that is
    optimised as a whole. Long ones stay where they are."""
    wanted = [what for what in map(symbol, declared) if what is not None and what.lanes > 1]
    made: dict[str, str] = {}
    lines: set[str] = set()
    for what in wanted:
        b = Builder(what.lanes, fused())
        text = define(what, b)
        if b.functions or len(b.lines) > LONG:
            continue
        made[str(what)] = text.replace("define ", "define internal ", 1).replace(
            ") nounwind memory(none) {", ") alwaysinline nounwind memory(none) {", 1)
        lines |= b.declared
        if trigonometric.FAR in b.helpers:
            helper = trigonometric.reduce_far().splitlines()
            lines |= {line for line in helper if line.startswith("declare ")}
            made[trigonometric.FAR] = "\n".join(line for line in helper if not line.startswith("declare "))
    return {re.findall("@([^(]+)", line)[0]: line for line in lines} | made


def symbol(name: str) -> Symbol | None:
    """What a name stands for, if it is the name of a kernel."""
    parts = name.split("_")
    if parts[0] != "dad" or len(parts) < 4 or not known("_".join(parts[1:-2])) or parts[-2] not in LETTERS:
        return None
    return Symbol("_".join(parts[1:-2]), parts[-2], int(parts[-1]))


def define(what: Symbol, b: Builder) -> str:
    """The text of one kernel."""
    kernel, arity = meaning(what.kernel)
    params = [f"%x{k}" for k in range(arity)]
    single = what.dtype == "f32"
    wide = b.type("f")
    args = [Value(b, b.line(f"fpext {what.type} {p} to {wide}") if single else p, "f") for p in params]
    found = kernel(b, *args)
    values = list(found) if isinstance(found, tuple) else [found]
    texts = [b.line(f"fptrunc {wide} {v.text} to {what.type}") if single else v.text for v in values]
    result = texts[0]
    if len(texts) > 1:
        result = "undef"
        for k, text in enumerate(texts):
            result = b.line(f"insertvalue {what.result} {result}, {what.type} {text}, {k}")
    head = f"define {what.result} @{what}({', '.join(f'{what.type} {p}' for p in params)}) nounwind memory(none) {{"
    return "\n".join([head, "entry:", *b.lines, f"  ret {what.result} {result}", "}", ""])


def source(symbols: Iterable[Symbol], fma: bool) -> str:
    """LLVM assembly of these kernels."""
    texts: list[str] = []
    declared: set[str] = set()
    helpers: set[str] = set()
    functions: dict[str, tuple[str, int]] = {}
    for what in symbols:
        b = Builder(what.lanes, fma)
        texts.append(define(what, b))
        declared |= b.declared
        helpers |= b.helpers
        functions |= b.functions
    if trigonometric.FAR in helpers:
        helper = trigonometric.reduce_far()
        declared -= set(helper.splitlines())
        texts.append(helper)
    texts += [text for text, _ in functions.values()]
    weights = '!0 = !{!"branch_weights", i32 1, i32 100000}'
    return "\n".join([*sorted(declared), *texts, weights, ""])


@cache
def lanes(dtype: str) -> int:
    """How many numbers of a dtype one register of this CPU holds."""
    has = dict(llvm.get_host_cpu_features())
    width = 64 if has.get("avx512f") else 32 if has.get("avx") else 16
    return width // (8 if dtype == "f64" else 4)


@cache
def fused() -> bool:
    """Whether this CPU multiplies and adds with one rounding."""
    return bool(llvm.get_host_cpu_features().get("fma"))


_loaded: dict[str, jit.Loaded] = {}


def mentioned(code: bytes) -> list[str]:
    """The kernels that object code calls, by the names in its table of symbols."""
    return sorted({name.decode() for name in re.findall(rb"\bdad_[a-z0-9_]+", code)})


def provide(names: Iterable[str]) -> None:
    """Have these kernels in memory, and their names known to LLVM."""
    with jit.LOCK:
        wanted = [s for s in map(symbol, names) if s is not None and str(s) not in _loaded]
        missing = []
        for what in wanted:
            entry = store.read(key(what))
            if entry is None:
                missing.append(what)
            elif str(what) not in _loaded:
                load(entry.code)
        if missing:
            made = jit.parsed(source(missing, fused()))
            code = jit.object_code(made, EFFORT)
            about = {"environment": vars(jit.environment()), "kernels": [str(s) for s in missing], "tier": 1,
                     "units": {}}
            store.write([key(s) for s in missing], about, code)
            load(code)


def key(what: Symbol) -> str:
    return jit.environment().key(str(what), EFFORT)


def load(code: bytes) -> None:
    loaded = jit.Loaded(code)
    for name in mentioned(code):
        if symbol(name) is not None and name not in _loaded:
            _loaded[name] = loaded
            llvm.add_symbol(name, loaded.function(name))
