"""The programs of the examples on a GPU, as they are: values and gradients are those of the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import compiled, installed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MIXTURE = {"weight": np.zeros(2), "duration": np.array([2.0, 4.5]), "log_duration_sd": np.log([0.5, 0.5]),
           "waiting": np.array([55.0, 80.0]), "log_waiting_sd": np.log([8.0, 8.0]), "slope": np.zeros(2)}


def flat(value: Any) -> Any:
    if isinstance(value, tuple):
        return np.concatenate([flat(v) for v in value])
    return np.ravel(np.asarray(value, float))


def test_old_faithful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.MODE, "flags", compiled.QUICK)
    rng = np.random.default_rng(15)
    durations, waitings = rng.uniform(1.5, 5, 40), rng.uniform(45, 95, 40)
    with installed():
        device = dad.load(EXAMPLES / "faithful.dad", target="cuda")
        host = dad.load(EXAMPLES / "faithful.dad", target="numpy")
        got = device.loss.value_and_grad(MIXTURE, durations, waitings)
        assert np.allclose(flat(got), flat(host.loss.value_and_grad(MIXTURE, durations, waitings)), 1e-10, 1e-10)
        grid = np.linspace(1, 6, 5), np.linspace(40, 100, 7)
        assert np.allclose(device.density(MIXTURE, *grid), host.density(MIXTURE, *grid), 1e-12, 0)


def test_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run decides is counted on the device too."""
    monkeypatch.setattr(compiled.MODE, "flags", compiled.QUICK)
    text = "entry f [n] (x: [n]f64) (k: f64) : f64 = sum (map (\\v -> if v < k then v else 2 * v) x)"
    x = np.array([1.0, -2.0, 3.0, 0.5])
    with installed():
        device, host = (dad.compile(text, target=target).f.value_and_grad(x, 1.0, certificate=True)
                        for target in ("cuda", "numpy"))
        assert np.allclose(flat(device[:2]), flat(host[:2]), 1e-12, 0)
        seen, wanted = ([(s.text, s.below, s.above, s.on, s.distance, s.step) for s in certificate]
                        for certificate in (device[2], host[2]))
    assert seen == wanted
    assert [s[1:4] for s in seen if s[0] == "v < k"] == [(2, 1, 1)]
