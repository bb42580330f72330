"""Walks through a space of codes: flip some digits, return to a theme now and then (chapter 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nextafter
from typing import Literal

import numpy as np
from jaxtyping import Int64

from symphony.typed import control

ONE = nextafter(1, 2)  # a probability may be 1


@dataclass(frozen=True)
class WalkControls:
    """The controls of a walk."""

    walk: Literal["random", "reset"] = control(
        "random", "random wanders on; reset returns to a theme every few windows"
    )
    flips: int = control(2, "digits that change from one window to the next", 0)
    whole: float = control(0.0, "probability that all digits change at once", 0, 1)
    every: int = control(4, "windows after which a reset walk may return", 1)
    back: float = control(0.8, "probability that it then returns to its theme", 0, 1)
    store: float = control(0.2, "probability that it then takes the present window as theme", 0, 1)
    theme: str | None = control(None, "a MIDI or ABC file whose first window is where to begin")


def walk(
    start: Int64[np.ndarray, " m"], levels: int, how: WalkControls, rng: np.random.Generator
) -> Iterator[Int64[np.ndarray, " m"]]:
    """Codes without end, the start first; each digit lies from 0 to ``levels`` - 1.

    Every window, ``flips`` different digits change, or all with the probability ``whole``. After
    every ``every`` windows a reset walk first returns to its theme (``back``), or else keeps where
    it is as its theme (``store``), as the original report's did.
    """
    theme = code = start
    at = 0
    while True:
        yield code
        at += 1
        if how.walk == "reset" and at % how.every == 0:
            if rng.random() < how.back:
                code = theme
            if rng.random() < how.store:
                theme = code
        code = changed(code, levels, len(code) if rng.random() < how.whole else how.flips, rng)


def changed(
    code: Int64[np.ndarray, " m"], levels: int, count: int, rng: np.random.Generator
) -> Int64[np.ndarray, " m"]:
    """A code of which ``count`` digits, all if there are fewer, have another value."""
    where = rng.permutation(len(code))[:count]
    out = code.copy()
    out[where] = (code[where] + rng.integers(1, levels, len(where))) % levels
    return out
