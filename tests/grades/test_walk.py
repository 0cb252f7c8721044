"""Grades of whole programs, one rule of the walk to a line, in the order of the parameters of the program."""
from __future__ import annotations

import pytest
from dad import driver
from dad.lang.source import Source

PROGRAMS = [
    ("def f (x: f64) (y: f64) = 2 * x - y", "affine affine"),
    ("def f (x: f64) (y: f64) = x * y", "smooth smooth"),
    ("def f (x: f64) (y: f64) = x * sin y", "affine smooth"),
    ("def f (x: f64) (y: i64) = x * f64 y", "affine"),
    ("def f (x: f64) = floor x", "flat"),
    ("def f (x: f64) = x + floor x", "jump"),
    ("def f (x: f64{0..0.5}) = x + floor x", "affine"),
    ("def f (x: f64) (y: f64) = max x y + abs x", "lip lip"),
    ("def f (x: f64{>0}) = abs x + max x (-1)", "affine"),
    ("def f (x: f64{>=0}) = abs x", "lip"),
    ("def f (x: f64) = x ** 3 + x ** 0", "smooth"),
    ("def f (x: f64{>=0}) = x ** 2.5", "C2"),
    ("def f (x: f64{>=0}) = x ** 0.5 + sqrt x", "cont"),
    ("def f (x: f64{>0}) (y: f64) = x ** y + log x / x", "smooth smooth"),
    ("def f (x: f64) = log x", "jump"),
    ("def f (x: f64) = log (x * x + 1) + sqrt (exp x) + 1 / (2 + cos x)", "smooth"),
    ("def f (x: f64) = assert (x > 0) (log x)", "smooth"),
    ("def f (x: f64) (y: f64) = sqrt (x * x + y * y)", "lip lip"),
    ("def f [n] (x: [n]f64) = norm x", "lip"),
    ("def f (y: f64) (x: f64) = atan2 y x", "jump jump"),
    ("def f (y: f64) (x: f64{>0}) = atan2 y x", "smooth smooth"),
    ("def f (x: f64{-1..1}) = asin x", "cont"),
    # branches
    ("def f (x: f64) (n: i64) = if n > 2 then x else sin x", "smooth"),
    ("def f (x: f64) (y: data f64) = if y > 0 then log y * x else x", "affine"),
    ("def f (x: f64) = if x > 0 then 1.0 else 0.0", "flat"),
    ("def f (x: f64) = if x > 0 then x else exp x - 1", "C1"),
    ("def f (x: f64) = if x < 0 then 0 else if x < 1 then x * x / 2 else x - 0.5", "C1"),
    ("def f (x: f64) = if x == 0 then 1 else sin x / x", "C1"),
    ("def f (x: f64) = if x > 0 then x * log x else 0", "cont"),
    ("def f (x: f64) = if floor x < 3 then x else 2 * x - 3", "lip"),
    ("def f (x: f64) (y: f64) = if x > 0 && y > 0 then x * x * y * y else 0", "C1 C1"),
    ("def f (x: f64) (r: f64) = if abs r <= 1 then 0.5 * r * r + x else abs r - 0.5 + x", "affine C1"),
    # kinks that cancel, derivatives at kinks
    ("def f (x: f64) = let h = max 0 x in h * h * h", "C2"),
    ("def f (x: f64) = x * abs x", "C1"),
    ("def f (x: f64) = abs x * abs x", "C1"),
    ("def f (a: f64) (b: f64) = let m = max a b in m + log (exp (a - m) + exp (b - m))", "smooth smooth"),
    # arrays
    ("def f (x: [3]f64) (i: i64) = x[i] + sum (reverse x)", "affine"),
    ("def f (x: [3]f64) = x[i64.f64 x[0]]", "jump"),
    ("def f (x: f64) (t: data [9]f64) = t[i64.f64 x]", "flat"),
    ("def f [n] (x: [n]f64) = sum (sort.sort x) + x[argmax x] + maximum x", "lip"),
    ("def f [n] (x: [n]f64) = sum (map (\\a -> sum (map (\\b -> a - b) x)) x)", "affine"),
    ("def f [n] (x: [n]f64) = sum (map (\\a -> sum (map (\\b -> if a < b then a else b) x)) x)", "lip"),
    ("def f [n] (x: [n]f64) = sum (map (\\a -> sum (map (\\b -> if a < b then 1.0 else 2.0) x)) x)", "flat"),
    ("def f [n] (x: [n]f64{>0}) = sum (map log x) + log x[0]", "smooth"),
    ("def f [n] (x: [n]f64) = logsumexp x", "smooth"),
    ("def f [n] (x: [n]f64) = let y = filter (> 0) x in f64 (length y)", "flat"),
    ("def f (x: [3]f64) = let y = x with [1] = x[0] * x[2] in y[1] + y[0]", "smooth"),
    ("def f (x: [4]f64) = sum (hist (+) 0 3 [0, 1, 1, 2] x)", "affine"),
    ("def f [n] (a: [n][n]f64) (b: [n]f64) = sum (solve a b)", "smooth affine"),
    # loops, recursion, folds
    ("def f (x: f64) = loop s = x for i < 10 do 2 * s", "affine"),
    ("def f (x: f64) = loop s = 1.0 for i < 10 do x * s", "smooth"),
    ("def f (x: f64) = loop s = 1.0 for i < 10 do if s < x then x else s", "lip"),
    ("def f (x: f64) = loop s = x while s < 100 do 2 * s", "jump"),
    ("def f (x: f64) (n: i64) = (loop (s, k) = (x, 0) while k < n do (sin s, k + 1)).0", "smooth"),
    ("def f (x: f64) = loop s = 1.0 for i < i64.f64 x do 2 * s", "flat"),
    ("def f [n] (x: [n]f64) = sum (scan max 0 x)", "lip"),
    ("def f (x: f64) (n: i64) : f64 = if n == 0 then x else sin (f x (n - 1))", "smooth"),
    ("def f (x: f64) : f64 = if x < 1 then x else f (x - 1)", "jump"),
    ("def f (x: f64{0..1}) = fixpoint (\\s -> 0.5 * cos (s * x)) 0.5", "smooth"),
    ("def f (x: f64) = fixpoint (\\s -> 0.5 * cos (s * x)) 0.5", "jump"),
    ("def f (c: f64{>0}) = solve (\\x -> x * x - c) 1.0", "smooth"),
    ("def f (c: f64) = solve (\\x -> x * x * x - c) 1.0", "jump"),
    ("def f (c: f64) = solve (\\x -> x * x * x - 3 * x - c) 2.0", "jump"),
    ("def f (c: f64) = solve (\\x -> x + x * x * x - c) 1.0", "smooth"),
    ("def f (c: f64) = solve (\\x -> x - c - 2 * sum (map (\\k -> sin (x * f64 k)) (iota 3))) 1.0", "jump"),
    ("def f (e: f64{0..0.9}) (m: f64) = solve (\\x -> x - e * sin x - m) m", "smooth smooth"),
    ("def f (c: f64) = argmin (\\x -> (x - c) ** 2 + exp x) 0.0", "smooth"),
    ("def f (c: f64) = argmin (\\x -> x ** 4 - x * x + c * x) 0.0", "jump"),
    # what constructors hold
    ("def f (s: #disk f64{>0} | #box f64{>=0} f64{0..1} | #many [2]f64{>0}) : f64 = "
     "match s case #disk r -> log r case #box a b -> a * b case #many xs -> sum (map log xs)",
     "smooth smooth smooth smooth"),
    ("def f (s: #disk f64{>0} | #box f64{>=0}) : f64 = match s case #disk r -> r case #box a -> sqrt a", "cont affine"),
    # derivatives, rules, trust
    ("def f (x: f64) = grad (\\y -> y ** 4) x", "smooth"),
    ("def f (x: f64) = grad (\\y -> if y < 0 then 0 else y * y) x", "lip"),
    ("def f (x: f64) = grad abs x", "jump"),
    ("def f (x: f64) (y: f64) = grad (\\z -> 3 * z + sin y) x", "none smooth"),
    ("def f (x: f64) (y: f64) = jvp (\\z -> z * z) x y", "smooth affine"),
    ("def f (x: f64) = x + floor (stop_grad x)", "affine"),
    ("def f (x: f64) = with_jvp (\\u -> 3 * u) (\\_u d -> 3 * d) x", "affine"),
    ("def f (x: f64) (k: f64) = let y = floor k in assume continuous(y) \"tabulated\" in x + y", "affine cont"),
    ("def f (g: f64 -> f64 @ C1) (x: f64) = g (x * x)", "C1"),
    ("def f (m: {a: f64, b: f64}) = m.a * m.a + m.b", "smooth affine"),
]


@pytest.mark.parametrize(("program", "expected"), PROGRAMS, ids=[p for p, _ in PROGRAMS])
def test_grades(program: str, expected: str) -> None:
    checking = driver.check(Source("example.dad", program))
    graded = driver.graded(checking).functions["f"]
    assert " ".join(graded.grades.get(root.name, "none") for root in graded.roots) == expected
