"""The kernels by name: what writes each, and how many arguments it has. Needs no compiler."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from . import (
    bessel,
    composed,
    error,
    exponential,
    gammas,
    inverse,
    logarithm,
    normal,
    polygammas,
    power,
    shapes,
    trigonometric,
)
from .builder import Kernel

KERNELS: dict[str, tuple[Kernel, int]] = {
    "exp": (exponential.exp, 1), "exp2": (exponential.exp2, 1), "expm1": (exponential.expm1, 1),
    "log": (logarithm.log, 1), "log2": (logarithm.log2, 1), "log10": (logarithm.log10, 1),
    "log1p": (logarithm.log1p, 1), "sin": (trigonometric.sin, 1), "cos": (trigonometric.cos, 1),
    "tan": (trigonometric.tan, 1), "asin": (inverse.asin, 1), "acos": (inverse.acos, 1), "atan": (inverse.atan, 1),
    "atan2": (inverse.atan2, 2), "sinh": (exponential.sinh, 1), "cosh": (exponential.cosh, 1),
    "tanh": (exponential.tanh, 1), "asinh": (logarithm.asinh, 1), "acosh": (logarithm.acosh, 1),
    "atanh": (logarithm.atanh, 1), "erf": (error.erf, 1), "erfc": (error.erfc, 1), "pow": (power.pow, 2),
    "cbrt": (power.cbrt, 1), "hypot": (power.hypot, 2), "direction": (power.direction, 2),
    "sigmoid": (exponential.sigmoid, 1),
    "sech": (exponential.sech, 1), "gauss": (exponential.gauss, 1), "softplus": (logarithm.softplus, 1),
    "logaddexp": (power.logaddexp, 2), "asin_slope": (composed.asin_slope, 1),
    "asinh_slope": (composed.asinh_slope, 1), "acosh_slope": (composed.acosh_slope, 1),
    "logit": (composed.logit, 1), "log1mexp": (composed.log1mexp, 1),
    "bell": (composed.bell, 1), "ndtr": (composed.ndtr, 1), "asinpi": (composed.asinpi, 1),
    "acospi": (composed.acospi, 1), "atanpi": (composed.atanpi, 1), "atan2pi": (composed.atan2pi, 2),
    "lgamma": (gammas.lgamma, 1), "digamma": (gammas.digamma, 1), "sin_cos": (trigonometric.sin_cos, 1),
    "sinpi": (gammas.sinpi, 1), "cospi": (gammas.cospi, 1), "tanpi": (gammas.tanpi, 1), "gamma": (gammas.gamma, 1),
    "log_ndtr": (normal.log_ndtr, 1), "inverse_mills": (normal.inverse_mills, 1),
    "mills_excess": (normal.mills_excess, 1), "ndtri": (normal.ndtri, 1), "ndtri_slope": (normal.ndtri_slope, 1),
    "erfinv": (normal.erfinv, 1), "erfinv_slope": (normal.erfinv_slope, 1), "trigamma": (polygammas.trigamma, 1),
    "lbeta": (polygammas.lbeta, 2), "gamma_density": (shapes.gamma_density, 2), "gammainc": (shapes.gammainc, 2),
    "gammaincc": (shapes.gammaincc, 2), "gamma_moved": (shapes.gamma_moved, 2),
    "beta_density": (shapes.beta_density, 3), "betainc": (shapes.betainc, 3), "bessel_i0": (bessel.bessel_i0, 1),
    "bessel_i1": (bessel.bessel_i1, 1), "log_i0": (bessel.log_i0, 1), "bessel_ratio": (bessel.bessel_ratio, 1),
    "bessel_spread": (bessel.bessel_spread, 1),
}
FAMILIES: dict[str, tuple[Kernel, int, tuple[str, ...]]] = {
    "polygamma": (polygammas.polygamma, 1, ("order",)),
    "polygamma_rise": (polygammas.polygamma_rise, 2, ("order",)),
    "gamma_shape": (shapes.gamma_shape, 2, ("order",)),
    "beta_shape": (shapes.beta_shape, 3, ("first", "second")),
    "bessel_order": (bessel.bessel_order, 1, ("order",)),
}
"""Functions with whole numbers known at compile time, which are part of the kernel's name: `polygamma_2`."""
PRIMITIVES = {*KERNELS, *FAMILIES}
"""The primitives that are kernels."""
RESULTS = {"sin_cos": 2}


def named(primitive: str, attrs: Mapping[str, object]) -> str:
    """The kernel of a primitive."""
    family = FAMILIES.get(primitive)
    return primitive if family is None else "_".join([primitive, *(str(attrs[key]) for key in family[2])])


def known(kernel: str) -> bool:
    return kernel in KERNELS or split(kernel)[0] in FAMILIES


def split(kernel: str) -> tuple[str, tuple[int, ...]]:
    """The family of a kernel, and its numbers."""
    for family, (_, _, keys) in FAMILIES.items():
        numbers = kernel.removeprefix(f"{family}_").split("_")
        if kernel.startswith(f"{family}_") and len(numbers) == len(keys) and all(n.isdigit() for n in numbers):
            return family, tuple(map(int, numbers))
    return "", ()


@cache
def meaning(kernel: str) -> tuple[Kernel, int]:
    """What writes a kernel, and how many arguments it has."""
    if kernel in KERNELS:
        return KERNELS[kernel]
    family, numbers = split(kernel)
    write, arity, keys = FAMILIES[family]
    return partial(write, **dict(zip(keys, numbers, strict=True))), arity
