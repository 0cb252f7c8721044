"""Random programs of another family: few boundaries, met again and again by all that a language has to meet them with.

A program has a handful of *gaps*, what is 0 on a boundary: `x - 1`, `x * y`, `x * x - y ** 3`.
Lengths, kinks, quotients,
branches in branches, flags that loops carry, counts, sorted elements, elements at computed places, recursion, solutions
and derivatives within the program are all made of these, so that boundaries coincide, touch, cross and shift. What a
statement names is a number, a condition, a whole number, or an array of three of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dad.tests.grades.generated import CONSTANTS, NAMES, Program

TYPES = ("f64", "f64", "f64", "f64", "f64{>0}", "f64{>=0}", "f64{0..2}")
REALS = (
    "kink",
    "kink",
    "length",
    "of length",
    "quotient",
    "branch",
    "branch",
    "branch",
    "nested",
    "logic",
    "count",
    "flags",
    "while",
    "fold",
    "sorted",
    "place",
    "scatter",
    "recursion",
    "helper",
    "derivative",
    "solution",
    "match",
    "table",
    "logic",
    "length",
)


class Varied(Program):
    """`text` of a definition `f`, from a seed."""

    def draw(self) -> None:
        rng = self.rng
        self.types = {name: rng.choice(TYPES) for name in NAMES[: rng.choice((1, 1, 2, 2, 3))]}
        self.has_array = rng.random() < 0.25
        self.has_data = rng.random() < 0.1
        self.names = [*self.types, *([f"v[{k}]" for k in range(3)] if self.has_array else [])]
        self.positive = [name for name, type in self.types.items() if type == "f64{>0}"]
        self.conditions: list[str] = []
        self.counts: list[str] = []
        self.arrays: dict[str, list[str]] = {"f64": ["v"] if self.has_array else [], "bool": [], "i64": []}
        self.gaps = [self.plain() for _ in range(rng.choice((1, 2, 2, 3)))]
        if rng.random() < 0.7:
            self.gaps[0] = rng.choice((self.name(), f"({self.name()} - {self.number()})"))

    def parameters(self) -> list[str]:
        return (
            [f"({name}: {type})" for name, type in self.types.items()]
            + ["(v: [3]f64)"] * self.has_array
            + ["(w: data f64) (m: data i64) (on: data bool)"] * self.has_data
        )

    def header(self) -> str:
        return f"def f {' '.join(self.parameters())} : f64{self.promise()} ="

    def lines(self, budget: int | None) -> tuple[list[str], list[str]]:
        rng = self.rng
        lines, used = [], []
        for _ in range(budget or rng.choice((1, 1, 1, 2, 2, 3))):
            for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
                lines.append(self.named())
            name = self.fresh()
            lines.append(self.promised(name, f"let {name} = {self.real(rng.choice((1, 1, 2)))}"))
            used.append(name)
            self.names.append(name)
            if rng.random() < 0.5:
                self.gaps.append(rng.choice((name, f"({name} - {self.number()})")))
        return lines, used

    def named(self) -> str:
        """A `let` of a condition, of a whole number, or of an array."""
        rng = self.rng
        match rng.randrange(6):
            case 0 | 1:
                name, text = self.fresh("c"), self.condition(self.gap())
                if rng.random() < 0.5:
                    text = self.logic(2)
                self.conditions.append(name)
            case 2:
                name, text = self.fresh("i"), self.count_of()
                self.counts.append(name)
            case 3:
                name, text = self.fresh("cs"), self.truths()
                self.arrays["bool"].append(name)
            case 4:
                name, text = self.fresh("is"), f"[{', '.join(self.count_of() for _ in range(3))}]"
                self.arrays["i64"].append(name)
            case _:
                name, text = self.fresh("vs"), self.vector()
                self.arrays["f64"].append(name)
        return f"let {name} = {text}"

    # ------------------------------------------------------------ boundaries

    def number(self) -> str:
        return self.rng.choice(CONSTANTS)

    def plain(self) -> str:
        """A gap of names."""
        rng = self.rng
        a, b, c = self.name(), self.name(), self.number()
        return rng.choice((
                a, a, f"({a} - {c})", f"({a} - {c})", f"({a} - {b} ** 2)", f"({a} * {b})", f"({a} * {a} - {b} ** 3)",
            f"({a} * {a} - {b} * {b})", f"({a} - {b} + {c})", f"({a} * {b} - {c})", f"({a} ** 2 + {b} ** 2 - {c})",
            f"({a} + {b})", f"({a} * {a})", f"(sin {a})", f"({a} * ({a} - {c}))"))

    def gap(self, names: list[str] | None = None) -> str:
        """One of the program's gaps, or one that is near it; of `names` sometimes, where there are any."""
        rng = self.rng
        d, e = rng.choice(self.gaps), rng.choice(self.gaps)
        if names and rng.random() < 0.6:
            d = rng.choice(names)
        match rng.randrange(24):
            case 0:
                return f"({d} - {self.number()})"
            case 1:
                return f"(-{d})"
            case 2:
                return f"({d} + {e})"
            case 3:
                return f"({d} * {e})"
            case 4:
                return f"({d} - {e})"
            case 5:
                return f"({d} * {d} - {e} ** 3)"
            case 6:
                return f"({d} - {self.number()} * {e} ** 2)"
            case 7:
                return f"({self.number()} * {d} - {e})" if rng.random() < 0.5 else f"({d} ** 3)"
            case _:
                return d

    def logic(self, depth: int, names: list[str] | None = None) -> str:
        """A condition, in parentheses."""
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            if self.conditions and rng.random() < 0.5:
                return rng.choice(self.conditions)
            if self.arrays["bool"] and rng.random() < 0.3:
                return f"{rng.choice(self.arrays['bool'])}[{self.place()}]"
            return f"({self.condition(self.gap(names))})"
        a, b = self.logic(depth - 1, names), self.logic(depth - 1, names)
        return rng.choice(
            (f"({a} && {b})", f"({a} || {b})", f"(!{a})", f"({a} != {b})", f"({a} == {b})", f"({a} && (!{b}))")
        )

    def truths(self) -> str:
        rng = self.rng
        t = self.fresh("t")
        return rng.choice((
            f"[{', '.join(self.logic(0) for _ in range(3))}]",
            f"(map (\\{t} -> {t} > {self.number()}) {self.vector()})",
            f"(map2 (<) {self.vector()} {self.vector()})", f"(map (> 0) {self.vector()})"))

    # ------------------------------------------------------------ whole numbers and arrays

    def count_of(self) -> str:
        """A whole number, between 0 and 3."""
        rng = self.rng
        d = self.gap()
        return rng.choice((
            f"max 0 (min 2 (i64 {d}))", f"max 0 (min 2 (i64 (floor {d})))", f"i64 (2.9 * sigmoid {d})",
            f"argmax {self.vector()}", f"argmin {self.vector()}", f"(if {self.logic(1)} then 1 else 2)",
            f"i64 (abs {d}) % 3", f"sum (map (\\q -> if q then 1 else 0) {self.truths()})",
            f"max 0 (min 2 (i64 (round {d})))"))

    def whole(self) -> str:
        rng = self.rng
        return rng.choice(self.counts) if self.counts and rng.random() < 0.6 else f"({self.count_of()})"

    def place(self) -> str:
        """Of an array of three."""
        rng = self.rng
        if rng.random() < 0.3:
            return str(rng.randrange(3))
        if self.arrays["i64"] and rng.random() < 0.3:
            return f"{rng.choice(self.arrays['i64'])}[{rng.randrange(3)}] % 3"
        return f"{self.whole()} % 3"

    def vector(self) -> str:
        """An array of three numbers."""
        rng = self.rng
        known = self.arrays["f64"]
        if known and rng.random() < 0.5:
            return rng.choice(known)
        return f"[{', '.join(self.small() for _ in range(3))}]"

    # ------------------------------------------------------------ numbers

    def small(self, names: list[str] | None = None) -> str:
        """Something short and mostly smooth, in parentheses."""
        rng = self.rng
        d = self.gap(names)
        a = self.name([*self.names, *(names or [])])
        return rng.choice((
                d, d, d, a, a, f"({d} * {d})", f"({a} * {d})", f"({a} + {d})", f"(sin {d})", f"(exp {a})",
            f"({d} ** 3)", self.number(), "0.0", "1.0", f"(max {d} 0)", f"(abs {d})", f"(-{d})", f"(2.0 * {d})"))

    def real(self, depth: int, names: list[str] | None = None) -> str:
        """A number, in parentheses."""
        if depth == 0:
            return self.small(names)
        kind = self.rng.choice(REALS)
        made = getattr(self, "make_" + kind.replace(" ", "_"))(depth, names)
        return f"({made})"

    def make_kink(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, e, a = self.gap(names), self.gap(names), self.real(depth - 1, names)
        c = self.number()
        return rng.choice((
            f"abs {d}", f"max {d} {e}", f"min {a} (max {d} {e})", f"{d} * sign {d}", f"{d} * sign {e}",
            f"abs {d} * {a}", f"max {d} 0 ** 2", f"max 0 {d} ** 3 * {a}", f"cbrt {d}", f"abs {d} ** 1.5",
            f"abs {d} ** 2.5", f"abs {d} ** {c} * {e}", f"abs {d} ** (1 + {a} ** 2)", f"log (1 + abs {d})",
            f"exp (-(abs {d}))", f"sqrt (abs {d}) * {e}", f"{a} * (max {d} 0 - max 0 {e})",
            f"2 * max {d} {e} - {d}", f"abs {d} * abs {e}", f"abs ({d} * {e}) * {a}", f"max {d} 0 * min {e} 0",
            f"{d} ** 2 * sign {d}", f"copysign {d} {e}", f"{d} * floor {e}", f"{d} % 1.0", f"({a} - abs {d}) ** 2",
            f"min 1 (max 0 {a})", f"abs (abs {d} - {c})", f"max {d} (max {e} {a})", f"log (abs {d}) * {d} ** 2",
            f"log (max {d} {c})", f"sin (abs {d})", f"cos (abs {d})", f"abs {d} ** 3", f"abs (max {d} {e})",
            f"{d} ** 2 * log (abs {e} + {c})", f"cbrt {d} ** 4", f"{a} * stop_grad {d}"))

    def make_length(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, e, a = self.gap(names), self.gap(names), self.real(depth - 1, names)
        c = self.number()
        return rng.choice((
            f"sqrt ({d} * {d})", f"sqrt ({d} ** 2 + {e} ** 2)", f"norm [{d}, {e}]", f"norm [{a}, {d}, {e}]",
            f"hypot {d} {e}", f"sqrt (if {self.logic(1, names)} then {d} ** 2 else {a} ** 2)",
            f"norm (if {self.logic(1, names)} then [{d}, {e}] else [{a}, {d}])",
            f"sqrt (sum (map (\\q -> q * q) {self.vector()}))", f"norm {self.vector()}",
            f"sqrt ({d} ** 4 + {e} ** 2)", f"sqrt ({a} ** 2)", f"sqrt ({d} ** 2 * {e} ** 2)",
            f"sqrt ({d} ** 2 + max {e} 0 ** 2)",
            f"sqrt (loop s = {d} ** 2 for _i < {self.whole()} do s + {e} ** 2)", f"norm [{d}, {e}] * {a}",
            f"sqrt ({c} * {d} ** 2 + {c} * {e} ** 2)", f"sqrt ({d} ** 2 + {e} ** 2 + {c}) - {a}",
            f"sqrt (abs {d} ** 3)", f"norm (map (\\q -> {self.small(['q'])}) {self.vector()})",
            f"sqrt (dot {self.vector()} {self.vector()} ** 2)", f"sqrt (({d} - {e}) ** 2) + sqrt ({e} ** 2)"))

    def make_of_length(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, e, a = self.gap(names), self.gap(names), self.small(names)
        c = self.number()
        r = self.fresh("r")
        length = rng.choice((
            f"norm [{d}, {e}]", f"sqrt ({d} ** 2 + {e} ** 2)", f"hypot {d} {e}", f"norm {self.vector()}",
            f"sqrt ({d} * {d})"))
        use = rng.choice((
            f"{r} ** 2", f"{r} ** 3", f"sin {r}", f"cos {r}", f"exp (-{r})", f"{d} / (1 + {r})", f"{r} * {d}",
            f"sin {r} ** 2", f"{r} * {r} * {a}", f"{r} ** 1.5", f"log (1 + {r})",
            f"(if {r} < {c} then {r} ** 2 else 2 * {c} * {r} - {c} * {c})", f"(if {r} < {c} then {r} else {c})",
            f"max {r} {c}", f"max 0 ({c} - {r}) ** 2", f"(if {r} > 0 then {d} * {e} / {r} else 0)",
            f"(if {r} > 0 then {d} ** 3 / {r} else 0)", f"(if {r} > 0 then {d} / {r} else 0)", f"{r} * sin {r}",
            f"({r} - {c}) ** 2", f"sqrt {r}", f"{d} * {e} / ({r} + {c})", f"{d} / sqrt ({r} ** 2 + {c})",
            f"tanh {r} * {a}", f"{d} * {r}", f"abs ({r} - {a})"))
        return f"let {r} = {length} in {use}"

    def make_quotient(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, e, a = self.gap(names), self.gap(names), self.small(names)
        c = self.number()
        return rng.choice((
            f"abs {d} / {d}", f"{d} / sqrt ({d} ** 2 + {c})", f"{d} / sqrt ({d} ** 2 + {e} ** 2 + {c})",
            f"{d} * {e} / (1 + abs {e})", f"{d} ** 2 / ({c} + abs {d})",
            f"(if {d} == 0 then 0 else {d} * {e} / {d})", f"(if abs {d} > 0 then {d} ** 2 / abs {d} else 0)",
            f"(if {d} != 0 then sin {d} / {d} else 1)", f"{d} / (1 + max {e} 0)", f"atan2 {d} {e}",
            f"atan2 {d} (1 + {e} ** 2)", f"{e} * atan2 {d} {e}", f"(if {d} > 0 then exp (-1 / {d}) else 0)",
            f"({d} ** 2 + {e} ** 2) * atan2 {d} {e}", f"(if {d} > 0 then {d} ** 2 * log {d} else 0)",
            f"max {d} 0 / (max {d} 0 + {c})", f"1 / (1 + abs ({d} * {e}))", f"{a} / (abs {d} + abs {e} + {c})",
            f"{d} ** 3 / ({d} ** 2 + {e} ** 2)", f"(if {d} > 0 then sqrt {d} * {e} else 0)",
            f"xlogy (abs {d}) (abs {d})", f"{a} / {d} * {d}", f"(exp (abs {d}) - 1) / ({c} + {e} ** 2)",
            f"{d} / max {c} {e}"))

    def make_branch(self, depth: int, names: list[str] | None) -> str:
        """Both arms are alike but for a power of what vanishes, mostly."""
        rng = self.rng
        d = self.gap(names)
        cond = self.condition(d) if rng.random() < 0.7 else self.logic(1, names)
        a, q = self.real(depth - 1, names), self.small(names)
        b = rng.choice((
            f"{a} + {self.power(d, rng.choice((1, 1, 2, 3)))} * {q}", f"{a} + {self.power(d, 2)}",
            f"{a} + abs {d} * {q}",
                self.real(depth - 1, names),
                d, "0", f"{a} + {d} * {self.gap(names)} * {q}", f"{a} + max {d} 0 ** 2", f"-{a}"))
        arms = [a, b]
        rng.shuffle(arms)
        return f"if {cond} then {arms[0]} else {arms[1]}"

    def make_nested(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, e = self.gap(names), self.gap(names)
        a, b, q = self.real(depth - 1, names), self.small(names), self.small(names)
        other = rng.choice((f"{b} + {self.power(e, rng.choice((1, 2)))} * {q}", d, self.small(names)))
        inner = f"if {self.condition(e)} then {b} else {other}"
        return rng.choice((
            f"if {self.condition(d)} then ({inner}) else {a}",
            f"if {self.condition(d)} then {d} * ({inner}) else 0",
            f"let q = ({inner}) in if {self.condition(d)} then q else q + {d} * {a}",
            f"if {self.condition(d)} then ({inner}) else if {self.condition(e)} then {a} else {b}",
            f"max {a} ({inner})", f"abs ({inner})", f"({inner}) * abs {d}"))

    def make_logic(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        a, b, d, q = self.real(depth - 1, names), self.small(names), self.gap(names), self.small(names)
        cond = self.logic(2, names)
        return rng.choice((
            f"if {cond} then {a} else {b}", f"if {cond} then {a} + {d} * {q} else {a}",
            f"(if {cond} then {d} else 0) + (if !({cond}) then {d} else 0)",
            f"if any id {self.truths()} then {a} else {b}", f"if all id {self.truths()} then {d} * {q} else 0",
            f"f64 (i64 {cond}) * {d}", f"if {cond} then {self.power(d, 2)} else 0",
            f"sum (map2 (\\p t -> if p then t else 0) {self.truths()} {self.vector()})",
            f"sum (map2 (\\p t -> if p then {self.gap(['t'])} else t) {self.truths()} {self.vector()})"))

    def make_count(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        i, d, a = self.whole(), self.gap(names), self.small(names)
        s = self.fresh("s")
        return rng.choice((
            f"f64 {i} * {d}", f"{d} - f64 (i64 {d})", f"({d} - floor {d}) * (1 - ({d} - floor {d}))",
            f"loop {s} = {a} for _i < {i} do {s} * 0.5", f"loop {s} = {a} for _i < {i} do {s} + {d}",
            f"{a} ** f64 {i}", f"if {i} == 1 then {a} else {d}", f"f64 ({i} * {i}) + {a}",
            f"sum [{a} * f64 j for j < {i}]", f"{a} + f64 {i}", f"sqrt (f64 {i} * {d} ** 2)",
            f"{d} * f64 ({i} % 2)", f"if {i} > 0 then {d} else {d} + {a} * {d}"))

    def make_flags(self, depth: int, names: list[str] | None) -> str:
        """A loop that carries conditions."""
        rng = self.rng
        s, on = self.fresh("s"), self.fresh("b")
        inner = [*(names or []), s]
        step = f"if {on} then {self.small(inner)} else {self.small(inner)}"
        if rng.random() < 0.5:
            step = f"{s} + (if {on} then {self.gap(inner)} else 0)"
        flag = rng.choice((
            f"(!{on})", f"{on} && {self.logic(0, inner)}", f"{on} || {self.logic(0, inner)}", self.logic(0, inner),
            f"{on} != {self.logic(0, inner)}", on))
        start = f"({self.small(names)}, {rng.choice((self.logic(0, names), self.logic(1, names), 'true', 'false'))})"
        bound = rng.choice(("2", "3", self.whole()))
        use = rng.choice((s, s, f"if {on} then {s} else {self.small(names)}", f"if {on} then {s} else -{s}"))
        return f"let ({s}, {on}) = loop ({s}, {on}) = {start} for _i < {bound} do ({step}, {flag}) in {use}"

    def make_while(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        s, i = self.fresh("s"), self.fresh("i")
        inner = [*(names or []), s]
        stop = rng.choice((f"{i} < 3", f"{i} < 3 && {self.logic(0, inner)}", f"{i} < {self.whole()}"))
        start, step = self.small(names), self.small(inner)
        use = rng.choice((s, s, f"{s} * f64 {i}", f"{s} + f64 {i}"))
        return f"let ({s}, {i}) = loop ({s}, {i}) = ({start}, 0) while {stop} do ({step}, {i} + 1) in {use}"

    def make_fold(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        s, e = self.fresh("s"), self.fresh("e")
        xs, d = self.vector(), self.gap(names)
        inner = [s, e]
        return rng.choice((
            f"foldl (\\{s} {e} -> {self.real(depth - 1, inner)}) {self.small(names)} {xs}", f"maximum {xs}",
            f"minimum {xs} * {d}", f"maximum (map abs {xs})",
            f"sum (map (\\{e} -> {self.real(depth - 1, [e])}) {xs})",
            f"reduce (\\{s} {e} -> if abs {s} < abs {e} then {e} else {s}) 0.0 {xs}",
            f"reduce (\\{s} {e} -> if {s} < {e} then {e} else {s}) (-100.0) {xs}",
            f"(scan max (-100.0) {xs})[{self.place()}]",
            f"(scan (\\{s} {e} -> 0.5 * {s} + max {e} 0) 0.0 {xs})[{self.place()}]",
            f"(scan (+) 0.0 {xs})[{self.place()}]", f"maximum {xs} - minimum {xs}",
            f"product (map (\\{e} -> max {e} 0) {xs})", f"reduce (\\{s} {e} -> {s} + {e} * abs {e}) 0.0 {xs}",
            f"logsumexp (map abs {xs})", f"sum (map2 max {xs} {self.vector()})", f"sum (filter (> 0) {xs})",
            f"norm (filter (> {self.number()}) {xs})",
            f"let m = maximum {xs} in m + log (sum (map (\\t -> exp (t - m)) {xs}))"))

    def make_sorted(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        xs, ys, k = self.vector(), self.vector(), self.place()
        return rng.choice((
            f"(sort.sort {xs})[{k}]", f"(let o = {xs} in o[argmax o])",
            f"(let o = {xs} in o[argmin o]) * {self.small(names)}", f"{xs}[(argsort {ys})[{k}]]",
            f"(let o = {xs} in o[(argsort o)[{k}]])", f"(let o = {xs} in {ys}[argmax o])",
            f"sum (take 2 (sort.sort {xs}))", f"(sort.sort (map abs {xs}))[{k}]", f"dot (sort.sort {xs}) {ys}",
            f"(let o = {xs} in (sort.sort o)[1] - o[{k}])", f"f64 (argmax {xs}) * {self.gap(names)}"))

    def make_place(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        xs, k, d = self.vector(), self.place(), self.gap(names)
        return rng.choice((
            f"{xs}[{k}]", f"({xs} with [{k}] = {self.small(names)})[{self.place()}]",
            f"sum ({xs} with [{k}] = {d})", f"norm ({xs} with [{k}] = {d})",
            f"(map (\\t -> {self.real(depth - 1, ['t'])}) {xs})[{k}]",
            f"(let o = {xs} in o[{k}] * o[{self.place()}])", f"maximum ({xs} with [{k}] = {d})", f"sum {xs}[:{k}]",
            f"norm (take ({k}) {xs})", f"[abs q - {d} for q in {xs}][{k}]"))

    def make_scatter(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        xs, ys = self.vector(), self.vector()
        known = self.arrays["i64"]
        places = rng.choice(known) if known and rng.random() < 0.6 else f"[{', '.join(self.whole() for _ in range(3))}]"
        k = self.place()
        return rng.choice((
            f"(hist (+) 0.0 4 {places} {xs})[{k}]", f"sum (hist max (-9.0) 3 {places} {xs})",
            f"norm (hist (+) 0.0 4 {places} {xs})", f"(scatter {xs} {places} {ys})[{k}]",
            f"sum (scatter {xs} {places} {ys})", f"sum (map (\\i -> {xs}[i % 3]) {places})",
            f"sqrt (sum (map (\\t -> t * t) (hist (+) 0.0 3 {places} {xs})))"))

    @contextmanager
    def helper(self, *parameters: str) -> Iterator[None]:
        """While a helper of these parameters is made nothing else can be named."""
        kept = self.names, self.positive, self.has_data, self.conditions, self.counts, self.arrays, self.gaps
        self.names, self.positive, self.has_data, self.conditions, self.counts = [*parameters], [], False, [], []
        self.arrays = {"f64": [], "bool": [], "i64": []}
        self.gaps = [self.plain() for _ in range(2)]
        yield
        self.names, self.positive, self.has_data, self.conditions, self.counts, self.arrays, self.gaps = kept

    def make_recursion(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        g, p, k = self.fresh("g"), self.fresh("p"), self.fresh("k")
        with self.helper(p):
            a, d = self.small(), self.gap()
            again = f"{g} ({k} - 1)"
            body = rng.choice((
                f"{again} {a}", f"{a} + {again} {self.small()}", f"if {self.condition(d)} then {again} {a} else {p}",
                f"max {a} ({again} (0.5 * {p}))", f"if {self.condition(d)} then {again} (-{p}) else {again} {p}",
                f"if {self.condition(d)} then {again} (0.5 * {p}) + {d} else {again} (0.5 * {p})",
                f"abs ({again} {a})"))
            self.helpers.append(
                f"def {g} ({k}: i64) ({p}: f64) : f64{self.promise([p])} = if {k} <= 0 then {self.small()} else {body}"
            )
        return f"{g} {rng.choice(('2', self.whole()))} {self.small(names)}"

    def make_helper(self, depth: int, names: list[str] | None) -> str:
        """A helper that is called twice, with arguments that have to do with each other."""
        rng = self.rng
        g, p, q = self.fresh("g"), self.fresh("p"), self.fresh("q")
        with self.helper(p, q):
            self.helpers.append(
                f"def {g} ({p}: f64) ({q}: f64) : f64{self.promise([p, q])} = {self.real(depth - 1 or 1)}")
        d, e, a = self.gap(names), self.gap(names), self.small(names)
        return rng.choice((
            f"{g} {d} {e} - {g} {e} {d}", f"{g} {d} {e}", f"{g} {d} {a} + {g} (-{d}) {a}", f"{g} {d} {d}",
            f"{g} ({g} {d} {e}) {a}", f"if {self.condition(d)} then {g} {d} {a} else {g} 0.0 {a}",
            f"max ({g} {d} {e}) ({g} {a} {e})", f"{g} {d} {e} * {g} {d} {a}", f"{d} * {g} {d} {e}",
            f"sqrt ({g} {d} {e} ** 2 + {d} ** 2)"))

    def make_derivative(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        t, d, a = self.fresh("t"), self.gap(names), self.small(names)
        e = self.real(1, [t])
        body = f"{t} + " + rng.choice((
                e, f"{t} * {e}", f"(if {self.condition(f'({t} - {d})')} then {t} else {t} + ({t} - {d}) ** 2 * {a})",
            f"max {t} {d} ** {rng.choice('23')}", f"f64 {self.whole()} * {t} * {t}", f"abs {t} * {t} * {d}"))
        return rng.choice((
            f"grad (\\{t} -> {body}) {d}", f"jvp (\\{t} -> {body}) {d} {a}", f"vjp (\\{t} -> {body}) {d} {a}",
            f"grad (\\{t} -> {body}) {self.name()} * {d}",
            f"(jvp (\\({t}, k) -> f64 k * {body}) ({d}, {self.whole()}) (1.0, ()))",
            f"grad (grad (\\{t} -> {body})) {d}",
            f"(grad (\\o -> maximum o * {d}) {self.vector()})[{self.place()}]",
            f"sum (grad (\\o -> norm o * {d}) {self.vector()})"))

    def make_solution(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        t, d, a = self.fresh("t"), self.gap(names), self.small(names)
        return rng.choice((
            f"solve (\\{t} -> {t} + {t} ** 3 - {d}) 0.0", f"solve (\\{t} -> 2 * {t} + abs {t} - {d}) 0.5",
            f"solve (\\{t} -> {t} + max {t} 0 - {a}) 0.5", f"solve (\\{t} -> {t} + max {t} 0 ** 2 - {d}) 0.5",
            f"fixpoint (\\{t} -> 0.05 * sin {t} + {d}) 0.0", f"fixpoint (\\{t} -> 0.05 * abs {t} + {d}) 0.0",
            f"fixpoint (\\{t} -> if {t} < {d} then 0.05 * {t} + 1 else 0.05 * {d} + 1) 0.0",
            f"solve (\\{t} -> {t} * (1 + {d} ** 2) - {a}) 0.0"))

    def make_match(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        c, d, a, q, b = (
            self.condition(self.gap(names)), self.gap(names), self.small(names), self.small(names), self.small(names),
        )
        r = self.fresh("r")
        return rng.choice((
            f"let {r}: #low f64 | #high f64 = if {c} then #high {a} else #low {d} "
            f"in match {r} case #low q -> q * {b} case #high q -> 2 * q",
            f"let {r} = if {c} then {{a = {a}, b = {q}}} else {{a = {d}, b = {b}}} in {r}.a * {r}.b",
            f"let {r} = if {c} then {{a = {a}, b = {c}}} else {{a = {d}, b = {self.condition(d)}}} "
            f"in if {r}.b then {r}.a else {b}",
            f"let ({r}, o) = if {c} then ({a}, {q}) else ({a}, {d}) "
            f"in {rng.choice((r, f'{r} + {d} * o', f'{r} * o'))}"))

    def make_table(self, depth: int, names: list[str] | None) -> str:
        rng = self.rng
        d, i = self.gap(names), self.fresh("i")
        xs = self.vector()
        last = rng.choice((i, i, i, "1"))
        return (f"let {i} = max 0 (min 1 (i64 {d})) in let o = {xs} "
            f"in o[{i}] + ({d} - f64 {i}) * (o[{i} + 1] - o[{last}])")
