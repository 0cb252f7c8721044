"""Random programs with branches, half of them built to meet: `B = A + d^k q` on the other side of `d = 0` is continuous
for k = 1, C1 for 2, C2 for 3. The others nearly do: a factor of `d` is missing, a small constant is added, another
condition joins in. Branches stand in lets, in each other, in maps, loops, folds, local functions and pairs. What is
held fixed has a say in conditions, loops carry flags, and roots choose what is counted, squared and sorted.
"""
from __future__ import annotations

from random import Random

NAMES = ("x", "y", "z", "k")
GRADES = ("C1", "C1", "C1", "C2", "C2", "lip", "lip", "cont", "smooth", "affine")
TYPES = ("f64", "f64", "f64", "f64{>0}", "f64{>=0}", "f64{0..2}")
CONSTANTS = ("0.5", "1.0", "2.0", "0.25", "3.0", "0.1", "1.5", "0.7")


class Program:
    """`text` of a definition `f`, from a seed. With `promises` the same program says of itself, and of expressions and
    helpers in it, how smooth they are, rightly or not."""

    def __init__(self, seed: int, budget: int | None = None, promises: bool = False) -> None:
        self.rng = Random(seed)
        self.promising = Random(f"promises {seed}") if promises else None
        """Another source of numbers, so that the program is the same."""
        self.count = 0
        self.helpers: list[str] = []
        self.draw()
        lines, used = self.lines(budget)
        result = self.result(used)
        header = self.header()
        body = "\n".join(f"  {line}" for line in (*lines, f"in {result}"))
        self.text = "\n\n".join([*self.helpers, f"{header}\n{body}\n"])

    def draw(self) -> None:
        """Parameters, and what there is to be named."""
        count = self.rng.randrange(1, 4)
        self.types = {name: self.rng.choice(TYPES) for name in NAMES[:count]}
        self.names = [*self.types]
        self.positive = [name for name, type in self.types.items() if type == "f64{>0}"]
        self.has_array = self.rng.random() < 0.35
        self.has_data = self.rng.random() < 0.2

    def lines(self, budget: int | None) -> tuple[list[str], list[str]]:
        """The `let`s, and the names of their values."""
        lines: list[str] = []
        used: list[str] = []
        for _ in range(budget or self.rng.choice((1, 1, 2, 2, 3, 4))):
            name, text = self.statement()
            lines.append(self.promised(name, text))
            used.append(name)
            self.names += used[-1:]
        return lines, used

    def header(self) -> str:
        params = [f"({name}: {type})" for name, type in self.types.items()]
        if self.has_array:
            params.append("(v: [n]f64)")
        if self.has_data:
            params.append("(w: data f64) (m: data i64) (on: data bool)")
        return f"def f {'[n] ' if self.has_array else ''}{' '.join(params)} : f64{self.promise()} ="

    def result(self, used: list[str]) -> str:
        rng = self.rng
        match rng.randrange(5):
            case 0:
                return used[-1]
            case 1:
                return f"{used[-1]} + {self.smooth(2)}"
            case 2:
                return f"({' + '.join(used)}) * ({self.smooth(1)})"
            case 3:
                return f"{rng.choice(('sin', 'tanh', 'exp'))} (0.3 * ({' + '.join(used)}))"
            case _:
                return " + ".join(f"{rng.choice(CONSTANTS)} * {name}" for name in used)

    # ------------------------------------------------------------ promises

    def promise(self, names: list[str] | None = None) -> str:
        """Behind a type: ` @ C1(x), lip`, or nothing."""
        rng = self.promising
        if rng is None or rng.random() < 0.2:
            return ""
        roots = [*self.types, *(["v"] if self.has_array else [])] if names is None else names
        if rng.random() < 0.4:
            return f" @ {rng.choice(GRADES)}"
        rng.shuffle(roots)
        cut = rng.randrange(1, len(roots) + 1)
        parts = [roots[:cut], roots[cut:]] if rng.random() < 0.5 else [roots[:cut]]
        return " @ " + ", ".join(f"{rng.choice(GRADES)}({', '.join(part)})" for part in parts if part)

    def promised(self, name: str, text: str) -> str:
        """A `let` whose right side promises something."""
        rng = self.promising
        if rng is None or rng.random() < 0.5:
            return text
        roots = [*self.types, *(["v"] if self.has_array else [])]
        grade = rng.choice(GRADES)
        of = f"({', '.join(rng.sample(roots, rng.randrange(1, len(roots) + 1)))})" if rng.random() < 0.4 else ""
        return f"let {name} = ({text.removeprefix(f'let {name} = ')}) @ {grade}{of}"

    def fresh(self, stem: str = "u") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    # ------------------------------------------------------------ smooth expressions

    def name(self, names: list[str] | None = None) -> str:
        rng = self.rng
        if self.has_data and rng.random() < 0.1:
            return "w"
        return rng.choice(names or self.names)

    def smooth(self, depth: int, names: list[str] | None = None) -> str:
        rng = self.rng
        if depth == 0 or rng.random() < 0.15:
            return self.name(names) if rng.random() < 0.75 else rng.choice(CONSTANTS)
        a = self.smooth(depth - 1, names)
        b = self.smooth(depth - 1, names)
        forms = [f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} * {b})", f"sin ({a})", f"cos ({a})",
                 f"tanh ({a})", f"exp (0.3 * {a})", f"({a}) / (1 + ({b}) * ({b}))", f"log (1 + ({a}) * ({a}))",
                 f"({a}) ** 2", f"sqrt (1 + ({a}) ** 2)", f"softplus ({a})", f"sigmoid ({a})", f"(2.0 * {a} + {b})"]
        if self.positive:
            p = rng.choice(self.positive)
            forms += [f"log {p}", f"({a}) / {p}", f"sqrt {p}", f"{p} ** 1.5"]
        return rng.choice(forms)

    # ------------------------------------------------------------ conditions

    def surface(self, names: list[str] | None = None) -> tuple[str, list[str]]:
        """What is 0 on a boundary, and factors of it that are 0 on parts of the boundary alone."""
        rng = self.rng
        a, b = self.name(names), self.name(names)
        c = rng.choice(CONSTANTS)
        match rng.randrange(14):
            case 0 | 1:
                return f"({a} - {c})", []
            case 2:
                return f"({a} - {b} + {c})" if a == b else f"({a} - {b})", []
            case 3:
                return f"(2.0 * {a} + {b} - {c})", []
            case 4:
                return f"({a} * {b})", [a]
            case 5:
                return f"({a} * {b} - {c})", []
            case 6:
                return f"(({a} - {c}) * ({b} + {c}))", [f"({a} - {c})"]
            case 7:
                return f"({a} * {a} + {b} * {b} - {c})", []
            case 8:
                return f"(({a} - {c}) ** 2 - {b})", []
            case 9:
                return f"(sin {a} - {c} * {b})", []
            case 10:
                return f"(exp {a} - {c})", []
            case 11:
                return f"(abs {a} - {c})", [f"({a} - {c})"]
            case 12:
                return f"({a} ** 3)", []
            case _:
                return rng.choice([f"({a} - {c}) ** 2", f"(max {a} {b} - {c})", f"({a} * {a} - {b} * {b})",
                                   f"({a} * {a} + {c})", f"({a} - cos {b})"]), []

    def condition(self, d: str) -> str:
        rng = self.rng
        form = rng.choice(("{} < 0", "{} <= 0", "{} > 0", "{} >= 0", "0 < {}", "0 >= {}", "!({} < 0)", "{} < 0",
                           "{} > 0", "{} == 0" if rng.random() < 0.3 else "{} < 0"))
        text = form.format(d)
        if rng.random() < 0.25 and d[0] + d[-1] == "()" and " - " in d and d.count("(") == 1 and "+" not in d:
            left, right = d[1:-1].rsplit(" - ", 1)
            text = f"{left} {rng.choice(('<', '<=', '>', '>='))} {right}"
        if self.has_data and rng.random() < 0.4:
            form = rng.choice(("m == 1 && {}", "m != 1 || {}", "on && {}", "({}) == on", "w == 0 || {}"))
            text = form.format(text)
        return text

    # ------------------------------------------------------------ branches

    def branch(self, names: list[str] | None = None, depth: int = 0) -> str:
        """An `if`, in parentheses."""
        rng = self.rng
        d, factors = self.surface(names)
        cond, vanish = self.condition(d), d
        if rng.random() < 0.2:
            e, _ = self.surface(names)
            cond = f"{cond} {rng.choice(('&&', '||'))} {self.condition(e)}"
            if rng.random() < 0.6:
                vanish = f"({d} * {e})"
        a = self.smooth(2, names)
        power = rng.choice((1, 1, 2, 2, 3))
        q = self.smooth(1, names)
        match rng.randrange(10):
            case 0 | 1 | 2 | 3 | 4:
                b = f"{a} + {self.power(vanish, power)} * {q}"
            case 5:
                b = f"{a} + {self.power(vanish, power)} * {q} + {rng.choice(('0.001', '0.000001', '0.5'))}"
            case 6:
                part = rng.choice(factors) if factors else self.name(names)
                b = f"{a} + {self.power(part, power)} * {q}"
            case 7:
                b = f"{a} + {self.power(vanish, power)} * {rng.choice(('log', 'sqrt'))} (abs ({q}))"
            case 8:
                b = f"{a} * {rng.choice(('1.0', '2.0'))} + {self.power(vanish, power)} / ({q})"
            case _:
                b = self.smooth(2, names)
        if depth < 2 and rng.random() < 0.2:
            a = f"{a} + {self.branch(names, depth + 1)}"
            if rng.random() < 0.5:
                b = f"{b} + {self.branch(names, depth + 1)}"
        if rng.random() < 0.5:
            a, b = b, a
        return f"(if {cond} then {a} else {b})"

    def power(self, d: str, k: int) -> str:
        if self.rng.random() < 0.5:
            return f"{d} ** {k}" if k > 1 else d
        return " * ".join([d] * k)

    def statement(self) -> tuple[str, str]:
        rng = self.rng
        name = self.fresh()
        kinds = ["branch"] * 6 + ["kink", "kink", "loop", "helper", "pair", "smooth", "fold", "floor", "while",
                                  "assert", "index", "flag", "chosen", "tie", "count"]
        if self.has_array:
            kinds += ["map", "map", "map", "extreme"]
        match rng.choice(kinds):
            case "branch":
                text = self.branch()
            case "kink":
                text = rng.choice([f"max ({self.smooth(1)}) ({self.smooth(1)})", f"abs ({self.smooth(1)})",
                                   f"min 1 (max 0 ({self.smooth(1)}))",
                                   f"max 0 ({self.smooth(1)}) ** {rng.choice('23')}",
                                   f"norm [{self.smooth(1)}, {self.smooth(1)}]", f"sqrt (abs ({self.smooth(1)}))",
                                   f"abs ({self.smooth(1)}) ** 1.5"])
            case "loop":
                s = self.fresh("s")
                names = [*self.names, s]
                step = self.branch(names) if rng.random() < 0.7 else f"max {s} ({self.smooth(1, names)})"
                text = f"loop {s} = {self.smooth(1)} for _i < {rng.choice('23')} do {step} * 0.5"
            case "while":
                s, i = self.fresh("s"), self.fresh("i")
                names = [*self.names, s]
                stop = f"{i} < 3" if rng.random() < 0.6 else f"{i} < 3 && {self.condition(self.surface(names)[0])}"
                text = (f"(let (r, _) = loop ({s}, {i}) = ({self.smooth(1)}, 0) while {stop} do "
                        f"({self.smooth(1, names)}, {i} + 1) in r)")
            case "helper":
                helper, p, q = self.fresh("g"), self.fresh("p"), self.fresh("q")
                known = self.positive, self.has_data
                self.positive, self.has_data = [], False
                self.helpers.append(
                    f"def {helper} ({p}: f64) ({q}: f64) : f64{self.promise([p, q])} = {self.branch([p, q])}")
                self.positive, self.has_data = known
                text = f"{helper} ({self.smooth(1)}) ({self.smooth(1)})"
                if rng.random() < 0.5:
                    text += f" + {helper} ({self.smooth(1)}) {self.name()}"
            case "pair":
                d, _ = self.surface()
                a, q = self.smooth(1), self.smooth(1)
                p = self.fresh("p")
                text = (f"(let ({p}, o{p}) = if {self.condition(d)} then ({a}, {self.smooth(1)}) else "
                        f"({a} + {self.power(d, rng.choice((1, 2)))} * {q}, 1.0) in {p}"
                        f"{rng.choice(('', f' + o{p}', f' + {d} * o{p}', f' + 0.0 * o{p}'))})")
            case "fold":
                items = ", ".join(self.smooth(1) for _ in range(3))
                s, e = self.fresh("s"), self.fresh("e")
                text = rng.choice([f"foldl (\\{s} {e} -> {self.branch([s, e])}) 0.0 [{items}]", f"maximum [{items}]",
                                   f"reduce (\\{s} {e} -> if {s} < {e} then {e} else {s}) (-100.0) [{items}]",
                                   f"last (scan (\\{s} {e} -> {s} * 0.5 + max {e} 0) 0.0 [{items}])"])
            case "floor":
                text = rng.choice([f"floor ({self.smooth(1)})", f"({self.smooth(1)}) % 1.0", f"sign ({self.smooth(1)})",
                                   f"stop_grad ({self.smooth(1)})", f"round ({self.smooth(1)}) * {self.name()}"])
            case "assert":
                text = f"assert ({self.condition(self.surface()[0])}) ({self.branch()})"
            case "index":
                items = ", ".join(self.smooth(1) for _ in range(3))
                a = self.smooth(1)
                text = rng.choice([f"[{items}][argmax [{items}]]", f"(let o = [{items}] in o[argmin o])",
                                   f"(let o = [{items}] in o[i64 (2.9 * sigmoid ({a}))])"])
            case "flag":
                s, t = self.fresh("s"), self.fresh("t")
                names = [*self.names, s]
                cond = self.condition(self.surface()[0])
                text = (f"(let (r, _) = loop ({s}, {t}) = ({self.smooth(1)}, {cond}) for _i < 3 do "
                        f"(if {t} then {self.smooth(1, names)} else {self.smooth(1, names)}, !{t}) in r)")
            case "chosen":
                a, b, cond = self.smooth(1), self.smooth(1), self.condition(self.surface()[0])
                text = rng.choice([f"sqrt (if {cond} then ({a}) ** 2 else ({b}) ** 2)",
                                   f"norm (if {cond} then [{a}, {b}] else [{b}, 0])",
                                   f"(let c : u8 = if {cond} then 0 else 1 in if c - 1 > 100 then {a} else {b})"])
            case "tie":
                d, _ = self.surface()
                a, sign = self.smooth(1), rng.choice((">=", ">", "<=", "<", "=="))
                text = rng.choice([f"(if {d} {sign} 0 then abs ({d}) + {a} else {d} + {a})",
                                   f"(if {d} {sign} 0 then max ({d}) 0 + {a} else {rng.choice('012')} * ({d}) + {a})"])
            case "count":
                a, b = self.smooth(1), self.smooth(1)
                text = rng.choice([f"f64 (length (filter (\\q -> q > {a}) [0.1, {b}, 0.5]))",
                                   f"(let o = [{a}, {b}, 0.5] in o[(argsort o)[i64 (2.9 * sigmoid ({b}))]])"])
            case "map":
                t = self.fresh("t")
                text = f"sum (map (\\{t} -> {self.branch([*self.names, t])}) v)"
            case "extreme":
                text = rng.choice(["maximum v", "norm v", "sum (map abs v)", "sum (map (max 0) v) ** 2"])
                if text == "maximum v":
                    text = "reduce max (-9.0) v"
            case _:
                text = self.smooth(2)
        return name, f"let {name} = {text}"
