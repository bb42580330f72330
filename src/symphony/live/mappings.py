"""From what a device senses to what a model is led by: pure functions, one after the other.

Filter, dead zone, curve, hysteresis. A mapping keeps nothing: what it must remember goes in and
comes out with each call, so that the same readings always give the same music.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from symphony.errors import RequestError
from symphony.live.sources import Replay

Values = Float64[np.ndarray, " n"]
Curve = Callable[[Values], Values]


class Smooth(NamedTuple):
    """What a One-Euro filter remembers."""

    value: Values
    speed: Values
    time: float


def one_euro(
    before: Smooth | None,
    values: Values,
    time: float,
    min_cutoff: float = 1.5,
    beta: float = 4.0,
    speed_cutoff: float = 1.0,
) -> Smooth:
    """A low-pass filter that trembling can't pass and a quick move can.

    Its cutoff is ``min_cutoff + beta * |speed|`` in Hz (Casiez, Roussel and Vogel, "1 € filter",
    CHI 2012): still hands are smoothed much, fast ones hardly.

    Args:
        before: what the last call gave; None at first.
        values, time: what is sensed now, and when, in seconds.
        min_cutoff, beta, speed_cutoff: Hz; Hz for a speed of 1 a second; Hz of the speed's own
            filter.
    """
    if before is None:
        return Smooth(values, np.zeros_like(values), time)
    passed = time - before.time
    if passed <= 0:
        return before
    speed = _toward(before.speed, (values - before.value) / passed, passed, speed_cutoff)
    cutoff = min_cutoff + beta * np.abs(speed)
    return Smooth(_toward(before.value, values, passed, cutoff), speed, time)


def _toward(old: Values, new: Values, passed: float, cutoff: float | Values) -> Values:
    """An exponential step: the share that a filter of this cutoff in Hz takes of the new value."""
    share = 1 / (1 + 1 / (2 * np.pi * cutoff * passed))
    return old + share * (new - old)


def dead_zone(values: Values, width: float, rest: float = 0.5) -> Values:
    """Values within ``width`` of rest become it; the others are stretched to reach 0 and 1."""
    away = values - rest
    room = np.where(away < 0, rest, 1 - rest)
    left = np.maximum(np.abs(away) - width, 0) / np.maximum(room - width, 1e-9) * room
    return rest + np.sign(away) * left


def hysteresis(values: Values, levels: int, before: Values | None, margin: float = 0.2) -> Values:
    """Values on ``levels`` even steps from 0 to 1; one moves only when it is clearly past.

    Half-way between two steps a trembling hand would change them all the time. So a step is left
    only where the value lies more than half a step and ``margin`` of one away from it.
    """
    scaled = np.clip(values, 0, 1) * (levels - 1)
    nearest = np.floor(scaled + 0.5)
    if before is not None:
        held = before * (levels - 1)
        nearest = np.where(np.abs(scaled - held) <= 0.5 + margin, np.round(held), nearest)
    return nearest / (levels - 1)


def held(values: Values, before: Values | None, distance: float) -> Values:
    """The values, where they have left what was held by more than ``distance`` (RMS over axes).

    A gesture moves all sensors at once, and each of them trembles by itself: their mean distance
    tells the two apart, where a single one could not.
    """
    if before is not None and np.sqrt(((values - before) ** 2).mean()) <= distance:
        return before
    return values


class Kept(NamedTuple):
    """What a mapping hands to its next call."""

    smooth: Smooth | None = None
    place: Values | None = None
    level: Values | None = None


@dataclass(frozen=True)
class Mapping:
    """Filter, dead zone, curve and hysteresis; what is left out does nothing."""

    levels: int = 10
    curve: Curve | None = None  # may give other axes than it takes
    dead: float = 0.03  # half-width of the dead zone
    min_cutoff: float = 1.5  # Hz
    beta: float = 4.0
    margin: float = 0.2  # of a step
    together: float = 0.0  # how far all axes must move, before any does

    def __call__(self, values: Values, time: float, kept: Kept) -> tuple[Values, Kept]:
        """What the model is led by, and what the next call needs."""
        smooth = one_euro(kept.smooth, values, time, self.min_cutoff, self.beta)
        shaped = dead_zone(smooth.value, self.dead)
        if self.curve is not None:
            shaped = np.clip(self.curve(shaped), 0, 1)
        place = held(shaped, kept.place, self.together) if self.together else shaped
        level = hysteresis(place, self.levels, kept.level, self.margin)
        return level, Kept(smooth, place, level)


@dataclass(frozen=True)
class Calibration:
    """One wearer's muscles: how often each sensor is how strong.

    The empirical distribution function F of a wearer's own RMS turns every value into its rank
    among them: u = F(rms) is uniform on [0, 1] over what the wearer did, whoever wears it, and
    2u − 1 is distributed as the noise that the generator learned from.
    """

    quantiles: Float64[np.ndarray, "q n"]  # of each sensor, rising

    @classmethod
    def of(cls, trace: Replay, points: int = 101) -> Calibration:
        """From a wearer's trace in which every gesture occurs about equally long.

        Raises:
            RequestError: a trace with fewer than ten rows, or with values that aren't finite.
        """
        if len(trace.values) < 10 or not np.isfinite(trace.values).all():
            raise RequestError("A calibration needs ten finite readings: wear it for some seconds.")
        return cls(np.quantile(trace.values, np.linspace(0, 1, points), axis=0))

    def __call__(self, values: Values) -> Values:
        """Each value's rank.

        Raises:
            RequestError: another number of sensors.
        """
        points, sensors = self.quantiles.shape
        if values.shape != (sensors,):
            raise RequestError(f"This calibration has {sensors} sensors, not {values.shape}.")
        ranks = np.linspace(0, 1, points)
        rows = zip(values, self.quantiles.T, strict=True)
        return np.array([np.interp(value, known, ranks) for value, known in rows])


def emg_mapping(calibration: Calibration, levels: int) -> Mapping:
    """Muscles to noise: their ranks, slowly filtered, and new only where the gesture is."""
    return Mapping(
        levels, calibration, dead=0.0, min_cutoff=1.2, beta=0.0, margin=0.1, together=0.3
    )


@dataclass(frozen=True)
class Morph:
    """A pad whose four corners are places in a larger space: between them, a mixture.

    The corners are those of low and high x at low y, then at high y.
    """

    corners: Float64[np.ndarray, "4 n"]

    @classmethod
    def drawn(cls, axes: int, seed: int = 0) -> Morph:
        """Four corners drawn by the seed."""
        return cls(np.random.default_rng([seed, 12]).random((4, axes)))

    def __call__(self, values: Values) -> Values:
        """The bilinear mixture at (x, y)."""
        x, y = values
        weights = np.array([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])
        return weights @ self.corners


def shares(weights: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Weights as shares that add to 1; all of them zero, or none finite, are equal shares."""
    known = np.nan_to_num(np.maximum(np.asarray(weights, np.float64), 0), posinf=0.0)
    total = known.sum()
    return known / total if total > 0 else np.full(len(known), 1 / len(known))


def mapping_for(channels: int, axes: int, levels: int, seed: int = 0) -> Mapping:
    """From a source of so many channels to a system of so many axes.

    As many channels as axes go straight through; two lead more axes between four drawn corners.

    Raises:
        RequestError: other numbers, for which somebody must say what is meant.
    """
    if channels == axes:
        return Mapping(levels)
    if channels == 2:
        return Mapping(levels, Morph.drawn(axes, seed))
    raise RequestError(
        f"A source of {channels} values can't lead {axes}: it needs {axes}, or a pad's two."
    )
