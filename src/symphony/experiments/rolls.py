"""What a trained GAN's rolls are like, beyond roll metrics: form, key, and holes filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from symphony.codecs import drop_notes, merge_repeated, to_bipolar
from symphony.errors import RequestError
from symphony.evaluation import (
    ngram_precisions,
    note_f1,
    note_onsets,
    pulse_clarity,
    roll_pitch_classes,
    scale_consistency,
    structure_indicator,
)
from symphony.song import Song
from symphony.systems.rolls import REPORT, REPORTED, Batch, draw_rolls, in_batches
from symphony.training import Data, Trained

BAR = 16  # sixteenths
PIECES, SECONDS = 40, 30.0  # composed to hear a beat and a scale in
DROPS = (0.2, 0.4, 0.6)


def songs_of(trained: Trained, rolls: Bool[np.ndarray, "n t 128"]) -> list[Song]:
    """Each roll as a song, at 100 quarter notes a minute; a silent one has no notes."""
    none = np.empty(0)
    silence, codec = Song(none, none, none, none), trained.recipe.codec
    return [codec.decode(merge_repeated(roll)) if roll.any() else silence for roll in rolls]


def form_and_key(trained: Trained, data: Data, count: int = REPORTED) -> dict[str, float]:
    """Does a model's music come back to itself, and is it in the key requested? (chapter 6)

    Args:
        trained: a GAN of rolls.
        data: the encoded music of its corpus.
        count: rolls to make, and real ones to measure beside them.

    Returns:
        ``structure``: the mean structure indicator (3 to 8 s) of the rolls that sound
        for six seconds (NaN where none does);
        ``bar_likeness``: share of sounding cells that two neighbouring bars have in common, the
        mean over rolls; ``key_correlation``: between the pitch-class histograms requested, those
        of test windows, and the ones achieved (for a model without a condition, mere chance);
        the first two also for real music, as ``real_…``.
    """
    batch, unseen = _test_batch(trained, data, count), _unseen(trained, data, count)
    fakes = batch.fakes(trained.nets["generator"])
    requested, achieved = roll_pitch_classes(batch.target), roll_pitch_classes(fakes)
    found: dict[str, float] = {"key_correlation": _correlation(requested, achieved)}
    for name, rolls in (("", fakes), ("real_", unseen)):
        each = [structure_indicator(song) for song in songs_of(trained, rolls)]
        known = [value for value in each if not np.isnan(value)]
        found[f"{name}structure"] = float(np.mean(known)) if known else float("nan")
        before, after = rolls[:, :-BAR], rolls[:, BAR:]
        either = (before | after).sum((1, 2))
        shared = (before & after).sum((1, 2)) / np.maximum(either, 1)
        found[f"{name}bar_likeness"] = float(shared[either > 0].mean()) if either.any() else 0.0
    return found


def pulse_and_scale(trained: Trained, data: Data, count: int = PIECES) -> dict[str, Any]:
    """Has a model's music a beat and a scale, heard over half a minute? (chapter 5)

    Args:
        trained: a GAN of rolls; one that says nothing but silence has neither.
        data: the encoded music of its corpus, not needed here.
        count: pieces to compose, with the run's own seed.

    Returns:
        ``pulse`` and ``scale``: of each piece where they are defined, :func:`pulse_clarity` and
        :func:`scale_consistency`.
    """
    try:
        songs = trained.compose(SECONDS, batch=count, seed=trained.recipe.seed)
    except RequestError:  # a piece of silence
        songs = []
    found = {"pulse": pulse_clarity, "scale": scale_consistency}
    each = {name: [measure(song) for song in songs] for name, measure in found.items()}
    return {name: [value for value in values if value == value] for name, values in each.items()}


def filling(trained: Trained, data: Data, count: int = REPORTED) -> dict[str, Any]:
    """How well a Pix2Pix finds the notes that facades of test windows dropped (chapter 9).

    Args:
        trained: a generator that fills facades.
        data: the encoded music of its corpus.
        count: rolls to make, and real ones to measure beside them.

    Returns:
        ``drops``: for each share of notes dropped, the note F1 of the filled roll (``filled``) and
        of the facade left as it is (``facade``), and of the notes that were added the share that
        had been dropped (``precision``), of those dropped the share that was found (``recall``).
        ``ngrams``: clipped precisions of 2- to 5-grams of chords and their geometric mean
        (``bleu``), of the filled rolls, the facades, and other real windows, each against the
        target rolls; at the middle share.
    """
    rows, ngrams = [], {}
    batch, generator = _test_batch(trained, data, count), trained.nets["generator"]
    target = batch.target
    for drop in DROPS:
        left = drop_notes(
            target, (drop, drop), np.random.default_rng([trained.recipe.seed, REPORT])
        )
        facade = torch.from_numpy(to_bipolar(left))  # [B, T, 128]
        filled = in_batches(generator, batch.noise, facade) > 0
        kept = note_onsets(left)
        added, dropped = note_onsets(filled) & ~kept, note_onsets(target) & ~kept
        hits = int((added & dropped).sum())
        rows.append(
            {"drop": drop, "filled": note_f1(filled, target), "facade": note_f1(left, target)}
            | {"precision": hits / max(int(added.sum()), 1)}
            | {"recall": hits / max(int(dropped.sum()), 1)}
        )
        if drop == DROPS[1]:
            wanted, unseen = songs_of(trained, target), _unseen(trained, data, count)
            for name, rolls in (("filled", filled), ("facade", left), ("other music", unseen)):
                ngrams[name] = ngram_precisions(songs_of(trained, rolls), wanted)
    return {"drops": rows, "ngrams": ngrams}


def _test_batch(trained: Trained, data: Data, count: int) -> Batch:
    """What a card's metrics are taken from: test windows, and noise for as many rolls."""
    system: Any = trained.system
    batch: Batch = system.batch(data, "test", count, REPORT)
    return batch


def _unseen(trained: Trained, data: Data, count: int) -> Bool[np.ndarray, "B T 128"]:
    """As many real rolls of the validation split."""
    drawn = draw_rolls(data.arrays["validation"], trained.recipe, REPORT, 1, count)
    return drawn.numpy() > 0


def _correlation(a: Float[np.ndarray, "n 12"], b: Float[np.ndarray, "n 12"]) -> float:
    """Pearson's, over all values; 0 where either never changes."""
    if min(np.ptp(a), np.ptp(b)) < 1e-6:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
