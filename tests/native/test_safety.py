"""What native code may reach, what it keeps, and what callbacks raise."""
from __future__ import annotations

import threading
from typing import Any

import dad
import llvmlite.binding as llvm
import numpy as np
import pytest
from dad.codegen.backends.loops.sites import HostCall
from dad.codegen.backends.native import jit, memory, symbols
from dad.codegen.backends.native.context import END, FLOOR, KEPT, TABLE, USUAL
from dad.codegen.backends.native.direct import machine_code
from dad.lang.core.primitive import PRIMITIVES

FOREIGN = [
    "system", "execve", "fork", "open", "printf", "malloc", "free", "realloc", "exit", "abort", "dlopen", "dlsym",
    "mmap", "mprotect", "getenv", "setenv", "signal", "raise", "kill", "memcmp", "strlen", "puts", "gets",
    "PyRun_SimpleString",
    "Py_Exit", "PyObject_Call", "PyEval_SaveThread", "cosl", "expq", "dad_malloc",
    "llvm.nosuch.f64", "llvm.trap",
    "llvm.debugtrap", "llvm.returnaddress", "llvm.stacksave", "llvm.va_start", "llvm.eh.typeid.for",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_symbols_are_refused(name: str) -> None:
    assert not symbols.allowed(name)
    with pytest.raises(symbols.ForeignSymbol, match=name):
        symbols.check([name, "cos", "llvm.fabs.f64"])


def test_declarations_are_found_in_modules() -> None:
    module = jit.parsed("declare i32 @system(ptr)\ndeclare double @cos(double)\n"
                        "define i32 @f(ptr %x) {\n  %r = call i32 @system(ptr %x)\n  ret i32 %r\n}")
    with pytest.raises(symbols.ForeignSymbol, match="system"):
        symbols.check(jit.declared(module))


def test_allowed_symbols_have_addresses() -> None:
    assert {"cos", "cosf", "pow", "memmove", "dad_realloc"} <= set(symbols.addresses())
    assert all(symbols.addresses().values())


def test_links_do_not_abort_the_loader() -> None:
    for words in (1, 500, 502, 509, 510, 512):
        lines = [jit.ROOM_FOR_LINKS, f"@t = hidden global [{words} x i64] zeroinitializer"]
        for name in ("cbrt", "exp", "sin", "cos", "tan", "log", "sinh", "cosh", "tanh", "asin"):
            lines += [f"declare double @{name}(double)", f"define double @f{name}(double %x) {{",
                      f"  %r = call double @{name}(double %x)", "  ret double %r", "}"]
        loaded = jit.Loaded(jit.object_code(jit.parsed("\n".join(lines)), 0))
        assert loaded.function("fsin")
    assert isinstance(llvm.llvm_version_info, tuple)


def test_the_function_for_calls_is_sound() -> None:
    code = machine_code()
    assert code is not None
    assert code is machine_code()


def test_memory_goes_back() -> None:
    """The same large call twice keeps its memory; a small one then gives it back; none of it changes a result."""
    made = dad.compile("entry f (n: i64) : f64 = let a = scan (+) 0.0 (map f64 (iota n)) in let b = scan (+) 1.0 a in "
                       "a[n - 1] + b[n // 2]", target="native", tier=0)
    found: list[tuple[int, int]] = []

    def work() -> None:
        large = 12 << 20
        made.f(10)
        room = memory.entered()
        memory.left(room)
        for n in (10, large, 10, large, large, 10, 10):
            made.f(n)
            found.append((room.touched, room[END] - room[FLOOR]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    touched = [t for t, _ in found]
    assert touched[0] == 0
    assert touched[1] == touched[2] == touched[3] == USUAL
    assert touched[4] > 2 * USUAL
    assert touched[6] == USUAL
    assert {end for _, end in found} == {0}


def test_growing_blocks_are_freed_when_large() -> None:
    made = dad.compile("""
entry f [n] (x: [n]f64) (k: i64) : f64 =
  let (s, _, _) =
    loop (s, ys, i) = (0.0, x, 0) while i < k do (s + sum (map (\\y -> y * y) ys), map (* 0.999) ys, i + 1)
  in s
""", target="native", tier=0)
    x = np.ones(1000)
    for k in (3, 3, 12_000):
        made.f.grad(x, k, wrt="x")
    room = memory.entered()
    memory.left(room)
    assert room[KEPT] <= USUAL
    assert room[KEPT] == 0 or room[TABLE]


def called_back() -> tuple[str, Any]:
    """A primitive without native code, and a program that uses it."""
    name = "nextafter"
    made = dad.compile("""
entry one (x: f16) : f16 = nextafter x 1
entry all [n] (xs: [n]f16) : f16 = sum (map (\\x -> nextafter x 1) xs)
entry each [n] (xs: [n]f16) : [n]f16 = map (\\x -> nextafter x 1) xs
""", target="native", tier=0)
    cells = [cell for unit in made.one.function.engine.units.units for cell in unit.unit.cells]
    assert any(isinstance(cell, HostCall) and cell.name == name for cell in cells)
    return name, made


def test_callbacks_raise() -> None:
    """What a primitive without native code raises comes out, inside sums too, and the next call is fine."""
    name, made = called_back()
    xs = np.linspace(0.2, 0.3, 300).astype(np.float16)
    wanted = made.one(0.25), made.all(xs)
    record = PRIMITIVES[name]
    was = record.evaluate

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("of the callback")

    for _ in range(3):
        object.__setattr__(record, "evaluate", fail)
        try:
            for entry, x in ((made.one, 0.25), (made.all, xs), (made.each, xs)):
                with pytest.raises(ZeroDivisionError, match="of the callback"):
                    entry(x)
        finally:
            object.__setattr__(record, "evaluate", was)
        assert (made.one(0.25), made.all(xs)) == wanted
