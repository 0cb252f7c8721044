"""What the prover knows of primitives: which are written by others, which jump, derivatives of those without a rule."""
from __future__ import annotations

from functools import cache

from . import terms
from .terms import Term, apply, number

JUMPING = frozenset({"floor", "ceil", "trunc", "round", "sign", "mod", "rem", "copysign", "direction", "atan2",
                     "select"})
"""Primitives that jump."""
SMOOTH = frozenset({"atan", "asin", "acosh", "asinh", "erf", "lgamma", "digamma", "trigamma", "gamma", "bessel_i0",
                    "bessel_i1", "log_i0", "bessel_ratio", "gammainc", "gammaincc", "betainc", "lbeta", "ndtri",
                    "erfinv"})
"""Functions without a rule in the normal form that are smooth inside of their domain."""
_ARITHMETIC = frozenset({"number", "atom", "constant", "add", "sub", "neg", "mul", "scaled", "div", "pow", "sqrt",
                         "exp", "log", "sin", "cos", "abs", "max", "min", "cbrt", "element"})
_PROBE = terms.atom(("probe", 1), "x"), terms.atom(("probe", 2), "y"), terms.atom(("probe", 3), "z")


@cache
def known(op: str) -> bool:
    """Whether this module knows that a primitive is continuous inside of its domain."""
    if op in _ARITHMETIC or op in SMOOTH:
        return True
    return any(expanded(apply(op, _PROBE[:n])) is not None for n in (1, 2, 3))


def jumps(*roots: Term) -> bool:
    """Whether some part of the terms may jump, or is not known."""
    for term in roots:
        if term.jumps is None:
            for t in terms.unasked(term, lambda t: t.jumps is not None):
                t.jumps = t.op in JUMPING or not known(t.op) or any(a.jumps for a in t.inside)
        if term.jumps:
            return True
    return False


def slope_of(term: Term) -> Term | None:
    """The derivative of a function of one argument."""
    u = term.args[0]
    square = apply("mul", (u, u))
    match term.op:
        case "atan":
            return apply("div", (terms.ONE, apply("add", (terms.ONE, square))))
        case "asin":
            return apply("div", (terms.ONE, apply("sqrt", (apply("sub", (terms.ONE, square)),))))
        case "asinh":
            return apply("div", (terms.ONE, apply("sqrt", (apply("add", (terms.ONE, square)),))))
        case "acosh":
            return apply("div", (terms.ONE, apply("sqrt", (apply("sub", (square, terms.ONE)),))))
        case "erf":
            return apply("mul", (apply("div", (number(2), apply("sqrt", (terms.PI,)))),
                                 apply("exp", (apply("neg", (square,)),))))
        case "lgamma":
            return apply("digamma", (u,))
        case "digamma":
            return apply("trigamma", (u,))
        case "gamma":
            return apply("mul", (term, apply("digamma", (u,))))
    return None


def expanded(term: Term) -> Term | None:
    """A primitive written by others."""
    match term.op, term.args:
        case "exp2", (x,):
            return apply("exp", (apply("mul", (x, apply("log", (number(2),)))),))
        case "expm1", (x,):
            return apply("sub", (apply("exp", (x,)), terms.ONE))
        case "log2", (x,):
            return apply("div", (apply("log", (x,)), apply("log", (number(2),))))
        case "log10", (x,):
            return apply("div", (apply("log", (x,)), apply("log", (number(10),))))
        case "log1p", (x,):
            return apply("log", (apply("add", (terms.ONE, x)),))
        case "rsqrt", (x,):
            return apply("div", (terms.ONE, apply("sqrt", (x,))))
        case "sigmoid", (x,):
            return apply("div", (terms.ONE, apply("add", (terms.ONE, apply("exp", (apply("neg", (x,)),))))))
        case "softplus", (x,):
            return apply("log", (apply("add", (terms.ONE, apply("exp", (x,)))),))
        case "logit", (x,):
            return apply("sub", (apply("log", (x,)), apply("log", (apply("sub", (terms.ONE, x)),))))
        case "log1mexp", (x,):
            return apply("log", (apply("sub", (terms.ONE, apply("exp", (x,)))),))
        case "logaddexp", (x, y):
            return apply("log", (apply("add", (apply("exp", (x,)), apply("exp", (y,)))),))
        case "sinh", (x,):
            return _half("sub", x)
        case "cosh", (x,):
            return _half("add", x)
        case "tanh", (x,):
            return apply("div", (apply("sinh", (x,)), apply("cosh", (x,))))
        case "sech", (x,):
            return apply("div", (terms.ONE, apply("cosh", (x,))))
        case "tan", (x,):
            return apply("div", (apply("sin", (x,)), apply("cos", (x,))))
        case ("sinpi" | "cospi" | "tanpi"), (x,):
            return apply(term.op[:3], (apply("mul", (terms.PI, x)),))
        case ("asinpi" | "acospi" | "atanpi"), (x,):
            return apply("div", (apply(term.op[:4], (x,)), terms.PI))
        case "atan2pi", (y, x):
            return apply("div", (apply("atan2", (y, x)), terms.PI))
        case "acos", (x,):
            return apply("sub", (apply("div", (terms.PI, number(2))), apply("asin", (x,))))
        case "atanh", (x,):
            return apply("div", (apply("sub", (apply("log", (apply("add", (terms.ONE, x)),)),
                                               apply("log", (apply("sub", (terms.ONE, x)),)))), number(2)))
        case "asin_slope", (x,):
            return apply("rsqrt", (apply("sub", (terms.ONE, apply("mul", (x, x)))),))
        case "asinh_slope", (x,):
            return apply("rsqrt", (apply("add", (terms.ONE, apply("mul", (x, x)))),))
        case "acosh_slope", (x,):
            return apply("rsqrt", (apply("sub", (apply("mul", (x, x)), terms.ONE)),))
        case "gauss", (x,):
            return apply("exp", (apply("neg", (apply("mul", (x, x)),)),))
        case "bell", (x,):
            return apply("exp", (apply("div", (apply("mul", (x, x)), number(-2))),))
        case "erfc", (x,):
            return apply("sub", (terms.ONE, apply("erf", (x,))))
        case "ndtr", (x,):
            inner = apply("erf", (apply("div", (x, apply("sqrt", (number(2),)))),))
            return apply("div", (apply("add", (terms.ONE, inner)), number(2)))
        case "log_ndtr", (x,):
            return apply("log", (apply("ndtr", (x,)),))
        case "hypot", (x, y):
            return apply("sqrt", (apply("add", (apply("mul", (x, x)), apply("mul", (y, y)))),))
        case "fma", (x, y, z):
            return apply("add", (apply("mul", (x, y)), z))
        case "mod", (x, y):
            return apply("sub", (x, apply("mul", (y, apply("floor", (apply("div", (x, y)),))))))
        case "ceil", (x,):
            return apply("neg", (apply("floor", (apply("neg", (x,)),)),))
        case "stop_grad", (x,):
            return x
    return None


def _half(op: str, x: Term) -> Term:
    """(exp x ± exp (-x)) / 2."""
    return apply("div", (apply(op, (apply("exp", (x,)), apply("exp", (apply("neg", (x,)),)))), number(2)))
