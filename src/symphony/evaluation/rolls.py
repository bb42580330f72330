"""Metrics on piano rolls, cheap enough for a GAN's learning curve (chapters 4 to 6 and 9).

They need NumPy alone, so that training can measure itself wherever it runs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int64


def chord_counts(rolls: Bool[np.ndarray, "n t 128"]) -> Int64[np.ndarray, " c"]:
    """How often each chord (the set of keys sounding in a row, silence apart) occurs, falling."""
    steps = rolls.reshape(-1, rolls.shape[-1])
    packed = np.packbits(steps[steps.any(1)], axis=1)  # [steps, 16]
    if not len(packed):
        return np.zeros(0, np.int64)
    _, counts = np.unique(packed, axis=0, return_counts=True)
    return np.sort(counts)[::-1]


def jaccard_distances(
    a: Bool[np.ndarray, "n t 128"], b: Bool[np.ndarray, "m t 128"]
) -> Float32[np.ndarray, "n m"]:
    """Of the cells sounding in either of two rolls, the share that doesn't sound in both: 0 to 1.

    1 - |A and B| / |A or B|, Jaccard's distance. Two silent rolls are alike: 0.
    """
    x, y = (r.reshape(len(r), -1).astype(np.float32) for r in (a, b))
    both = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1) - both
    return (1 - np.divide(both, either, out=np.ones_like(both), where=either > 0)).astype(
        np.float32
    )


def two_sample_1nn(fake: Bool[np.ndarray, "n t 128"], real: Bool[np.ndarray, "m t 128"]) -> float:
    """Accuracy of a 1-nearest-neighbour classifier: .5 where nobody could tell fake from real.

    Leave one out: a roll is classified rightly when the nearest other roll, by Jaccard distance,
    is of its own kind; ties count half. The mean of both kinds' accuracies. Lopez-Paz and Oquab,
    "Revisiting classifier two-sample tests", ICLR 2017. Below .5 each roll has its twin among the
    others: copying. On features of songs, see :func:`symphony.evaluation.two_sample_logistic`.
    """
    within_fake, within_real = jaccard_distances(fake, fake), jaccard_distances(real, real)
    across = jaccard_distances(fake, real)  # [n, m]
    np.fill_diagonal(within_fake, np.inf)
    np.fill_diagonal(within_real, np.inf)
    accuracies = []
    for own, other in (
        (within_fake.min(1), across.min(1)),
        (within_real.min(1), across.min(0)),
    ):
        accuracies.append(((own < other) + 0.5 * (own == other)).mean())
    return float(np.mean(accuracies))


def roll_metrics(
    fake: Bool[np.ndarray, "n t 128"], real: Bool[np.ndarray, "m t 128"]
) -> dict[str, float]:
    """What a GAN's learning curve says of its rolls.

    Returns:
        ``chords``: distinct chords; ``top_chord``: share of the sounding rows taken by the most
        frequent one (1 where nothing sounds); ``diversity``: mean Jaccard distance of two fake
        rolls (0 for fewer than two); ``two_sample_1nn``: see :func:`two_sample_1nn`;
        ``sounding``: share of all cells that sound.
    """
    counts = chord_counts(fake)
    apart = jaccard_distances(fake, fake)
    return {
        "chords": float(len(counts)),
        "top_chord": float(counts[0] / counts.sum()) if len(counts) else 1.0,
        "diversity": float(apart.sum() / max(len(fake) * (len(fake) - 1), 1)),
        "two_sample_1nn": two_sample_1nn(fake, real),
        "sounding": float(fake.mean()),
    }


def note_onsets(rolls: Bool[np.ndarray, "n t 128"]) -> Bool[np.ndarray, "n t 128"]:
    """Where notes begin: a key sounds that was silent in the row before."""
    return rolls & ~np.pad(rolls, ((0, 0), (1, 0), (0, 0)))[:, :-1]


def note_f1(filled: Bool[np.ndarray, "n t 128"], target: Bool[np.ndarray, "n t 128"]) -> float:
    """F1 of the notes, each its key and the row it begins in; 1 where both are silent.

    2 |filled and target| / (|filled| + |target|): the harmonic mean of precision and recall.
    """
    first, second = note_onsets(filled), note_onsets(target)
    notes = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / notes if notes else 1.0


def added_f1(
    filled: Bool[np.ndarray, "n t 128"],
    facade: Bool[np.ndarray, "n t 128"],
    target: Bool[np.ndarray, "n t 128"],
) -> float:
    """F1 of the notes that filling added, against those that the facade lacks.

    A facade left as it is scores 0, or 1 where it lacks nothing. The facade's own notes count on
    neither side: F1 of the whole roll rewards leaving them alone.
    """
    kept = note_onsets(facade)
    added, missing = note_onsets(filled) & ~kept, note_onsets(target) & ~kept
    notes = int(added.sum()) + int(missing.sum())
    return 2 * int((added & missing).sum()) / notes if notes else 1.0


def roll_pitch_classes(rolls: Bool[np.ndarray, "n t 128"]) -> Float32[np.ndarray, "n 12"]:
    """The share of each pitch class in what sounds; equal shares where nothing does."""
    keys = np.pad(rolls.sum(1).astype(np.float32), ((0, 0), (0, 4)))  # [n, 132]
    classes = keys.reshape(len(rolls), 11, 12).sum(1)
    total = classes.sum(1, keepdims=True)
    return np.where(total > 0, classes / np.maximum(total, 1), np.float32(1 / 12))
