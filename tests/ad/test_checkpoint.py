"""`checkpoint` and `checkpoint_log` change what reverse mode keeps, and no bit of what it gives."""

from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest

X = np.array([0.3, 1.7, -0.4, 0.9])

# Each has entries that use `keep`, which is put in place of; args of all of them.
PROGRAMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "straight code": ("""
entry f (x: [4]f64) : (f64, [4]f64) =
  value_and_grad (\\x -> let y = keep (map (\\v -> sin v * exp v)) x
                        let z = keep (\\y -> map2 (*) (scan (+) 0 y) x) y
                        in sum (map (\\v -> v * v) z) + sum x * x[0]) x
""", (X,)),
    "a number": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> let a = x[1] in (let s = keep (\\s -> loop s for i < t do sin (a * s) + x[i % 4]) x[0]
                        in s * a + a * a) * exp a) x
""", (X, 37)),
    "an array": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (keep (\\s -> loop s for i < t do
    map2 (\\a b -> sin (a * 0.5) + 0.1 * b * a) s (rotate 1 s)) x)) x
""", (X, 23)),
    "in place": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (keep (\\s -> loop s for i < t do
    s with [(i + 1) % 4] = sin (s[i % 4] * s[(i + 1) % 4]) + x[i % 4]) x)) x
""", (X, 29)),
    "while": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> let (s, _) = keep (\\s -> loop (s, a) = (s, x[0]) while s < f64 t do
    (s + 0.1 + a * a, sin (a + x[1] * s))) x[2] in s * x[2]) x
""", (X, 9)),
    "nested": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> keep (\\s -> loop s for i < t do
    let r = loop r = s for j < t + i do sin (r * x[j % 4] + s) * x[1]
    in loop r while r < 1.0 do r + 0.3 + x[0] * x[0]) x[2]) x
""", (X, 11)),
    "growing": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> keep (\\s -> let y = loop s: []f64 = s for i < t do
    if i % 3 == 2 then filter (> -5.0) (map sin s) else concat (map (* x[0]) s) [s[0] * x[1]] in sum y) x) x
""", (X, 13)),
    "in a map": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> let k = x[3] in sum (map (\\v -> keep (\\s -> loop s for i < t do
    sin (s * k) + v * x[i % 4]) v) x)) x
""", (X, 21)),
    "lanes of other lengths": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (map2 (\\n v -> keep (\\s -> loop s for i < n * t do sin (s * x[1]) + v) v)
    (iota 4) x)) x
""", (X, 7)),
    "in a loop": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> loop s = x[0] for j < t do
    keep (\\s -> loop s for i < t do if i % 2 == 0 then sin (s * x[j % 4]) else s * x[1] + x[i % 4]) s) x
""", (X, 10)),
    "scans and folds": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (keep (\\x -> scan (\\a b -> sin (a * b) + b) 0.0 (map (\\i -> x[i % 4]) (iota t))) x)) x
""", (X, 30)),
    "records": ("""
type s = {a: f64, b: [4]f64, k: i64}
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x ->
    let s: s = keep (\\(s: s) -> loop (s: s) for i < t do
      {a = sin (s.a + s.b[s.k]), b = map (* s.a) s.b, k = (s.k + 1) % 4}) {a = x[0], b = x, k = 0}
    in s.a + sum s.b) x
""", (X, 14)),
    "a function of the program": ("""
def step [n] (p: [n]f64) (s: [n]f64) : [n]f64 = map2 (\\a b -> sin (a * b) + 0.1 * b) p s
def simulate [n] (p: [n]f64) (t: i64) (s: [n]f64) : [n]f64 = loop s for i < t do step p s
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> let y = keep (simulate x t) (map (* 0.5) x) in sum (map2 (*) y x)) x
""", (X, 19)),
    "forward over reverse": ("""
entry f (x: [4]f64) (t: i64) : ([4]f64, [4]f64) =
  jvp2 (grad (\\x -> let k = x[2] in sum (keep (\\s -> loop s for i < t do
    map (\\v -> sin (v * k) + x[i % 4] * v) s) x))) x (map cos x)
""", (X, 17)),
    "reverse over reverse": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (grad (\\x -> let k = x[2] in sum (keep (\\s -> loop s for i < t do
    map (\\v -> sin (v * k) + x[i % 4] * v) s) x)) x)) x
""", (X, 12)),
    "reverse over reverse of a while": ("""
entry f (x: [4]f64) (t: i64) : (f64, [4]f64) =
  value_and_grad (\\x -> sum (grad (\\x -> keep (\\s -> loop s while s < f64 t do
    s + 0.3 + 0.2 * x[0] * sin (s * x[1])) x[2]) x)) x
""", (X, 6)),
    "recursion": ("""
def go (a: f64) (k: i64) (x: [4]f64) : [4]f64 =
  if k == 0 then x
  else let y = loop y = x for i < k % 3 do map (* a) y
       let z = go a (k - 1) (map sin y)
       in if k % 4 == 1 then map2 (+) z (go (a * z[0]) (k / 3) y) else map (\\v -> v * a + z[1]) y
entry f (x: [4]f64) (t: i64) : ([4]f64, [4]f64) =
  let g = \\x -> keep (\\x -> sum (go x[1] t x)) x in (grad g x, grad (\\x -> dot x (grad g x)) x)
""", (X, 9)),
    "lanes": ("""
entry f (x: [4]f64) (t: i64) : ([4]f64, [4][4]f64) =
  let g = \\v -> value_and_grad (\\x -> keep (\\s -> loop s for i < t do sin (s * x[1]) + x[i % 4]) v) x
  in unzip (vmap g x)
""", (X, 15)),
}
ROUNDED = {
    "in a map": "what each element adds to the captured array is summed before the sums are added",
    "lanes of other lengths": "the same",
    "lanes": "the same",
    "nested": "compiled alone, since the plain program computes x[0] * x[0] once",
    "in a loop": "the same of s * x[1]",
    "reverse over reverse": "the derivative of a sum is summed up piece by piece",
    "reverse over reverse of a while": "the same",
    "recursion": "the same",
}
"""Programs whose results may differ in the last bits, and why."""


def versions(text: str) -> str:
    """A program with `keep` as a plain application (entry `f`), `checkpoint` (`g`) and `checkpoint_log` (`h`)."""
    head, body = text.split("entry f")
    made = head + "def apply 'a 'b (f: a -> b) (x: a) : b = f x\n"
    for name, word in (("f", "apply"), ("g", "checkpoint"), ("h", "checkpoint_log")):
        made += f"entry {name}" + body.replace("keep", word)
    return made


@pytest.mark.parametrize("name", PROGRAMS)
def test_bits_are_those_of_the_plain_program(name: str) -> None:
    text, args = PROGRAMS[name]
    program = versions(text)
    x, *counts = args
    for module in (dad.compile(program), dad.compile(program, target="interp")):
        for given in ((x, *counts), (x, *(0 for _ in counts)), (x, *(1 for _ in counts))):
            want = module.f(*given)
            for found in (module.g(*given), module.h(*given)):
                for a, b in zip(want, found, strict=True):
                    if name in ROUNDED:
                        np.testing.assert_allclose(a, b, rtol=1e-13)
                    else:
                        np.testing.assert_array_equal(a, b)
