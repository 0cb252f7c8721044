"""Splines and their bases, compared with SciPy; what is said of their smoothness, at knots and in knots."""
from __future__ import annotations

from functools import cache
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.lang.source import Source
from scipy import interpolate

XS = np.array([0.0, 0.7, 1.0, 2.5, 4.0])
YS = np.array([1.0, 3.0, 2.0, 2.5, -1.0])
AROUND = np.linspace(-0.5, 4.5, 41)
PROGRAM = """
entry line [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 = spline.interp xs ys x
entry cubic [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 = spline.cubic xs ys x
entry monotone [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 = spline.monotone xs ys x
entry b [n] (knots: [n]f64) (x: f64) : [n+2]f64 = spline.b_splines knots x
entry m [n] (knots: [n]f64) (x: f64) : [n+2]f64 = spline.m_splines knots x
entry i [n] (knots: [n]f64) (x: f64) : [n+2]f64 = spline.i_splines knots x
entry second [n] (knots: [n]f64) (x: f64) : [n+2]f64 =
  jacfwd (\\x -> jacfwd (spline.b_splines knots) x) x
"""


@cache
def module() -> Any:
    return dad.compile(PROGRAM, target="native", tier=0)


def test_curves_through_points() -> None:
    m = module()
    inside = np.linspace(0, 4, 41)
    assert [m.line(XS, YS, x) for x in inside] == pytest.approx(np.interp(inside, XS, YS), abs=1e-14)
    natural = interpolate.CubicSpline(XS, YS, bc_type="natural")
    assert [m.cubic(XS, YS, x) for x in AROUND] == pytest.approx(natural(AROUND), abs=1e-13)
    for ys in (YS, YS[::-1], np.array([0.0, 1.0, 1.0, 2.0, 5.0]), np.array([1.0, 0.0, 5.0, 5.5, 5.6])):
        pchip = interpolate.PchipInterpolator(XS, ys)
        assert [m.monotone(XS, ys, x) for x in AROUND] == pytest.approx(pchip(AROUND), abs=1e-13)
    assert m.monotone(XS[:2], YS[:2], 0.35) == pytest.approx(2.0)


def test_bases() -> None:
    m = module()
    t = np.concatenate([[XS[0]] * 3, XS, [XS[-1]] * 3])
    n = len(XS) + 2
    splines = [interpolate.BSpline(t, np.eye(n)[j], 3) for j in range(n)]
    areas = np.array([(t[j + 4] - t[j]) / 4 for j in range(n)])
    for x in AROUND:
        b = np.array([s(x) for s in splines])
        assert m.b(XS, x) == pytest.approx(b, abs=1e-13)
        assert m.m(XS, x) == pytest.approx(b / areas, abs=1e-13)
        integrals = np.array([s.integrate(XS[0], x) for s in splines]) / areas
        assert m.i(XS, x) == pytest.approx(integrals, abs=1e-12)
    assert m.b(XS, 1.7).sum() == pytest.approx(1)
    assert m.i(XS, 4.0) == pytest.approx(np.ones(n))


def test_second_derivatives_have_no_jumps_at_knots() -> None:
    for knot in XS[1:-1]:
        left, right = (module().second(XS, knot + side * 1e-9) for side in (-1, 1))
        assert left == pytest.approx(right, abs=1e-5)
        assert np.abs(left).max() > 0.1


def test_knots_are_distinct() -> None:
    with pytest.raises(dad.RunError, match="increasing knots"):
        module().b(np.array([0.0, 1.0, 1.0, 2.0]), 0.5)


SMOOTHNESS = """
def rate [n] (knots: [n]f64) (w: [n+2]f64) (age: f64) (time: f64) : f64 @ C2 =
  dot w (spline.m_splines knots (age + time))
def risk [n] (knots: [n]f64) (w: [n+2]f64) (age: f64) : f64 @ C2 = dot w (spline.i_splines knots age)
def basis [n] (knots: [n]f64) (w: [n+2]f64) (x: f64) : f64 @ C2 = dot w (spline.b_splines knots x)
def through [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 @ C2 = spline.cubic xs ys x
def rising [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 @ C1(x), lip(ys) = spline.monotone xs ys x
def line [n] (xs: [n]f64) (ys: [n]f64) (x: f64) : f64 @ lip = spline.interp xs ys x
"""


def test_splines_are_as_smooth_as_they_say() -> None:
    """Also where the argument crosses knots, and in the knots themselves."""
    report = driver.graded(driver.check(Source("<splines>", SMOOTHNESS)))
    assert report.diagnostics == ()
    grades = {name: graded.grades for name, graded in report.functions.items()}
    assert grades["rate"] == {"knots": "C2", "w": "affine", "age": "C2", "time": "C2"}
    assert grades["through"]["x"] == "C2"
    assert grades["rising"] == {"xs": "lip", "ys": "lip", "x": "C1"}
    assert grades["line"]["x"] == "lip"


DEMANDS = """
def fits (y: [3]f64) : f64 = (optimise.lbfgs (\\m -> sum (map (\\v -> smooth.pseudo_huber 1 (v - m)) y)) 0).x
def jumps (y: [3]f64) : f64 = (optimise.lbfgs (\\m -> sum (map (\\v -> if v < m then 0 else 1 + m * m) y)) 0).x
def bends (a: f64) : f64 = (optimise.newton (\\m -> if m < a then (m - a) ** 2 else 2 * (m - a) ** 2) 0).x
def walks (r: random.rng) = (mcmc.nuts 9 (\\p -> -0.5 * p.m * p.m - exp p.s + p.s) {m = 0, s = 0} r).1.acceptance
def falls (r: random.rng) = (mcmc.hmc 9 (\\p -> if p < 0 then -1000 else -p) 0.5 r).1.acceptance
"""


def test_searches_and_samplers_demand_grades() -> None:
    report = driver.graded(driver.check(Source("<demands>", DEMANDS)))
    found = {name: [(p.by, p.wanted, p.holds) for p in graded.promises if p.kind == "demand"]
             for name, graded in report.functions.items()}
    assert found == {"fits": [("lbfgs", "C1", True)], "jumps": [("lbfgs", "C1", False)],
                     "bends": [("newton", "C2", False)],
                     "walks": [("nuts", "C1", True)], "falls": [("hmc", "C1", False)]}
    assert [d.labels[0].span.line for d in report.diagnostics] == [3, 4, 6]
    assert report.functions["walks"].grades == {}
