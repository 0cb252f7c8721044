"""Errors of all kernels over many arguments: `python -m dad.tests.native.sweep [POINTS [KERNEL…]]`."""

from __future__ import annotations

import sys
import time

import numpy as np
from dad.codegen.backends.native.kernels.table import KERNELS, Symbol

from .kernels import MEANING, bits, exact, points, runners, units


def sweep(names: list[str], count: int) -> None:
    rng = np.random.default_rng(int(count))
    count -= count % 8
    for name in names:
        symbols = [Symbol(name, "f64", n) for n in (1, 2, 4, 8)]
        runs = {fma: runners(symbols, fma) for fma in (True, False)}
        xs = points(rng, name, count)
        begun = time.process_time()
        wants = [exact(name, *map(float, x)) for x in zip(*xs, strict=True)]
        row = [f"{name:10s}"]
        for fma, found in runs.items():
            got = {what.lanes: run(*xs) for what, run in found.items()}
            same = all(np.array_equal(bits(got[1]), bits(y)) for y in got.values())
            errors = np.array([units(g, w) for g, w in zip(got[1], wants, strict=True)])
            k = int(np.argmax(errors))
            row.append(f"{'fma' if fma else 'two roundings'}: {errors[k]:.3f} at {[float(x[k]) for x in xs]} -> "
                       f"{got[1][k]!r}{'' if same else ' LANES DIFFER'}")
        print("  ".join(row), f"({time.process_time() - begun:.1f} s)", flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sweep([n for n in (arguments[1:] or KERNELS) if n in MEANING], int(arguments[0]) if arguments else 20000)
