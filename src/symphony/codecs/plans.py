"""What a piece should be like, and how that changes over time (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from symphony.codecs.conditions import CONDITION, DENSITY, HISTOGRAM, LEVELS, PITCH
from symphony.codecs.keys import MAJOR_PROFILE, MINOR_PROFILE, parse_key
from symphony.errors import RequestError

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11))  # major, and minor with both sevenths


def scale_histogram(key: str) -> Float64[np.ndarray, " 12"]:
    """Shares of the pitch classes in a key, such as "C major", "F# minor", "Bb major".

    Krumhansl's profile over the tones of the scale, less its lowest value, and nothing outside
    the scale. A minor key has both sevenths.

    Raises:
        RequestError: no such key.
    """
    tonic, minor = parse_key(key)
    profile = MINOR_PROFILE if minor else MAJOR_PROFILE
    tones = SCALES[minor]
    shares = np.zeros(12)
    shares[list(tones)] = profile[list(tones)] - profile.min() + 0.5
    return np.roll(shares / shares.sum(), tonic)


def curve(text: str | float, what: str) -> tuple[float, ...]:
    """Levels from words: "3" holds, "8:2" moves in a line, "2:8:2" there and back.

    Raises:
        RequestError: anything but numbers from 0 to 9 between colons.
    """
    try:
        levels = tuple(float(part) for part in str(text).split(":"))
    except ValueError:
        raise RequestError(f'{what} reads like "3", "8:2" or "2:8:2", not {text!r}.') from None
    return _levels(levels, what)


@dataclass(frozen=True)
class Plan:
    """What a conditional model follows: curves over a piece, as evenly spaced points.

    Attributes:
        pitch: levels of register from 0 (lowest) to 9, in a line from point to point; empty for
            no condition.
        density: levels of density, likewise.
        histograms: shares of the twelve pitch classes, one after the other for an equal part of
            the piece; any positive scale.
        seconds: how long the piece is.

    Raises:
        RequestError: levels or shares that are not finite, negative, all zero, or too many or few.
    """

    pitch: tuple[float, ...] = ()
    density: tuple[float, ...] = ()
    histograms: tuple[Sequence[float], ...] = ()
    seconds: float = 30.0

    def __post_init__(self) -> None:
        _levels(self.pitch, "pitch")
        _levels(self.density, "density")
        for shares in self.histograms:
            _shares(shares)
        if not 0 < self.seconds < np.inf:
            raise RequestError(f"A piece lasts a finite time above 0 s, not {self.seconds} s.")

    @staticmethod
    def of(
        key: str | None = None,
        pitch: str | float | None = None,
        density: str | float | None = None,
        seconds: float = 30.0,
        preset: str | None = None,
    ) -> Plan:
        """A plan from words, as on the command line: ``key`` is "C major", or "C major:G major".

        A preset stands in for what isn't said.

        Raises:
            RequestError: words that name no key, level or preset.
        """
        if preset is not None:
            if preset not in PRESETS:
                known = "; ".join(PRESETS)
                raise RequestError(f"There is no preset {preset!r}. Presets: {known}.")
            words: dict[str, Any] = {"key": key, "pitch": pitch, "density": density}
            said = {name: word for name, word in words.items() if word is not None}
            return Plan.of(**{**PRESETS[preset], **said}, seconds=seconds)
        return Plan(
            curve(pitch, "pitch") if pitch is not None else (),
            curve(density, "density") if density is not None else (),
            tuple(tuple(scale_histogram(k)) for k in key.split(":")) if key is not None else (),
            seconds,
        )

    def __call__(self, elapsed: Float64[np.ndarray, " b"]) -> Float32[np.ndarray, "b 32"]:
        """Each sequence's condition, so many seconds into it; after the end, the last one."""
        done = np.clip(np.asarray(elapsed, dtype=np.float64) / self.seconds, 0.0, 1.0)
        out = np.zeros((len(done), CONDITION), np.float32)
        rows = np.arange(len(done))
        for place, points in ((PITCH, self.pitch), (DENSITY, self.density)):
            if points:
                level = np.interp(done, np.linspace(0, 1, len(points)), points)
                out[rows, place.start + np.floor(level + 0.5).astype(int)] = 1.0
        if self.histograms:
            shares = np.array([_shares(each) for each in self.histograms], np.float32)
            part = np.minimum((done * len(shares)).astype(int), len(shares) - 1)
            out[:, HISTOGRAM] = shares[part]
        return out


PRESETS: dict[str, dict[str, str]] = {
    "C major, from high to low": {"key": "C major", "pitch": "8:2"},
    "sparse and low": {"pitch": "2", "density": "2"},
    "dense and high": {"pitch": "7", "density": "7"},
    "A minor, growing": {"key": "A minor", "pitch": "3:6", "density": "2:7"},
    "there and back": {"key": "D major", "pitch": "3:7:3", "density": "3:6:3"},
    "from C major to F# major": {"key": "C major:F# major", "pitch": "5", "density": "5"},
}


def _levels(levels: Sequence[float], what: str) -> tuple[float, ...]:
    if not all(np.isfinite(level) and 0 <= level <= LEVELS - 1 for level in levels):
        raise RequestError(f"Levels of {what} are numbers from 0 to {LEVELS - 1}, not {levels}.")
    return tuple(levels)


def _shares(shares: Sequence[float]) -> np.ndarray:
    """Twelve shares that add to one."""
    try:
        array = np.asarray(shares, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (12,):
        raise RequestError(f"A histogram has twelve shares, from C to B, not shape {array.shape}.")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise RequestError("Shares of pitch classes are finite, not negative, and not all zero.")
    return array / array.sum()
