"""Sizes of a function's values as formulas of its parameters.

In: a program and one of its functions. Out: for each value, nested ones included, the lengths of its axes as
polynomials (`lang/sizes.py`) in the sizes and integers that the function is given, under the names that the program
gives them. What only a run can know, the iterations of a `while`, how much a filter keeps, is a variable of its own,
whose `why` says what it is.

>>> from dad.lang.core.text import parse
>>> program = parse('''
... def f (x.0: []f64, k.1: i64) {
...   let n.2: i64 = dim x.0 {axis = 0}
...   let m.3: i64 = mul n.2 k.1
...   let y.4: []f64 = replicate m.3 1.0
...   return y.4
... } dims ((n.2) ())
... ''')
>>> found = Formulas(program, program.functions["f"])
>>> [str(size) for size in found.shape_of(program.functions["f"].body.results[0])]
['k*n']
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Const, Op, Var
from ...lang.core.walk import callees
from ...lang.sizes import Opaque, OversizedSize, Size, SizeAtom, SizeVar
from ...lang.source import Span
from .effects import callees_first
from .extents import Arithmetic, Dim, Extents
from .extents import Size as Known
from .facts import Facts
from .sizes import Signature

WIDTHS = {"f64": 8, "f32": 4, "f16": 2, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u64": 8, "u32": 4, "u16": 2, "u8": 1,
          "bool": 1}
"""Bytes of one element."""


def signatures(program: ir.Program) -> dict[str, Signature]:
    """What calls tell of the sizes of their results, function by function."""
    found: dict[str, Signature] = {}
    for name in callees_first({name: callees(f.body) for name, f in program.functions.items()}):
        function = program.functions[name]
        found[name] = Facts(function, found).signature(function)
    return found


class Formulas(Extents):
    """Ask `shape_of`, `integer`, `trips`, `bytes`. `given`: formulas of axes (parameter, axis), where one is known
    that says more than a name.
    """

    def __init__(self, program: ir.Program, function: ir.Function,
                 given: Mapping[tuple[int, int], Size] | None = None) -> None:
        super().__init__(Builder(Fresh(0)))
        self.signatures = signatures(program)
        self.function = function
        self.variables: dict[Atom | Dim, Size] = {}
        self.taken: set[str] = set()
        self.spans: dict[Var, Span | None] = {}
        self.iterations: set[Var] = set()
        self.counts: dict[int, Known] = {}
        self._parameters(function, given or {})
        self.walk(function.body)

    def _parameters(self, function: ir.Function, given: Mapping[tuple[int, int], Size]) -> None:
        """Give each axis and each integer of the parameters its formula."""
        own: dict[SizeAtom, Size] = {}  # in the order of the parameters, which is that of sums
        for size in given.values():
            for atom in size.atoms():
                if isinstance(atom, SizeVar) and atom not in own:
                    own[atom] = self._variable(atom.name, atom.why)
        names: dict[tuple[Atom, int], str] = {}
        for stmt in function.body.stmts:
            if isinstance(stmt.op, ir.Prim) and stmt.op.name == "dim":
                axis = stmt.op.attr("axis")
                assert isinstance(axis, int)
                names.setdefault((stmt.op.args[0], axis), stmt.vars[0].name)
        for p in function.params:
            if p.type == ir.I64:
                self.variables[p] = self._variable(p.name, f"the parameter {p.name}")
        known = function.dims or tuple((None,) * p.type.rank for p in function.params)
        for k, (p, dims) in enumerate(zip(function.params, known, strict=True)):
            sizes: list[Known] = []
            for axis, known_size in enumerate(dims):
                here = Dim(p, axis) if known_size is None else known_size
                sizes.append(here)
                if here not in self.variables and not isinstance(here, Const):
                    name = names.get((p, axis), f"{p.name}.shape[{axis}]")
                    told = given.get((k, axis))
                    self.variables[here] = self._variable(name, f"axis {axis} of {p.name}") if told is None \
                        else told.substitute(own)
            self._bind(p, tuple(sizes), p if p.type == ir.I64 else None)

    # ------------------------------------------------------------ answers

    def shape_of(self, x: Atom) -> tuple[Size, ...]:
        """The lengths of the axes."""
        return tuple(self._formula(size) for size in self.shape(x))

    def integer(self, n: Atom) -> Size:
        """An i64 scalar."""
        return self._formula(self._value(n))

    def trips(self, op: ir.Loop) -> Size:
        """How often a loop of this function runs; counts are taken not to be negative."""
        return self._formula(self.counts[id(op)])

    def bytes(self, x: Atom) -> Size:
        """How much memory a value takes."""
        return product((Size.constant(WIDTHS[x.type.dtype]), *self.shape_of(x)))

    # ------------------------------------------------------------ the function's blocks

    def walk(self, block: Block) -> None:
        """Define what a block binds, and what the blocks inside bind."""
        for stmt in block.stmts:
            self.spans.update(dict.fromkeys(stmt.vars, stmt.span))
            self._define(stmt.vars, stmt.op)

    def _bind(self, var: Var, shape: tuple[Known | None, ...], value: Known | None) -> None:
        # What is not known has a name of its own.
        whole = tuple(Dim(var, axis) if size is None else size for axis, size in enumerate(shape))
        super()._bind(var, whole, var if value is None and var.type == ir.I64 else value)

    def _define(self, vars: Sequence[Var], op: Op) -> None:
        match op:
            case ir.If(_, then, orelse):
                self.walk(then)
                self.walk(orelse)
                for var, x, y in zip(vars, then.results, orelse.results, strict=True):
                    self._bind(var, tuple(a if a == b else None for a, b in zip(self.shape(x), self.shape(y),
                                                                               strict=True)), None)
                return
            case ir.Map(arrays, lam, _):
                self.rows(lam.params, arrays)
                self.walk(lam.body)
            case ir.Reduce(arrays, neutral, lam) | ir.Scan(arrays, neutral, lam):
                self.like(lam.params[:len(neutral)], neutral)
                self.rows(lam.params[len(neutral):], arrays)
                self.walk(lam.body)
            case ir.Loop():
                self._loop(vars, op)
                return
            case ir.Call(function, args, _):
                self._call(vars, function, args)
                return
            case ir.Diff(_, lam, args, _):
                self.like(lam.params, args)
                self.walk(lam.body)
        super()._define(vars, op)

    def _loop(self, vars: Sequence[Var], op: ir.Loop) -> None:
        self.states(op)
        if op.cond is not None:
            for q, p in zip(op.cond.params, op.params, strict=True):
                self._bind(q, self.shapes[p], None)
            self.walk(op.cond.body)
        self.walk(op.body)
        super()._define(vars, op)
        if op.count is None:
            self.iterations.add(vars[-1])
            trips: Known = vars[-1]
        else:
            trips = self._value(op.count) or op.count
        self.counts[id(op)] = trips
        stacks = vars[len(op.params):len(op.params) + len(op.collect_shapes)]
        for var, row in zip(stacks, op.collect_shapes, strict=True):
            self._bind(var, (trips, *map(self._value, row)), None)

    def _call(self, vars: Sequence[Var], function: str, args: Sequence[Atom]) -> None:
        told = self.signatures.get(function)
        for k, var in enumerate(vars):
            shape: list[Known | None] = []
            for known in told[k] if told is not None else (None,) * var.type.rank:
                match known:
                    case (parameter, None):
                        shape.append(self._value(args[parameter]))
                    case (parameter, int() as axis):
                        shape.append(self.shape(args[parameter])[axis])
                    case Const():
                        shape.append(known)
                    case _:
                        shape.append(None)
            self._bind(var, tuple(shape), None)

    # ------------------------------------------------------------ formulas

    def _formula(self, size: Known | None) -> Size:
        match size:
            case Const(value):
                return Size.constant(int(value))
            case Arithmetic(name, args):
                parts = [self._formula(x) for x in args]
                try:
                    return _computed(name, parts)
                except OversizedSize:
                    key = Var(-1 - len(self.variables), str(size), ir.I64)
                    self.variables[key] = self._variable("size", "a size of many terms")
                    return self.variables[key]
            case Dim() | Var():
                found = self.variables.get(size)
                if found is None:
                    found = self.variables[size] = self._unknown(size)
                return found
            case _:
                raise AssertionError("every size has a name at least")

    def _unknown(self, size: Dim | Var) -> Size:
        var = size.var if isinstance(size, Dim) else size
        span = self.spans.get(var)
        line = f" in line {span.line}" if span is not None else ""
        at = f"@{span.line}" if span is not None else ""
        if var in self.iterations and isinstance(size, Var):
            return self._variable(f"trips{at}", f"iterations of the loop{line}")
        if isinstance(size, Dim):
            return self._variable(f"{var.name}.shape[{size.axis}]{at}", f"axis {size.axis} of a value made{line}")
        return self._variable(f"{var.name}{at}", f"an integer worked out{line}")

    def _variable(self, name: str, why: str) -> Size:
        unique, count = name, 1
        while unique in self.taken:
            count += 1
            unique = f"{name}#{count}"
        self.taken.add(unique)
        return Size.of(SizeVar(unique, len(self.taken), None, why))


def product(sizes: Sequence[Size]) -> Size:
    total = Size.constant(1)
    for size in sizes:
        total = total * size
    return total


def _computed(name: str, parts: Sequence[Size]) -> Size:
    values = [part.value for part in parts]
    match name, parts:
        case "add", [x, y]:
            return x + y
        case "sub", [x, y]:
            return x - y
        case "mul", [x, y]:
            return x * y
        case "neg", [x]:
            return -x
        case "max", [x, y] if values[1] == 0 and (values[0] is None or values[0] >= 0):
            return x  # counts are taken not to be negative
        case "max" | "min", [x, y] if x == y:
            return x
    return Size.of(Opaque(name, tuple(parts)))
