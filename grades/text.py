"""Normal forms as source text."""
from __future__ import annotations

from fractions import Fraction

from . import polynomials as po
from .effort import Effort
from .normal import GENERATORS, Ratio, single
from .polynomials import UNIT, Exponent, Monomial, Number, Poly
from .terms import show_number


def show(r: Ratio) -> str:
    """A normal form as source text would say it."""
    top = show_poly(r.num)
    if r.den is po.ONE:
        return top
    if len(r.num.terms) > 1:
        top = f"({top})"
    bottom = show_poly(r.den)
    return f"{top} / {bottom}" if single(r.den) is not None and " " not in bottom else f"{top} / ({bottom})"


SHOWN = 300
"""How much of a normal form is written out."""


def show_poly(p: Poly) -> str:
    if not p.terms:
        return "0"
    parts: list[tuple[bool, str]] = []
    terms, more = _outer(p)
    Effort.spend(2 * len(terms))
    for m, c in sorted(terms, key=lambda item: _order_shown(item[0])):
        size = abs(Fraction(c))
        factors = sorted((_show_generator(g, e) for g, e in m), key=lambda f: (" " in f, f))
        text = "*".join(factors) if len(factors) > 1 and all(" " not in f for f in factors) else " * ".join(factors)
        if not factors:
            text = show_number(size)
        elif size != 1:
            number = show_number(size)
            text = f"{number}*{text}" if " " not in text else f"{number} * {text}"
        parts.append((c < 0, text))
    out = ("-" if parts[0][0] else "") + parts[0][1]
    for negative, text in parts[1:]:
        out += (" - " if negative else " + ") + text
    return out + " + …" if more else out


def _outer(p: Poly) -> tuple[list[tuple[Monomial, Number]], bool]:
    """As many terms as there is room for, and whether there are more."""
    left = SHOWN
    kept: list[tuple[Monomial, Number]] = []
    for m, c in p.terms.items():
        left -= 1 + sum(GENERATORS[g].size for g, _ in m)
        if left < 0 and kept:
            return kept, True
        kept.append((m, c))
    return kept, False


def _order_shown(m: Monomial) -> tuple[bool, Exponent, list[str]]:
    """Higher degrees first, then by name, so that the text says nothing of what else was looked at."""
    return m == UNIT, -sum((e for _, e in m), start=0), sorted(_show_generator(g, e) for g, e in m)


def _show_generator(g: int, e: Exponent) -> str:
    made = GENERATORS[g]
    if made.size > SHOWN:
        return "…"
    match made.kind:
        case "atom":
            assert made.term is not None
            text = made.term.name if " " not in made.term.name else f"({made.term.name})"
        case "pi":
            text = "pi"
        case "root":
            inner = _argument(show_poly(made.base))
            if e == Fraction(1, 2):
                return f"sqrt {inner}"
            return f"{inner} ** {e if isinstance(e, int) else f'({e})'}"
        case "abs":
            text = f"abs {_argument(show_poly(made.base))}"
        case "exp" if e != 1:
            return f"exp {_argument(show(made.args[0].scale(Fraction(e))))}"
        case _:
            name = made.op or made.kind
            text = " ".join([name, *(_argument(show(a)) for a in made.args)])
    if e == 1:
        return text
    return f"{text if ' ' not in text else f'({text})'} ** {e if isinstance(e, int) else f'({e})'}"


def _argument(text: str) -> str:
    plain = text.replace("_", "a").replace(".", "a")
    return text if plain.isalnum() or (text.endswith("]") and " " not in text) else f"({text})"
