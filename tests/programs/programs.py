"""Whole generated programs: types, definitions, one entry `main`; and arguments for it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from dad.tests.programs import control, folds, library, marks, numbers, sums, transforms
from dad.tests.programs.control import binding
from dad.tests.programs.generate import Generator, Scope
from dad.tests.programs.kinds import I64, Array, Dim, Record, Scalar, Sum, Tuple, Type, dim
from dad.tests.programs.marks import marked

HELPERS = {
    "apply_all": "def apply_all [p] 'a 'b (f: a -> b) (xs: [p]a) : [p]b = map f xs",
    "pairwise": "def pairwise [p] 'a (f: a -> a -> a) (xs: [p+1]a) : [p]a = map2 f xs[1:] xs[:p]",
    "states": "def states 's (p: i64) (s0: s) (f: s -> s) : [p+1]s =\n"
    "  let (_, out) = loop (s, out) = (s0, replicate (p+1) s0) for i < p do\n"
    "    let s' = f s\n    in (s', out with [i+1] = s')\n  in out",
    "lerp": "def lerp 'a: float (t: a) (x: a) (y: a) : a = x + t * (y - x)",
    "square": "def square x = x * x",
    "twice": "def twice 'a (f: a -> a) (x: a) : a = f (f x)",
    "fold_with": "def fold_with [p] 'a 'b (f: b -> a -> b) (start: b) (xs: [p]a) : b =\n"
    "  loop acc = start for x in xs do f acc x",
    "newton": "def newton 'a: float (f: a -> a) (x0: a) : a = loop x = x0 for _i < 3 do x - f x / grad f x",
    "tree": "def tree [p] 'a (op: a -> a -> a) (ne: a) (xs: [p]a) : a =\n"
    "  if p == 0 then ne else if p == 1 then xs[0]\n"
    "  else let h = p / 2 in op (tree op ne xs[:h]) (tree op ne xs[h:])",
}


@dataclass(frozen=True)
class Generated:
    """A program: its marked text, the parameters of its entry `main` that are left, the type of its floats."""

    marked: str
    params: tuple[tuple[str, Type], ...]
    floats: str

    @property
    def text(self) -> str:
        return re.sub(r"\n\n+", "\n\n", marks.plain(self.marked)).lstrip()

    @property
    def active(self) -> tuple[str, ...]:
        """The parameters that have floats."""
        return tuple(name for name, t in self.params if has_floats(t))


def program(rng: Random, budget: int = 60, risky: bool = False, derivatives: int = 2) -> Generated:
    """One program of about `budget` expressions. `risky`: at most one index may be out of range."""
    g = Generator(rng, budget, risky, derivatives)
    F, n, m = g.F, dim("n"), dim("m")
    point = Record("point", (("x", F), ("y", F)))
    model = Record("model [n]", (("bias", F), ("degree", I64), ("weight", Array(n, F))))
    g.records = [r for r in (point, model) if g.chance(40)]
    lines = [f"type {r.name} = {{{', '.join(f'{f}: {t}' for f, t in r.fields)}}}" for r in g.records]
    shape, color, found = sums.declared(F)
    g.sums = [color, shape] if g.chance(35) else []
    lines += [f"type {t.name} = {t.text}" for t in (g.sums and [*g.sums, found])]
    g.helpers = [h for h in HELPERS if g.chance(25)]
    lines += [marked("l", HELPERS[h]) for h in g.helpers]
    g.records = [r for r in g.records if r is not model]  # definitions of their own have other sizes
    lines += own_definitions(g)
    if any("model [n]" in line for line in lines):
        g.records.append(model)
    if g.sums:
        g.sums.append(found)
        g.rng.shuffle(g.sums)
    params = parameters(g)
    more = [Dim(0, (("n", 1), ("m", 1)))] * g.chance(30) + [Dim(0, (("n*m", 1),))] * g.chance(30)
    s = Scope(list(params), [n, m, dim("n", 1), Dim(2), *more])
    head = "".join(marked(f"p{name}", f" ({name}: {t})") for name, t in params)
    names = "".join(marked(f"p{name}", f" {name}") for name, _ in params)
    body = []
    count = rng.randrange(1, 2 + min(budget // 6, 6))
    for _ in range(count):
        g.budget = budget // count
        text, s = featured(g, s) if g.chance(45) else binding(g, s, rng.randrange(2, 6))
        body.append(marked("l", f"  {text}\n"))
    result = Tuple((F, given_back(g, s), *([given_back(g, s)] if g.chance(30) else [])))
    first = "0.5" + "".join(marked("l", f" + {term}") for term in terms(g, s, len(params)))
    g.budget = 4
    rest = ", ".join(g.expr(t, s, 2) for t in result.items[1:])
    whole = f"{''.join(body)}  {'in ' if body else ''}({first}, {rest})"
    if g.chance(75):
        lines += [f"def body [n][m]{head} : {result} =\n{whole}", f"entry main [n][m]{head} : {result} = body{names}"]
    else:
        lines.append(f"entry main [n][m]{head} : {result} =\n{whole}")
    return Generated("\n\n".join(used(lines)) + "\n", params, F.name)


def used(lines: list[str]) -> list[str]:
    """Without definitions that nothing after them mentions."""
    kept: list[str] = []
    for line in reversed(lines):
        declared = re.match(r"(?:def|type) (\w+)", marks.plain(line))
        if declared is None or any(re.search(rf"\b{declared[1]}\b", marks.plain(other)) for other in kept):
            kept.insert(0, line)
    return kept


def featured(g: Generator, s: Scope) -> tuple[str, Scope]:
    """`let` of something out of the ordinary; all ways are alike likely."""
    name, d, n = g.fresh("v"), g.rng.randrange(2, 4), g.size(s)
    kinds: list[Callable[[Generator, Scope, int], str]] = [
        folds.number, transforms.number, transforms.number, library.guarded, library.functions, library.modules,
        transforms.checkpointed, numbers.linear_algebra, numbers.sliced,
        library.implicit if g.implicit else transforms.own_rule_of_any,
        lambda g, s, d: numbers.of_unknown_size(g, n, s, d), lambda g, s, d: numbers.ordered(g, n, s, d),
        lambda g, s, d: control.recursion(g, g.F, g.fresh("acc"), g.expr(g.F, s, d), s, d + 1),
        lambda g, s, d: control.guarded(g, g.F, g.fresh("acc"), g.expr(g.F, s, d), s, d + 1),
        lambda g, s, d: numbers.called(g, s, d) or g.expr(g.F, s, d),
    ]  # fmt: skip
    if g.chance(35):
        several: list[Callable[[Generator, Dim, Scope, int], str]] = [
            transforms.array, library.rows, lambda g, n, s, d: folds.scanned(g, n, g.F, s, d),
        ]
        row = Array(n, g.F)
        return f"let {name} = {marked(f't{row}', g.rng.choice(several)(g, n, s, d))}", s.inner((name, row))
    return f"let {name} = {marked(f't{g.F}', g.rng.choice(kinds)(g, s, d))}", s.inner((name, g.F))


def given_back(g: Generator, s: Scope) -> Type:
    """A type of results: sums stay inside."""
    t = g.any_type(s)
    while holds_sum(t):
        t = g.any_type(s)
    return t


def holds_sum(t: Type) -> bool:
    match t:
        case Sum():
            return True
        case Array(_, element):
            return holds_sum(element)
        case Tuple(items):
            return any(map(holds_sum, items))
        case Record(_, fields):
            return any(holds_sum(i) for _, i in fields)
        case Scalar():
            return False


def base(t: Type) -> Type:
    return base(t.element) if isinstance(t, Array) else t


def parameters(g: Generator) -> tuple[tuple[str, Type], ...]:
    n, m, F = dim("n"), dim("m"), g.F
    some: list[tuple[str, Type]] = [
        ("xs", Array(n, F)), ("ys", Array(m, F)), ("c", F), ("k", I64), ("grid", Array(n, Array(m, F))),
        ("places", Array(m, I64)), ("long", Array(dim("n", 1), F)), ("pair", Tuple((F, I64))),
        ("block", Array(Dim(2), Array(Dim(2), F))), ("flags", Array(n, Scalar("bool"))),
        ("rows", Array(n, Tuple((F, I64)))), ("small", Scalar("i32")), ("e", F),
    ]  # fmt: skip
    some += [(f"r{k}", r) for k, r in enumerate(g.records)]
    if any(r.name == "point" for r in g.records):
        some.append(("points", Array(m, g.records[0])))
    kept = {"xs", "ys", "c", "k"}
    return tuple((name, t) for name, t in some if name in kept or g.chance(25))


def own_definitions(g: Generator) -> list[str]:
    """Definitions with a size of their own and a body made at random."""
    lines = []
    for name, result in (("local_number", g.F), ("local_array", Array(dim("p"), g.F))):
        if g.chance(40):
            p = dim("p")
            params: list[tuple[str, Type]] = [("x", g.F), ("xs", Array(p, g.F)), ("k", I64)]
            with g.nested():
                body = g.expr(result, Scope(params, [p, Dim(2), dim("p", 1)]), 3)
            lines.append(f"def {name} [p] (x: {g.F}) (xs: [p]{g.F}) (k: i64) : {result} = {body}")
            g.helpers.append(name)
    return lines


def terms(g: Generator, s: Scope, params: int) -> list[str]:
    """A number from each value that was made, so that little of the program is for nothing."""
    out = []
    for name, t in dict(s.values[params:] or s.values).items():
        if transforms.depends(g, t):
            out.append(f"({transforms.anchor(g, name, t)})")
    for function, taken, given in s.functions:
        if transforms.depends(g, given):
            x, args = g.fresh("x"), " ".join(g.leaf(t, s) for t in taken)
            out.append(f"(let {x} = {function} {args} in {transforms.anchor(g, x, given)})")
    return out


# ---------------------------------------------------------------- arguments


def value(t: Type, sizes: dict[str, int], rng: np.random.Generator, rows: tuple[int, ...] = ()) -> Any:
    """A value as Python gives it to an entry; an array of records is a dict of arrays."""
    match t:
        case Array(n, element):
            return value(element, sizes, rng, (*rows, n.at(sizes)))
        case Tuple(items):
            return tuple(value(i, sizes, rng, rows) for i in items)
        case Record(_, fields):
            return {f: value(i, sizes, rng, rows) for f, i in fields}
        case Scalar("f64" | "f32" as name):
            made = np.asarray(rng.uniform(-1.5, 1.5, rows), np.float64 if name == "f64" else np.float32)
        case Scalar("bool"):
            made = np.asarray(rng.integers(0, 2, rows), bool)
        case Scalar(name):
            made = np.asarray(rng.integers(-3, 7, rows), {"i64": np.int64, "i32": np.int32}[name])
    return made if rows else made[()]


def arguments(program: Generated, sizes: dict[str, int], seed: int) -> list[Any]:
    """Values for the parameters; each depends on its own name alone, so that others may go."""
    return [value(t, sizes, np.random.default_rng((seed, zlib.crc32(name.encode())))) for name, t in program.params]


def tangent(t: Type, sizes: dict[str, int], rng: np.random.Generator, rows: tuple[int, ...] = ()) -> Any:
    """A direction: as `value`, with an empty tuple where there is no float."""
    match t:
        case Array(n, element):
            return tangent(element, sizes, rng, (*rows, n.at(sizes)))
        case Tuple(items):
            return tuple(tangent(i, sizes, rng, rows) for i in items)
        case Record(_, fields):
            return {f: tangent(i, sizes, rng, rows) for f, i in fields}
        case Scalar("f64" | "f32"):
            return value(t, sizes, rng, rows)
        case _:
            return ()


def has_floats(t: Type) -> bool:
    match t:
        case Array(_, element):
            return has_floats(element)
        case Tuple(items):
            return any(map(has_floats, items))
        case Record(_, fields):
            return any(has_floats(i) for _, i in fields)
        case Scalar(name):
            return name in ("f64", "f32")
        case Sum(_, cases):
            return any(has_floats(i) for _, items in cases for i in items)
