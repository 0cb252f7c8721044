"""The verifier: every kind of ill-formed IR is refused, with function, statement and reason."""

from __future__ import annotations

import pytest
from dad.lang import prims
from dad.lang.core import ir
from dad.lang.core.text import parse
from dad.lang.core.verify import VerifyError, verify

assert prims.PRIMITIVES

# Body of `def f (x.0: f64, xs.1: []f64, n.2: i64, c.3: bool)`, and what the verifier says of it.
BAD = [
    # scopes
    ("let y.4: f64 = neg x.0 let y.4: f64 = neg x.0 return", "y.4 is bound twice"),
    ("let x.0: f64 = neg x.0 return", "x.0 is bound twice"),
    (
        "let y.4: f64 = if c.3 { let z.5: f64 = neg x.0 return z.5 } else { let z.5: f64 = neg x.0 return z.5 } return",
        "z.5 is bound twice",
    ),
    (
        "let y.4: f64 = if c.3 { let z.5: f64 = neg x.0 return z.5 } else { return z.5 } return",
        "z.5 is used out of its scope",
    ),
    (
        r"let y.4: []f64 = map (xs.1) shapes (()) \(e.5: f64) { return e.5 } let z.6: f64 = neg e.5 return",
        "e.5 is used out of its scope",
    ),
    (
        "let y.4: f64 = if c.3 { let z.5: f64 = neg x.0 return z.5 } else { return x.0 } return z.5",
        "z.5 is used out of its scope",
    ),
    # primitives: ranks, dtypes, counts, attributes
    ("let y.4: f64 = nonsense x.0 return", "no primitive nonsense"),
    ("let y.4: f64 = add x.0 return", "takes 2 arguments, got 1"),
    ("let y.4: f64 = add x.0 n.2 return", "different types"),
    ("let y.4: f64 = sin n.2 return", "operands of type i64"),
    ("let y.4: bool = and x.0 x.0 return", "operands of type f64"),
    ("let y.4: i64 = band c.3 c.3 return", "operands of type bool"),
    ("let y.4: f64 = select n.2 x.0 x.0 return", "condition of type i64"),
    ("let m.4: [][]f64 = replicate n.2 xs.1 let y.5: [][]f64 = add m.4 xs.1 return", "operands of ranks 2, 1"),
    ("let y.4: f64 = neg xs.1 return", "y.4 has type f64, its value []f64"),
    ("let y.4: f64, z.5: f64 = neg x.0 return", "1 results for 2 variables"),
    ("let y.4: f64 = sum xs.1 return", "takes attributes ['axis']"),
    ("let y.4: f64 = sum xs.1 {axis = 1} return", "axis 1 of an argument of type []f64"),
    ('let y.4: f64 = sum xs.1 {axis = "0"} return', "attribute axis is '0'"),
    ('let y.4: i64 = check_index n.2 n.2 {what = "xs", axis = 0} return', "not sorted"),
    ("let y.4: f64 = index xs.1 x.0 return", "an index has type f64, not i64"),
    ("let y.4: f64 = index xs.1 n.2 n.2 return", "needs at least 2 axes"),
    ("let y.4: []f64 = update xs.1 xs.1 n.2 return", "the new element has type []f64, not f64"),
    ("let y.4: []f64 = concat xs.1 x.0 return", "an operand has type f64"),
    ("let y.4: []f64 = transpose xs.1 {perm = (1)} return", "no permutation"),
    ("let y.4: []f64 = gather xs.1 n.2 return", "y.4 has type []f64, its value f64"),
    ("let y.4: []f64 = slice xs.1 n.2 n.2 x.0 {axis = 0} return", "step has type f64"),
    ('let y.4: f64 = cast x.0 {to = "f80"} return', "no type 'f80'"),
    ("let y.4: f64 = polygamma x.0 {order = 0} return", "not positive"),
    # constants
    ("let y.4: f64 = neg 1:f64 return", "the constant 1 is no f64"),
    ("let y.4: i8 = neg 128:i8 return", "does not fit in i8"),
    ("let y.4: u8 = neg -1:u8 return", "does not fit in u8"),
    ("let y.4: f64 = neg 1.0:f65 return", "a constant of the type f65"),
    # branches
    ("let y.4: f64 = if n.2 { return x.0 } else { return x.0 } return", "the condition has type i64"),
    ("let y.4: f64 = if c.3 { return x.0 } else { return n.2 } return", "branches have types (f64) and (i64)"),
    ("let y.4: f64 = if c.3 { return x.0 } else { return } return", "branches have types (f64) and ()"),
    # maps and folds
    (r"let y.4: []f64 = map () shapes (()) \() { return x.0 } return", "no arrays"),
    (r"let y.4: []f64 = map (x.0) shapes (()) \(e.5: f64) { return e.5 } return", "where an array is needed"),
    (
        r"let y.4: []f64 = map (xs.1) shapes (()) \(e.5: i64) { return x.0 } return",
        "parameters of types (i64), given (f64)",
    ),
    (r"let y.4: []f64 = map (xs.1) shapes (()) \(e.5: f64, d.6: f64) { return x.0 } return", "given (f64)"),
    (r"let y.4: []f64 = map (xs.1) shapes () \(e.5: f64) { return e.5 } return", "0 shapes for 1 results"),
    (r"let y.4: []f64 = map (xs.1) shapes ((n.2)) \(e.5: f64) { return e.5 } return", "a shape of 1 sizes"),
    (r"let y.4: [][]f64 = map (xs.1) shapes ((x.0)) \(e.5: f64) { return xs.1 } return", "a size has type f64"),
    (r"let y.4: f64 = reduce (xs.1) neutral (0.0) \(a.5: f64) { return a.5 } return", "the operator has parameters"),
    (
        r"let y.4: f64 = reduce (xs.1) neutral (0.0) \(a.5: f64, b.6: f64) { return c.3 } return",
        "the next state has types (bool)",
    ),
    (r"let y.4: f64 = scan (xs.1) neutral (0.0) \(a.5: f64, b.6: f64) { return a.5 } return", "its value []f64"),
    # loops
    (
        r"let y.4: f64 = for x.0 \(i.5: i64, s.6: f64) from (0.0) shapes () { return s.6 } return",
        "the count has type f64",
    ),
    (
        r"let y.4: f64 = for n.2 \(i.5: f64, s.6: f64) from (0.0) shapes () { return s.6 } return",
        "the index has type f64",
    ),
    (r"let y.4: f64 = for n.2 \(i.5: i64, s.6: f64) from () shapes () { return s.6 } return", "0 initial values for 1"),
    (
        r"let y.4: f64 = for n.2 \(i.5: i64, s.6: f64) from (0) shapes () { return s.6 } return",
        "initial value has type i64, not f64",
    ),
    (
        r"let y.4: f64 = for n.2 \(i.5: i64, s.6: f64) from (0.0) shapes () { return i.5 } return",
        "the next state has types (i64)",
    ),
    (
        r"let y.4: f64 = for n.2 \(i.5: i64, s.6: f64) from (0.0) shapes () { return } return",
        "the next state has types ()",
    ),
    (
        r"let y.4: f64 = for n.2 \(i.5: i64, s.6: f64) from (0.0) shapes () { return s.6 s.6 } return",
        "0 shapes for 1 results",
    ),
    (
        r"let y.4: f64 = while \(t.7: f64) { return x.0 } \(i.5: i64, s.6: f64) from (0.0) shapes "
        r"() { return s.6 } return",
        "does not give one bool",
    ),
    (
        r"let y.4: f64 = while \() { return true } \(i.5: i64, s.6: f64) from (0.0) shapes () { return s.6 } return",
        "the condition has parameters",
    ),
    (
        r"let y.4: f64 = while \(t.7: f64) { return c.3 } \(i.5: i64, s.6: f64) from (0.0) shapes "
        r"() { return s.6 } return",
        "2 results for 1 variables",
    ),
    # calls
    ("let y.4: f64 = call nobody (x.0) : (f64) return", "no function nobody"),
    ("let y.4: f64 = call g () : (f64) return", "0 arguments for 1"),
    ("let y.4: f64 = call g (n.2) : (f64) return", "argument has type i64, not f64"),
    ("let y.4: i64 = call g (x.0) : (i64) return", "results of types (i64) from a function of (f64)"),
    # derivatives
    (r"let y.4: f64, t.5: f64 = jvp (x.0) seeds () \(e.6: f64) { return e.6 } return", "0 seeds for 1"),
    (r"let y.4: f64, t.5: f64 = vjp (x.0) seeds (n.2) \(e.6: f64) { return e.6 } return", "seed has type i64"),
    (
        r"let y.4: f64, t.5: f64 = vjp (n.2) seeds (1.0) \(e.6: f64) { return e.6 } return",
        "argument has type i64, not f64",
    ),
]


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_bad_ir_is_refused(body: str, reason: str) -> None:
    callee = "def g (x.0: f64) { return x.0 }\n"
    program = parse(callee + "def f (x.0: f64, xs.1: []f64, n.2: i64, c.3: bool) { " + body + " }")
    with pytest.raises(VerifyError) as caught:
        verify(program)
    assert str(caught.value).startswith("function f: ")
    assert reason in str(caught.value)


def test_the_error_names_the_statement() -> None:
    program = parse(
        "def f (x.0: f64) {\n let y.1: f64 = if true { let z.2: f64 = sin 3 return z.2 } "
        "else { return x.0 }\n return y.1 }"
    )
    with pytest.raises(VerifyError) as caught:
        verify(program)
    assert str(caught.value) == "function f: in `let z.2: f64 = sin 3`: operands of type i64"


def function(*stmts: ir.Stmt, results: tuple[ir.Atom, ...] = ()) -> ir.Program:
    return ir.Program({"f": ir.Function("f", (ir.Var(0, "x", ir.F64),), ir.Block(stmts, results))})


def test_what_the_text_form_cannot_say() -> None:
    """A use with another type than the binding, an unbound variable, odd names of functions, dims that fit nothing."""
    x = ir.Var(0, "x", ir.I64)
    with pytest.raises(VerifyError, match=r"x.0 is bound with type f64 and used with type i64"):
        verify(function(results=(x,)))
    with pytest.raises(VerifyError, match=r"y.9 is not bound"):
        verify(function(ir.Stmt((), ir.Prim("neg", (ir.Var(9, "y", ir.F64),)))))
    loop = ir.Loop(None, None, ir.Var(1, "i", ir.I64), (), (), ir.Block((), ()))
    with pytest.raises(VerifyError, match="either a count or a condition"):
        verify(function(ir.Stmt((), loop)))
    good = function().functions["f"]
    with pytest.raises(VerifyError, match="listed as g"):
        verify(ir.Program({"g": good}))
    with pytest.raises(VerifyError, match=r"1 dims of x.0: f64"):
        verify(ir.Program({"f": ir.Function("f", good.params, good.body, "", ((ir.Const(1, "i64"),),))}))
    with pytest.raises(VerifyError, match="dims for 2 of 1 parameters"):
        verify(ir.Program({"f": ir.Function("f", good.params, good.body, "", ((), ()))}))


def test_recursion_is_well_formed() -> None:
    verify(parse("def f (x.0: f64) { let y.1: f64 = call f (x.0) : (f64) return y.1 }"))
