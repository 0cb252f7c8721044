"""Entry points as Python sees them: arguments checked and taken apart into arrays, results put together, transforms.

A function of array code takes and gives *leaves*: NumPy scalars, and native C-contiguous arrays. Here stands what is
between it and a user: any array-like in, any strides, records as dicts, dataclasses or named tuples; fresh arrays,
Python numbers and named tuples out. Types come as nested tuples, the plain form of `codegen.backends.entry`:

    ("scalar", dtype)   ("array", dtype, dims)   ("tuple", items)   ("record", name, ((field, item), …))
    ("rows", dims, element)    with dims ((text, ((coefficient, (names, …)), …)), …)

A record's fields stand as they are written, its leaves come by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import (
    Held,
    Leaves,
    Unusual,
    derivatives_of,
    described,
    floats_of,
    leaves_of,
    listed,
    record_parts,
    taken_apart,
    taker,
    tuple_parts,
)
from .errors import DadArgumentError
from .path import Path
from .results import Builder, owned, spec_leaves, targets_of

SAME_ARGUMENTS = ("value_and_grad", "jacobian", "jacfwd", "jacrev", "hessian", "laplacian")
"""Derivatives that take what the entry takes."""
C_TYPES = {"f64": "double", "f32": "float", "f16": "_Float16", "bool": "bool"} | {
    f"{s}{b}": f"{'u' * (s == 'u')}int{b}_t" for s in "iu" for b in (8, 16, 32, 64)}
USUAL = (float, np.ndarray)
"""Types of leaves that need no closer look."""
ROWS = ("batch", ((1, ("batch of vmap",)),))
"""The size of the axis that `vmap` maps over; a source name has no spaces."""


def shared_sizes(params: Sequence[Any], result: Any) -> tuple[str, ...]:
    """Parameters that are sizes of others or of the result: the same for all elements under `vmap`."""
    dims: list[Any] = []
    pending = [result, *(spec for _, _, spec in params)]
    while pending:
        match pending.pop():
            case ("array", _, own):
                dims += own
            case ("rows", own, element):
                dims += own
                pending.append(element)
            case ("tuple", items):
                pending += items
            case ("record", _, fields):
                pending += [item for _, item in fields]
            case ("sum", _, _, constructors):
                pending += [item for _, items in constructors for item in items]
    used = {name for _, terms in dims for _, factors in terms for name in factors}
    return tuple(name for name, _, spec in params if spec == ("scalar", "i64") and name in used)


def one_size(values: Any, name: str) -> tuple[Any, int]:
    """The number that all elements share, and how many there are; 0 when there is none."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise DadArgumentError("A101", f"argument `{name}`: expected one i64 an element, found {described(values)}")
    if array.size and (array != array[0]).any():
        both = f"{array.min()} and {array.max()}"
        raise DadArgumentError("A103", f"argument `{name}` is a size, the same for all elements; found {both}")
    return (array[0] if array.size else 0), array.size


# ------------------------------------------------------------------ entry points


class Entry:
    """A function of a Dad program. Call it with arrays and numbers; `grad`, `value_and_grad`, `jvp`, `vjp`, `jacobian`,
    `hessian`, `hvp`, `laplacian`, `vmap` derive it.

    Derivatives are taken with respect to the parameters declared `param`, or else all with floats that are not `data`;
    `wrt=("x",)` says otherwise. Of one parameter they come as they are, of several as a named tuple.
    """

    plan: type[Leaves] = Leaves
    """What converts and compares leaves."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any] | None,
        params: Any,
        result: Any,
        doc: str = "",
        wrt: Any = (),
        transforms: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc
        self.params, self.result, self.wrt = params, result, tuple(wrt)
        self.transforms = dict(transforms or {})
        self.names = tuple(name for name, _, _ in params)
        self.seeded: dict[Any, Leaves] = {}
        self.paths: dict[tuple[str, tuple[str, ...]], Path] = {}
        self.plain = all(spec[0] in ("scalar", "array") for _, _, spec in params)
        self.takers = [taker(spec) for _, _, spec in params]
        self.actives: dict[Any, tuple[str, ...]] = {}
        self.tangents: dict[tuple[str, ...], dict[str, Any]] = {}
        self.inputs = self.leaves_for({})
        if function is not None:
            self.settle(function)

    def settle(self, function: Callable[..., Any]) -> None:
        """The function that calls of the entry itself go to, where it was not known before."""
        self.function = function
        self.value = Path(self, function, self.inputs, self.result)

    def __repr__(self) -> str:
        return f"<entry {self.__name__}({', '.join(self.names)})>"

    def __call__(self, *args: Any, **named: Any) -> Any:
        if named or not self.plain:
            args = tuple(self.parts(self.arguments(args, named)))
        return self.value.call(*args)

    # -------------------------------------------------------- transforms

    def grad(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """The gradient of the scalar result: of one parameter as it is, of several as a named tuple."""
        return self.value_and_grad(*args, wrt=wrt, **named)[1]

    def value_and_grad(self, *args: Any, wrt: Any = None, certificate: bool = False, **named: Any) -> Any:
        """(value, gradient); with `certificate` a third, which says what was decided by the parameters on the way."""
        if certificate:
            return self._certified(args, wrt, named)
        path = self._path("value_and_grad", wrt)
        if named or not self.plain:
            args = tuple(self.parts(self.arguments(args, named)))
        return path.call(*args)

    def _certified(self, args: tuple[Any, ...], wrt: Any, named: dict[str, Any]) -> Any:
        """Value, gradient and certificate; whoever can compile more overrides this."""
        raise DadArgumentError("A105", f"`{self.__name__}` was built without certificates; `dad.load` makes them")

    def jvp(self, *args: Any, wrt: Any = None) -> Any:
        """(value, tangent of the value): `f.jvp(x, y, tangents)`, or `f.jvp((x, y), tangents)`.

        Tangents are structured like a gradient: one parameter's as it is, several as a tuple or by name.
        """
        path = self._path("jvp", wrt, self._tangents)
        return path.call(*self._with_tangents(args, "jvp", self.active(wrt)))

    def vjp(self, *args: Any, wrt: Any = None) -> Any:
        """(value, gradient) for a cotangent structured like the value: `f.vjp(x, y, cotangent)`, or `f.vjp((x, y),
        cotangent)`.
        """
        spec = floats_of(self.result)
        path = self._path("vjp", wrt, lambda _: {"cotangent": spec})
        if self.usual(args) and type(args[-1]) in USUAL and spec[0] in ("scalar", "array"):
            return path.call(*args)
        args, cotangent = self.point_and_seed(args, "vjp", "a cotangent")
        return path.call(*self.parts(self.point(args)), *taken_apart(spec, cotangent, "cotangent"))

    def jacobian(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """All derivatives: the value's structure with a gradient for each float, forward or backward, whichever takes
        fewer passes. Of an array result and an array parameter: an array of the axes of both.
        """
        return self._jacobian("jacobian", args, wrt, named)

    def jacfwd(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """`jacobian` in forward mode, one pass for each float of the parameters."""
        return self._jacobian("jacfwd", args, wrt, named)

    def jacrev(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """`jacobian` in reverse mode, one pass for each float of the value."""
        return self._jacobian("jacrev", args, wrt, named)

    def hessian(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """All second derivatives: a gradient for each float of the gradient."""
        path = self._path("hessian", wrt)
        return path.call(*self.parts(self.arguments(args, named)))

    def laplacian(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """The sum of the second derivatives by each float alone, the trace of the Hessian."""
        path = self._path("laplacian", wrt)
        return path.call(*self.parts(self.arguments(args, named)))

    def hvp(self, *args: Any, wrt: Any = None) -> Any:
        """The Hessian times tangents: `f.hvp(x, y, tangents)`, or `f.hvp((x, y), tangents)`.

        Tangents and product are structured like a gradient.
        """
        path = self._path("hvp", wrt, self._tangents)
        return path.call(*self._with_tangents(args, "hvp", self.active(wrt)))

    def vmap(self, *args: Any, in_axes: Any = 0, **named: Any) -> Any:
        """The results for each element along an axis of the arguments (`in_axes`, one number or one to each; None:
        the same
        for all).
        """
        given = self.arguments(args, named)
        axes = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * len(given)
        if len(axes) != len(given) or all(axis is None for axis in axes):
            raise DadArgumentError(
                "A104", f"`in_axes` needs one axis or None for each of {listed(self.names)}, and one axis at least"
            )
        shared = shared_sizes(self.params, self.result)
        counts = {}
        for k, name in enumerate(self.names):
            if name in shared and axes[k] is not None:
                given[k], counts[name] = one_size(given[k], name)
                axes[k] = None
        if all(name in shared for name in self.names) or (counts and all(axis is None for axis in axes)):
            return self.repeated(given, counts)
        function = self._transform("vmap", tuple(name for name in self.names if name not in shared))
        leaves: list[tuple[str, str, Any]] = []
        scalars: list[tuple[int, str]] = []
        values, mapped = [], []
        for (name, _, spec), value, axis in zip(self.params, given, axes, strict=True):
            batched = name not in shared
            if not batched:
                scalars.append((len(leaves), name))
            found_leaves = list(leaves_of(spec, name, (ROWS,) if axis is not None else ()))
            parts = list(taken_apart(spec, value, name, int(axis is not None)))
            leaves += found_leaves
            mapped += [(axis is not None, batched)] * len(found_leaves)
            if axis and any(isinstance(p, Held) for p in parts):
                raise DadArgumentError("A104", f"argument `{name}`: values of sum types are mapped over axis 0")
            values += [self.inputs.moved(p, axis) if axis else p for p in parts]
        plan = self.plan(leaves, scalars)
        made = plan.converted(values)
        size = next(x.shape[0] for x, (is_mapped, _) in zip(made, mapped, strict=True) if is_mapped)
        for name, count in counts.items():
            if count != size:
                message = f"argument `{name}`: axis 0 has size {count}, but there are {size} elements"
                raise DadArgumentError("A103", message)
        made = [
            x if is_mapped or not batched else plan.spread(x, size)
            for x, (is_mapped, batched) in zip(made, mapped, strict=True)
        ]
        return Builder(self.result, 1).build(owned(self.run(function, made), made))

    def repeated(self, given: Sequence[Any], counts: Mapping[str, int]) -> Any:
        """The one result, as often as there are elements: nothing but sizes is mapped over."""
        if len(set(counts.values())) > 1:
            raise DadArgumentError(
                "A103",
                "the arguments to map over have different lengths: "
                + ", ".join(f"`{name}` has {count}" for name, count in counts.items()),
            )
        values = self.inputs.converted(self.parts(given))
        size = next(iter(counts.values()))
        results = [np.array(np.broadcast_to(x, (size, *np.shape(x)))) for x in self.run(self.function, values)]
        return Builder(self.result, 1).build(owned(results, values))

    def _jacobian(self, kind: str, args: tuple[Any, ...], wrt: Any, named: Mapping[str, Any]) -> Any:
        path = self._path(kind, wrt)
        return path.call(*self.parts(self.arguments(args, named)))

    def _path(self, kind: str, wrt: Any, more: Callable[[tuple[str, ...]], Mapping[str, Any]] | None = None) -> Path:
        """The path of a transform, which takes `more` leaves than those of the parameters."""
        active = self.active(wrt)
        path = self.paths.get((kind, active))
        if path is None:
            function = self._transform(kind, active)
            inputs = self.leaves_for(more(active)) if more else self.inputs
            path = self.paths[kind, active] = Path(self, function, inputs, self._spec(kind, active))
        return path

    def _spec(self, kind: str, active: tuple[str, ...]) -> Any:
        """The type of what a transform gives."""
        gradient = self.gradient_spec(active)
        match kind:
            case "value_and_grad" | "vjp":
                return "tuple", (self.result, gradient)
            case "jvp":
                return "tuple", (self.result, floats_of(self.result))
            case "jacobian" | "jacfwd" | "jacrev":
                return derivatives_of(floats_of(self.result), gradient)
            case "hessian":
                return derivatives_of(gradient, gradient)
            case "hvp":
                return gradient
        return self.result

    def _chosen(self, derivative: str | None, wrt: Any) -> Path:
        """The path of the entry itself or of a derivative that takes the same arguments."""
        if derivative is None:
            return self.value
        if derivative not in SAME_ARGUMENTS:
            raise DadArgumentError("A104", f"there is no derivative `{derivative}` here; there are "
                                   + listed(SAME_ARGUMENTS))
        return self._path(derivative, wrt)

    def _tangents(self, active: tuple[str, ...]) -> dict[str, Any]:
        if active not in self.tangents:
            self.tangents[active] = self._tangents_of(active)
        return self.tangents[active]

    def _tangents_of(self, active: tuple[str, ...]) -> dict[str, Any]:
        return {f"tangent of {name}": floats_of(spec) for name, _, spec in self.params if name in active}

    def _with_tangents(self, args: tuple[Any, ...], kind: str, active: tuple[str, ...]) -> Sequence[Any]:
        """The leaves of the arguments, then those of tangents of the active ones."""
        if self.usual(args):
            if len(active) == 1 and type(args[-1]) in USUAL:
                return args
            if type(args[-1]) is tuple and len(args[-1]) == len(active) > 1:
                return (*args[:-1], *args[-1])
        args, tangents = self.point_and_seed(args, kind, "tangents")
        specs = list(self._tangents(active).items())
        return [*self.parts(self.point(args)), *self.seeds(tangents, active, specs)]

    def _transform(self, kind: str, wrt: tuple[str, ...]) -> Callable[..., Any]:
        """The function of leaves for a transform; whoever can compile more overrides this."""
        function = self.transforms.get(kind)
        if function is None or (kind != "vmap" and wrt != self.wrt):
            have = ", ".join(f"`{k}`" for k in self.transforms) or "no transforms"
            over = f" with respect to {listed(wrt)}" if wrt and kind != "vmap" else ""
            raise DadArgumentError(
                "A105",
                f"`{self.__name__}` was built without `{kind}`{over}; it has {have} with respect to "
                f"{listed(self.wrt)}; `dad build --with {kind}` builds more, `dad.load` derives what it is asked for",
            )
        return function

    # -------------------------------------------------------- other ways to call

    def into(self, *args: Any, out: Any, derivative: str | None = None, wrt: Any = None, **named: Any) -> Any:
        """`out`, into whose arrays the results have been written: `f.into(x, out=y)`.

        `out` is an array of the result's shape and dtype, contiguous; for several results, structured like them; for a
        number, an array without axes (`np.empty(())`); None where a result is not wanted. With `derivative`,
        "value_and_grad", "jacobian" and the like, what that method gives is written. An array may be argument and `out`
        at once.
        """
        path = self._chosen(derivative, wrt)
        writer = path.writers.get((True,))
        if writer is not None and type(out) is np.ndarray and self.plain and len(args) == len(self.names) and not named:
            writer(*args, out)
            return out
        path.write(self.parts(self.arguments(args, named)), list(targets_of(path.spec, out)))
        return out

    @property
    def address(self) -> int:
        """The address of the entry as a function of C; `c_signature` says what it takes. It is good as long as the
        entry lives, and there with target "native" only.
        """
        return self.address_of()

    def address_of(self, derivative: str | None = None, wrt: Any = None) -> int:
        """The address of the entry or of a derivative that takes the same arguments."""
        path = self._chosen(derivative, wrt)
        make = getattr(path.function, "c_address", None)
        if make is None:
            raise AttributeError(f"`{self.__name__}` is not machine code: only target \"native\" gives addresses")
        found: int = make(path.inputs)
        return found

    def c_signature(self, derivative: str | None = None, wrt: Any = None) -> str:
        """What the function at `address` takes, for people to read."""
        path = self._chosen(derivative, wrt)
        lines = [f"int32_t {self.__name__}(const void *const *inputs, const int64_t *sizes, void *const *outputs)"]
        axis = 0
        results = spec_leaves(path.spec, "result")
        for name, leaves in (("inputs", path.inputs.leaves), ("outputs", tuple(results))):
            for k, (label, dtype, dims) in enumerate(leaves):
                sizes = "".join(f"[sizes[{axis + j}]]" for j in range(len(dims)))
                axis += len(dims)
                lines.append(f"{name}[{k}]: {label}, {C_TYPES[dtype]} {sizes}".rstrip())
        return "\n".join(lines)

    # -------------------------------------------------------- arguments

    def run(self, function: Callable[..., Any], values: Sequence[Any]) -> Sequence[Any]:
        with np.errstate(all="ignore"):
            results = function(*values)
        return results if isinstance(results, tuple) else (results,)

    def arguments(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """One value to each parameter, in order."""
        names = self.names
        if len(args) == len(names) and not named:
            return list(args)
        if len(args) > len(names):
            raise DadArgumentError("A104", f"`{self.__name__}` takes {len(names)} arguments, got {len(args)}")
        given = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names:
                raise DadArgumentError("A104", f"`{self.__name__}` has no parameter `{name}`; it has {listed(names)}")
            if name in given:
                raise DadArgumentError("A104", f"argument `{name}` is given twice")
            given[name] = value
        for name in names:
            if name not in given:
                raise DadArgumentError("A104", f"argument `{name}` of `{self.__name__}` is missing")
        return [given[name] for name in names]

    def point_and_seed(self, args: tuple[Any, ...], kind: str, seed: str) -> tuple[Any, Any]:
        if len(args) == 2:
            return args
        if len(args) == len(self.names) + 1:
            return args[:-1], args[-1]
        raise DadArgumentError(
            "A104",
            f"`{self.__name__}.{kind}` takes the arguments {listed(self.names)}, then {seed}; got {len(args)} values",
        )

    def usual(self, args: tuple[Any, ...]) -> bool:
        """Whether these are leaves, one to each parameter, and a tangent or cotangent."""
        return self.plain and len(args) == len(self.names) + 1 and type(args[0]) in USUAL

    def point(self, args: Any) -> list[Any]:
        if isinstance(args, Mapping):
            return self.arguments((), args)
        whole = isinstance(args, tuple) and len(args) == len(self.names)
        return self.arguments(
            args if whole or (len(self.names) != 1 and isinstance(args, tuple | list)) else (args,), {}
        )

    def parts(self, values: Sequence[Any]) -> Sequence[Any]:
        if self.plain:
            return values
        leaves: list[Any] = []
        try:
            for take, value in zip(self.takers, values, strict=True):
                take(value, leaves)
        except Unusual:
            pass
        else:
            return leaves
        return [
            part
            for (name, _, spec), value in zip(self.params, values, strict=True)
            for part in taken_apart(spec, value, name)
        ]

    def leaves_for(self, more: Mapping[str, Any]) -> Leaves:
        """What a function takes: the parameters, then these."""
        key = tuple(more.items())
        if key not in self.seeded:
            self.seeded[key] = self._leaves(key)
        return self.seeded[key]

    def _leaves(self, more: Sequence[tuple[str, Any]]) -> Leaves:
        leaves: list[tuple[str, str, Any]] = []
        scalars: list[tuple[int, str]] = []
        for name, _, spec in self.params:
            if spec == ("scalar", "i64"):
                scalars.append((len(leaves), name))
            leaves += leaves_of(spec, name)
        for label, spec in more:
            leaves += leaves_of(spec, label)
        return self.plan(leaves, scalars)

    def active(self, wrt: Any) -> tuple[str, ...]:
        if wrt is None:
            return self.wrt
        key = wrt if isinstance(wrt, str) else tuple(wrt)
        found = self.actives.get(key)
        if found is None:
            chosen = (key,) if isinstance(key, str) else key
            for name in chosen:
                if name not in self.names:
                    raise DadArgumentError(
                        "A104", f"`{self.__name__}` has no parameter `{name}`; it has {listed(self.names)}"
                    )
            found = self.actives[key] = tuple(name for name in self.names if name in chosen)
        return found

    def gradient_spec(self, active: tuple[str, ...]) -> Any:
        specs = [(name, floats_of(spec)) for name, _, spec in self.params if name in active]
        return specs[0][1] if len(specs) == 1 else ("params", tuple(specs))

    def seeds(self, tangents: Any, active: tuple[str, ...], specs: Sequence[tuple[str, Any]]) -> Iterator[Any]:
        if len(active) == 1:
            if isinstance(tangents, tuple) and len(tangents) == 1 and specs[0][1][0] in ("scalar", "array"):
                (tangents,) = tangents
            yield from taken_apart(specs[0][1], tangents, specs[0][0])
            return
        if isinstance(tangents, Mapping) or hasattr(tangents, "_fields"):
            values = record_parts(tangents, active, "tangents")
        else:
            values = tuple_parts(tangents, range(len(active)), "tangents")
        for (label, spec), value in zip(specs, values, strict=True):
            yield from taken_apart(spec, value, label)
