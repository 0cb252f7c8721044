"""From the IR to loops: one function at a time.

In: a program without derivatives, before `vectorize`. Out: the same program as `tree.Program`.

An array that is read once, where it was made, is not stored: the loop that reads it computes its elements. Others
lie in the arena. A result that is to lie at a known place (a row of a map, the next state of a loop) is computed there:
`place` says where. An update writes into its array when nobody reads the old one any more (`memory`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import assert_never

from ....lang.clock import timed
from ....lang.core import ir
from ....lang.core.build import Fresh
from ....lang.core.ir import Atom, Block, Const, Stmt, Var
from ....lang.core.primitive import PRIMITIVES
from ....lang.core.walk import callees, free_vars, next_id, scopes
from ...passes.accumulate import accumulate
from ...passes.cluster import cluster
from ...passes.reads_first import reads_first
from ...passes.sequentialize import sequentialize
from ..numpy.memory import NONE, Memory, frame_of
from . import tree
from .emitter import Emitter, elements, imm, merged, small
from .tree import Code, Operand, Reg
from .uses import Uses
from .values import Array, Dest, Lazy, Shape, Stored, Value

UPDATES = {"update", "accumulate", "update_slice", "accumulate_slice", "accumulate_at", "scatter"}


@timed("loops")
def lower(program: ir.Program, parts: bool = False, folds: bool = False) -> tree.Program:
    """All functions of the program; with `parts` long sums of arrays are cut, so that threads can share them. With
    `folds` loops that are associative folds say what their elements are: `element` copies a number (see `joined`)."""
    made: dict[str, tree.Function] = {}
    shared: dict[str, tree.Function] = {}
    inner = called_in_maps(program) if folds else set()
    for name, f in program.functions.items():
        supply = Fresh(next_id(f))
        elements: dict[Var, int] | None = {} if folds else None
        body = accumulate(sequentialize(f.body, supply, lambda _: True, elements), supply, parts)
        body = reads_first(cluster(body, supply))
        made[name] = Lowering(program, replace(f, body=body), shared, elements, name not in inner).run()
    return tree.Program(made | shared)


def called_in_maps(program: ir.Program) -> set[str]:
    """The functions that are called for each element of something, by themselves or by others."""
    pending: list[str] = []
    for f in program.functions.values():
        blocks = [f.body]
        while blocks:
            for stmt in blocks.pop().stmts:
                inside = [block for _, block in scopes(stmt.op)]
                if isinstance(stmt.op, ir.Map):
                    pending += [name for block in inside for name in callees(block)]
                else:
                    blocks += inside
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += callees(program.functions[name].body)
    return found


class Lowering:
    def __init__(self, program: ir.Program, function: ir.Function, shared: dict[str, tree.Function],
                 elements: dict[Var, int] | None = None, outer: bool = False) -> None:
        self.program = program
        self.whole = elements is not None and outer
        """Whether a device has primitives on whole arrays, and this is not for each element of something."""
        self.elements = elements
        """With folds marked: the variables that are elements of one, and which accumulator each belongs to."""
        self.shared = shared
        """Functions that primitives on matrices are calls of, one for all calls."""
        self.function = function
        self.e = Emitter()
        self.env: dict[Var, Value] = {}
        self.memory = Memory()
        self.place: dict[Var, Stored] = {}
        self.kept: set[Reg] = set()
        self.adding: dict[Var, Stored] = {}
        """Arrays that are added to what lies at a place, element by element, and kept nowhere else."""
        self.totals: dict[Var, tuple[Var, Atom]] = {}
        """Sums of a state, which is read nowhere else, and another array: they are formed where the state lies."""
        self.uses = Uses(function)
        self.rows_of: dict[Var, Shape] = {}
        """The sizes of tables that stand for others as long."""
        self.places: set[Var] = set()
        """Arrays of indices of which none is negative."""
        self.growing: set[Var] = set()
        """What is appended to an array that lies in a block, where it lies."""
        self.block_of: dict[int, int] = {}
        """Pointers to the first element of a block, and its slot."""
        self.slots = 0

    def run(self) -> tree.Function:
        f = self.function
        params: list[Reg] = []
        body: Code = []
        self.e.code = self.e.body = body
        sizes_of: dict[Var, Operand] = {}
        for k, param in enumerate(f.params):
            if param.type.rank == 0:
                reg = self.e.reg(param.type.dtype)
                params.append(reg)
                self.env[param] = reg
            else:
                base = self.e.reg(param.type.dtype, pointer=True)
                sizes = tuple(self.e.reg("i64") for _ in range(param.type.rank))
                params += [base, *sizes]
                self.e.sizes.update(size.id for size in sizes)
                known = f.dims[k] if f.dims else ()
                self.env[param] = self.e.packed(base, tuple(self.size(d, s, sizes_of) for d, s in zip_longest(
                    known, sizes)))
                self.memory.bind(param, frozenset({self.memory.new(owned=False)}))
        self.block(f.body)
        results: list[Operand] = []
        taken: set[int] = set()
        for atom in f.body.results:
            value = self.value(atom)
            if isinstance(value, Stored | Lazy):
                value = self.own(atom, value, taken)
                results += [value.base, *value.shape]
            else:
                results.append(value)
        return tree.Function(f.name, tuple(params), body, tuple(results), self.slots)

    def size(self, known: Atom | None, given: Reg, seen: dict[Var, Operand]) -> Operand:
        """The size of an axis of a parameter: a constant, or one register for all axes that are as long."""
        if isinstance(known, Const):
            return imm(known)
        return given if known is None else seen.setdefault(known, given)

    def own(self, atom: Atom, value: Array, taken: set[int]) -> Stored:
        """The array as memory that nobody else has."""
        buffers = self.memory.buffers(atom)
        if isinstance(value, Stored) and value.packed and buffers and buffers <= self.memory.owned \
                and not buffers & taken and value.base.id not in self.e.local:
            taken |= buffers
            return value
        made = self.e.lasting(value.dtype, value.shape)
        self.e.store(value, made)
        return made

    # ------------------------------------------------------------ values

    def value(self, atom: Atom) -> Value:
        return imm(atom) if isinstance(atom, Const) else self.env[atom]

    def scalar(self, atom: Atom) -> Operand:
        value = self.value(atom)
        assert not isinstance(value, Stored | Lazy), atom
        return value

    def array(self, atom: Atom) -> Array:
        value = self.value(atom)
        assert isinstance(value, Stored | Lazy), atom
        return value

    def cheap(self, atom: Atom) -> Array:
        """An array whose elements may be read many times."""
        value = self.array(atom)
        return self.stored(atom) if isinstance(value, Lazy) and not value.cheap else value

    def stored(self, atom: Atom) -> Stored:
        value = self.array(atom)
        if isinstance(value, Stored):
            return value
        held = self.e.stored(value)
        if not value.cheap:  # else it may be read elsewhere, where this copy is not
            assert isinstance(atom, Var)
            self.env[atom] = held
            self.memory.fresh(atom)
        return held

    def fresh(self, var: Var, shape: Sequence[Operand]) -> Stored:
        """Memory for the array `var`: its place if it has one."""
        dest = self.place.get(var)
        if dest is None:
            dest = self.e.alloc(var.type.dtype, tuple(shape))
        self.set(var, dest)
        return dest

    def set(self, var: Var, value: Value, base: Atom | None = None) -> None:
        """Bind `var`; with `base` it shares that array's memory, else its memory is its own."""
        self.env[var] = value
        if var.type.rank:
            if base is None:
                self.memory.fresh(var)
            else:
                self.memory.view(var, base)

    def lazy(self, var: Var, value: Lazy, reads: Sequence[Atom]) -> None:
        """Bind a recipe that reads arrays; it is carried out now unless it is read once."""
        if value.cheap or (var in self.uses.once and var not in self.place):
            self.env[var] = value
            shared = NONE.union(*(self.memory.buffers(a) for a in reads))
            self.memory.bind(var, shared, repeating=True)
            self.memory.partial[var] = len(self.memory.frames)
        else:
            self.e.store(value, self.fresh(var, value.shape))

    def separated(self, atom: Atom) -> bool:
        """Whether the array may be changed in place now that what is still read of it, rows and slices and what is
        computed from them, has memory of its own."""
        parts = self.memory.in_the_way(atom)
        for var in parts or ():
            value = self.env[var]
            if isinstance(value, Stored | Lazy):
                held = self.e.alloc(value.dtype, value.shape)
                self.e.store(value, held)
                self.env[var] = held
                self.memory.separate(var)
        return parts is not None

    # ------------------------------------------------------------ blocks

    def block(self, block: Block, always: frozenset[Var] = frozenset()) -> None:
        frame = frame_of(block, always)
        self.memory.frames.append(frame)
        for k, stmt in enumerate(block.stmts):
            frame.at = k
            self.stmt(stmt)
            if self.elements and stmt.vars and stmt.vars[0] in self.elements:
                var = stmt.vars[0]
                self.env[var] = self.joined(self.scalar(var), self.elements[var], "user")
        frame.at = len(block.stmts)
        self.memory.frames.pop()

    def placed(self, block: Block, dests: Sequence[Dest | None], always: frozenset[Var] = frozenset()) -> None:
        """The block, with its array results computed into `dests`."""
        made = {var: stmt for stmt in block.stmts for var in stmt.vars}
        for atom, dest in zip(block.results, dests, strict=True):
            if dest is not None and dest.adding:
                if isinstance(atom, Var) and atom in made and self.by_rows(atom, made[atom]):
                    self.adding[atom] = dest.array
                continue
            while dest is not None and isinstance(atom, Var) and atom in made and atom not in self.place:
                self.place[atom] = dest.array
                op = made[atom].op
                if not (isinstance(op, ir.Prim) and op.name in UPDATES):
                    break
                atom = op.args[0]
        self.block(block, always)
        late: list[tuple[Dest, Array]] = []
        for atom, dest in zip(block.results, dests, strict=True):
            if dest is None or (dest.adding and atom in self.adding):
                continue
            value = self.array(atom)
            if dest.adding or not (isinstance(value, Stored) and value.base is dest.array.base):
                late.append((dest, value))
        if len(late) > 1 and any(dest is not None and dest.array.base in self.kept for dest in dests):
            late = [(dest, self.e.copied(value)) for dest, value in late]
        for dest, value in late:
            if dest.adding:
                self.e.add_to(dest.array, value)
            else:
                self.e.store(value, dest.array)

    def keep(self, place: Stored) -> None:
        """What lies at this place is still read: arrays that should come to lie there lie elsewhere until the end."""
        self.kept.add(place.base)
        for var in [v for v, dest in self.place.items() if dest.base is place.base]:
            del self.place[var]

    def by_rows(self, var: Var, made: Stmt) -> bool:
        """Whether nobody reads the array but the block that makes it, once, and each of its elements is written once:
        it may be added to something as it comes."""
        if var not in self.uses.once:
            return False
        match made.op:
            case ir.Map():
                return True
            case ir.Loop(count=count, params=params):
                return count is not None and made.vars.index(var) >= len(params)
        return False

    def scoped(self, body: Code) -> Code:
        """The body of a loop, giving back what it takes from the arena."""
        if not takes(body):
            return body
        mark = Reg(self.e.reg("u8").id, "u8", True)
        return [tree.Mark(mark), *body, tree.Release(mark)]

    def stmt(self, stmt: Stmt) -> None:
        op = stmt.op
        match op:
            case ir.Prim():
                self.prim(stmt, op)
            case ir.Call():
                self.call(stmt, op)
            case ir.If():
                self.choice(stmt, op)
            case ir.Map():
                self.map(stmt, op)
            case ir.Loop():
                from .loops import loop

                loop(self, stmt, op)
            case ir.Reduce() | ir.Scan() | ir.Diff() | ir.Custom():
                raise AssertionError(f"{type(op).__name__} is gone by now")
            case _:
                assert_never(op)

    def joined(self, x: Operand, slot: int, kind: str) -> Operand:
        """The same number, as what is joined with accumulator `slot` of the loop around by what follows. The operator
        is the program's own (`user`), or gives the same whatever is joined first (`exact`), or but for rounding
        (`rounds`)."""
        if self.elements is None:
            return x
        return self.e.scalar("element", x.dtype, x, attrs=(("kind", kind), ("slot", slot)))

    def prim(self, stmt: Stmt, op: ir.Prim) -> None:
        from . import along as along
        from . import factors as factors
        from . import matrices as matrices
        from .arrays import RULES, elementwise, host, on_whole_arrays

        primitive = PRIMITIVES[op.name]
        if primitive.elementwise:
            elementwise(self, stmt, op, primitive)
        elif self.whole and on_whole_arrays(self, op):
            host(self, stmt, op)
        elif op.name in RULES:
            RULES[op.name](self, stmt.vars[0], op)
        else:
            host(self, stmt, op)

    def call(self, stmt: Stmt, op: ir.Call) -> None:
        args: list[Operand] = []
        for atom in op.args:
            if atom.type.rank == 0:
                args.append(self.scalar(atom))
            else:
                held = self.e.contiguous(self.array(atom))
                args += [held.base, *held.shape]
        outs: list[Reg] = []
        for var in stmt.vars:
            if var.type.rank == 0:
                reg = self.e.reg(var.type.dtype)
                outs.append(reg)
                self.set(var, reg)
            else:
                outs.append(self.e.reg(var.type.dtype, pointer=True))
                sizes = [self.e.reg("i64") for _ in range(var.type.rank)]
                self.e.sizes.update(size.id for size in sizes)
                outs += sizes
        self.e.add(tree.Invoke(op.function, tuple(args), tuple(outs), stmt.span))
        at = 0
        for var in stmt.vars:
            if var.type.rank:
                base, *sizes = outs[at:at + 1 + var.type.rank]
                self.set(var, self.e.packed(base, tuple(sizes)))
            at += 1 + var.type.rank

    def choice(self, stmt: Stmt, op: ir.If) -> None:
        """Small arrays come out of the arms element by element, others as pointer and sizes."""
        codes: list[Code] = []
        values: list[list[Value]] = []
        shared = []
        for block in (op.then, op.orelse):
            with self.e.block() as code:
                self.block(block)
                values.append([self.value(a) for a in block.results])
            codes.append(code)
            shared.append([self.memory.buffers(a) for a in block.results])
        shapes = [_small(x, y) for x, y in zip(*values, strict=True)]
        ends: list[list[Operand]] = []
        for block, code, found in zip((op.then, op.orelse), codes, values, strict=True):
            self.e.code, outer = code, self.e.code
            end: list[Operand] = []
            for atom, value, shape in zip(block.results, found, shapes, strict=True):
                if not isinstance(value, Stored | Lazy):
                    end.append(value)
                elif shape is not None:
                    end += self.e.elements(value, shape)
                else:
                    held = self.e.contiguous(value)
                    if held is not value and isinstance(atom, Var):
                        self.memory.fresh(atom)
                    end += [held.base, *held.shape]
            ends.append(end)
            self.e.code = outer
        outs = [x if x == y else self.e.like(x) for x, y in zip(*ends, strict=True)]
        different = [(x, y, out) for x, y, out in zip(*ends, outs, strict=True) if out is not x]
        for x, y, out in different:
            if isinstance(out, Reg) and {k.id for k in (x, y) if isinstance(k, Reg)} & self.e.local:
                self.e.local.add(out.id)
        self.e.add(tree.Choice(self.scalar(op.cond), codes[0], tuple(x for x, _, _ in different), codes[1],
                               tuple(y for _, y, _ in different), tuple(r for _, _, r in different)))
        rest = iter(outs)
        for k, (var, shape) in enumerate(zip(stmt.vars, shapes, strict=True)):
            if var.type.rank == 0:
                self.env[var] = next(rest)
            elif shape is not None:
                self.set(var, self.e.held(var.type.dtype, shape, [next(rest) for _ in range(elements(shape))]))
            else:
                base = next(rest)
                assert isinstance(base, Reg)
                self.env[var] = self.e.packed(base, tuple(next(rest) for _ in range(var.type.rank)))
                self.memory.bind(var, shared[0][k] | shared[1][k])

    # ------------------------------------------------------------ maps and folds

    def rows(self, op: ir.Map, params: Sequence[Var]) -> list[Array]:
        """The arrays whose elements a body gets; those of which an element is an array must be cheap to read."""
        return [self.array(a) if p.type.rank == 0 else self.cheap(a)
                for a, p in zip(op.arrays, params, strict=True)]

    def element(self, param: Var, array: Array, atom: Atom, index: Operand) -> None:
        if param.type.rank == 0:
            self.env[param] = self.e.read(array, [index])
        else:
            self.env[param] = self.e.below(array, [index])
            self.memory.bind(param, self.memory.buffers(atom), repeating=True)

    def map(self, stmt: Stmt, op: ir.Map) -> None:
        arrays = self.rows(op, op.body.params)
        count = merged(*((array.shape[0],) for array in arrays))[0]
        outs: list[Dest] = []
        for var, shape in zip(stmt.vars, op.shapes, strict=True):
            sizes = tuple(self.e.at_least_zero(self.scalar(s)) for s in shape)
            outs.append(self.dest(var, (count, *sizes)))
        index = self.e.reg("i64")
        whole, self.whole = self.whole, False
        with self.e.block() as code:
            for param, array, atom in zip(op.body.params, arrays, op.arrays, strict=True):
                self.element(param, array, atom, index)
            self.into(op.body.body, [Dest(self.e.part(out.array, [index]), out.adding) for out in outs],
                      frozenset(free_vars(op.body.body)))
        self.whole = whole
        self.e.add(tree.For(index, count, (), (), self.scoped(code), (), (), True))

    def dest(self, var: Var, shape: Sequence[Operand]) -> Dest:
        """Where an array is to be written, row by row; or what it is to be added to."""
        total = self.adding.get(var)
        if total is None:
            return Dest(self.fresh(var, shape))
        self.set(var, total)
        return Dest(total, True)

    def into(self, block: Block, dests: Sequence[Dest | None], always: frozenset[Var]) -> None:
        """The block, with its results at `dests`."""
        self.placed(block, [dest if atom.type.rank else None
                            for atom, dest in zip(block.results, dests, strict=True)], always)
        for atom, dest in zip(block.results, dests, strict=True):
            if dest is not None and atom.type.rank == 0:
                value = self.scalar(atom)
                if dest.adding:
                    value = self.e.scalar("add", value.dtype, self.e.read(dest.array, []), value)
                self.e.write(dest.array, [], value)


def _small(x: Value, y: Value) -> Shape | None:
    """The shape of two arrays, if that is known to be the same and small."""
    if isinstance(x, Stored | Lazy) and isinstance(y, Stored | Lazy) and x.shape == y.shape and small(x.shape):
        return x.shape
    return None


def takes(code: Code) -> bool:
    """Whether the code takes from the arena without giving back."""
    pending: list[Code] = [code]
    while pending:
        for node in pending.pop():
            match node:
                case tree.Alloc() | tree.Invoke() | tree.Host():
                    return True
                case tree.Choice(then=then, orelse=orelse):
                    pending += [then, orelse]
                case tree.While(test=test):
                    pending.append(test)
                case tree.For() | tree.Sum():
                    pending.append(node.body)
                case _:
                    pass
    return False
