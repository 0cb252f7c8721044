"""`make demo`: the three demos, one after the other. Each also runs alone: `python examples/lynx.py`.

`make demo TARGET=cuda` runs the same programs on a GPU, and says what is missing where there is none.
"""
from __future__ import annotations

import ctypes
import os
import sys
from time import perf_counter

import dad

import faithful
import lynx
import sketch


def card() -> None:
    """Say which GPU there is. Raises Diagnostics without CuPy, DeviceError without a GPU."""
    dad.compile("entry f (x: f64) : f64 = x", target="cuda").f(1.0)
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"On {name}\n")


def driver() -> bool:
    """Whether a driver is installed that finds a GPU."""
    try:
        return int(ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1").cuInit(0)) == 0
    except OSError:
        return False


def main() -> None:
    start = perf_counter()
    if os.environ.get("DAD_TARGET") == "cuda":
        card()
    for demo in (faithful, lynx, sketch):
        demo.main()
        print()
    print(f"Three demos in {perf_counter() - start:.1f} s.")


if __name__ == "__main__":
    try:
        main()
    except (dad.Diagnostics, dad.DeviceError) as error:
        if not driver():
            print("There is no GPU here: no driver of NVIDIA finds one.\n", file=sys.stderr)
        print(f"{error}\nThe same demos run on the processor: make demo", file=sys.stderr)
        sys.exit(1)
