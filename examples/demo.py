"""`make demo`: the three demos, one after the other. Each also runs alone: `python examples/lynx.py`."""
from __future__ import annotations

from time import perf_counter

import faithful
import lynx
import sketch


def main() -> None:
    start = perf_counter()
    for demo in (faithful, lynx, sketch):
        demo.main()
        print()
    print(f"Three demos in {perf_counter() - start:.1f} s.")


if __name__ == "__main__":
    main()
