"""The health of a GAN at a look: how many chords, how different its rolls, how easily told."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32


def chord_counts(rolls: Bool[np.ndarray, "n t 128"]) -> np.ndarray:
    """How often each chord (the set of keys of a step, silence apart) sounds, in falling order."""
    steps = rolls.reshape(-1, rolls.shape[-1])
    packed = np.packbits(steps[steps.any(1)], axis=1)  # [steps, 16]
    if not len(packed):
        return np.zeros(0, np.int64)
    _, counts = np.unique(packed, axis=0, return_counts=True)
    return np.sort(counts)[::-1]


def distances(
    a: Bool[np.ndarray, "n t 128"], b: Bool[np.ndarray, "m t 128"]
) -> Float32[np.ndarray, "n m"]:
    """Share of the keys sounding in either roll that don't sound in both (Jaccard, from 0 to 1).

    Two silent rolls are alike.
    """
    x, y = (r.reshape(len(r), -1).astype(np.float32) for r in (a, b))
    both = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1) - both
    return (1 - np.divide(both, either, out=np.ones_like(both), where=either > 0)).astype(
        np.float32
    )


def two_sample_accuracy(
    made: Bool[np.ndarray, "n t 128"], real: Bool[np.ndarray, "m t 128"]
) -> float:
    """How often the nearest other roll is of one's own kind: .5 where nobody could tell.

    The leave-one-out accuracy of a 1-nearest-neighbour classifier (Lopez-Paz and Oquab,
    "Revisiting Classifier Two-Sample Tests", 2017), the mean of both kinds; ties count half.
    """
    own_made, own_real, across = distances(made, made), distances(real, real), distances(made, real)
    np.fill_diagonal(own_made, np.inf)
    np.fill_diagonal(own_real, np.inf)
    shares = []
    for own, other in ((own_made.min(1), across.min(1)), (own_real.min(1), across.min(0))):
        shares.append(((own < other) + 0.5 * (own == other)).mean())
    return float(np.mean(shares))


def health(
    made: Bool[np.ndarray, "n t 128"], real: Bool[np.ndarray, "m t 128"]
) -> dict[str, float]:
    """What a look tells, for the curve in the card.

    Returns:
        ``chords``: distinct chords; ``top_chord``: share of the sounding steps taken by the most
        frequent (1 where nothing sounds); ``diversity``: mean distance of two rolls;
        ``two_sample``: see :func:`two_sample_accuracy`; ``sounding``: share of the keys that sound.
    """
    counts = chord_counts(made)
    apart = distances(made, made)
    return {
        "chords": float(len(counts)),
        "top_chord": float(counts[0] / counts.sum()) if len(counts) else 1.0,
        "diversity": float(apart.sum() / max(len(made) * (len(made) - 1), 1)),
        "two_sample": two_sample_accuracy(made, real),
        "sounding": float(made.mean()),
    }


def merit(seen: dict[str, float]) -> tuple[bool, float]:
    """How good a look is; compared in this order.

    Anything that sounds is better than silence. Then counts the note F1 where a certain roll was
    meant; else, how near the two-sample accuracy is to a coin's, .5.
    """
    return seen["chords"] > 0, seen.get("note_f1", -abs(seen["two_sample"] - 0.5))


def note_onsets(rolls: Bool[np.ndarray, "n t 128"]) -> Bool[np.ndarray, "n t 128"]:
    """Where notes begin: a key sounds that was silent in the row before."""
    return rolls & ~np.pad(rolls, ((0, 0), (1, 0), (0, 0)))[:, :-1]


def note_f1(made: Bool[np.ndarray, "n t 128"], meant: Bool[np.ndarray, "n t 128"]) -> float:
    """F1 of the notes, each its key and the row it begins in; 1 where both are silent."""
    first, second = note_onsets(made), note_onsets(meant)
    notes = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / notes if notes else 1.0
