"""Types and ranges of dataclasses, checked in one place: cards may come from strangers."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from functools import cache, partial
from math import inf, nextafter
from typing import Any

from symphony.errors import RequestError

LARGEST = sys.float_info.max  # finite
LARGEST_SIZE = 4096  # of a layer, a roll, a codec: what is larger eats the machine


def ranged(default: Any, low: float, high: float = LARGEST, above: bool = False) -> Any:
    """A field with its range, of each value where it is a tuple; ``above`` leaves ``low`` out."""
    return dataclasses.field(default=default, metadata={"range": (low, high, above)})


count = partial(ranged, low=1)  # 1, 2, …
positive = partial(ranged, low=0, above=True)  # above 0
weight = partial(ranged, low=0)  # 0 switches a term off
share = partial(ranged, low=0, high=nextafter(1, 0))  # from 0 to below 1


def control(default: Any, about: str, *limits: Any) -> Any:
    """A field of a system's controls: its range, and what ``symphony compose --help`` says."""
    made = ranged(default, *limits) if limits else dataclasses.field(default=default)
    made.metadata = {**made.metadata, "help": about}
    return made


@cache
def _hints(kind: type) -> dict[str, Any]:
    """A dataclass's types by field; Python compiles each hint anew, which takes long."""
    return typing.get_type_hints(kind)


def check_fields(thing: Any) -> None:
    """Refuse values of other types than a dataclass's hints name, or out of their ranges.

    Raises:
        RequestError: which field, and what it may be.
    """
    kind: Any = type(thing)
    hints = _hints(kind)
    for each in dataclasses.fields(thing):
        value, hint = getattr(thing, each.name), hints[each.name]
        try:
            if not dataclasses.is_dataclass(hint):
                from_json(hint, value, each.name)
            elif not isinstance(value, typing.cast(type, hint)):
                raise ValueError(f"{each.name} can't be {value!r}")
            elif any(isinstance(v, int) and v > LARGEST_SIZE for v in vars(value).values()):
                raise ValueError(f"No size in {each.name} is above {LARGEST_SIZE:,}: {value}")
        except ValueError as error:
            raise RequestError(f"{error}.") from None
        if "range" not in each.metadata or value is None:
            continue
        low, high, above = each.metadata["range"]
        every = value if isinstance(value, tuple | list) else (value,)
        if not all(low < v <= high if above else low <= v <= high for v in every):
            bound = f"above {low}" if above else f"from {low}"
            bound += "" if high == LARGEST else f" to {'' if high % 1 == 0 else 'below '}{high:.3g}"
            raise RequestError(f"{each.name} is a finite number {bound}, not {value}.")
        if not every and each.default:
            raise RequestError(f"{each.name} has at least one value, as {each.default} has.")


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
        some = [each for each in inner if each is not type(None)]
        return from_json(some[0], value, where) if value is not None and len(some) == 1 else value
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
        need(abs(value) <= LARGEST or value in (inf, -inf) or value != value, "a number that small")
        return value  # a whole number stays one, so that JSON comes back the same
    need(type(value) is kind, getattr(kind, "__name__", kind))
    return value
