"""Recursive programs with payloads of floats, each with arguments: `f` takes an f64, or an array of them, first."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """`points` are arguments; the first of each is what derivatives are taken with respect to."""

    name: str
    text: str
    points: tuple[tuple[Any, ...], ...]


PROGRAMS = (
    Program("power by squaring", """
def power (x: f64) (n: i64) : f64 =
  if n == 0 then 1 else if n % 2 == 0 then power (x * x) (n / 2) else x * power x (n - 1)
entry f (x: f64) (n: i64) : f64 = power x n
""", ((1.3, 0), (1.3, 1), (-0.7, 10), (1.1, 13))),
    Program("Ackermann's recursion carrying a float", """
def ack (m: i64) (n: i64) (x: f64) : (i64, f64) =
  if m == 0 then (n + 1, sin x + 0.5)
  else if n == 0 then ack (m - 1) 1 (x * 0.9)
  else let (k, y) = ack m (n - 1) x in ack (m - 1) k (y + 0.1 * x)
entry f (x: f64) (n: i64) : f64 = (ack 2 n x).1
""", ((0.4, 0), (0.8, 1), (-0.3, 3))),
    Program("tree fold by index ranges", """
def tree [n] (xs: [n]f64) (a: i64) (b: i64) : f64 =
  if b - a == 1 then xs[a]
  else let m = (a + b) / 2 in sin (tree xs a m) + tree xs a m * tree xs m b
entry f [n] (xs: [n]f64) : f64 = tree xs 0 n
""", (([0.3, -0.2, 0.9, 1.4, 0.1],), ([2.0],))),
    Program("tree fold by halves", """
def fold [n] (xs: [n]f64) : f64 =
  if n == 1 then xs[0] * xs[0]
  else let m = n / 2 in fold (take m xs) - cos (fold (drop m xs))
entry f [n] (xs: [n]f64) : f64 = fold xs
""", (([0.3, -0.2, 0.9, 1.4, 0.1, 0.7],), ([2.0],))),
    Program("Newton's method", """
def newton (a: f64) (x: f64) (k: i64) : f64 =
  if k == 0 then x else newton a (0.5 * (x + a / x)) (k - 1)
entry f (a: f64) (k: i64) : f64 = newton a 1.0 k
""", ((2.0, 0), (2.0, 5), (0.3, 9))),
    Program("Collatz, with what happened on the way", """
def collatz (n: i64) (x: f64) : f64 =
  if n == 1 then x else if n % 2 == 0 then collatz (n / 2) (0.9 * x) else collatz (3 * n + 1) (sin x + x)
entry f (x: f64) (n: i64) : f64 = collatz n x
""", ((0.4, 1), (0.7, 6), (0.2, 7))),
    Program("Euclid, with quotients weighed", """
def euclid (a: i64) (b: i64) (x: f64) : f64 =
  if b == 0 then x * f64 a else f64 (a / b) * x + euclid b (a % b) (x * x + 0.1)
entry f (x: f64) (a: i64) (b: i64) : f64 = euclid a b x
""", ((0.4, 12, 18), (0.7, 17, 5))),
    Program("two functions that call each other", """
def even (n: i64) (x: f64) : f64 = if n == 0 then x else odd (n - 1) (x * 1.1) + x
def odd (n: i64) (x: f64) : f64 = if n == 0 then sin x else x * even (n - 1) (x - 0.1)
entry f (x: f64) (n: i64) : f64 = even n x
""", ((0.4, 0), (0.7, 5), (1.2, 6))),
    Program("adaptive quadrature", """
def g (a: f64) (x: f64) = sin (a * x) / (1 + x * x)
def simpson (a: f64) (l: f64) (r: f64) = (r - l) / 6 * (g a l + 4 * g a ((l + r) / 2) + g a r)
def adaptive (a: f64) (l: f64) (r: f64) (k: i64) : f64 =
  let m = (l + r) / 2
  let whole = simpson a l r
  let left = simpson a l m
  let right = simpson a m r
  in if k == 0 || abs (stop_grad (left + right - whole)) < 1e-3 then left + right
     else adaptive a l m (k - 1) + adaptive a m r (k - 1)
entry f (a: f64) (r: f64) : f64 = adaptive a 0 r 6
""", ((1.3, 2.0), (4.0, 3.0))),
    Program("binary search, then interpolation", """
def find [n] (xs: [n]f64) (x: f64) (a: i64) (b: i64) : i64 =
  if b - a <= 1 then a else let m = (a + b) / 2 in if xs[m] <= x then find xs x m b else find xs x a m
entry f [n] (ys: [n]f64) (x: f64) : f64 =
  let xs = map f64 (iota n)
  let k = find xs x 0 (n - 1)
  in ys[k] + (x - xs[k]) * (ys[k + 1] - ys[k]) ** 2
""", (([0.3, -0.2, 0.9, 1.4, 0.1], 2.7), ([0.1, 0.5], 0.25))),
    Program("Horner's rule on sizes", """
def horner [n] (cs: [n]f64) (x: f64) : f64 = if n == 0 then 0 else cs[0] + x * horner (tail cs) x
entry f [n] (cs: [n]f64) (x: f64) : f64 = horner cs x + horner cs (sin x)
""", (([0.3, -0.2, 0.9], 0.7), ([1.5], 0.5))),
    Program("arrays that keep their size", """
def smooth [n] (k: i64) (xs: [n]f64) : [n]f64 =
  if k == 0 then xs else smooth (k - 1) (map2 (\\x y -> x * cos y) xs (rotate 1 xs))
entry f [n] (xs: [n]f64) (k: i64) : f64 = sum (smooth k xs)
""", (([0.3, -0.2, 0.9], 0), ([0.3, -0.2, 0.9, 1.1], 3))),
    Program("arrays that keep their size, not at the end", """
def mix [n] (k: i64) (xs: [n]f64) : [n]f64 =
  if k == 0 then xs else map2 (\\x y -> x + 0.5 * y) xs (mix (k - 1) (map sin xs))
entry f [n] (xs: [n]f64) (k: i64) : f64 = product (mix k xs)
""", (([0.3, -0.2, 0.9], 0), ([0.3, 1.2, 0.9, 1.1], 3))),
    Program("a result that is longer each time", """
def powers (x: f64) (n: i64) : [n]f64 =
  if n == 0 then replicate n 1 else concat (powers x (n - 1)) [x ** f64 n] :> [n]f64
entry f (x: f64) (n: i64) : f64 = sum (map sin (powers x n))
""", ((0.7, 0), (0.9, 1), (0.9, 4))),
    Program("recursion in each element of a map", """
def fib (x: f64) (n: i64) : f64 = if n < 2 then x * f64 (n + 1) else fib x (n - 1) + sin (fib x (n - 2))
entry f [n] (xs: [n]f64) : f64 = sum (map2 fib xs (iota n))
""", (([0.3, -0.2, 0.9, 1.4, 0.1, 0.4],),)),
    Program("a map in each call", """
def grow [n] (k: i64) (xs: [n]f64) : f64 =
  if k == 0 then sum xs else sum (map (\\x -> if x > 1 then x else grow (k - 1) (map (* x) xs)) xs)
entry f [n] (xs: [n]f64) : f64 = grow 2 xs
""", (([0.3, 1.2, 0.9],),)),
    Program("a local function that captures", """
entry f [n] (xs: [n]f64) (y: f64) : f64 =
  let go (i: i64) (acc: f64) : f64 = if i == n then acc else go (i + 1) (acc * y + sin xs[i])
  let other (i: i64) : f64 = if i == n then 1 else xs[i] * other (i + 1)
  in go 0 y + other 0
""", (([0.3, 1.2, 0.9], 0.7),)),
    Program("functions passed on", """
def iterated 'a (f: a -> a) (n: i64) (x: a) : a = if n == 0 then x else iterated f (n - 1) (f x)
entry f (x: f64) (n: i64) : f64 =
  let (a, b) = iterated (\\(a, b) -> (b, sin a + b * x)) n (x, 1.0)
  in a * iterated (* b) 3 1.0
""", ((0.7, 0), (0.9, 5))),
    Program("records, and a loop around and inside", """
type state = {x: f64, k: i64}
def step (s: state) (n: i64) : state =
  if n == 0 then s
  else let y = loop y = s.x for i < s.k do y * 0.5 + sin y
       in step {x = y + s.x, k = s.k + 1} (n - 1)
entry f (x: f64) (n: i64) : f64 = loop acc = x for i < 3 do (step {x = acc, k = i} n).x
""", ((0.7, 0), (0.3, 3))),
    Program("a derivative inside each call", """
def flow (x: f64) (k: i64) : f64 =
  if k == 0 then x else flow (x - 0.1 * grad (\\y -> sin y * y) x) (k - 1)
entry f (x: f64) (k: i64) : f64 = flow x k
""", ((0.7, 0), (0.3, 3))),
    Program("a derivative of the recursive call", """
def g (x: f64) (k: i64) : f64 = if k == 0 then x * x else x * g (sin x) (k - 1)
entry f (x: f64) (k: i64) : f64 = grad (\\y -> g y k) x + (jvp2 (\\y -> g y (k + 1)) x 1.0).1
""", ((0.7, 0), (0.3, 3))),
    Program("nothing runs in the branch that is not taken", """
def safe (x: f64) (k: i64) : f64 = if x > 4 then x else if k == 0 then sqrt x else safe (x * 2) (k - 1) / x
entry f [n] (xs: [n]f64) : f64 = sum (map (\\x -> safe x 5) xs)
""", (([0.3, 5.0, 0.06, 1.1],),)),
    Program("Fibonacci by mutual recursion on a pair of arrays", """
def left [n] (xs: [n]f64) (ys: [n]f64) (k: i64) : [n]f64 = if k == 0 then xs else right ys (map2 (+) xs ys) (k - 1)
def right [n] (xs: [n]f64) (ys: [n]f64) (k: i64) : [n]f64 = if k == 0 then ys else map2 (*) ys (left ys xs (k - 1))
entry f [n] (xs: [n]f64) (k: i64) : f64 = sum (left xs (map cos xs) k)
""", (([0.3, 0.4], 0), ([0.3, 0.5], 1), ([0.3, 0.5, 0.2], 4))),
)
