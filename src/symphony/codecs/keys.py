"""The key of a song, by the profile that fits its pitch classes best.

Krumhansl, "Cognitive foundations of musical pitch", 1990: listeners rated how well each of the
twelve pitch classes fits a key; the ratings are the profiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64

from symphony.errors import FileError, RequestError
from symphony.song import Song

MAJOR_PROFILE = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR_PROFILE = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def pitch_class_histogram(song: Song) -> Float64[np.ndarray, " 12"]:
    """Seconds that each pitch class sounds, as shares of the whole; zeros for no notes."""
    histogram = np.bincount(song.pitch % 12, weights=song.duration, minlength=12)
    return histogram / max(histogram.sum(), 1e-12)


def estimate_key(song: Song) -> tuple[int, bool]:
    """The tonic's pitch class, and whether the key is minor, by the highest correlation."""
    histogram = pitch_class_histogram(song)
    profiles = np.array([np.roll(p, k) for p in (MAJOR_PROFILE, MINOR_PROFILE) for k in range(12)])
    if histogram.std() == 0:
        return 0, False
    fit = np.corrcoef(np.vstack([histogram, profiles]))[0, 1:]
    return int(fit.argmax() % 12), bool(fit.argmax() >= 12)


def key_profiles(songs: Iterable[Song]) -> dict[str, list[float]]:
    """Mean pitch-class histograms of the songs in major and in minor, moved to C.

    What keys sound like. A mode that no song is in is taken for all keys alike.
    """
    sums = {"major": np.zeros(12), "minor": np.zeros(12)}
    for song in songs:
        tonic, minor = estimate_key(song)
        sums["minor" if minor else "major"] += np.roll(pitch_class_histogram(song), -tonic)
    return {
        mode: (s / s.sum() if s.sum() else np.full(12, 1 / 12)).round(5).tolist()
        for mode, s in sums.items()
    }


def key_profile(
    profiles: Mapping[str, Sequence[float]], key: str | None, seed: int = 0
) -> Float32[np.ndarray, " 12"]:
    """What a key sounds like, from :func:`key_profiles`; a key drawn by the seed for None.

    Raises:
        RequestError: no such key.
        FileError: profiles that aren't twelve finite numbers, as in a card that was edited.
    """
    rng = np.random.default_rng(seed)
    tonic, minor = parse_key(key) if key else (int(rng.integers(12)), rng.random() < 0.5)
    try:
        profile = np.asarray(profiles["minor" if minor else "major"], np.float32)
    except (KeyError, TypeError, ValueError, OverflowError):
        profile = np.empty(0, np.float32)
    if profile.shape != (12,) or not np.isfinite(profile).all():
        raise FileError("The card doesn't say what keys sound like: train again.")
    return np.roll(profile, tonic)


def in_c(song: Song) -> Song:
    """A song moved to C major or A minor, whichever way is shorter and stays on the keyboard."""
    tonic, minor = estimate_key(song)
    up = ((9 if minor else 0) - tonic) % 12
    low, high = int(song.pitch.min()), int(song.pitch.max())
    for semitones in sorted((up, up - 12), key=abs):
        if low + semitones >= 0 and high + semitones < 128:
            return song.transposed(semitones)
    return song


def parse_key(name: str) -> tuple[int, bool]:
    """The tonic's pitch class and whether the key is minor, from a name such as "F# minor".

    Major where the name doesn't say; "b" and "#" or "♭" and "♯" lower and raise.

    Raises:
        RequestError: no key of this name.
    """
    found = re.fullmatch(r"\s*([A-Ga-g])([#♯b♭]?)\s*(major|minor|)\s*", name)
    if not found:
        raise RequestError(
            f"There is no key {name!r}: keys are called C major, F# minor, Bb major."
        )
    letter, sign, mode = found.groups()
    step = {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}[sign]
    tonic = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))[letter.upper()]
    return (tonic + step) % 12, mode == "minor"
