"""Frozen nodes made without a call for each of their fields.

A frozen dataclass sets every field through `object.__setattr__`: ten of them cost more than reading
them from JSON did. `open_class` gives a class of the same slots that takes plain assignments; an
object of it becomes the frozen one by its `__class__`, which the language allows where the slots
are the same. Nothing is checked on the way: for values that were checked, or follow from such.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, Final, ParamSpec, TypeVar, cast

__all__ = ["open_class", "unchecked"]

P = ParamSpec("P")
T = TypeVar("T")

_EMPTY: Final = object()


@cache
def open_class(cls: type) -> type:
    """A class of the slots of `cls`, a frozen dataclass with slots, whose fields can be set."""
    return type(f"Open{cls.__name__}", (), {"__slots__": tuple(f.name for f in fields(cls))})


def unchecked(cls: Callable[P, T]) -> Callable[P, T]:
    """The constructor of a frozen dataclass with slots, without its `__post_init__`."""
    assert isinstance(cls, type)  # noqa: S101  # a class, which a type checker calls a callable
    names: dict[str, Any] = {"cls": cls, "open": open_class(cls), "EMPTY": _EMPTY}
    plain, named = list[str](), list[str]()
    lines = ["  o = open()"]
    for f in fields(cls):
        (named if f.kw_only else plain).append(f.name + _default(f, names))
        if f.default_factory is not MISSING:
            lines.append(f"  o.{f.name} = made_{f.name}() if {f.name} is EMPTY else {f.name}")
        else:
            lines.append(f"  o.{f.name} = {f.name}")
    head = ", ".join([*plain, *(["*", *named] if named else [])])
    exec("\n".join([f"def make({head}):", *lines, "  o.__class__ = cls", "  return o"]), names)  # noqa: S102  # source made of our own classes alone
    return cast(Callable[P, T], names["make"])


def _default(field: Field[Any], names: dict[str, Any]) -> str:
    """`=…` where the field has a default, whose value goes among the names."""
    if field.default_factory is not MISSING:
        names[f"made_{field.name}"] = field.default_factory
        return "=EMPTY"
    if field.default is MISSING:
        return ""
    names[f"default_{field.name}"] = field.default
    return f"=default_{field.name}"
