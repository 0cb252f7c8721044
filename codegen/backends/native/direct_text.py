"""The machine code between Python and machine code: one function for all entries, which follows a plan.

It is a function of CPython's vectorcall kind: `dad_direct(self, arguments, count)`. `self` is a tuple whose first item,
bytes, is the plan, as `direct` writes it. Arguments that are exactly what machine code takes, which is what nearly all
are, go to it at once; for any other the plan's Python function is called, which converts or refuses. So nothing here
converts more than a Python number, and nothing here reports an argument.

What it reads of objects: the type (byte 8), the number in a float and in NumPy's scalars (byte 16), and the fields of
NumPy's arrays, which extension modules are compiled against: data 16, number of axes 24, sizes 32, dtype 56, flags 64.
"""

from __future__ import annotations

import re

from .context import BUDGET, BUSY, DEPTH, FAILED, FUEL, LARGE, NEXT, OWNER, POLLED, SLOT, START, STOP, TOP
from .jit import ROOM_FOR_LINKS

(ARGUMENTS, CELL, RELEASE, GIVEN, TAKEN, SIZES, SIZE_COUNT, RESULTS, RESULT_COUNT, VARIABLES, SLOW, FAIL, FLOAT, INT,
 ARRAY, TRUE, FALSE, HEAD, SETTLE, EMPTY, SCALAR, NONE) = range(22)
"""Words of a plan: how many arguments; where the address of the code is; whether the interpreter's lock is released;
words of arguments and of results; programs for sizes and for results, where they are and how many steps they have; how
many size variables; two Python functions; the addresses of float, int, ndarray, True, False; of the word with the first
context; of what settles a room; two functions of NumPy; None."""
ROWS = 24
"""The word where the arguments' rows of four words begin: kind, dtype, axes, type of NumPy's scalar."""
AN_ARRAY, AN_F64, AN_I64, A_BOOL, AN_F32, A_SCALAR, TO_ARRAY = range(7)
"""Kinds of arguments. `TO_ARRAY` is where results are written."""
BIND, CHECK, SOLVE = range(3)
"""Steps for sizes: length of the step, which of these it is, and what it needs."""
(GIVE_FLOAT, GIVE_INT, GIVE_BOOL, GIVE_ARRAY, GIVE_SCALAR, GIVE_TUPLE, GIVE_NAMED, WRITE_ARRAY,
 WRITE_NUMBER) = range(9)
"""Steps for results: five words each."""
CONTIGUOUS_ALIGNED, WRITEABLE = 0x101, 0x400

API = (
    "PyTuple_GetItem", "PyBytes_AsString", "PyFloat_FromDouble", "PyLong_FromLongLong", "PyBool_FromLong",
    "PyLong_AsLongLongAndOverflow", "PyTuple_New", "PyTuple_SetItem", "PyType_GenericAlloc", "PyObject_Vectorcall",
    "PyThreadState_Get", "PyThreadState_GetID", "PyEval_SaveThread", "PyEval_RestoreThread", "Py_DecRef", "Py_IncRef",
)
"""What it calls of Python: the words of the table `@dad.t`."""

def _counting(name: str, left: str, done: str) -> str:
    """The head of a loop: as often as the number in `left` says, then on to `done`."""
    return f"""{name}:
  %{name}_left = load i64, ptr %{left}
  %{name}_some = icmp sgt i64 %{name}_left, 0
  br i1 %{name}_some, label %{name}_body, label %{done}
{name}_body:
  %{name}_rest = sub i64 %{name}_left, 1
  store i64 %{name}_rest, ptr %{left}"""


def _word(name: str) -> str:
    """The word at `at`, which goes on to the next one."""
    return f"""  %{name}_at = load ptr, ptr %at
  %{name} = load i64, ptr %{name}_at
  %{name}_next = getelementptr i64, ptr %{name}_at, i64 1
  store ptr %{name}_next, ptr %at"""


def _checked(op: str, into: str, other: str, then: str) -> str:
    """The number in `into`, `op`, the number `other`; what is too large goes to `wrong`."""
    return f"""  %{into}_old = load i64, ptr %{into}
  %{into}_pair = call {{i64, i1}} @llvm.s{op}.with.overflow.i64(i64 %{into}_old, i64 %{other})
  %{into}_new = extractvalue {{i64, i1}} %{into}_pair, 0
  %{into}_over = extractvalue {{i64, i1}} %{into}_pair, 1
  store i64 %{into}_new, ptr %{into}
  br i1 %{into}_over, label %wrong, label %{then}"""


EVALUATE = f"""
define internal i64 @evaluate(ptr %terms, ptr %vars, ptr %bad) nounwind {{
entry:
  %total = alloca i64
  %at = alloca ptr
  %left = alloca i64
  %product = alloca i64
  %factors = alloca i64
  store i64 0, ptr %total
  store ptr %terms, ptr %at
{_word("count")}
  store i64 %count, ptr %left
  br label %term
{_counting("term", "left", "done")}
{_word("coefficient")}
  store i64 %coefficient, ptr %product
{_word("powers")}
  store i64 %powers, ptr %factors
  br label %factor
{_counting("factor", "factors", "add")}
{_word("which")}
  %var = getelementptr i64, ptr %vars, i64 %which
  %size = load i64, ptr %var
{_checked("mul", "product", "size", "factor")}
add:
  %whole = load i64, ptr %product
{_checked("add", "total", "whole", "term")}
wrong:
  store i64 1, ptr %bad
  br label %done
done:
  %result = load i64, ptr %total
  ret i64 %result
}}
"""


class Writer:
    """Lines of one function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def __call__(self, text: str) -> str:
        """An instruction with a value; the value's name."""
        text = self.linked(text)
        self.count += 1
        self.lines.append(f"  %x{self.count} = {text}")
        return f"%x{self.count}"

    def do(self, text: str) -> None:
        self.lines.append(f"  {self.linked(text)}")

    def linked(self, text: str) -> str:
        """Calls of Python's functions are by their addresses in the table."""
        found = re.search(r"@(Py\w+)", text)
        if found is None:
            return text
        self.count += 1
        word = f"getelementptr (i8, ptr @dad.t, i64 {8 * API.index(found[1])})"
        self.lines.append(f"  %f{self.count} = load ptr, ptr {word}")
        return text.replace(found[0], f"%f{self.count}")

    def label(self, name: str) -> None:
        """Code that follows is jumped to by this name, and reached from what stands before."""
        if self.lines and not self.lines[-1].lstrip().startswith(("br ", "switch ", "ret ")):
            self.do(f"br label %{name}")
        self.lines.append(f"{name}:")

    def at(self, base: str, k: int | str, kind: str = "i64") -> str:
        """Word `k` from `base`."""
        return self(f"load {kind}, ptr {self.place(base, k)}")

    def byte(self, base: str, offset: int, kind: str = "i64") -> str:
        """What lies `offset` bytes from `base`."""
        return self(f"load {kind}, ptr {self(f'getelementptr i8, ptr {base}, i64 {offset}')}")

    def place(self, base: str, k: int | str) -> str:
        return self(f"getelementptr i64, ptr {base}, i64 {k}")

    def put(self, value: str, base: str, k: int | str, kind: str = "i64") -> None:
        self.do(f"store {kind} {value}, ptr {self.place(base, k)}")

    def need(self, holds: str, otherwise: str = "slow") -> None:
        """Go on when it holds."""
        self.count += 1
        self.do(f"br i1 {holds}, label %on{self.count}, label %{otherwise}")
        self.lines.append(f"on{self.count}:")

    def branch(self, holds: str, then: str, otherwise: str) -> None:
        self.do(f"br i1 {holds}, label %{then}, label %{otherwise}")

    def add(self, variable: str, more: str | int) -> None:
        have = self(f"load i64, ptr {variable}")
        self.do(f"store i64 {self(f'add i64 {have}, {more}')}, ptr {variable}")


def text() -> str:
    """The module."""
    w = Writer()
    plan = w(f"call ptr @PyBytes_AsString(ptr {w('call ptr @PyTuple_GetItem(ptr %self, i64 0)')})")
    rooms = {name: w(f"alloca i64, i64 {w.at(plan, word)}, align 8")
             for name, word in (("in", GIVEN), ("out", TAKEN), ("vars", VARIABLES), ("stack", RESULT_COUNT))}
    for name in ("k", "slot", "j", "step", "left", "sp", "bad", "small", "failed", "context"):
        w.do(f"%{name} = alloca i64, align 8")
        w.do(f"store i64 0, ptr %{name}")
    w.need(w(f"icmp eq i64 %n, {w.at(plan, ARGUMENTS)}"))
    arguments(w, plan, rooms["in"])
    sizes(w, plan, rooms["in"], rooms["vars"])
    run(w, plan, rooms["in"], rooms["out"])
    results(w, plan, rooms["out"], rooms["stack"])
    w.label("slow")
    w.do(f"ret ptr {called(w, plan, SLOW)}")
    declared = [ROOM_FOR_LINKS, f"@dad.t = hidden global [{len(API)} x i64] zeroinitializer",
                "declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)",
                "declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)",
                "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)"]
    head = "define ptr @dad_direct(ptr %self, ptr %args, i64 %n) nounwind {\nentry:"
    return "\n".join([*declared, EVALUATE, head, *w.lines, "}", ""])


def called(w: Writer, plan: str, function: int) -> str:
    """A Python function of the plan, on the arguments as they came."""
    return w(f"call ptr @PyObject_Vectorcall(ptr {w.at(plan, function, 'ptr')}, ptr %args, i64 %n, ptr null)")


def is_type(w: Writer, kind: str, base: str, k: int) -> str:
    return w(f"icmp eq ptr {kind}, {w.at(base, k, 'ptr')}")


def arguments(w: Writer, plan: str, given: str) -> None:
    """Each argument into its words."""
    w.label("arguments")
    k = w("load i64, ptr %k")
    w.branch(w(f"icmp slt i64 {k}, %n"), "argument", "sizes")
    w.label("argument")
    obj = w.at("%args", k, "ptr")
    kind = w.byte(obj, 8, "ptr")
    row = w.place(plan, w(f"add i64 {w(f'shl i64 {k}, 2')}, {ROWS}"))
    slot = w("load i64, ptr %slot")
    where = w.place(given, slot)
    cases = {AN_ARRAY: "array", AN_F64: "f64", AN_I64: "i64", A_BOOL: "bool", AN_F32: "f32", A_SCALAR: "scalar",
             TO_ARRAY: "target"}
    w.do(f"switch i64 {w.at(row, 0)}, label %slow [{' '.join(f'i64 {v}, label %{n}' for v, n in cases.items())}]")

    def fits(flags: int) -> None:
        w.need(is_type(w, kind, plan, ARRAY))
        w.need(is_type(w, w.byte(obj, 56, "ptr"), row, 1))
        w.need(w(f"icmp eq i32 {w.byte(obj, 24, 'i32')}, {w(f'trunc i64 {w.at(row, 2)} to i32')}"))
        have = w(f"and i32 {w.byte(obj, 64, 'i32')}, {flags}")
        w.need(w(f"icmp eq i32 {have}, {flags}"))

    w.label("target")
    fits(CONTIGUOUS_ALIGNED | WRITEABLE)
    w.do("br label %next")
    w.label("array")
    fits(CONTIGUOUS_ALIGNED)
    w.do(f"store i64 {w.byte(obj, 16)}, ptr {where}")
    dims = w.byte(obj, 32, "ptr")
    w.do("store i64 0, ptr %j")
    w.label("axes")
    j = w("load i64, ptr %j")
    j1 = w(f"add i64 {j}, 1")
    w.branch(w(f"icmp slt i64 {j}, {w.at(row, 2)}"), "axis", "axes_done")
    w.label("axis")
    w.put(w.at(dims, j), where, j1)
    w.do(f"store i64 {j1}, ptr %j")
    w.do("br label %axes")
    w.label("axes_done")
    w.add("%slot", j1)
    w.do("br label %next")

    w.label("f64")
    w.branch(is_type(w, kind, plan, FLOAT), "copied", "f64_other")
    w.label("f64_other")
    w.branch(is_type(w, kind, row, 3), "copied", "f64_int")
    w.label("f64_int")
    number = whole(w, obj, kind, plan)
    w.need(w(f"icmp ule i64 {w(f'add i64 {number}, {1 << 53}')}, {1 << 54}"))
    w.do(f"store double {w(f'sitofp i64 {number} to double')}, ptr {where}")
    w.do("br label %one")

    w.label("i64")
    w.branch(is_type(w, kind, row, 3), "copied", "i64_int")
    w.label("i64_int")
    w.do(f"store i64 {whole(w, obj, kind, plan)}, ptr {where}")
    w.do("br label %one")

    w.label("bool")
    w.branch(is_type(w, kind, row, 3), "copied", "bool_constant")
    w.label("bool_constant")
    yes = is_type(w, obj, plan, TRUE)
    w.need(w(f"or i1 {yes}, {is_type(w, obj, plan, FALSE)}"))
    w.do(f"store i64 {w(f'zext i1 {yes} to i64')}, ptr {where}")
    w.do("br label %one")

    w.label("f32")
    w.branch(is_type(w, kind, row, 3), "copied", "f32_float")
    w.label("f32_float")
    w.need(is_type(w, kind, plan, FLOAT))
    w.do(f"store float {single(w, obj)}, ptr {where}")
    w.do("br label %one")

    w.label("scalar")
    w.need(is_type(w, kind, row, 3))
    w.label("copied")
    w.do(f"store i64 {w.byte(obj, 16)}, ptr {where}")
    w.label("one")
    w.add("%slot", 1)
    w.label("next")
    w.add("%k", 1)
    w.do("br label %arguments")


def single(w: Writer, obj: str) -> str:
    return w(f"fptrunc double {w.byte(obj, 16, 'double')} to float")


def whole(w: Writer, obj: str, kind: str, plan: str) -> str:
    """The value of an int that fits 64 bits."""
    w.need(is_type(w, kind, plan, INT))
    number = w(f"call i64 @PyLong_AsLongLongAndOverflow(ptr {obj}, ptr %small)")
    w.need(w(f"icmp eq i32 {w('load i32, ptr %small')}, 0"))
    return number


def sizes(w: Writer, plan: str, given: str, variables: str) -> None:
    """Sizes that must be equal are compared."""
    w.label("sizes")
    first = w(f"ptrtoint ptr {w(f'getelementptr i8, ptr {plan}, i64 {w.at(plan, SIZES)}')} to i64")
    w.do(f"store i64 {first}, ptr %step")
    w.do(f"store i64 {w.at(plan, SIZE_COUNT)}, ptr %left")
    w.label("size_steps")
    left = w("load i64, ptr %left")
    w.branch(w(f"icmp sgt i64 {left}, 0"), "size_step", "rooms")
    w.label("size_step")
    step = w("load ptr, ptr %step")
    w.do(f"store i64 {w(f'sub i64 {left}, 1')}, ptr %left")
    w.do(f"store ptr {w.place(step, w.at(step, 0))}, ptr %step")
    at = w.at(step, 2)
    w.do(f"switch i64 {w.at(step, 1)}, label %slow "
         f"[i64 {BIND}, label %bind i64 {CHECK}, label %check i64 {SOLVE}, label %solve]")

    def evaluated(terms: int) -> str:
        value = w(f"call i64 @evaluate(ptr {w.place(step, terms)}, ptr {variables}, ptr %bad)")
        w.need(w(f"icmp eq i64 {w('load i64, ptr %bad')}, 0"))
        return value

    w.label("bind")
    w.put(w.at(given, w.at(step, 3)), variables, at)
    w.do("br label %size_steps")
    w.label("check")
    w.need(w(f"icmp eq i64 {w.at(given, at)}, {evaluated(3)}"))
    w.do("br label %size_steps")
    w.label("solve")
    w.put("0", variables, at)
    rest = evaluated(4)
    w.put("1", variables, at)
    factor = w(f"sub i64 {evaluated(4)}, {rest}")
    w.need(w(f"icmp sgt i64 {factor}, 0"))
    much = w(f"sub i64 {w.at(given, w.at(step, 3))}, {rest}")
    found = w(f"sdiv i64 {much}, {factor}")
    w.need(w(f"icmp eq i64 {w(f'mul i64 {found}, {factor}')}, {much}"))
    w.need(w(f"icmp sge i64 {found}, 0"))
    w.put(found, variables, at)
    w.do("br label %size_steps")


def run(w: Writer, plan: str, given: str, taken: str) -> None:
    """The code, in a room of this thread."""
    w.label("rooms")
    me = w(f"call i64 @PyThreadState_GetID(ptr {w('call ptr @PyThreadState_Get()')})")
    w.do(f"store ptr {first_room(w, plan)}, ptr %context")
    w.label("look")
    room = w("load ptr, ptr %context")
    w.need(w(f"icmp ne ptr {room}, null"))
    mine = w(f"icmp eq i64 {w.byte(room, OWNER)}, {me}")
    idle = w(f"icmp eq i64 {w.byte(room, BUSY)}, 0")
    w.branch(w(f"and i1 {mine}, {idle}"), "enter", "other")
    w.label("other")
    w.do(f"store ptr {w.byte(room, NEXT, 'ptr')}, ptr %context")
    w.do("br label %look")
    w.label("enter")
    start = w.byte(room, START)
    for field in (DEPTH, FAILED, SLOT, STOP, POLLED):
        w.do(f"store i64 0, ptr {w(f'getelementptr i8, ptr {room}, i64 {field}')}")
    w.do(f"store i64 {BUDGET}, ptr {w(f'getelementptr i8, ptr {room}, i64 {FUEL}')}")
    w.do(f"store i64 {start}, ptr {w(f'getelementptr i8, ptr {room}, i64 {TOP}')}")
    w.do(f"store i64 1, ptr {w(f'getelementptr i8, ptr {room}, i64 {BUSY}')}")
    code = w(f"load ptr, ptr {w.at(plan, CELL, 'ptr')}")
    call = f"call i1 {code}(ptr {room}, ptr {given}, ptr {taken})"
    w.branch(w(f"icmp eq i64 {w.at(plan, RELEASE)}, 0"), "short", "long")
    w.label("short")
    w.do(f"store i1 {w(call)}, ptr %failed")
    w.do("br label %ran")
    w.label("long")
    state = w("call ptr @PyEval_SaveThread()")
    w.do(f"store i1 {w(call)}, ptr %failed")
    w.do(f"call void @PyEval_RestoreThread(ptr {state})")
    w.label("ran")
    w.branch(w("load i1, ptr %failed"), "refused", "results")
    w.label("refused")
    w.do(f"ret ptr {called(w, plan, FAIL)}")


def first_room(w: Writer, plan: str) -> str:
    return w(f"load ptr, ptr {w.at(plan, HEAD, 'ptr')}")


def results(w: Writer, plan: str, taken: str, stack: str) -> None:
    """Python objects of the results, put together on a stack."""
    w.label("results")
    room = w("load ptr, ptr %context")
    w.do(f"store ptr {w(f'getelementptr i8, ptr {plan}, i64 {w.at(plan, RESULTS)}')}, ptr %step")
    w.do(f"store i64 {w.at(plan, RESULT_COUNT)}, ptr %left")
    w.label("result_steps")
    left = w("load i64, ptr %left")
    w.branch(w(f"icmp sgt i64 {left}, 0"), "result_step", "finish")
    w.label("result_step")
    step = w("load ptr, ptr %step")
    w.do(f"store i64 {w(f'sub i64 {left}, 1')}, ptr %left")
    w.do(f"store ptr {w.place(step, 5)}, ptr %step")
    at = w.at(step, 1)
    where = w.place(taken, at)
    cases = {GIVE_FLOAT: "float", GIVE_INT: "int", GIVE_BOOL: "give_bool", GIVE_ARRAY: "new", GIVE_SCALAR: "numpy",
             GIVE_TUPLE: "tuple", GIVE_NAMED: "named", WRITE_ARRAY: "write", WRITE_NUMBER: "number"}
    w.do(f"switch i64 {w.at(step, 0)}, label %finish [{' '.join(f'i64 {v}, label %{n}' for v, n in cases.items())}]")

    def push(obj: str) -> None:
        w.need(w(f"icmp ne ptr {obj}, null"), "broken")
        sp = w("load i64, ptr %sp")
        w.put(obj, stack, sp, "ptr")
        w.add("%sp", 1)
        w.do("br label %result_steps")

    w.label("float")
    push(w(f"call ptr @PyFloat_FromDouble(double {w(f'load double, ptr {where}')})"))
    w.label("int")
    push(w(f"call ptr @PyLong_FromLongLong(i64 {w(f'load i64, ptr {where}')})"))
    w.label("give_bool")
    byte = w(f"and i64 {w(f'load i64, ptr {where}')}, 1")
    push(w(f"call ptr @PyBool_FromLong(i64 {byte})"))
    w.label("numpy")
    make = w.at(plan, SCALAR, "ptr")
    push(w(f"call ptr {make}(ptr {where}, ptr {w.at(step, 3, 'ptr')}, ptr null)"))

    w.label("new")
    rank = w.at(step, 2)
    descr = w.at(step, 3, "ptr")
    w.do(f"call void @Py_IncRef(ptr {descr})")
    dims = w.place(where, 1)
    new = w(f"call ptr {w.at(plan, EMPTY, 'ptr')}(i32 {w(f'trunc i64 {rank} to i32')}, ptr {dims}, ptr {descr}, i32 0)")
    w.need(w(f"icmp ne ptr {new}, null"), "broken")
    copy(w, "new", where, rank, w.at(step, 4), new)
    push(new)

    w.label("write")
    rank = w.at(step, 2)
    target = w.at("%args", w.at(step, 3), "ptr")
    have = w.byte(target, 32, "ptr")
    w.do("store i64 0, ptr %j")
    w.label("same")
    j = w("load i64, ptr %j")
    w.branch(w(f"icmp slt i64 {j}, {rank}"), "same_axis", "write_it")
    w.label("same_axis")
    j1 = w(f"add i64 {j}, 1")
    w.do(f"store i64 {j1}, ptr %j")
    w.branch(w(f"icmp eq i64 {w.at(have, j)}, {w.at(where, j1)}"), "same", "unlike")
    w.label("unlike")
    w.do(f"store i64 0, ptr {w(f'getelementptr i8, ptr {room}, i64 {BUSY}')}")
    w.do("br label %slow")
    w.label("write_it")
    copy(w, "write", where, rank, w.at(step, 4), target)
    w.do("br label %result_steps")

    w.label("number")
    target = w.at("%args", w.at(step, 3), "ptr")
    data = w.byte(target, 16, "ptr")
    w.do(f"call void @llvm.memmove.p0.p0.i64(ptr {data}, ptr {where}, i64 {w.at(step, 4)}, i1 false)")
    w.do("br label %result_steps")

    w.label("tuple")
    made = w(f"call ptr @PyTuple_New(i64 {at})")
    w.do(f"store ptr {made}, ptr %k")
    w.do("br label %fill")
    w.label("named")
    made = w(f"call ptr @PyType_GenericAlloc(ptr {w.at(step, 2, 'ptr')}, i64 {at})")
    w.do(f"store ptr {made}, ptr %k")
    w.label("fill")
    made = w("load ptr, ptr %k")
    w.need(w(f"icmp ne ptr {made}, null"), "broken")
    sp = w("load i64, ptr %sp")
    base = w(f"sub i64 {sp}, {at}")
    w.do(f"store i64 {base}, ptr %sp")
    w.do("store i64 0, ptr %j")
    w.label("items")
    j = w("load i64, ptr %j")
    w.branch(w(f"icmp slt i64 {j}, {at}"), "item", "filled")
    w.label("item")
    w(f"call i32 @PyTuple_SetItem(ptr {made}, i64 {j}, ptr {w.at(stack, w(f'add i64 {base}, {j}'), 'ptr')})")
    w.add("%j", 1)
    w.do("br label %items")
    w.label("filled")
    push(made)

    w.label("finish")
    w.branch(w(f"icmp eq i64 {w.byte(room, LARGE)}, 0"), "leave", "settle")
    w.label("settle")
    w.do(f"call void {w.at(plan, SETTLE, 'ptr')}(ptr {room})")
    w.label("leave")
    w.do(f"store i64 0, ptr {w(f'getelementptr i8, ptr {room}, i64 {BUSY}')}")
    w.branch(w(f"icmp eq i64 {w('load i64, ptr %sp')}, 0"), "nothing", "something")
    w.label("something")
    w.do(f"ret ptr {w.at(stack, 0, 'ptr')}")
    w.label("nothing")
    none = w.at(plan, NONE, "ptr")
    w.do(f"call void @Py_IncRef(ptr {none})")
    w.do(f"ret ptr {none}")

    w.label("broken")
    w.do(f"store i64 0, ptr {w(f'getelementptr i8, ptr {room}, i64 {BUSY}')}")
    w.label("drop")
    sp = w("load i64, ptr %sp")
    w.branch(w(f"icmp eq i64 {sp}, 0"), "dropped", "drop_one")
    w.label("drop_one")
    below = w(f"sub i64 {sp}, 1")
    w.do(f"store i64 {below}, ptr %sp")
    w.do(f"call void @Py_DecRef(ptr {w.at(stack, below, 'ptr')})")
    w.do("br label %drop")
    w.label("dropped")
    w.do("ret ptr null")


def copy(w: Writer, name: str, where: str, rank: str, width: str, target: str) -> None:
    """The elements of a result into an array of its shape."""
    w.do(f"store i64 {width}, ptr %bad")
    w.do(f"store i64 {rank}, ptr %j")
    w.label(f"{name}_sizes")
    j = w("load i64, ptr %j")
    w.branch(w(f"icmp sgt i64 {j}, 0"), f"{name}_size", f"{name}_copy")
    w.label(f"{name}_size")
    w.do(f"store i64 {times(w, where, j)}, ptr %bad")
    w.do(f"store i64 {w(f'sub i64 {j}, 1')}, ptr %j")
    w.do(f"br label %{name}_sizes")
    w.label(f"{name}_copy")
    source = w(f"load ptr, ptr {where}")
    size = w("load i64, ptr %bad")
    w.do(f"call void @llvm.memmove.p0.p0.i64(ptr {w.byte(target, 16, 'ptr')}, ptr {source}, i64 {size}, i1 false)")


def times(w: Writer, where: str, j: str) -> str:
    return w(f"mul i64 {w('load i64, ptr %bad')}, {w.at(where, j)}")
