"""What expressions have in common: their shape, and the leaves in which instances of it differ.

In: an expression. Out: an `Instance`: a key that is equal for expressions of one shape, and where the values of its
leaves come from: constants, scalars at hand, elements at constant places of arrays that have names. Of terms that the
parser knows to be alike (`lang.surface.terms`) and the checker too (`checker.instances`) one is looked at, node by
node; what that found are *steps*, which the others follow with their own words, and their nodes are never made.
"""
from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...checker.result import BuiltinRef, GlobalRef, LocalRef, Use
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.ir import Const, Var
from ...lang.surface import ast
from .frame import Frame
from .values import FunV, RecV, RowV, SumV, TupV, Value, leaves, map_leaves

LARGEST = 200  # nodes of an instance
OPERATORS = frozenset({"+", "-", "*", "/", "**"})
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


Slot = Const | tuple[int, tuple[str, ...], tuple[int, ...], int]
"""An operand of a row: a literal, or of the local with this number, and of these fields of it, the element at constant
`indices` (none: the scalar itself), of which it is this atom."""


@dataclass(slots=True, eq=False)
class Instance:
    """`slots` are the operands; of `checks` (slot, index) it is not proved that the element exists."""

    node: ast.Exp
    key: tuple[Hashable, ...]
    slots: tuple[Slot, ...]
    checks: tuple[tuple[int, ast.Index], ...] = ()
    leaves: list[tuple[ast.Exp | None, Value]] = field(default_factory=list)
    """Nodes, where they are made, with a value of the form of theirs: its atoms have the slots one after the other."""


class NoShape(Exception):
    """An expression with parts that rows cannot have."""


@dataclass(slots=True)
class Number:
    """A literal: a leaf of this dtype, or, without one, a part of the shape."""

    node: ast.Lit
    dtype: str
    token: Hashable = None
    negative: bool = False


@dataclass(slots=True)
class Local:
    """A local name and fields of it."""

    node: ast.Exp
    path: tuple[str, ...]
    of_use: tuple[Hashable, ...]


@dataclass(slots=True)
class Element:
    """An element: its array's name, fields before and behind the indices, and the literals that these are."""

    node: ast.Exp
    before: tuple[str, ...]
    path: tuple[str, ...]
    places: tuple[ast.Lit, ...]


Step = Number | Local | Element
Place = tuple[int, tuple[str, ...]]
"""A local, and fields of it."""
Scanned = tuple[object, str, tuple[tuple[Place, Hashable], ...], Instance]
"""What is kept with an expression: what the checker has found of it (its plan, or, of the first of its kind, the place
where it was inferred), the sign that its instance goes with, and what the locals in it were."""
_keys: dict[Hashable, Any] = {}
"""Equal keys are one object."""
MOST_KEYS = 10_000

Steps = list[tuple[list[Hashable], Step | None, list[Any]]]
"""Parts of the key that all instances have, then what one of them says itself, by these words or locals."""


class Scan:
    """Looks at the expressions of a block."""

    def __init__(self, f: Frame) -> None:
        self.f = f
        self.uses = f.checked.uses
        self.kinds: dict[Place, Hashable] = {}
        """Of locals that were looked at: all that shapes follow from."""

    def instance(self, e: ast.Exp, sign: str = "+") -> Instance | None:
        known = e.__dict__.get("instance")
        copy = known.found if known is not None else None
        found = None if known is None else known.place if copy is None else copy.plan
        if self.f.types or found is None:
            return self.slowly(e, sign, quick=not self.f.types)
        before: Scanned | None = e.__dict__.get("scanned")
        if before is not None and before[0] is found and before[1] == sign:
            kinds = self.kinds
            for place, kind in before[2]:
                if (kinds.get(place) or self.kind(place)) is not kind:
                    break
            else:
                return before[3]
        made: Instance | None
        if copy is None:
            made = self.slowly(e, sign, quick=True)
            return made if made is None else self.kept(e, found, sign, made)
        plan = copy.plan
        if plan.steps == ():
            made = self.slowly(e, sign)
            plan.steps = None if made is None else self.learned(known)
            return made
        if plan.steps is None:
            return self.slowly(e, sign)
        self.begin(sign)
        try:
            self.follow(plan.steps, known)
        except NoShape:
            return None
        made = self.made(e)
        return made if made is None else self.kept(e, plan, sign, made)

    def kept(self, e: ast.Exp, found: object, sign: str, made: Instance) -> Instance:
        """Remember an instance for the next version of the program."""
        made.leaves = []
        made.key = _keys.setdefault(made.key, made.key)
        if len(_keys) > MOST_KEYS:
            _keys.clear()
        e.__dict__["scanned"] = found, sign, tuple([(place, self.kind(place)) for place in self.places]), made
        return made

    def kind(self, place: Place) -> Hashable:
        """What a local is, as far as shapes follow from it: the same object where it is the same."""
        found = self.kinds.get(place)
        if found is None:
            kind = _kind(self.value(*place))
            found = self.kinds[place] = kind if isinstance(kind, ir.Type) else _keys.setdefault(("kind", kind), kind)
        return found

    def slowly(self, e: ast.Exp, sign: str = "+", quick: bool = False) -> Instance | None:
        """From the nodes; `quick`: but for parts that are alike."""
        self.begin(sign, quick)
        try:
            if quick:
                self.walk(e)
            else:
                self.node(e)
        except NoShape:
            return None
        made = self.made(e)
        if quick and made is not None:
            made.leaves = []
        return made

    def begin(self, sign: str, quick: bool = False) -> None:
        self.quick = quick
        self.inner: dict[int, int] = {}
        """Names that the expression itself binds, in order."""
        self.branches = 0
        """How many branches of `if`s the walk is in."""
        self.key: list[Hashable] = [sign]
        self.leaves: list[tuple[ast.Exp | None, Value]] = []
        self.slots: list[Slot] = []
        self.checks: list[tuple[int, ast.Index]] = []
        self.places: dict[Place, None] = {}
        self.said: list[tuple[int, Step]] = []
        """What the instance says itself, and how long the key was."""

    def made(self, e: ast.Exp) -> Instance | None:
        if not self.slots or len(self.key) <= 2:
            return None
        return Instance(e, tuple(self.key), tuple(self.slots), tuple(self.checks), self.leaves)

    # ------------------------------------------------------------ by what another instance showed

    def learned(self, known: Any, at: int = 1) -> Steps | None:
        """Steps of what was just walked, whose key begins at `at`; None where others may differ in more than can be
        followed.
        """
        plan = known.found.plan
        numbers = {id(node): k for k, node in enumerate(known.make())}
        refs = [at for at, raw in plan.uses if raw is None]
        steps: Steps = []
        for end, step in self.said:
            nodes: tuple[ast.Exp, ...]
            match step:
                case Number(node=node):
                    nodes = (node,)
                case Local(node=node):
                    nodes = (node,)
                case Element(node=node, places=places):
                    nodes = (node, *places)
            where: list[Any] = []
            for node in nodes:
                number = numbers.get(id(node))
                if isinstance(node, ast.Lit) and number in plan.reading.literals:
                    where.append(plan.reading.literals[number])
                elif isinstance(node, ast.Name) and number in refs:
                    where.append(refs.index(number))
                else:
                    return None
            steps.append((self.key[at:end], step, where))
            at = end + 1
        steps.append((self.key[at:], None, []))
        return steps

    def follow(self, steps: Steps, known: Any) -> None:
        locals, value, key = known.found.locals, known.value, self.key
        for fixed, step, where in steps:
            key += fixed
            match step:
                case Element(before=before, path=path):
                    places = tuple([value(at) for at, _ in where[1:]])
                    self.element_of(None, locals[where[0]].key, before, path, places, None)
                case Number(dtype=dtype, token=token, negative=negative):
                    at, minus = where[0]
                    number = -value(at) if minus else value(at)
                    if dtype:
                        self.literal(None, Const(-float(number) if negative else float(number), dtype))
                    else:
                        key.append((token, number))
                case Local(path=path, of_use=of_use):
                    self.local(None, locals[where[0]].key, path, of_use)

    # ------------------------------------------------------------ node by node

    def walk(self, e: ast.Exp) -> None:
        """A part: by its plan, if it is an instance and its nodes are not asked for."""
        known = e.__dict__.get("instance") if self.quick else None
        if known is None or known.found is None:
            self.node(e)
            return
        plan, begun = known.found.plan, len(self.key)
        if plan.steps == ():
            self.said = []
            self.node(e)
            plan.steps = self.learned(known, begun)
        elif plan.steps is None or begun > LARGEST:
            self.node(e)
        else:
            self.follow(plan.steps, known)

    def node(self, e: ast.Exp) -> None:
        key = self.key
        if len(key) > LARGEST or e in self.f.checked.opened:
            raise NoShape
        match e:
            case ast.Lit():
                t = self.f.type_of(e)
                self.number(e, e, t, t.name if isinstance(t, ty.Scalar) and t.name in ir.FLOATS else "")
            case ast.Name():
                use = self.uses[e]
                match use.target:
                    case LocalRef(key=number):
                        self.said.append((len(key), Local(e, (), _instance(use))))
                        self.local(e, number, (), _instance(use))
                    case GlobalRef(definition=definition):
                        key.append(("def", definition.qualified, *_instance(use)))
                    case BuiltinRef(name=name, dtype=dtype):
                        key.append(("builtin", name, dtype, *_instance(use)))
                    case _:
                        raise NoShape
            case ast.Apply(function=function, arguments=arguments):
                key.append(("apply", len(arguments)))
                self.walk(function)
                for a in arguments:
                    if self.f.specialiser.sizes_of_expression(a):
                        raise NoShape
                    self.walk(a)
            case ast.BinOp(op=op, left=left, right=right):
                meaning = self.uses.get(e)
                if meaning is not None:
                    if not isinstance(meaning.target, GlobalRef):
                        raise NoShape
                    key.append(("infix", meaning.target.definition.qualified, *_instance(meaning)))
                elif op in OPERATORS or op in COMPARISONS:
                    key.append(op)
                else:
                    raise NoShape
                self.walk(left)
                if op == "**" and isinstance(right, ast.Lit):
                    self.number(right, right, self.f.type_of(right), "")  # small exponents are multiplications
                else:
                    self.walk(right)
            case ast.UnOp(op="-", operand=ast.Lit() as operand) if self.dtype(e) in ir.FLOATS:
                self.number(e, operand, self.f.type_of(e), self.dtype(e), negative=True)
            case ast.UnOp(op=op, operand=operand):
                key.append(("unary", op))
                self.walk(operand)
            case ast.Ascribe(type=written) if written in self.f.checked.contracts:
                raise NoShape
            case ast.Ascribe(operand=operand) | ast.GradeAscribe(operand=operand):
                self.walk(operand)
            case ast.LetPat(sizes=sizes, pattern=pattern, value=value, body=body):
                bound = plain_name(pattern)
                if sizes or bound is None:
                    raise NoShape
                key.append("let")
                self.walk(value)
                self.inner[self.f.checked.bindings[bound].key] = len(self.inner)
                self.walk(body)
            case ast.If(condition=condition, then=then, orelse=orelse):
                key.append("if")
                self.walk(condition)
                self.branches += 1
                self.walk(then)
                self.walk(orelse)
                self.branches -= 1
            case ast.TupleExp(items=items):
                key.append(("tuple", len(items)))
                for item in items:
                    self.walk(item)
            case ast.Index() | ast.Field():
                self.element(e)
            case _:
                raise NoShape

    def dtype(self, e: ast.Exp) -> str:
        t = self.f.type_of(e)
        return t.name if isinstance(t, ty.Scalar) else ""

    def number(self, node: ast.Exp, literal: ast.Lit, t: ty.Type, dtype: str, *, negative: bool = False) -> None:
        self.said.append((len(self.key), Number(literal, dtype, t, negative)))
        if dtype:
            value = float(literal.value)
            self.literal(node, Const(-value if negative else value, dtype))
        else:
            self.key.append((t, literal.value))

    def element(self, e: ast.Index | ast.Field) -> None:
        """`x[3]`, `p.x`, `p[3].x`, `m[1, 2]`, `ps.x[3]`: what stands at a constant place of something with a name."""
        behind: list[str] = []
        before: list[str] = []
        at: ast.Exp = e
        index: ast.Index | None = None
        while True:
            match at:
                case ast.Field(record=record, name=name) if at not in self.uses:
                    (behind if index is None else before).append(name)
                    at = record
                case ast.Index(array=array) if index is None:
                    index = at
                    at = array
                case ast.Name():
                    break
                case _:
                    raise NoShape
        use = self.uses[at]
        if not isinstance(use.target, LocalRef):
            raise NoShape
        path = tuple(behind[::-1])
        if index is None:
            self.said.append((len(self.key), Local(at, path, _instance(use))))
            self.local(e, use.target.key, path, _instance(use))
            return
        literals: list[ast.Lit] = []
        for i in index.indices:
            if not isinstance(i, ast.Lit):
                raise NoShape
            literals.append(i)
        numbers = tuple([i.value for i in literals])
        checked = self.f.checked
        proved = index in checked.proved or all(i in checked.proved for i in index.indices)
        if (self.branches and not proved) or (use.target.key in self.inner and _instance(use)):
            raise NoShape
        self.said.append((len(self.key), Element(at, tuple(before[::-1]), path, tuple(literals))))
        self.element_of(e, use.target.key, tuple(before[::-1]), path, numbers, None if proved else index)

    # ------------------------------------------------------------ leaves

    def local(self, e: ast.Exp | None, number: int, path: tuple[str, ...], of_use: tuple[Hashable, ...]) -> None:
        if number in self.inner:
            self.key.append(("inner", self.inner[number], *path, *of_use))
            return
        place = (number, path)
        self.places[place] = None
        value = self.value(number, path)
        if isinstance(value, Var | Const | RowV | RecV | TupV) and _scalars(value):
            self.leaf(e, value, place)
        else:  # an array or a function: the same one in each row
            self.key.append(("local", number, *path, *of_use))

    def value(self, number: int, path: Sequence[str]) -> Value | RowV:
        value = self.f.env.get(number)
        if value is None:
            raise NoShape
        for name in path:
            value = _part(value, name)
        return value

    def element_of(self, e: ast.Exp | None, number: int, before: Sequence[str], path: Sequence[str],
                   places: tuple[int | float, ...], check: ast.Index | None) -> None:
        if number in self.inner:
            self.key.append(("inner", self.inner[number], tuple(before), tuple(path), *places))
            return
        place = (number, (*before, *path))
        self.places[place] = None
        value = self.value(*place)
        found = tuple([k for k in places if isinstance(k, int) and k >= 0])
        if len(found) < len(places):
            raise NoShape
        if check is not None:
            self.checks.append((len(self.slots), check))
        if isinstance(value, Var):
            rank = value.type.rank - len(found)
            if rank < 0:
                raise NoShape
            t = ir.Type(value.type.dtype, rank)
            self.key.append(t)
            self.leaves.append((e, Var(0, "x", t)))
            self.slots.append((*place, found, 0))
            return
        if isinstance(value, FunV | SumV | RowV) or any(a.type.rank < len(found) for a in leaves(value)):
            raise NoShape
        form = map_leaves(value, lambda a: Var(0, "x", ir.Type(a.type.dtype, a.type.rank - len(found))))
        self.key.append(_form(form))
        self.leaves.append((e, form))
        self.slots += [(*place, found, k) for k in range(len(leaves(form)))]

    def literal(self, e: ast.Exp | None, value: Const) -> None:
        self.key.append(value.type)
        self.leaves.append((e, value))
        self.slots.append(value)

    def leaf(self, e: ast.Exp | None, value: Value | RowV, place: Place) -> None:
        if isinstance(value, RowV):
            value = Var(0, "x", ir.SCALARS[value.array.type.dtype])
        self.key.append(_form(value))
        self.leaves.append((e, value))
        self.slots += [(*place, (), k) for k in range(len(leaves(value)))]


def _kind(value: Value | RowV) -> Hashable:
    match value:
        case Var() | Const():
            return value.type
        case RowV(array):
            return ir.SCALARS[array.type.dtype]
        case RecV(fields):
            return tuple([(n, _kind(v)) for n, v in fields])
        case TupV(items):
            return tuple(map(_kind, items))
        case _:
            return object()


def plain_name(pattern: ast.Pattern) -> ast.PName | None:
    """The name that a pattern is, whatever type it is said to have."""
    while isinstance(pattern, ast.PAscribe):
        pattern = pattern.pattern
    return pattern if isinstance(pattern, ast.PName) else None


def _instance(use: Use) -> tuple[Hashable, ...]:
    """What a polymorphic name stands for."""
    if not use.types and not use.sizes:
        return ()
    return (tuple(use.types.items()), tuple(use.sizes.items()))


def _part(value: Value | RowV, name: str) -> Value:
    if isinstance(value, TupV):
        return value.items[int(name)]
    if not isinstance(value, RecV):
        raise NoShape
    return value.get(name)


def _scalars(value: Value | RowV) -> bool:
    match value:
        case RowV():
            return True
        case Var() | Const():
            return value.type.rank == 0
        case RecV(fields):
            return all(_scalars(v) for _, v in fields)
        case TupV(items):
            return all(map(_scalars, items))
        case _:
            return False


def _form(value: Value) -> Hashable:
    match value:
        case Var() | Const():
            return value.type
        case RecV(fields):
            return tuple((n, _form(v)) for n, v in fields)
        case TupV(items):
            return tuple(map(_form, items))
        case _:
            raise NoShape
