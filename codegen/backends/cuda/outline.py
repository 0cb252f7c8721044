"""The outer level of functions, as Python that drives kernels, and the kernels that it launches.

A function of the host is a Python function of the run, then of its parameters: addresses, sizes and numbers that the
host knows, and for other numbers the address of the cell in device memory where each lies. Nodes that one thread can
run are put off until something else has to happen: then they are one glue kernel. What a glue kernel computes and
others read goes to the function's *frame*, cells in device memory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ....lang.core.ir import AttrValue, Table
from ..loops import tree
from ..loops.operands import everything
from ..loops.sites import DEPTH_SITE, HostCall, Site
from ..loops.tree import Code, Imm, Operand, Reg
from .blocks import BlockKernels
from .device import folds as device_folds
from .device import parts as device_parts
from .device import primitives as device_primitives
from .device import scatters as device_scatters
from .device import sorting as device_sorting
from .device import special
from .device import sums as device_sums
from .folds import fold_of
from .frame import WIDTH
from .kernel import DeviceUnit, ThreadWriter, register, sorts
from .levels import Levels, Types
from .places import Places, places_of
from .programs import Programs, programs, reached, renamed, shared
from .python import python_of
from .zeros import filled, mentions

SMALL = 8
"""Launches for so few threads are not worth it where a glue kernel stands beside."""


@dataclass
class Outlined:
    """A program for the device: CUDA C, and Python text of functions of the host."""

    programs: Programs = field(default_factory=lambda: Programs((), ()))
    python: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    """The Python function of each root."""
    reached: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Numbers of the programs that a root may launch."""
    fails: dict[str, bool] = field(default_factory=dict)
    """Whether something on the device may fail in a call of a root."""
    hosts: list[HostCall] = field(default_factory=list)
    """Primitives that NumPy computes on the host, by number."""
    blocks: bool = False
    """Whether threads have blocks that grow and stay."""

def names_of(functions: Iterable[str]) -> dict[str, str]:
    """What functions of threads are called, whatever other functions there are."""
    names: dict[str, str] = {}
    for name in functions:
        plain = "dad_of_" + re.sub(r"\W", "_", name, flags=re.ASCII)
        names[name] = plain if plain not in names.values() else f"{plain}_{len(names)}"
    return names


def outlined(program: tree.Program, roots: Sequence[str], types: Mapping[str, Types],
             nondet: Collection[str] = ()) -> Outlined:
    """The program, of which Python calls `roots`; `types` of its functions, parameters and results. In calls of the
    roots `nondet` numbers are added to places in any order."""
    return Outline(program, types).run(roots, nondet)


class Outline:
    """Writes a program."""

    def __init__(self, program: tree.Program, types: Mapping[str, Types]) -> None:
        self.program = program
        self.levels = Levels(program, types)
        self.unit = DeviceUnit("", names_of(program.functions))
        self.made = Outlined()
        self.needed_functions: dict[str, None] = {}
        self.texts: list[tuple[str, str]] = []
        self.pieces: dict[str, str] = {}
        """Texts of the device library, by what they are for."""
        self.nondet = False
        """Of the root that is written."""
        self.known: dict[tuple[str, tuple[bool, ...], bool, bool], tuple[str, list[bool]]] = {}
        """Functions of the host by what it knows of their parameters: Python's name, and what it knows of results."""
        self.count = 0

    def run(self, roots: Sequence[str], nondet: Collection[str]) -> Outlined:
        for root in roots:
            self.nondet = root in nondet
            f = self.program.functions[root]
            self.made.fails[root] = self.levels.fails(root)
            self.made.roots[root], _ = self.host_function(root, (True,) * len(f.params), root=True)
        functions = self.thread_functions()
        kernels, names = shared(self.texts)
        self.made.python = [renamed(text, names) for text in self.made.python]
        self.made.programs = programs(kernels, functions, special.pieces(self.unit.special).values(),
                                      self.unit.needed.values(), self.pieces.values())
        self.made.reached = reached(self.made.roots, self.made.python, self.made.programs)
        self.made.sites = self.unit.sites
        return self.made

    def host_function(self, name: str, params: tuple[bool, ...], root: bool = False) -> tuple[str, list[bool]]:
        key = name, params, root, self.nondet
        if key not in self.known:
            f = self.program.functions[name]
            python = f"_f{len(self.known)}"
            results = self.levels.results(name) if root else self.levels.results_known(name, params)
            self.known[key] = python, results
            HostWriter(self, f, params, python, results, root).write()
        return self.known[key]

    def thread_functions(self) -> dict[str, tuple[str, str]]:
        """The functions that threads call, heads and bodies."""
        made: dict[str, tuple[str, str]] = {}
        pending = list(self.needed_functions)
        while pending:
            name = pending.pop()
            if self.unit.names[name] in made:
                continue
            f = self.program.functions[name]
            writer = ThreadWriter(self.unit, f)
            made[self.unit.names[name]] = writer.head() + ";", writer.write()
            pending += [n.function for n in everything(f.body) if isinstance(n, tree.Invoke)]
        return made

    def kernel(self, text: str, name: str) -> None:
        self.texts.append((name, text))

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def folds(self) -> None:
        self.pieces.setdefault("folds", device_folds.TEXT)

    def joins(self, op: str, dtype: str) -> None:
        """The kernel that joins what threads have added up."""
        if f"join {op} {dtype}" not in self.pieces:
            self.pieces[f"join {op} {dtype}"] = device_parts.text(op, dtype)

    def scatters(self, op: str, dtype: str) -> None:
        """The kernels that add to places in order."""
        self.pieces |= device_sorting.pieces({"u32"}, set()) | device_scatters.pieces([(op, dtype)])

    def sums_of(self, dtypes: Sequence[str]) -> None:
        """Kernels that add numbers of these dtypes side by side."""
        name = device_sums.signature(dtypes)
        if name not in self.pieces:
            self.pieces[name] = device_sums.text(dtypes)

class HostWriter(BlockKernels):
    """Writes one function of the host."""

    def write(self) -> None:
        f = self.function
        names = []
        for reg, here in zip(f.params, self.params, strict=True):
            names.append(register(reg))
            if not here:
                self.places[reg.id] = register(reg)
        head = f"def {self.python}({', '.join(['run', *names])}):"
        if f.slots:
            self.slots = self.size
            self.size += 2 * f.slots
        self.code(f.body)
        given = []
        for x, here in zip(f.results, self.results, strict=True):
            if here:
                given.append(self.force(x))
            elif self.known.knows(x):
                given.append(self.kept(x))
            else:
                assert isinstance(x, Reg)
                given.append(self.home(x))
        self.flush()
        body = []
        if self.size:
            body.append(f"    frame = run.take({8 * self.size})")
        if f.slots:
            body.append(f"    run.clear(frame + {8 * self.slots}, {16 * f.slots})")
        returned = ", ".join(given)
        text = [head, *body, *self.lines, f"    return ({returned}{',' if len(given) == 1 else ''})"]
        self.owner.made.python.append("\n".join(text) + "\n")

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        unused: dict[int, tree.Alloc] = {}
        before = set(self.zeroed)
        for node in code:
            if unused:
                root = filled(node, self.memory)
                if root in unused and not (isinstance(node, tree.For) and isinstance(node.count, Imm)
                                           and int(node.count.value) <= SMALL):
                    made = unused.pop(root)
                    size = self.force(made.count)
                    self.zeroed[root] = register(made.out), f"{WIDTH[made.out.dtype]} * {size}"
                    continue
                for root in [root for root in unused if mentions(node, self.memory, root)]:
                    del unused[root]
            if self.zeroed:
                waiting = [root for root in self.zeroed if mentions(node, self.memory, root)]
                if not isinstance(node, tree.For) or not self.adds_to(node, waiting):
                    self.clear(waiting)
            self.node(node)
            if isinstance(node, tree.Alloc):
                unused[node.out.id] = node
        self.clear([root for root in self.zeroed if root not in before])

    def adds_to(self, node: tree.For, roots: Sequence[int]) -> bool:
        """Whether the loop becomes additions to places, to some of these arrays; the others are written now."""
        if not roots or self.known.fold(node) is not None or self.known.kernel(node) or fold_of(node) is not None:
            return False
        found = self.meeting(node)
        if found is None or not self.known_places(node, found):
            return False
        targets = {t.root.id for t in found.targets}
        self.clear([root for root in roots if root not in targets])
        return True

    def clear(self, roots: Iterable[int]) -> None:
        """Write the zeros of these arrays."""
        for root in roots:
            address, size = self.zeroed.pop(root)
            self.flush()
            self.line(f"run.clear({address}, max({size}, 0))")

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Scalar():
                self.scalar(node)
            case tree.Load() | tree.Store() | tree.Resize():
                self.pending.append(node)
            case tree.Shift(out, base, offset):
                if out.id in self.known.known:
                    self.line(f"{register(out)} = {self.local(base)} + {WIDTH[out.dtype]} * {self.local(offset)}")
                else:
                    self.pending.append(node)
            case tree.Alloc(out, count):
                take = "fresh" if out.id in self.fresh_results else "take"
                self.line(f"{register(out)} = run.{take}({WIDTH[out.dtype]} * {self.force(count)})")
            case tree.Local(out, size):
                first = self.size
                self.size += (size * WIDTH[out.dtype] + 7) // 8
                self.line(f"{register(out)} = frame + {8 * first}")
            case tree.Data(out, count, table):
                if table not in self.owner.made.tables:
                    self.owner.made.tables.append(table)
                self.line(f"{register(out)}, {register(count)} = run.table({self.owner.made.tables.index(table)})")
            case tree.Mark(out):
                self.line(f"{register(out)} = run.mark()")
            case tree.Release(mark):
                self.launch_additions()
                self.launch_draft()  # these read memory that others may get now
                self.line(f"run.release({register(mark)})")
            case tree.Copy(target, source, count):
                target_here, source_here, n = self.force(target), self.force(source), self.force(count)
                self.flush()
                self.line(f"run.copy({target_here}, {source_here}, {WIDTH[target.dtype]} * {n})")
            case tree.For():
                self.loop(node)
            case tree.Sum():
                self.sum(node)
            case tree.While():
                if id(node) in self.known.driven:
                    if not self.narrow(node):
                        self.while_(node)
                else:
                    self.pending.append(node)
            case tree.Choice():
                if id(node) in self.known.driven:
                    self.choice(node)
                else:
                    self.pending.append(node)
            case tree.Invoke():
                if id(node) in self.known.driven:
                    self.invoke(node)
                else:
                    self.pending.append(node)
            case tree.Host():
                self.host(node.name, node.attrs, node.args, node.results)
            case tree.Check():
                self.check(node)
            case tree.Linked(out):
                self.line(f"{register(out)} = False")
            case tree.Library() | tree.Poll():
                pass
            case tree.Spread() | tree.Lanes():
                raise AssertionError("a pass for processors has run")

    def scalar(self, node: tree.Scalar) -> None:
        if node.out.id in self.known.known:
            args = [self.local(a) for a in node.args]
            self.line(f"{register(node.out)} = {python_of(node, [str(a) for a in args])}")
        elif self.levels.speaks(node):
            self.pending.append(node)
        else:
            self.host(node.name, node.attrs, tuple((a,) for a in node.args), ((node.out,),))

    def check(self, node: tree.Check) -> None:
        here = [self.local(x) for x in (node.holds, *node.values)]
        if any(x is None for x in here):
            self.pending.append(node)
            return
        holds, *values = map(str, here)
        self.flush()
        site = self.site(Site(node.name, node.attrs, tuple(v.dtype for v in node.values), node.span))
        self.line(f"if not {holds}: run.fail({', '.join([str(site), *values])})")

    # ------------------------------------------------------------ kernels

    def loop(self, node: tree.For) -> None:
        parts = self.known.fold(node)
        if parts is not None:
            self.folding(node, parts)
        elif self.known.kernel(node):
            if isinstance(node.count, Imm) and int(node.count.value) <= SMALL and self.levels.glue(node):
                self.pending.append(node)
            else:
                self.grid(node)
        elif self.folds(node) or self.meets(node):
            pass
        elif id(node) in self.known.driven:
            if not self.narrow(node) and not self.sorting(node):
                self.driven(node)
        else:
            self.pending.append(node)

    def sorting(self, node: tree.For) -> bool:
        """Write a loop whose iterations sort both ways: a thread to each, if what they sort is short, and as the host
        drives it."""
        if not node.parallel or node.carried or node.last:
            return False
        sorted_here = [n for n in everything(node.body) if isinstance(n, tree.Host) and sorts(n)]
        others = [n for n in everything(node.body) if not (isinstance(n, tree.Host) and sorts(n))]
        widths = [self.ahead(n.args[0][1], node) for n in sorted_here]
        if not sorted_here or None in widths or not self.levels.own_blocks(self.function, node) or not all(
                self.levels.simple(n) and (not isinstance(n, tree.Invoke) or n.function in self.levels.threads)
                for n in others):
            return False
        count = self.force(node.count)
        self.flush()
        self.either(f"run.short(({''.join(f'{w}, ' for w in widths)}))", lambda: self.threads(node, count),
                    lambda: self.driven(node))
        return True

    def folds(self, node: tree.For) -> bool:
        """Whether what it carries is folded by blocks."""
        if isinstance(node.count, Imm) or not self.levels.threadable(node.body):
            return False
        found = fold_of(node)
        if found is None:
            return False
        self.fold(node, found)
        return True

    def meets(self, node: tree.For) -> bool:
        """Whether its iterations run at once, and only meet in places that they add to."""
        found = self.meeting(node)
        return found is not None and self.adding(node, found)

    def meeting(self, node: tree.For) -> Places | None:
        if node.carried or node.parallel or (isinstance(node.count, Imm) and self.levels.glue(node)) or not (
                self.levels.threadable(node.body)):
            return None
        return places_of(self.function, self.memory, node)

    # ------------------------------------------------------------ what the host drives

    def begin(self, carried: Sequence[Reg], init: Sequence[Operand]) -> None:
        """What a loop carries gets its first values."""
        late = []
        for reg, value in zip(carried, init, strict=True):
            if reg.id in self.known.known:
                self.line(f"{register(reg)} = {self.force(value)}")
            else:
                late.append((reg, value))
        self.moves(late)
        self.flush()

    def again(self, carried: Sequence[Reg], following: Sequence[Operand]) -> None:
        pairs = [(reg, value) for reg, value in zip(carried, following, strict=True) if reg != value]
        here = [(reg, self.force(value)) for reg, value in pairs if reg.id in self.known.known]
        self.moves((reg, value) for reg, value in pairs if reg.id not in self.known.known)
        self.flush()
        if here:
            self.line(f"{', '.join(register(r) for r, _ in here)} = {', '.join(v for _, v in here)}")

    def end(self, outs: Sequence[Reg], carried: Sequence[Reg]) -> None:
        for out, reg in zip(outs, carried, strict=True):
            if out.id in self.known.known:
                self.line(f"{register(out)} = {register(reg)}")
            else:
                self.moves([(out, reg)])

    def stepwise(self, node: tree.For | tree.While) -> None:
        if isinstance(node, tree.For):
            self.driven(node)
        else:
            self.while_(node)

    def driven(self, node: tree.For) -> None:
        count = self.force(node.count)
        self.begin(node.carried, node.init)
        self.known.known.add(node.index.id)
        self.open(f"for {register(node.index)} in range({count}):")
        start = len(self.lines)
        self.code(node.body)
        self.again(node.carried, node.next)
        self.close(start)
        self.end(node.outs, node.carried)

    def while_(self, node: tree.While) -> None:
        self.begin(node.carried, node.init)
        self.open("while True:")
        start = len(self.lines)
        self.code(node.test)
        cond = self.force(node.cond)
        self.flush()
        self.line(f"if not {cond}: break")
        self.code(node.body)
        self.again(node.carried, node.next)
        self.close(start)
        self.end(node.outs, node.carried)

    def choice(self, node: tree.Choice) -> None:
        cond = self.force(node.cond)
        self.flush()
        for head, code, values in ((f"if {cond}:", node.then, node.then_values),
                                   ("else:", node.orelse, node.orelse_values)):
            self.open(head)
            start = len(self.lines)
            self.code(code)
            late = []
            for out, value in zip(node.outs, values, strict=True):
                if out.id in self.known.known:
                    self.line(f"{register(out)} = {self.force(value)}")
                else:
                    late.append((out, value))
            self.moves(late)
            self.flush()
            self.close(start)

    def invoke(self, node: tree.Invoke) -> None:
        kinds = []
        args = []
        for x, sized in zip(node.args, self.levels.params(node.function), strict=True):
            here = self.force(x) if sized else self.local(x)
            kinds.append(here is not None)
            if here is None:
                assert isinstance(x, Reg)
                here = self.home(x)
            args.append(here)
        self.flush()
        python, results = self.owner.host_function(node.function, tuple(kinds))
        outs = ", ".join(register(r) for r in node.outs)
        call = f"{python}({', '.join(['run', *args])})"
        if node.function in self.levels.recursive:
            site = self.site(Site(DEPTH_SITE, (("function", node.function),), (), node.span))
            self.line(f"run.deeper({site})")
        self.line(f"{outs}{',' if len(node.outs) == 1 else ''} = {call}" if outs else call)
        if node.function in self.levels.recursive:
            self.line("run.depth -= 1")
        for reg, given in zip(node.outs, results, strict=True):
            if not given:
                self.places[reg.id] = register(reg)
            elif reg.id not in self.known.known:
                self.forced[-1][reg.id] = register(reg)

    def host(self, name: str, attrs: tuple[tuple[str, AttrValue], ...], args: Sequence[tuple[Operand, ...]],
             results: Sequence[tuple[Reg, ...]]) -> None:
        """A primitive on whole arrays, by a library or by NumPy on the host."""
        given = []
        for first, *sizes in args:
            if isinstance(first, Reg) and first.pointer:
                shape = ", ".join(self.force(s) for s in sizes)
                given.append(f"({first.dtype!r}, {self.force(first)}, ({shape}{',' if len(sizes) == 1 else ''}))")
            else:
                here = self.local(first)
                if here is not None:
                    given.append(f"({first.dtype!r}, {here}, None)")
                else:
                    assert isinstance(first, Reg)
                    given.append(f"({first.dtype!r}, {self.home(first)}, ())")
        self.flush()
        call = HostCall(name, attrs, tuple((g[0].dtype, len(g) - 1) for g in args),
                        tuple((g[0].dtype, len(g) - 1) for g in results))
        hosts = self.owner.made.hosts
        if call not in hosts:
            hosts.append(call)
        types = ", ".join(f"({first.dtype!r}, {len(sizes)})" for first, *sizes in results)
        way = "host("
        if device_primitives.known(name):
            how: dict[str, object] = dict(attrs)
            dtypes = [g[0].dtype for g in args]
            self.owner.pieces |= device_primitives.pieces(name, dtypes)
            if self.owner.nondet and name == "accumulate_at" and dtypes[0] in device_scatters.ANY_ORDER:
                how["nondet"] = True
                if dtypes[0] not in device_scatters.ATOMIC:
                    self.owner.pieces |= device_scatters.any_order(dtypes[0])
            way = f"whole({name!r}, {how!r}, "
        outs = ", ".join(register(r) for group in results for r in group)
        count = sum(len(group) for group in results)
        self.line(f"{outs}{',' if count == 1 else ''} = run.{way}{str(hosts.index(call))!r}, [{', '.join(given)}], "
                  f"[{types}])")
        for first, *_ in results:
            if not first.pointer:
                self.places[first.id] = register(first)
