"""Long programs of terms that repeat, in many spellings, and the same with mistakes put in."""
from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

HEAD = """\
-- | About the file.

type point = {x: f64, y: f64}
type spring = {a: point, b: point, rest: f64}
def distance (a: point) (b: point) : f64 = f64.sqrt ((a.x - b.x) ** 2 + (a.y - b.y) ** 2)
def angle (ax: f64) (ay: f64) (bx: f64) (by: f64) : f64 = atan2 (by - ay) (bx - ax)
def pull (s: spring) : f64 = (distance s.a s.b - s.rest) ** 2
def soft 'a (k: f64) (f: f64 -> a) : a = f (k * 2)
def (+.) (a: f64) (b: f64) : f64 = a + b * 0.5
def scaled [n] (k: f64) (xs: [n]f64) : f64 = k * sum xs
"""
HEADERS = ("entry f (x: [20]f64) (n: i64) (p: point) (q: point) (flag: bool) (t: (f64, f64)) : f64",
           "entry f [m] (x: [m]f64) (n: i64) (p: point) (q: point) (flag: bool) (t: (f64, f64)) : f64",
           "entry f (x: param [20]f64) (n: i64) (p: data point) (q: point) (flag: bool) (t: (f64, f64)) : f64",
           "def f (x: [20]f64) (n: i64) (p: point) (q: point) (flag: bool) (t: (f64, f64))")


def _number(r: random.Random) -> str:
    return r.choice((f"{r.uniform(0.1, 9):.2f}", str(r.randrange(1, 9)), "1e-3", f"{r.randrange(9)}.5f64"))


def _index(r: random.Random) -> str:
    return f"x[{r.randrange(20)}]"


TERMS: tuple[Callable[[random.Random], str], ...] = (
    lambda r: f"angle {_index(r)} {_index(r)} {_index(r)} {_number(r)}",
    lambda r: f"sqrt (({_index(r)} - {_index(r)})**2 + {_number(r)})",
    lambda r: f"{_index(r)} * {_index(r)} * {_number(r)}",
    lambda r: f"-{_index(r)} * sin ({_index(r)} * -{_number(r)})",
    lambda r: f"distance p {{x = {_index(r)}, y = {_number(r)}}}",
    lambda r: f"pull {{a = p, b = {{x = {_number(r)}, y = {_index(r)}}}, rest = {_number(r)}}}",
    lambda r: f"exp ({_index(r)} / ({_number(r)} + {r.choice('pq')}.x))",
    lambda r: f"soft {_number(r)} (\\v -> v * {_index(r)})",
    lambda r: f"(if {_index(r)} > {_number(r)} then {_index(r)} else {_number(r)})",
    lambda r: f"({_index(r)} +. {_number(r)})",
    lambda r: f"f64.max {_index(r)} {_number(r)}",
    lambda r: f"t.{r.randrange(2)} * {_index(r)}",
    lambda r: f"scaled {_number(r)} [{_index(r)}, {_number(r)}, {_index(r)}]",
    lambda r: f"({_index(r)}, {_number(r)}).0",
    lambda r: f"f64.i64 (n + {r.randrange(5)})",
    lambda r: f"(let u = {_index(r)} in u * u)",
    lambda r: f"sum x[{r.randrange(3)}:{r.randrange(4, 9)}]",
    lambda r: f"({_index(r)} : f64)",
    lambda r: f"x[n % 3 + {r.randrange(4)}]",
    lambda r: f"({_index(r)} |> sin |> cos)",
)
MISTAKES: tuple[Callable[[random.Random], str], ...] = (
    lambda r: f"angle {_index(r)} {_index(r)} {_index(r)} true",
    lambda r: f"x[{r.randrange(20, 30)}]",
    lambda r: f"{_index(r)} * unknown",
    lambda r: f"{_index(r)} * p",
    lambda r: "(1 + ", lambda r: "] * 3", lambda r: f"distance p {_index(r)}", lambda r: "x[0.5] * 2",
    lambda r: f"{_index(r)} {_index(r)}", lambda r: "1e999 * 2.0", lambda r: "9999999999999999999 * 1",
    lambda r: f"{_index(r)} < {_index(r)} < 2", lambda r: "p.z * 2.0", lambda r: "(x) *", lambda r: "2 * 3u8",
    lambda r: "floor (x[1] * 2)", lambda r: "f64.bool flag", lambda r: "\u00d7 2",
)


def _spelt(r: random.Random, terms: Sequence[str]) -> str:
    """The terms as one expression, in one of several ways."""
    match r.randrange(8):
        case 0:
            return "\n  + ".join(terms)
        case 1:
            return f"{terms[0]}" + "".join(f" {r.choice('+-')} {t}" for t in terms[1:])
        case 2:
            lets = "\n".join(f"  let t{k} = {t}" for k, t in enumerate(terms))
            return f"\n{lets}\n  in " + " + ".join(f"t{k} * t{k}" for k in range(len(terms)))
        case 3:
            return "reduce (+) 0 [" + ",\n    ".join(terms) + "]"
        case 4:
            return "sum [" + ", -- next\n ".join(terms) + ",]"
        case 5:
            half = len(terms) // 2
            return f"let a = {_spelt(r, terms[:half])}\n  let b = {_spelt(r, terms[half:])}\n  in a * b"
        case 6:
            points = "\n".join(f"  let p{k} = {{x = {t}, y = x[{k % 20}]}}" for k, t in enumerate(terms))
            return f"\n{points}\n  in " + " + ".join(f"distance p{k} p{k + 1} * {k % 5 + 1}.5"
                                                     for k in range(len(terms) - 1))
        case _:
            text = terms[0]
            for k, t in enumerate(terms[1:]):
                text = f"({text} + {t})" if k % 7 == 0 and k < 60 else f"{text} + {t}"
            return text


def program(seed: int, terms: int = 60, mistakes: int = 0) -> str:
    """A program whose last definition is long."""
    r = random.Random(seed)
    kinds = r.sample(TERMS, r.randrange(2, 7))
    made = [r.choice(kinds)(r) for _ in range(terms)]
    for _ in range(mistakes):
        made[r.randrange(terms)] = r.choice(MISTAKES)(r)
    return f"{HEAD}{r.choice(HEADERS)} =\n  {_spelt(r, made)}\n\n-- The end.\n"


def broken(text: str, seed: int) -> str:
    """The text with one small change anywhere in its last part."""
    r = random.Random(seed)
    at = r.randrange(len(HEAD), len(text))
    match r.randrange(4):
        case 0:
            return text[:at] + text[at + 1:]
        case 1:
            return text[:at] + r.choice("()[]{}+-*.,:=@#'\"`|\\ \n01aé?$<>!") + text[at:]
        case 2:
            words = " let ", " in ", " def ", " if ", "..<", " with ", "--", "-- | a\n"
            return text[:at] + r.choice(words) + text[at:]
        case _:
            return text[:at] + text[at:at + r.randrange(1, 30)] + text[at:]


def edited(text: str, r: random.Random) -> str:
    """The text with another word, another term, or a mistake in one of its terms."""
    places = list(re.finditer(r"[0-9]+\.[0-9]+|x\[\d+\]|\bsin\b|\bexp\b|\bp\b|\bq\b", text[len(HEAD):]))
    if not places or r.randrange(5) == 0:
        return broken(text, r.randrange(1 << 30))
    place = r.choice(places)
    low, high = place.start() + len(HEAD), place.end() + len(HEAD)
    match r.randrange(5):
        case 0 | 1:
            return text[:low] + r.choice((_number, _index))(r) + text[high:]
        case 2:
            return text[:low] + r.choice(TERMS)(r) + text[high:]
        case 3:
            return f"{text[:low]}({r.choice(TERMS)(r)}){text[high:]}"
        case _:
            return f"{text[:low]} {text[low:]}"
