"""Elementwise primitives on scalars, as CUDA C expressions: those of C, with what has no function there written out."""

from __future__ import annotations

from ..c.scalars import Attrs, Scalars
from .device import special


class DeviceScalars(Scalars):
    """Writes expressions. `needed` collects the functions they call, by name, `special` the names of elementary and
    special functions (`device/special.py`). Raises Missing for what has no CUDA C.
    """

    def __init__(self, needed: dict[str, str], special: dict[str, None]) -> None:
        super().__init__(needed, self.missing)
        self.special = special

    def missing(self, name: str, attrs: Attrs, out: str, dtypes: tuple[str, ...], args: tuple[str, ...]) -> str:
        raise Missing(name)

    def prim(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...], attrs: Attrs) -> str:
        return args[0] if name == "element" else super().prim(name, out, dtypes, args, attrs)

    def float(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...], attrs: Attrs) -> str:
        if not special.knows(name):
            return super().float(name, out, dtypes, args, attrs)
        function = special.function(name, dict(attrs), dtypes[0])
        self.special[function] = None
        return f"{function}({', '.join(args)})"

    def call(self, name: str, out: str, d: str, args: tuple[str, ...], body: str) -> str:
        made = super().call(name, out, d, args, body)
        full = f"dad_{name}_{d}"
        self.needed[full] = device(self.needed[full])
        return made

    def cast(self, x: str, d: str, out: str) -> str:
        made = super().cast(x, d, out)
        if "to_integer" in self.needed:
            self.needed["to_integer"] = device(self.needed["to_integer"])
        return made

    def bitcast(self, x: str, d: str, out: str) -> str:
        made = super().bitcast(x, d, out)
        full = f"dad_bits_{d}_{out}"
        self.needed[full] = device(self.needed[full]).replace("memcpy(&y, &z, sizeof y)", "dad_copy(&y, &z, sizeof y)")
        return made


class Missing(Exception):
    """There is no CUDA C for a primitive."""


def device(text: str) -> str:
    """A function of C as one of the device."""
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if line.startswith("static inline "):
            lines[k] = "DAD_DEVICE " + line.removeprefix("static inline ")
        elif line.startswith("static "):
            lines[k] = "DAD_DEVICE " + line.removeprefix("static ")
    return "\n".join(lines)
