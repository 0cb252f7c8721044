"""What a newcomer runs first keeps working: the demos find the published fits, the benchmarks agree with autograd."""
from __future__ import annotations

import csv
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / ".tree"), "PYTHONUTF8": "1"}


def run(*arguments: str) -> str:
    """The output of a script of the project; fails with all it said if it fails."""
    result = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True,
                            encoding="utf-8", check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_demos_say_that_there_is_no_gpu() -> None:
    script = ("import ctypes, importlib.util, runpy, sys\ndef none(*args): raise OSError\nctypes.CDLL = none\n"
              "importlib.util.find_spec = lambda name: None\nsys.path.insert(0, 'examples')\n"
              "runpy.run_path('examples/demo.py', run_name='__main__')")
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**ENVIRONMENT, "DAD_TARGET": "cuda"},
                            capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("There is no GPU here")
    assert "The same demos run on the processor: make demo" in result.stderr


def column(name: str, heading: str) -> list[float]:
    with (ROOT / "examples" / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [float(row[heading]) for row in csv.DictReader(file)]


def test_old_faithful_is_the_published_data() -> None:
    eruptions, waiting = column("old_faithful", "eruptions"), column("old_faithful", "waiting")
    assert len(eruptions) == len(waiting) == 272
    assert statistics.mean(eruptions) == pytest.approx(3.487783, abs=1e-6)
    assert statistics.mean(waiting) == pytest.approx(70.897059, abs=1e-6)
    assert statistics.correlation(eruptions, waiting) == pytest.approx(0.9008112, abs=1e-7)


def test_furs_are_the_published_data() -> None:
    assert column("lynx_hare", "year") == list(range(1900, 1921))
    assert sum(column("lynx_hare", "hare")) == pytest.approx(715.7)
    assert sum(column("lynx_hare", "lynx")) == pytest.approx(423.5)


def test_faithful_finds_the_maximum_of_the_likelihood() -> None:
    """-1130.26 is what EM finds for two components with covariances of their own, in any of its implementations."""
    said = run("examples/faithful.py")
    assert "log likelihood -1130.26" in said
    assert "36% of eruptions last 2.04" in said
    assert "64% of eruptions last 4.29" in said
    assert (ROOT / "build" / "faithful.png").stat().st_size > 10_000


def test_lynx_finds_the_maximum_of_the_likelihood() -> None:
    """The rates are close to the posterior means of the Stan case study: 0.55, 0.028, 0.024, 0.80."""
    said = run("examples/lynx.py")
    assert "log likelihood -122.93" in said
    assert "hares alone grow by 0.54 a year, lynx without hares die at 0.80 a year" in said
    assert "cost hares 0.0272 and feed lynx 0.0237" in said
    assert (ROOT / "build" / "lynx.png").stat().st_size > 10_000


def test_sketch_is_solved() -> None:
    said = run("examples/sketch.py")
    steps = re.search(r"in (\d+) steps of Gauss–Newton", said)
    assert steps is not None
    assert int(steps[1]) <= 6
    assert "(0.00, 0.00), (80.00, 0.00), (80.00, 50.00), (51.72, 78.28), (16.19, 57.77) mm" in said
    assert (ROOT / "build" / "sketch.png").stat().st_size > 10_000


def test_records_become_vectors_and_back() -> None:
    assert run("-m", "doctest", "examples/common.py") == ""


def test_benchmarks_of_machine_code_run() -> None:
    """At sizes that say nothing; what is timed must be the same as C's, which the benchmark asserts."""
    out = run("benchmarks/run.py", "--only", "latency", "--tiny")
    for figure in ("text to gradient, 60 operations", "edit of 60 operations, p95 of 5", "one item more in an array",
                   "steady gradient, 60 operations", "array of 100 terms", "log density: hidden markov",
                   "call of a small function"):
        assert figure in out, out


def test_terms_of_the_benchmark_are_derived_rightly() -> None:
    """Peers are given the expression that Dad gets: values are those of Python, gradients those of differences."""
    out = run("-c", "import sys; sys.path.insert(0, 'benchmarks'); import terms, dad, numpy as np\n"
              "p, x = terms.Program(400, 3), np.array(terms.point())\n"
              "assert len(terms.KINDS) >= 20 and len({t.kind for t in p.terms}) >= 15\n"
              "v, g = dad.compile(p.text, target='numpy').energy.value_and_grad(x)\n"
              "f = lambda x: terms.plain_value(p, list(x))\n"
              "d = [(f(x + 1e-6 * e) - f(x - 1e-6 * e)) / 2e-6 for e in np.eye(terms.INPUTS)]\n"
              "print(abs(f(x) - v) < 1e-9, np.allclose(d, g, 1e-6, 1e-6))")
    assert out == "True True\n"


def test_benchmarks_agree_with_autograd() -> None:
    assert run("benchmarks/run.py", "--only", "agreement").count("agrees to 1e-10") == 4
