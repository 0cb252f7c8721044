"""What entries and their derivatives cost, as formulas of the sizes that their types name: behind `dad cost`.

For each operator a definition is added to the program that applies it to the entry, as somebody would write it; that is
checked, lowered and optimised as programs are, and what is left is counted (`codegen/cost`). What reverse mode saves is
counted in a second copy, which has marks around reverse sweeps.

>>> from dad.lang.source import Source
>>> source = Source("<string>", "entry norm [n] (x: [n]f64) : f64 = sum (x * x)")
>>> (entry,) = entry_costs(source, ["norm"], ["primal", "grad"])
>>> [(c.op, str(c.total("flops"))) for c in entry.ops]
[('primal', '2·n'), ('grad', 'n')]
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import driver
from .checker.result import Checked, Definition
from .codegen.backends.entry import leaves
from .codegen.cost.advice import hints
from .codegen.cost.analysis import Found, analyse, kept_values
from .codegen.cost.values import LETTERS, Abstract, Metric, Place, Symbol
from .codegen.lower import lower
from .interface import entry_spec, possible, told_apart
from .lang import types as ty
from .lang.core import ir
from .lang.diagnostics.report import Diagnostics
from .lang.formulas import Formula
from .lang.sizes import Size, SizeAtom, SizeVar
from .lang.source import Source, Span

CHUNKS = "would take a few directions at a time"
OPS = ("primal", "grad", "hvp", "hessian", "jacobian", "laplacian")
METRICS: tuple[Metric, ...] = ("flops", "bytes", "saved")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the program (0: what the operator itself adds) and what arises there."""

    number: int
    text: str
    costs: Mapping[Metric, Formula]


@dataclass
class OpCost:
    """What one operator on an entry costs. `symbols` are those that occur, by name; `assumed` is not negative."""

    op: str
    costs: dict[Metric, Formula]
    lines: list[Line]
    symbols: dict[str, Symbol]
    assumed: list[Formula]

    def total(self, metric: Metric) -> Formula:
        return self.costs[metric]


@dataclass
class EntryCost:
    """The operators on one entry, and those that it has none of, with the reason."""

    definition: Definition
    sizes: dict[str, SizeVar]
    ops: list[OpCost]
    refused: dict[str, str]
    advice: list[Advice] = field(default_factory=list)


@dataclass
class Advice:
    """An operator that would be cheaper at a place of the program; `costs` is (as it is, with it) for the entry."""

    span: Span | None
    reason: str
    instead: str
    verdict: str
    costs: dict[Metric, tuple[Formula, Formula]]


Totals = dict[Metric, Formula]


def entry_costs(source: Source, entries: Sequence[str], ops: Sequence[str], wrt: Sequence[str] | None = None,
                sizes: Mapping[str, int] | None = None) -> list[EntryCost]:
    """The costs of the named entries of a program. With `sizes`, formulas have numbers in place of these names.

    Raises Diagnostics where the program has errors.
    """
    checked = driver.check(source).require()
    by_name = {d.name: d for d in checked.entries}
    return [one_entry(source, checked, by_name[name], ops, wrt, sizes or {}) for name in entries]


# ------------------------------------------------------------------ operators as definitions


def applied(definition: Definition, op: str, operator: str, wrt: Sequence[str], name: str) -> str:
    """A definition that applies the operator, by what it is called, to the entry.

    `entry f'grad x y = grad (\\x -> f x y) x`
    """
    hidden = [definition.name, operator]  # a parameter of this name would hide what is meant
    params = [fresh(p, hidden) if p in hidden else p for p in definition.param_names]
    wrt = [fresh(p, hidden) if p in hidden else p for p in wrt]
    call = " ".join([definition.name, *params])
    at = f"({', '.join(wrt)})" if len(wrt) > 1 else wrt[0]
    along = []
    if op == "hvp":
        along = [fresh("along", [*params, definition.name])]
    function = "(\\" + at + " -> " + call + ")"
    return " ".join(["entry", name, *params, *along, "=", operator, function, at, *along])


def renamed(op: str, name: str) -> str:
    """The operator under another name, to stand before a program that means something else by its own."""
    params = "f x v" if op == "hvp" else "f x"
    return f"def {name} {params} = {op} {params}\n"


def fresh(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "'"
    return name


def refusal(definition: Definition, op: str, wrt: Sequence[str]) -> str | None:
    """Why there is no such derivative of an entry, as far as its type says it."""
    if op == "primal":
        return None
    if not wrt:
        return "it has no parameter of floats to differentiate with respect to"
    kinds = {kind for kind, _ in possible(definition)}
    if op == "jacobian":
        return None if "vjp" in kinds else "its result has no floats"
    scalar = isinstance(definition.result_type, ty.Scalar) and definition.result_type.name in ty.FLOATS
    return None if scalar else f"it returns {ty.show(definition.result_type)}, not one float"


# ------------------------------------------------------------------ one entry


def one_entry(source: Source, checked: Checked, definition: Definition, ops: Sequence[str],
              wrt: Sequence[str] | None, numbers: Mapping[str, int]) -> EntryCost:
    active = tuple(wrt) if wrt is not None else entry_spec(definition, "", {}).wrt
    names = Names(definition)
    made = EntryCost(definition, names.sizes, [], {})
    for op in ops:
        why = refusal(definition, op, active)
        if why is None:
            try:
                made.ops.append(one_op(source, checked, definition, op, active, names, numbers))
            except Diagnostics as error:
                why = error.diagnostics[0].message
        if why is not None:
            made.refused[op] = why
    made.advice = advice(checked, definition, names, numbers)
    return made


# ------------------------------------------------------------------ what would be cheaper


def advice(checked: Checked, definition: Definition, names: Names, numbers: Mapping[str, int]) -> list[Advice]:
    """Operators that the entry could use in place of others, if that makes something cheaper."""
    with driver.without_collection():
        made = lower(checked, [], [definition])
    function = made.entries[definition.qualified]
    stages: list[tuple[str, ir.Program]] = [("lower", made.program)]
    with driver.without_collection():
        driver.optimised(made.program, [function], observe=lambda name, program: stages.append((name, program)))
    before = next(program for (_, program), (after, _) in pairwise(stages) if after == "fuse")
    found: list[Advice] = []
    now: Totals | None = None
    for hint in hints(before):
        if hint.program is None:
            found.append(Advice(hint.span, hint.reason, hint.instead, "would keep no matrix", {}))
            continue
        now = now or totals(made.program, definition, function, names, numbers)
        then = totals(hint.program, definition, function, names, numbers)
        if now is None or then is None:
            found.append(Advice(hint.span, hint.reason, hint.instead, "would keep no matrix", {}))
            continue
        both = {m: (now[m], then[m]) for m in METRICS}
        verdict = compared(both, hint.mode) or (CHUNKS if hint.trace else None)
        if verdict is not None:
            found.append(Advice(hint.span, hint.reason, hint.instead, verdict, both))
    return found


def totals(lowered: ir.Program, definition: Definition, function: str, names: Names,
           numbers: Mapping[str, int]) -> Totals | None:
    """What a program costs; None where it has symbols, which those of another program have nothing in common with."""
    made: Totals = {}
    for marked in (False, True):
        with driver.without_collection():
            program = driver.optimised(lowered, [function], marked=marked)
        kept = kept_values(program, [function]) if marked else None
        found = analyse(program, function, names.arguments(definition, program.functions[function]), kept=kept)
        for metric in ("saved",) if marked else METRICS[:2]:
            made[metric] = found.total(metric).substitute(names.numbers(numbers))
            if any(a in found.symbols for a in made[metric].atoms()):
                return None
    return made


def compared(both: Mapping[Metric, tuple[Formula, Formula]], by_size: bool) -> str | None:
    """What is better about the second of each pair; None if nothing is."""
    now, then = both["flops"]
    free = [a for a in dict.fromkeys((*now.atoms(), *then.atoms())) if isinstance(a, SizeVar)]
    if by_size and len(free) == 1:
        first = turning_point(now, then, free[0])
        where = f" from {free[0].name} = {first} on" if first is not None and first > 1 else ""
        return None if first is None else f"would be cheaper{where}"
    if weight(then) < weight(now):
        return "would be cheaper" if not by_size or not free else "would be cheaper at some sizes"
    if by_size:
        return None
    words: dict[Metric, str] = {"bytes": "move", "saved": "keep"}
    less = [word for metric, word in words.items() if weight(both[metric][1]) < weight(both[metric][0])]
    return f"would {' and '.join(less)} less" if less else None


def turning_point(now: Formula, then: Formula, size: SizeVar) -> int | None:
    """The least size from which on `then` is less, tried up to a million."""
    def less(at: int) -> bool:
        return then.at({size: at}) < now.at({size: at})

    high = 1 << 20
    if not less(high):
        return None
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if less(middle) else (middle, high)
    return high


def one_op(source: Source, checked: Checked, definition: Definition, op: str, wrt: Sequence[str], names: Names,
           numbers: Mapping[str, int]) -> OpCost:
    before = ""
    if op != "primal":
        names_of = [d.name for d in checked.definitions.values() if not d.node.span.source.shipped]
        operator = op
        if op in names_of:
            operator = fresh(f"{op}'of", names_of)
            before = renamed(op, operator)
        name = fresh(f"{definition.name}'{op}", names_of)
        text = before + source.text + "\n" + applied(definition, op, operator, wrt, name) + "\n"
        checked = driver.check(Source(source.name, text)).require()
        definition = next(d for d in checked.entries if d.name == name)
    with driver.without_collection():
        made = lower(checked, [], [definition])
    function = made.entries[definition.qualified]
    found = {}
    for marked in (False, True):
        with driver.without_collection():
            program = driver.optimised(made.program, [function], marked=marked)
        kept = kept_values(program, [function]) if marked else {}
        args = names.arguments(definition, program.functions[function])
        result = analyse(program, function, args, kept=kept)
        if any(negative(c.substitute(names.numbers(numbers))) for c in result.counts):
            result = analyse(program, function, args, careful=True, kept=kept)
        found[marked] = result
    return summed_up(op, found[False], found[True], names, numbers, source, before)


def negative(count: Formula) -> bool:
    return count.value is not None and count.value < 0


def summed_up(op: str, plain: Found, marked: Found, names: Names, numbers: Mapping[str, int], source: Source,
              before: str) -> OpCost:
    """Both counts in one, with names for their symbols; `before` stood before the program."""
    last, shift = source.text.count("\n") + 1, before.count("\n")
    used: dict[SizeAtom, None] = {}
    parts: list[tuple[Metric, Place, Formula]] = []
    for metric in METRICS:
        of = marked if metric == "saved" else plain
        parts += [(metric, place, formula) for (m, place), formula in of.cost.items() if m == metric]
    for _, _, formula in parts:
        used.update(formula.atoms())
    symbols = {**plain.symbols, **marked.symbols}
    named: dict[str, Symbol] = {}
    env: dict[SizeAtom, Formula] = {}
    seen: dict[object, int] = {}
    for found in (plain, marked):
        seen.clear()
        for var in (v for v in used if isinstance(v, SizeVar) and v in found.symbols):
            symbol = unshifted(symbols[var], source, before)
            key = (symbol.kind, symbol.what, None if symbol.span is None else symbol.span.start)
            seen[key] = seen.get(key, 0) + 1
            name, shared = names.symbol(symbol, (*key, seen[key]))
            named[name] = symbol
            env[var] = Formula.of(shared)
    for text, number in numbers.items():
        if (size := names.sizes.get(text)) is not None:
            env[size] = Formula.of(number)
        elif (known := names.shared(text)) is not None:
            env.update({var: Formula.of(number) for var, f in env.items() if f.top.atom == known})
    named = {name: renamed_bound(symbol, env) for name, symbol in sorted(named.items())}
    costs = {metric: Formula.of(0) for metric in METRICS}
    by_line: dict[int, dict[Metric, Formula]] = {}
    texts: dict[int, str] = {}
    for metric, place, formula in parts:
        formula = formula.substitute(env)
        number = place.line - shift if 0 < place.line - shift <= last else 0
        texts[number] = place.text if number else ""
        costs[metric] = costs[metric] + formula
        at = by_line.setdefault(number, {})
        at[metric] = at[metric] + formula if metric in at else formula
    found_lines = [Line(number, texts[number], at) for number, at in by_line.items()]
    found_lines.sort(key=lambda line: (-weight(line.costs.get("flops")), -weight(line.costs.get("bytes")), line.number))
    assumed = [c for c in dict.fromkeys(c.substitute(env) for c in plain.counts)
               if c.value is None and any(k < 0 for _, k in c.top.terms) and not any(a in symbols for a in c.atoms())]
    return OpCost(op, costs, found_lines, named, assumed)


def unshifted(symbol: Symbol, source: Source, before: str) -> Symbol:
    """The symbol with its place in the program itself."""
    span = symbol.span
    if not before or span is None or span.source.shipped or span.source.name != source.name:
        return symbol
    moved = Span(source, span.start - len(before), span.end - len(before))
    return Symbol(symbol.var, symbol.kind, moved, symbol.most, symbol.what)


def renamed_bound(symbol: Symbol, env: Mapping[SizeAtom, Formula]) -> Symbol:
    if symbol.most is None:
        return symbol
    most = symbol.most.substitute(env)
    return Symbol(symbol.var, symbol.kind, symbol.span, most, symbol.what)


def weight(formula: Formula | None, size: int = 100) -> float:
    """How large a formula is, with all sizes and symbols alike."""
    if formula is None:
        return 0.0
    return float(formula.at({a: size for a in formula.atoms() if isinstance(a, SizeVar)}))


# ------------------------------------------------------------------ names


class Names:
    """The sizes and whole numbers that an entry is given, by name, and names for symbols, the same for all its ops."""

    def __init__(self, definition: Definition) -> None:
        self.sizes: dict[str, SizeVar] = {}
        self.symbols: dict[object, tuple[str, SizeVar]] = {}
        self.counts: dict[str, int] = {}
        self.arguments(definition, None)

    def size(self, name: str) -> SizeVar:
        if name not in self.sizes:
            self.sizes[name] = SizeVar(name, len(self.sizes) + 1)
        return self.sizes[name]

    def arguments(self, definition: Definition, function: ir.Function | None) -> list[Abstract]:
        """What is known of the leaves of the parameters, in order; without the function, names are only noted."""
        spec = entry_spec(definition, "", {})
        atoms = {str(Size.of(a)): a for t in told_apart(definition) for size in ty.sizes_of(t) for a in size.atoms()}
        found = []
        params = iter(function.params if function is not None else ())
        for param in spec.params:
            for dtype, dims in leaves(param.value):
                sizes = []
                for dim in dims:
                    total = Formula.of(0)
                    for coefficient, factors in dim.terms:
                        term = Formula.of(coefficient)
                        for name in factors:
                            term = term * self.atom(name, atoms.get(name))
                        total = total + term
                    sizes.append(total)
                name = next(params).name if function is not None else param.name
                value = None
                if not dims and dtype in ("i64", "bool"):
                    value = Formula.of(self.size(name))
                found.append(Abstract(tuple(sizes), value))
        return found

    def numbers(self, given: Mapping[str, int]) -> dict[SizeAtom, Formula]:
        return {self.sizes[name]: Formula.of(value) for name, value in given.items() if name in self.sizes}

    def atom(self, name: str, atom: SizeAtom | None) -> Formula:
        if atom is None or isinstance(atom, SizeVar):
            return Formula.of(self.size(name))
        inside: dict[SizeAtom, Formula] = {a: Formula.of(self.size(a.name)) for a in Size.of(atom).atoms()
                                           if isinstance(a, SizeVar)}
        return Formula.of(atom).substitute(inside)

    def symbol(self, symbol: Symbol, key: object) -> tuple[str, SizeVar]:
        """Name and variable of a symbol: one that is the same in another operator has the same."""
        found = self.symbols.get(key)
        if found is None:
            letter = LETTERS[symbol.kind]
            while True:
                number = self.counts[letter] = self.counts.get(letter, 0) + 1
                name = f"{letter}{number}"
                if name not in self.sizes:
                    break
            shown = letter + str(number).translate(SUBSCRIPTS)
            found = self.symbols[key] = name, SizeVar(shown, 10_000 + len(self.symbols))
        return found

    def shared(self, name: str) -> SizeVar | None:
        return next((var for n, var in self.symbols.values() if n == name), None)


def atoms_of(ops: Sequence[OpCost]) -> Iterator[SizeVar]:
    """The variables that are left in the formulas of these operators, each once."""
    found: dict[SizeVar, None] = {}
    for op in ops:
        for formula in op.costs.values():
            found.update(dict.fromkeys(a for a in formula.atoms() if isinstance(a, SizeVar)))
    yield from found
