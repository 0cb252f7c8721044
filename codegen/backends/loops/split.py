"""Loops cut in two, so that what does not wait for the iteration before runs side by side.

In: a function in loop form. Out: the same function, where a loop that carries a state, and has work that does not
depend on it, does that work for a strip of iterations first and keeps what the rest reads:

    for i carry s { a = exp x[i]; s' = s + a }   ->   for each strip { for i parallel { b[i] = exp x[i] }
                                                                     for i carry s { s' = s + b[i] } }

Iterations that only touch places of their own are marked as independent. Of independent iterations with loops inside,
what is computed of these loops' results is a loop of its own: exp of many sums is computed in vectors. Every number is
computed as before, and every sum in its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ....lang.core.primitive import PRIMITIVES
from ....lang.prims.declare import ELEMENTARY
from . import tree
from .copies import renamed
from .fuse import UNKNOWN, Memory, straight
from .operands import defined, everything, inner, own, read
from .tree import Code, Imm, Node, Operand, Reg

STRIP = 128
"""Iterations in a strip."""
FEW = 8
"""Loops of at most so many iterations stay as they are."""
CROSSING = 8
"""Numbers that an iteration of the first loop may keep for the second."""
AGAIN = 4
"""Nodes that are computed again rather than kept."""
ZERO = Imm(0, "i64")
ARENA = (tree.Alloc, tree.Mark, tree.Release)


def split(program: tree.Program) -> tree.Program:
    return tree.Program({name: Split(f).run() for name, f in program.functions.items()})


def heavy(node: Node) -> bool:
    """Whether a vector of it is worth a loop."""
    return any(isinstance(n, tree.Scalar) and (PRIMITIVES[n.name].flops or 0) == ELEMENTARY for n in everything([node]))


class Split:
    """Of one function."""

    def __init__(self, f: tree.Function) -> None:
        self.function = f
        self.memory = Memory(f)
        self.count = max((r.id for r in (*f.params, *defined(f.body))), default=0)
        self.made: dict[int, Node] = {}
        """What defines a register."""
        self.short: set[int] = set()
        """Indices of loops of at most a strip."""

    def run(self) -> tree.Function:
        f = self.function
        if not any(isinstance(n, tree.For) for n in everything(f.body)):
            return f
        self.made = {r.id: n for n in everything(f.body) for r in own(n)[1]}
        body = self.code(f.body)
        return tree.Function(f.name, f.params, body, f.results, f.slots)

    def reg(self, like: Reg) -> Reg:
        self.count += 1
        return Reg(self.count, like.dtype, like.pointer)

    def number(self) -> Reg:
        return self.reg(Reg(0, "i64"))

    # ------------------------------------------------------------ walk

    def code(self, code: Code) -> Code:
        made: Code = []
        for node in code:
            match node:
                case tree.For():
                    made += self.loop(replace(node, body=self.code(node.body)))
                case tree.While():
                    made.append(replace(node, test=self.code(node.test), body=self.code(node.body)))
                case tree.Choice():
                    made.append(replace(node, then=self.code(node.then), orelse=self.code(node.orelse)))
                case _:
                    made.append(node)
        return made

    def loop(self, node: tree.For) -> Code:
        if not node.parallel and not node.carried and self.independent(node):
            node = self.forwards(replace(node, parallel=True))
        if isinstance(node.count, Imm) and int(node.count.value) <= FEW:
            return [node]
        cut = self.behind(node) if node.parallel else self.carrying(node)
        return [node] if cut is None else self.written(node, *cut)

    # ------------------------------------------------------------ independent iterations

    def independent(self, node: tree.For) -> bool:
        """Whether what an iteration writes, only this iteration reads or writes: each access to an array that is
        written is to the element at one number, which differs from iteration to iteration."""
        if not all(movable(n) or isinstance(n, ARENA) for n in node.body):
            return False
        private = {n.out.id for n in everything(node.body) if isinstance(n, tree.Alloc)}
        writes = self.memory.effects(node)[1] - private
        places: dict[int, tuple[int, Operand] | None] = {}
        known: dict[int, Operand] = {}
        different = self.different(node)

        def place(base: Reg, offset: Operand) -> tuple[int, Operand] | None:
            first = places.get(base.id, (base.id, ZERO))
            if first is None or offset == ZERO:
                return first
            return (first[0], offset) if first[1] == ZERO else None

        for n in everything(node.body):
            match n:
                case tree.Shift(out, base, offset):
                    places[out.id] = place(base, offset)
                case tree.Load(base=base, offset=offset) | tree.Store(base=base, offset=offset):
                    root = self.memory.root(base)
                    if root in private or not (root in writes or self.memory.clash({root}, writes)):
                        continue
                    at = place(base, offset)
                    if at is None or at[0] != root or not isinstance(at[1], Reg) or at[1].id not in different:
                        return False
                    if known.setdefault(root, at[1]) != at[1]:
                        return False
                case tree.Copy():
                    touched = self.touched([n]) - private
                    if touched & writes or self.memory.clash(touched, writes):
                        return False
                case _:
                    pass
        return True

    def different(self, node: tree.For) -> set[int]:
        """Registers of the body that have another value in each iteration: the index, and what goes with it."""
        inside = {r.id for r in defined(node.body)}
        found = {node.index.id}
        for n in node.body:
            if not isinstance(n, tree.Scalar) or n.out.dtype != "i64":
                continue
            some = [x for x in n.args if isinstance(x, Reg) and x.id in found]
            rest = [x for x in n.args if x not in some]
            fixed = all(isinstance(x, Imm) or x.id not in inside | {node.index.id} for x in rest)
            if len(some) == 1 and fixed and (n.name in ("add", "sub") or (
                    n.name == "mul" and any(isinstance(x, Imm) and x.value for x in rest))):
                found.add(n.out.id)
        return found

    def forwards(self, node: tree.For) -> tree.For:
        """Independent iterations in the order of memory: where the only use of the index is `count - 1 - index`, that
        is the index."""
        uses = read(node.body)
        for k, n in enumerate(node.body):
            match n:
                case tree.Scalar(out, "sub", (Reg() as last, x)) if x == node.index and uses.get(node.index) == 1:
                    end = self.made.get(last.id)
                    if isinstance(end, tree.Scalar) and end.name == "sub" and end.args == (node.count, Imm(1, "i64")):
                        return replace(node, index=out, body=[*node.body[:k], *node.body[k + 1:]])
        return node

    # ------------------------------------------------------------ what can be computed before

    def carrying(self, node: tree.For) -> tuple[Code, Code] | None:
        """The body of a loop with a state: what does not depend on it, and the rest."""
        body = unwrapped(node.body)
        reads, _ = self.effects(body)
        late = self.downstream(body, {r.id for r in node.carried}, [  # what is added to in each iteration is a state
            k for k, n in enumerate(body) if not movable(n) or self.memory.clash(self.memory.effects(n)[1], reads)])
        first = [n for k, n in enumerate(body) if k not in late]
        if not any(heavy(n) for n in first):
            return None
        return first, [n for k, n in enumerate(body) if k in late]

    def behind(self, node: tree.For) -> tuple[Code, Code] | None:
        """The body of a loop of independent iterations with loops inside: these, and what is computed of them."""
        body = unwrapped(node.body)
        loops = [k for k, n in enumerate(body) if not straight([n]) and inner(n)]
        if not loops or not all(movable(n) or isinstance(n, tree.Alloc) for n in body):
            return None
        after = self.downstream(body, {r.id for k in loops for r in own(body[k])[1]}, [])
        starts = [k for k in sorted(after) if straight([body[k]]) and heavy(body[k])]
        if not starts:
            return None
        late = self.downstream(body, set(), starts)
        if not all(straight([body[k]]) for k in late):
            return None
        taken = {n.out.id for n in everything(body) if isinstance(n, tree.Alloc | tree.Local)}
        if self.touched([body[k] for k in late]) & taken:
            return None
        return [n for k, n in enumerate(body) if k not in late], [body[k] for k in sorted(late)]

    def touched(self, code: Code) -> set[int]:
        reads, writes = self.effects(code)
        return reads | writes

    def effects(self, code: Iterable[Node]) -> tuple[set[int], set[int]]:
        reads: set[int] = set()
        writes: set[int] = set()
        for n in code:
            r, w = self.memory.effects(n)
            reads |= r
            writes |= w
        return reads, writes

    def downstream(self, body: Code, regs: set[int], nodes: Sequence[int]) -> set[int]:
        """The nodes of a body that read these registers, or what such nodes compute or write, or that write what these
        read; and these nodes, with what waits for them."""
        late = set(nodes)
        given = set(regs)
        effects = [self.memory.effects(n) for n in body]
        before = -1
        while before != len(late):
            before = len(late)
            for k in late:
                given |= {r.id for r in own(body[k])[1]}
            reads = set().union(*(effects[k][0] for k in late))
            writes = set().union(*(effects[k][1] for k in late))
            for k, n in enumerate(body):
                if k in late:
                    continue
                needs = {r.id for r in read([n])}
                if needs & given or self.memory.clash(effects[k][1], reads | writes) or self.memory.clash(
                        effects[k][0], writes):
                    late.add(k)
                    given |= {r.id for r in own(n)[1]}
                    reads |= effects[k][0]
                    writes |= effects[k][1]
        return late

    # ------------------------------------------------------------ the two loops

    def written(self, node: tree.For, first: Code, late: Code) -> Code:
        """The two loops, strip by strip; the loop as it was where too much would have to be kept."""
        made = {r.id: n for n in first for r in own(n)[1]}
        wanted = [r for r in read([replace(node, count=ZERO, init=(), body=late)]) if r.id in made]
        _, writes = self.effects([*first, *late])
        twice: dict[int, Node] = {}
        kept: list[Reg] = []
        for r in wanted:
            chain = self.cheap(r, made, writes)
            if chain is not None:
                twice.update(chain)
            elif r.pointer:
                return [node]
            else:
                kept.append(r)
        if len(kept) > CROSSING:
            return [node]
        repeated = [n for n in first if any(n is m for m in twice.values())]
        useful = read([replace(node, count=ZERO, init=(), body=first, next=())])
        needed = {r.id for r in kept}
        first = [n for n in first if not any(n is m for m in repeated) or any(
            r in useful or r.id in needed for r in own(n)[1])]

        rooms = [self.reg(Reg(0, r.dtype, True)) for r in kept]
        self.memory.roots.update((room.id, room.id) for room in rooms)
        p, q, start = self.number(), self.number(), self.number()
        index = self.number()
        names = {node.index.id: index} | {r.id: self.reg(r) for r in defined(first)}
        ahead = renamed(first, names)
        self.rooted(names)
        self.made.update((r.id, n) for n in everything(ahead) for r in own(n)[1])
        ahead = [tree.Scalar(index, "add", (start, p)), *ahead,
                 *(tree.Store(room, p, names[r.id]) for room, r in zip(rooms, kept, strict=True))]
        loaded: Code = [tree.Load(r, room, q) for room, r in zip(rooms, kept, strict=True)]
        behind = [tree.Scalar(node.index, "add", (start, q)), *self.scoped([*loaded, *repeated, *late])]
        taken: Code = [tree.Alloc(room, Imm(STRIP, "i64")) for room in rooms]

        def loops(size: Operand, init: tuple[Operand, ...], outs: tuple[Reg, ...]) -> Code:
            before = tree.For(p, size, (), (), self.scoped(ahead), (), (), node.parallel)
            if not node.parallel and self.independent(before):
                before = replace(before, parallel=True)
            self.short.add(before.index.id)
            return [*taken, *(self.loop(before) if before.parallel and not node.parallel else [before]),
                    tree.For(q, size, node.carried, init, behind, node.next, outs, node.parallel)]

        mark = self.reg(Reg(0, "u8", True))
        if node.index.id in self.short or (isinstance(node.count, Imm) and int(node.count.value) <= STRIP):
            whole = loops(node.count, node.init, node.outs)
            return [tree.Scalar(start, "add", (ZERO, ZERO)), tree.Mark(mark), *whole, tree.Release(mark)]
        k, left, size, more = (self.number() for _ in range(4))
        many = self.number()
        strips: Operand = many
        counted: Code = [tree.Scalar(more, "add", (node.count, Imm(STRIP - 1, "i64"))),
                         tree.Scalar(many, "quot", (more, Imm(STRIP, "i64")))]
        if isinstance(node.count, Imm):
            strips, counted = Imm(-(-int(node.count.value) // STRIP), "i64"), []
        carried = tuple(self.reg(r) for r in node.carried)
        outs = tuple(self.reg(r) for r in node.outs)
        body: Code = [
            tree.Mark(mark),
            tree.Scalar(start, "mul", (k, Imm(STRIP, "i64"))),
            tree.Scalar(left, "sub", (node.count, start)),
            tree.Scalar(size, "min", (left, Imm(STRIP, "i64"))),
            *loops(size, carried, outs),
            tree.Release(mark)]
        return [*counted, tree.For(k, strips, carried, node.init, body, outs, node.outs, node.parallel)]

    def rooted(self, names: Mapping[int, Reg]) -> None:
        """Where pointers of a copy point."""
        for old, new in names.items():
            if new.pointer:
                root = self.memory.roots.get(old, UNKNOWN)
                self.memory.roots[new.id] = names[root].id if root in names else root

    def scoped(self, code: Code) -> Code:
        if not any(isinstance(n, tree.Alloc) for n in code):
            return code
        mark = self.reg(Reg(0, "u8", True))
        return [tree.Mark(mark), *code, tree.Release(mark)]

    def cheap(self, r: Reg, made: dict[int, Node], writes: set[int]) -> dict[int, Node] | None:
        """The few nodes that compute a register again; None where that takes more."""
        found: dict[int, Node] = {}
        pending = [r.id]
        while pending:
            at = pending.pop()
            if at in found or at not in made:
                continue
            n = made[at]
            found[at] = n
            match n:
                case tree.Scalar(args=args) if not heavy(n):
                    pending += [x.id for x in args if isinstance(x, Reg)]
                case tree.Load(base=base, offset=offset) if not self.memory.clash(self.memory.effects(n)[0], writes):
                    pending += [x.id for x in (base, offset) if isinstance(x, Reg)]
                case tree.Shift(base=base, offset=offset):
                    pending += [x.id for x in (base, offset) if isinstance(x, Reg)]
                case tree.Data():
                    pass
                case _:
                    return None
            if len(found) > AGAIN:
                return None
        return found


def movable(node: Node) -> bool:
    """Whether it may run before other things of its iteration, and of iterations before it: it cannot fail, end the
    call, or run forever."""
    for n in everything([node]):
        match n:
            case (tree.Scalar() | tree.Load() | tree.Store() | tree.Shift() | tree.Copy() | tree.For() | tree.Sum()
                  | tree.Choice() | tree.Data()):
                pass
            case tree.Alloc() | tree.Mark() | tree.Release() if n is not node:
                pass
            case _:
                return False
    return True


def unwrapped(body: Code) -> Code:
    """A body without the giving back of what it takes."""
    if body and isinstance(body[0], tree.Mark) and isinstance(body[-1], tree.Release):
        return body[1:-1]
    return body
