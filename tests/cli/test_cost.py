"""`dad cost`: what it prints, what it refuses, what it finds cheaper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from dad.cli import main

PROGRAM = """type model [n] = {w: [n]f64, b: f64}
entry loss [n][m] (p: param model [n]) (x: data [m][n]f64) (y: data [m]f64) : f64 =
  let r = map2 (\\row t -> sum (row * p.w) + p.b - t) x y
  in sum (r * r)
entry root (x: f64) : f64 = loop y = x while abs (y * y - x) > 1e-9 do 0.5 * (y + x / y)
entry count [n] (xs: [n]i64) : i64 = sum xs
entry steps (k: i64) (x: f64) : f64 = loop y = x for _i < k do y * 1.5
entry pair (a: f64) (b: f64) : (f64, f64) = (a * b, a + b)
entry sized (n: i64) (xs: [n]f64) : f64 = sum (xs * xs)
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "model.dad"
    path.write_text(PROGRAM, encoding="utf-8")
    return str(path)


def cost(capsys: Captured, *args: str) -> list[dict[str, Any]]:
    assert main(["cost", *args, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: Captured, status: int, *args: str) -> str:
    assert main(["cost", *args]) == status
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_every_operator_of_every_entry(capsys: Captured, file: str) -> None:
    found = {entry["entry"]: entry for entry in cost(capsys, file)}
    assert [op["op"] for op in found["loss"]["ops"]] == ["primal", "grad", "hvp", "hessian", "jacobian", "laplacian"]
    assert found["loss"]["ops"][0]["flops"] == "2*n*m + 4*m"
    assert "m" in found["loss"]["ops"][1]["saved"]
    assert [op["op"] for op in found["count"]["ops"]] == ["primal"]
    assert found["count"]["ops"][0]["bytes"] == "8*n"
    assert "no parameter of floats" in found["count"]["refused"]["grad"]
    assert [op["op"] for op in found["pair"]["ops"]] == ["primal", "jacobian"]
    assert "not one float" in found["pair"]["refused"]["grad"]
    assert found["sized"]["sizes"] == ["n"]
    assert [op["flops"] for op in found["sized"]["ops"][:2]] == ["2*n", "n"]


def test_lines_add_up(capsys: Captured, file: str) -> None:
    for entry in cost(capsys, file, "--size", "n=7,m=3,k=5,k1=4"):
        for op in entry["ops"]:
            for metric in ("flops", "bytes", "saved"):
                assert op[metric] == sum(line.get(metric, 0) for line in op["lines"])


def test_numbers_in_place_of_sizes_and_symbols(capsys: Captured, file: str) -> None:
    (entry,) = cost(capsys, file, "--entry", "loss", "--ops", "primal", "--size", "n=10,m=4")
    assert entry["ops"][0]["flops"] == 2 * 10 * 4 + 4 * 4
    (entry,) = cost(capsys, file, "--entry", "root", "--ops", "primal")
    assert entry["ops"][0]["flops"] == "7*k1 + 4"
    assert "iterations of the loop at line 5" in entry["ops"][0]["symbols"]["k1"]["means"]
    (entry,) = cost(capsys, file, "--entry", "root", "--ops", "primal", "--size", "k1=10")
    assert entry["ops"][0]["flops"] == 74
    (entry,) = cost(capsys, file, "--entry", "steps", "--ops", "primal,grad")
    assert [op["flops"] for op in entry["ops"]] == ["k", "k"]


def test_with_respect_to_some(capsys: Captured, file: str) -> None:
    (entry,) = cost(capsys, file, "--entry", "pair", "--ops", "jacobian", "--wrt", "b")
    assert [op["op"] for op in entry["ops"]] == ["jacobian"]


def test_operators_that_the_program_calls_something_else(capsys: Captured, tmp_path: Path) -> None:
    """Lines stay those of the file."""
    path = tmp_path / "model.dad"
    text = ("def jacobian (x: f64) = x\n"
            "entry root [n] (x: [n]f64) : [n]f64 =\n"
            "  loop y = x while sum y > 1e-9 do map (* 0.5) y\n")
    path.write_text(text, encoding="utf-8")
    path.write_text(text + "entry f (grad: f64) (f: f64) : f64 = grad * f\n", encoding="utf-8")
    (entry,) = cost(capsys, str(path), "--entry", "f", "--ops", "grad,hvp")
    assert [op["op"] for op in entry["ops"]] == ["grad", "hvp"]
    (entry,) = cost(capsys, str(path), "--entry", "root", "--ops", "jacobian")
    (op,) = entry["ops"]
    assert "at line 3" in op["symbols"]["k1"]["means"]
    assert {line["line"] for line in op["lines"]} <= {0, 3}


def test_the_table(capsys: Captured, file: str) -> None:
    assert main(["cost", file, "--entry", "root", "--ops", "primal,grad"]) == 0
    out = capsys.readouterr().out
    assert "primal  7·k₁ + 4" in out
    assert "k₁: iterations of the loop at line 5" in out
    assert "grad by line" in out


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("sum [h[i][i] for i < n]", "laplacian f x"),
        ("linalg.trace h", "laplacian f x"),
        ("sum (map2 (\\r i -> r[i]) h (iota n))", "laplacian f x"),
        ("reduce (+) 0 (tabulate n (\\i -> h[i, i]))", "laplacian f x"),
        ("sum (map (\\r -> sum (r * x)) h)", "hvp f x v"),
        ("sum (linalg.matvec h x)", "hvp f x v"),
        ("sum [sum [h[i][j] * x[j] for j < n] for i < n]", "hvp f x v"),
        ("sum [sum [h[j][i] * x[j] for j < n] for i < n]", "hvp f x v"),
        ("sum (linalg.matvec j x)", "jvp f x v"),
        ("sum (linalg.matvec (transpose j) x)", "vjp f x v"),
        ("linalg.trace j", "divergence f x"),
        ("sum (jacfwd f x)", "grad f x"),
        ("sum (map sum (jacfwd (\\x -> [x[0], f x]) x))", "jacrev f x"),
        ("loop s = 0.0 for i < n do s + h[i][i]", "laplacian f x"),
        ("let d = [h[i][i] for i < n] in d[0] * d[1]", "(hvp f x e)[i]"),
    ],
)
def test_what_would_be_cheaper(capsys: Captured, tmp_path: Path, expression: str, instead: str) -> None:
    path = tmp_path / "model.dad"
    path.write_text("def f [n] (x: [n]f64) : f64 = loop s = 1.0 for y in x do s * sin y + y\n"
                    "entry main [n] (x: [n]f64) : f64 =\n"
                    "  let h = hessian f x\n  let j = jacobian (\\x -> x * sum x) x\n"
                    f"  in {expression}\n", encoding="utf-8")
    (entry,) = cost(capsys, str(path), "--ops", "primal")
    (note,) = entry["notes"]
    assert note["instead"] == instead
    assert note["line"] in (3, 4, 5)


@pytest.mark.parametrize("expression", ["sum (map sum (hessian f x))", "(hessian f x)[0][1]", "laplacian f x",
                                        "sum (hvp f x x)", "sum (grad f x)",
                                        "sum (map sum (jacobian (\\x -> x * x) x))"])
def test_nothing_is_cheaper(capsys: Captured, tmp_path: Path, expression: str) -> None:
    path = tmp_path / "model.dad"
    path.write_text("def f [n] (x: [n]f64) : f64 = loop s = 1.0 for y in x do s * sin y + y\n"
                    f"entry main [n] (x: [n]f64) : f64 = {expression}\n", encoding="utf-8")
    (entry,) = cost(capsys, str(path), "--ops", "primal")
    assert entry["notes"] == []


def test_pictures(capsys: Captured, file: str, tmp_path: Path) -> None:
    assert main(["cost", file, "--entry", "loss", "--ops", "primal,grad", "--plot", "-", "--sizes", "m=1..100"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("loss: flops over m\n")
    assert "* primal  o grad" in out
    target = tmp_path / "cost.svg"
    assert main(["cost", file, "--entry", "loss", "--plot", str(target), "--metric", "bytes"]) == 0
    root = ElementTree.fromstring(target.read_text(encoding="utf-8"))
    assert sum(child.tag.endswith("polyline") for child in root) == 6


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (("--ops", "gradd"), 2, "did you mean `grad`?"),
        (("--ops", ","), 2, "names no operator"),
        (("--entry", "los"), 1, "did you mean `loss`?"),
        (("--entry", "count", "--ops", "grad"), 1, "`count` has no grad"),
        (("--entry", "pair", "--ops", "hessian"), 1, "not one float"),
        (("--entry", "pair", "--wrt", "c"), 1, "no parameter `c`"),
        (("--entry", "count", "--wrt", "xs", "--ops", "grad"), 1, "`count` has no grad"),
        (("--size", "q=1", "--ops", "primal"), 2, "there is no size `q`"),
        (("--size", "n"), 2, "is no size"),
        (("--size", "n=-3"), 2, "whole numbers"),
        (("--lines", "x"), 2, "whole numbers"),
        (("--sizes", "n=1..9"), 2, "goes with `--plot`"),
        (("--plot", "-", "--sizes", "n=9..1"), 2, "cannot be `n=9..1`"),
        (("--plot", "a.gif"), 2, "cannot write `a.gif`"),
        (("--plot", "a.svg"), 2, "one entry"),
        (("--entry", "loss", "--ops", "primal", "--plot", "/nonexistent/a.svg"), 1, "U104"),
        (("--entry", "root", "--plot", "-"), 2, "no size to sweep"),
        (("--entry", "loss", "--plot", "-", "--sizes", "q=1..9"), 2, "has no size `q`"),
    ],
)
def test_what_is_refused(capsys: Captured, file: str, args: tuple[str, ...], status: int, message: str) -> None:
    assert message in refused(capsys, status, file, *args)


def test_programs_without_entries_and_with_errors(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "model.dad"
    path.write_text("def f (x: f64) : f64 = x\n", encoding="utf-8")
    assert "U305" in refused(capsys, 1, str(path))
    path.write_text("entry f (x: f64) : f64 = y\n", encoding="utf-8")
    assert "error[E1" in refused(capsys, 1, str(path))
    assert "takes one file" in refused(capsys, 2)


def test_run_stops_where_infinity_begins(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "model.dad"
    path.write_text("entry f (x: f64) : f64 =\n  1 / sqrt x\nentry g (x: f64) : f64 = sqrt x\n", encoding="utf-8")
    for target in ("native", "numpy", "interp"):
        assert main(["run", str(path), "f", "0.0", "--trap-nonfinite", "--target", target]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "error[R109]: `1.0 / 0.0` gives inf" in err
        assert f"{path}:2:3" in err
        assert "in the primal code" in err
        assert main(["run", str(path), "g", "0.0", "--grad", "--trap-nonfinite", "--target", target]) == 1
        assert "in the adjoint code" in capsys.readouterr().err
        assert main(["run", str(path), "f", "4.0", "--trap-nonfinite", "--target", target]) == 0
        assert capsys.readouterr().out == "0.5\n"
    assert main(["run", str(path), "f", "0.0"]) == 0
