"""The key of a song, by the profile that fits its pitch classes best.

Krumhansl, "Cognitive foundations of musical pitch", 1990: listeners rated how well each of the
twelve pitch classes fits a key; the ratings are the profiles.
"""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float64

from symphony.song import Song, SongError

MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def pitch_class_histogram(song: Song) -> Float64[np.ndarray, " 12"]:
    """Seconds that each pitch class sounds, as shares of the whole; zeros for no notes."""
    histogram = np.bincount(song.pitch % 12, weights=song.duration, minlength=12)
    return histogram / max(histogram.sum(), 1e-12)


def estimate_key(song: Song) -> tuple[int, bool]:
    """The tonic's pitch class, and whether the key is minor, by the highest correlation."""
    histogram = pitch_class_histogram(song)
    profiles = np.array([np.roll(p, k) for p in (MAJOR, MINOR) for k in range(12)])
    if histogram.std() == 0:
        return 0, False
    fit = np.corrcoef(np.vstack([histogram, profiles]))[0, 1:]
    return int(fit.argmax() % 12), bool(fit.argmax() >= 12)


def parse_key(name: str) -> tuple[int, bool]:
    """The tonic's pitch class and whether the key is minor, from a name such as "F# minor".

    Major where it isn't said; "b" and "#" or "♭" and "♯" lower and raise.

    Raises:
        SongError: no key of this name.
    """
    found = re.fullmatch(r"\s*([A-Ga-g])([#♯b♭]?)\s*(major|minor|)\s*", name)
    if not found:
        raise SongError(f"There is no key {name!r}: keys are called C major, F# minor, Bb major.")
    letter, sign, mode = found.groups()
    step = {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}[sign]
    tonic = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))[letter.upper()]
    return (tonic + step) % 12, mode == "minor"
