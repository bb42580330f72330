"""What one piece is like, as a few numbers: the formulas of MusPy, rebuilt (chapter 3).

Dong et al., "MusPy: a toolkit for symbolic music generation", ISMIR 2020. Each takes a song and
gives one number, NaN where it is undefined. Time runs in sixteenths of the song's beat; in a
recorded performance that beat is only the file's own tempo, and the two rhythmic measures say
little there.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from symphony.codecs import RollCodec
from symphony.song import Song

STEPS_PER_QUARTER = 4
_MAJOR, _NATURAL_MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)  # semitones above the tonic
_SCALES = np.array(  # [24, 12]: which pitch classes each scale holds
    [np.isin((np.arange(12) - k) % 12, s) for s in (_MAJOR, _NATURAL_MINOR) for k in range(12)]
)


def pitch_class_entropy(song: Song) -> float:
    """Bits of the distribution of pitch classes: -sum p log2 p, from 0 to log2 12 = 3.58.

    NaN for a song without notes. MusPy's ``pitch_class_entropy``.
    """
    counts = np.bincount(song.pitch % 12, minlength=12)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) if len(shares) else float("nan")


def scale_consistency(song: Song) -> float:
    """The largest share of notes that lie in one major or natural minor scale.

    NaN for a song without notes. MusPy's ``scale_consistency``.
    """
    counts = np.bincount(song.pitch % 12, minlength=12)
    return float((_SCALES @ counts).max() / counts.sum()) if len(song) else float("nan")


def groove_consistency(song: Song, steps: int = 16) -> float:
    """How alike the rhythms of neighbouring bars are.

    1 - sum_i d(g_i, g_i+1) / (steps (bars - 1)): g_i says at which steps of bar i a note begins,
    d counts where two bars differ. NaN below two bars. MusPy's ``groove_consistency``, after
    Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020.

    Args:
        song: any song.
        steps: sixteenths in a bar: 16 for four quarters.
    """
    begins = _planes(song)[1].any(axis=1)
    last = np.flatnonzero(begins)
    bars = int(last[-1]) // steps + 1 if len(last) else 0
    if bars < 2:
        return float("nan")
    padded = np.zeros(bars * steps, bool)
    padded[: len(begins)] = begins[: bars * steps]
    grooves = padded.reshape(bars, steps)
    return float(1 - (grooves[1:] != grooves[:-1]).sum() / (steps * (bars - 1)))


def empty_beat_rate(song: Song) -> float:
    """The share of quarter notes, up to the last release, in which nothing sounds.

    NaN for a song without notes. MusPy's ``empty_beat_rate``.
    """
    sounds = _planes(song)[0].any(axis=1)
    if not len(sounds):
        return float("nan")
    beats = -(-len(sounds) // STEPS_PER_QUARTER)
    whole = np.zeros(beats * STEPS_PER_QUARTER, bool)
    whole[: len(sounds)] = sounds
    return float(1 - whole.reshape(beats, STEPS_PER_QUARTER).any(axis=1).mean())


def polyphony(song: Song) -> float:
    """Mean number of pitches that sound together, over the sixteenths in which any does.

    NaN for a song without notes. MusPy's ``polyphony``.
    """
    together = _planes(song)[0].sum(axis=1)
    return float(together[together > 0].mean()) if together.any() else float("nan")


def notes_per_second(song: Song) -> float:
    """Notes by the time of the last release; NaN for a song without notes."""
    return len(song) / song.seconds if len(song) else float("nan")


def _planes(song: Song) -> Bool[np.ndarray, "2 t 128"]:
    return RollCodec(STEPS_PER_QUARTER).encode(song)
