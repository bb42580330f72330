"""JSON back into dataclasses, every type checked in one place: cards may come from strangers."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any


def from_json(kind: Any, value: Any, where: str = "it") -> Any:
    """A value of this type from its JSON.

    Knows dataclasses, numbers, strings, booleans, None, Literal, unions, tuples, lists and dicts.

    Raises:
        ValueError: what is wrong, and where.
    """

    def need(right: bool, what: Any) -> None:
        if not right:
            raise ValueError(f"{where} is {str(value)[:40]!r}, not {what}")

    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        need(isinstance(value, dict), "an object")
        hints, known = typing.get_type_hints(kind), {f.name for f in dataclasses.fields(kind)}
        for name in value:
            need(name in known, f"without {name!r}")
        try:
            return kind(**{k: from_json(hints[k], v, f"{where}.{k}") for k, v in value.items()})
        except TypeError as error:  # a field is missing
            raise ValueError(f"{where}: {error}") from None
    if origin is typing.Literal:
        need(value in inner, " or ".join(map(repr, inner)))
        return value
    if origin in (typing.Union, types.UnionType):
        (some,) = (each for each in inner if each is not type(None))  # all of ours are optional
        return None if value is None else from_json(some, value, where)
    if origin is tuple:
        need(isinstance(value, list | tuple), "a list")
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        need(len(value) == len(kinds), f"{len(kinds)} values")
        return tuple(from_json(k, v, where) for k, v in zip(kinds, value, strict=True))
    if origin is list:
        need(isinstance(value, list), "a list")
        return [from_json(inner[0], v, where) for v in value]
    if origin is dict:
        need(isinstance(value, dict), "an object")
        return {k: from_json(inner[1], v, f"{where}.{k}") for k, v in value.items()}
    if kind is float:
        need(isinstance(value, int | float) and not isinstance(value, bool), "a number")
        return float(value)
    need(type(value) is kind, getattr(kind, "__name__", kind))
    return value
