"""`dataclass`, `field` and `replace` for the modules that `dad check` imports.

They mean what they mean in `dataclasses`, as far as this project uses them. That module compiles every method of every
class on its own and imports `inspect`; for the sixty classes of the front end this takes longer than checking a small
file. Here one `exec` of a constructor, `==` and `hash` serves a class. `slots` and `repr` are accepted and not needed.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

_T = TypeVar("_T")
_MISSING: Any = object()


class _Field:
    """What `field` says of one attribute."""

    __slots__ = ("compare", "default", "factory", "init")

    def __init__(self, default: Any, factory: Any, compare: bool, init: bool) -> None:
        self.default, self.factory, self.compare, self.init = default, factory, compare, init


def field(*, default: Any = _MISSING, default_factory: Any = _MISSING, compare: bool = True, init: bool = True,
          repr: bool = True) -> Any:
    return _Field(default, default_factory, compare, init)


if TYPE_CHECKING:
    @overload
    def dataclass(cls: type[_T], /) -> type[_T]: ...
    @overload
    def dataclass(*, frozen: bool = ..., eq: bool = ..., slots: bool = ..., repr: bool = ...
                  ) -> Callable[[type[_T]], type[_T]]: ...


@dataclass_transform(field_specifiers=(field,))
def dataclass(cls: Any = None, /, *, frozen: bool = False, eq: bool = True, slots: bool = False,
              repr: bool = True) -> Any:
    """Make a class of its annotations, as `dataclasses.dataclass` does."""
    if cls is None:
        return lambda made: _make(made, frozen, eq)
    return _make(cls, frozen, eq)


def _make(cls: Any, frozen: bool, eq: bool) -> Any:
    fields: dict[str, _Field] = dict(getattr(cls, "_fields_of_record", {}))
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith("ClassVar"):
            continue
        given = cls.__dict__.get(name, _MISSING)
        fields[name] = given if isinstance(given, _Field) else _Field(given, _MISSING, True, True)
        if isinstance(given, _Field):
            if given.default is _MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, given.default)
    cls._fields_of_record = fields
    setattr(cls, "__match_args__", tuple(n for n, f in fields.items() if f.init))  # noqa: B010  # mypy: read-only
    scope: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    params, body = [], []
    for name, f in fields.items():
        value = name
        if f.factory is not _MISSING:
            scope[f"_make_{name}"] = f.factory
            value = f"_make_{name}()" if not f.init else f"_make_{name}() if {name} is _missing else {name}"
        elif f.default is not _MISSING:
            scope[f"_default_{name}"] = f.default
            value = name if f.init else f"_default_{name}"
        if f.init:
            if f.factory is not _MISSING:
                params.append(f"{name}=_missing")
            else:
                params.append(name if f.default is _MISSING else f"{name}=_default_{name}")
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    lines = [f"def __init__({', '.join(['self', *params])}):", *(f"    {line}" for line in body or ["pass"])]
    if eq:
        compared = [n for n, f in fields.items() if f.compare]
        mine, other = (f"({''.join(f'{who}.{n}, ' for n in compared)})" for who in ("self", "other"))
        lines += ["def __eq__(self, other):", "    if other.__class__ is not self.__class__:",
                  "        return NotImplemented", f"    return {mine} == {other}"]
        if frozen:
            lines += ["def __hash__(self):", f"    return hash({mine})"]
    exec("\n".join(lines), scope)
    for name in ("__init__", "__eq__", "__hash__"):
        if name in scope and name not in cls.__dict__:
            setattr(cls, name, scope[name])
    if eq and not frozen:
        cls.__hash__ = None
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _repr
    if frozen:
        cls.__setattr__ = _refuse
    return cls


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._fields_of_record)})"


def _refuse(self: Any, name: str, value: Any) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: cannot assign to {name}")


def replace(record: _T, **changes: Any) -> _T:
    """A copy of the record with some fields changed."""
    fields: dict[str, _Field] = record._fields_of_record  # type: ignore[attr-defined]  # put there by `dataclass`
    kept = {n: getattr(record, n) for n, f in fields.items() if f.init and n not in changes}
    return type(record)(**kept, **changes)
