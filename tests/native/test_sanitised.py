"""C from loops: it is well formed, sanitisers find nothing in it, and it gives what the interpreter gives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from dad.codegen.backends.c.emit import whole
from dad.codegen.backends.c.scalars import number
from dad.lang.core.text import parse
from dad.tests.native.compiled_c import FASTEST, SLOWEST, build, compiler, units
from dad.tests.native.sanitised import files, generated, start

SMALL = ["--count", "40", "--largest", "700", "--batch", "16"]
ROUGH = """
def f (x.0: {t}, y.1: {t}) {{
  let a.2: {t} = add x.0 y.1
  let b.3: {t} = mul a.2 x.0
  let c.4: {t} = sub b.3 y.1
  let d.5: {t} = {div} c.4 y.1
  let e.6: {t} = mod c.4 y.1
  let g.7: {t} = shl c.4 y.1
  let h.8: {t} = shr c.4 y.1
  let k.9: {t} = neg x.0
  let l.10: {t} = pow x.0 y.1
  let m.11: {t} = abs x.0
  let n.12: {t} = rem c.4 y.1
  return a.2 b.3 c.4 d.5 e.6 g.7 h.8 k.9 l.10 m.11 n.12
}}
"""


def test_sanitisers_find_nothing() -> None:
    """Small programs; `python -m dad.tests.native.sanitised --files all --count 1000` runs many."""
    if compiler() is None:  # then the text is all there is to see
        assert list(undeclared(whole(units([job.program for job in generated(0, 60, 700)])))) == []
        return
    done = start(["--files", "programs/regressions", *SMALL])
    told = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    programs, calls = re.findall(r"(\d+) programs, (\d+) calls, 0 wrong", done.stdout)[0]
    assert int(programs) > 20, told
    assert int(calls) > 60, told


def undeclared(text: str) -> list[str]:
    """Registers in function bodies that are declared nowhere before their use."""
    missing: list[str] = []
    for function in re.split(r"\n(?=bool p\d)", text)[1:]:
        declared: set[str] = set()
        for line in function.splitlines():
            declared.update(re.findall(r"(?:\w+_t|double|float|bool|char) \*? ?([rp]\d+)\b", line))
            missing += [f"{name}: {line.strip()}" for name in re.findall(r"(?<![\w.>])[rp]\d+\b(?!\()", line)
                        if name not in declared]
    return missing


def test_every_register_is_declared_before_it_is_read() -> None:
    jobs = [*files(["programs/regressions"]), *generated(0, 30, 1000)]
    text = whole(units([job.program for job in jobs]))
    assert undeclared(text) == []
    assert text.count("{") == text.count("}")
    assert undeclared(re.sub(r"double (r\d+) = ", r"double q = ", text)) != []


@pytest.mark.parametrize("dtype", ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"])
def test_integers_at_their_ends(dtype: str, tmp_path: Path) -> None:
    """They wrap, whatever the compiler makes of it; without a compiler, the constants are those of the type."""
    program = parse(ROUGH.format(t=dtype, div="div"))
    info = np.iinfo({"i": "int", "u": "uint"}[dtype[0]] + dtype[1:])
    assert number(info.max + 1, dtype) == number(info.min, dtype)
    some = {info.min, info.min + 1, info.min // 2, min(-1, info.min + 5), 0, 1, 2, 7, info.max - 1, info.max}
    values = [np.array(v, info.dtype)[()] for v in some if v >= info.min]
    if compiler() is None:
        return
    from dad.codegen import interp

    libraries = [build([program], flags, tmp_path)[0] for flags in (SLOWEST, FASTEST)]
    for x in values:
        for y in values:
            want = interp.run(program, "f", [x, y])
            for library in libraries:
                assert library.run(0, "f", [x, y]) == want, (x, y)


def test_c_stands_alone(tmp_path: Path) -> None:
    """It compiles without warnings that mean something."""
    text = whole(units([job.program for job in files(["programs/regressions"], "extremes")]))
    assert '#include "' not in text
    command = compiler()
    if command is None:
        return
    source = tmp_path / "alone.c"
    source.write_text(text, encoding="utf-8")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-unused", "-Wno-sign-compare",
             "-Wno-parentheses", "-Wno-type-limits", "-Wno-missing-field-initializers", "-fsyntax-only"]
    done = subprocess.run([command, *flags, str(source)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
