"""The derivatives that entries have from Python: structure, values, parameters, what is refused, built modules."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.commands import build
from dad.modules import LiveEntry

TEXT = """
type line = {w: [2]f64, b: f64, k: i64}

entry loss [n] (theta: param line) (s: param f64) (x: data [n][2]f64) (y: data [n]f64) : f64 =
  sum [(dot theta.w x[i] * s + theta.b * theta.b - y[i]) ** 2 for i < n]

entry predict [n] (theta: param line) (x: data [n][2]f64) : [n]f64 = [dot theta.w x[i] + theta.b ** 2 for i < n]

entry mixed (x: f32) (k: i64) (y: f64) : f64 = f64 (x * x) * y ** f64 k

entry several (x: [2]f64) : {a: f64, b: [2]f64, c: i64} = {a = x[0] * x[1], b = [x[0], x[1] ** 2], c = 3}

entry many (n: i64) (x: f64) : [n]f64 = replicate n (x * x)

entry positive [n] (x: [n]f64) : []f64 = filter (> 0) x

entry next (k: i64) : i64 = k + 1

entry turned [n][m] (x: [n][m]f64) : [m][n]f64 = transpose (map (map sin) x)
"""

THETA = {"w": [1.0, 2.0], "b": 0.5, "k": 3}
X = np.arange(6.0).reshape(3, 2)
Y = np.ones(3)


@pytest.fixture(scope="module", params=["native", "numpy", "interp"])
def module(request: pytest.FixtureRequest) -> dad.modules.Module:
    return dad.compile(TEXT, target=request.param)


def residuals(w: Any, b: float, s: float) -> Any:
    return X @ w * s + b * b - Y


def test_hessian_of_two_parameters(module: Any) -> None:
    h = module.loss.hessian(THETA, 2.0, X, Y)
    w, b, s = np.array([1.0, 2.0]), 0.5, 2.0
    r, wx = residuals(w, b, s), X @ w
    assert h._fields == ("theta", "s")
    np.testing.assert_allclose(h.theta.w.theta.w, 2 * s * s * X.T @ X)
    np.testing.assert_allclose(h.theta.w.theta.b, 2 * s * X.sum(0) * 2 * b)
    np.testing.assert_allclose(h.theta.w.s, 2 * (s * X.T @ wx + X.T @ r))
    np.testing.assert_allclose(h.s.theta.w, h.theta.w.s)
    np.testing.assert_allclose(h.theta.b.theta.b, 8 * b * b * len(Y) + 4 * r.sum())
    np.testing.assert_allclose(h.s.s, 2 * wx @ wx)
    assert h.theta.k == ()
    assert h.theta.w.theta.k == ()
    trace = 2 * s * s * (X * X).sum() + h.theta.b.theta.b + h.s.s
    np.testing.assert_allclose(module.loss.laplacian(THETA, 2.0, X, Y), trace)


def test_products_with_the_hessian(module: Any) -> None:
    h = module.loss.hessian(THETA, 2.0, X, Y)
    v = {"theta": {"w": [1.0, -1.0], "b": 2.0, "k": ()}, "s": 0.5}
    got = module.loss.hvp(THETA, 2.0, X, Y, v)
    np.testing.assert_allclose(got.theta.w, h.theta.w.theta.w @ [1, -1] + h.theta.w.theta.b * 2 + h.theta.w.s * 0.5)
    np.testing.assert_allclose(got.s, h.s.theta.w @ [1, -1] + h.s.theta.b * 2 + h.s.s * 0.5)
    named = module.loss.hvp((THETA, 2.0, X, Y), ({"w": [1.0, -1.0], "b": 2.0, "k": ()}, 0.5))
    np.testing.assert_array_equal(named.theta.w, got.theta.w)


def test_wrt_chooses_the_parameters(module: Any) -> None:
    assert module.loss.hessian(THETA, 2.0, X, Y, wrt=("theta",)).w.w.shape == (2, 2)
    np.testing.assert_allclose(module.loss.hessian(THETA, 2.0, X, Y, wrt="s"), 2 * ((X @ [1, 2]) ** 2).sum())
    x = module.mixed.hessian(np.float32(2.0), 3, 4.0, wrt="x")
    assert x == 128.0
    assert isinstance(x, np.float32)


def test_jacobians_have_the_structure_of_the_result(module: Any) -> None:
    for operator in ("jacobian", "jacfwd", "jacrev"):
        j = getattr(module.predict, operator)(THETA, X)
        np.testing.assert_allclose(j.w, X)
        np.testing.assert_allclose(j.b, np.ones(3))
        several = getattr(module.several, operator)([2.0, 3.0])
        assert several.a.tolist() == [3.0, 2.0]
        assert several.b.tolist() == [[1.0, 0.0], [0.0, 6.0]]
        assert several.c == ()
        turned = getattr(module.turned, operator)(X)
        assert turned.shape == (2, 3, 3, 2)
        np.testing.assert_allclose(turned[1, 2, 2, 1], np.cos(X[2, 1]))
        assert np.count_nonzero(turned) == 6
        assert getattr(module.many, operator)(3, 2.0).tolist() == [4.0, 4.0, 4.0]
        assert getattr(module.many, operator)(0, 2.0).shape == (0,)


def test_types_and_integers(module: Any) -> None:
    h = module.mixed.hessian(2.0, 3, 4.0)
    assert (float(h.x.x), h.x.y, float(h.y.x), h.y.y) == (128.0, 192.0, 192.0, 96.0)
    assert isinstance(h.y.x, np.float32)
    assert isinstance(h.y.y, float)
    assert module.mixed.hvp(2.0, 3, 4.0, (1.0, 0.0)) == (128.0, 192.0)
    assert module.mixed.laplacian(2.0, 3, 4.0) == 224.0


@pytest.mark.parametrize(("call", "message"), [
    (lambda m: m.predict.hessian(THETA, X), "a Hessian is of one float; use `.jacobian`"),
    (lambda m: m.several.grad([1.0, 2.0]), "a gradient is of one float; use `.jacobian`"),
    (lambda m: m.positive.jacobian([1.0]), "is known only when it has run; use `.vjp` or `.jvp`"),
    (lambda m: m.next.grad(1), "no parameter to differentiate with respect to"),
    (lambda m: m.loss.hessian(THETA, 2.0, X, Y, wrt="x"), "parameter `x` of `loss` is declared `data`"),
    (lambda m: m.mixed.hessian(2.0, 3, 4.0, wrt="k"), "parameter `k` of `mixed` is i64"),
    (lambda m: m.loss.hvp(THETA, 2.0, X, Y), "takes the arguments `theta`, `s`, `x`, `y`, then tangents; got 4 values"),
    (lambda m: m.loss.hvp(THETA, 2.0, X, Y, (THETA, [1.0])), "argument `tangent of s`: expected f64"),
    (lambda m: m.loss.jacobian(THETA), "argument `s` of `loss` is missing"),
])
def test_refused(call: Any, message: str) -> None:
    with pytest.raises(dad.DadArgumentError) as found:
        call(dad.compile(TEXT))
    assert message in str(found.value)


def test_each_is_compiled_when_it_is_asked_for() -> None:
    entry: LiveEntry = dad.compile(TEXT).entries["mixed"]
    assert not entry.compiled
    entry.grad(2.0, 3, 4.0)
    assert [t.kind for t in entry.compiled] == ["value_and_grad"]
    entry.hessian(2.0, 3, 4.0)
    entry.hessian(1.0, 3, 4.0)
    assert [t.kind for t in entry.compiled] == ["value_and_grad", "hessian"]


def test_built_modules_have_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "model.dad"
    source.write_text(TEXT, encoding="utf-8")
    assert build.main([str(source), "-o", str(tmp_path / "out"), "--with", "hessian,hvp,jacobian"]) == 0
    capsys.readouterr()
    stub = (tmp_path / "out" / "model.pyi").read_text(encoding="utf-8")
    assert "def hessian(self, theta: Any" in stub
    assert "def hvp(" in stub
    assert "def laplacian(" not in stub
    assert 'Annotated[NDArray[np.float64], "[m][n][n][m]f64"]' in stub
    spec = importlib.util.spec_from_file_location("model", tmp_path / "out" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    built = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(built)
    live = dad.compile(TEXT).loss.hessian(THETA, 2.0, X, Y)
    np.testing.assert_array_equal(built.loss.hessian(THETA, 2.0, X, Y).theta.w.s, live.theta.w.s)
    assert built.turned.jacobian(X).shape == (2, 3, 3, 2)
    with pytest.raises(TypeError, match="built without `laplacian`"):
        built.loss.laplacian(THETA, 2.0, X, Y)
    assert subprocess.run([sys.executable, "-m", "mypy", "--strict", str(tmp_path / "out" / "model.pyi")],
                          capture_output=True, check=False).returncode == 0


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "model.dad"
    source.write_text("entry f (x: f64) : f64 = x", encoding="utf-8")
    with pytest.raises(Exception, match="no derivative `hesian`"):
        build.main([str(source), "-o", str(tmp_path), "--with", "hesian"])
