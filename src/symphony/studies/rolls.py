"""What a trained GAN's rolls are like, beyond their health: form, key, and holes filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from symphony.evaluation import ngram_precisions, structure_indicator
from symphony.song import Song
from symphony.training.gan_checkpoint import LAST, WEIGHED, look_at
from symphony.training.gan_composing import TEMPO, TrainedGan
from symphony.training.gan_models import make_rolls
from symphony.training.health import note_f1, note_onsets
from symphony.training.rolls import EncodedRolls, draw_rolls, drop_notes, key_histogram

BAR = 16  # sixteenths
DROPS = (0.2, 0.4, 0.6)


def songs_of(trained: TrainedGan, rolls: Bool[np.ndarray, "n t 128"]) -> list[Song]:
    """Each roll as a song, at 90 quarter notes a minute; a silent one has no notes."""
    from symphony.codecs import without_breaths

    none = np.empty(0)
    silence = Song(none, none, none, none)
    return [
        trained.codec.decode(without_breaths(roll), TEMPO) if roll.any() else silence
        for roll in rolls
    ]


def form_and_key(trained: TrainedGan, encoded: EncodedRolls) -> dict[str, float]:
    """Does a model's music come back to itself, and is it in the key asked for? (chapter 6)

    Returns:
        ``structure``: the mean structure indicator (3 to 8 s) of 128 rolls, of those that sound
        for six seconds (NaN where none does);
        ``bar_likeness``: share of sounding cells that two neighbouring bars have in common, the
        mean over rolls; ``key_correlation``: between the pitch-class histograms asked for, those
        of test windows, and the ones achieved (a model that is told nothing has nothing but
        chance); each also for real music, as ``real_…``.
    """
    noise, given, real = look_at(trained.recipe, encoded, "test", WEIGHED, LAST)
    made = make_rolls(trained.model, noise, given) > 0
    other = draw_rolls(encoded.validation, trained.recipe, LAST, 1, WEIGHED).numpy() > 0
    asked = key_histogram(real).numpy()
    got = key_histogram(torch.from_numpy(np.where(made, 1.0, -1.0))).numpy()
    found: dict[str, float] = {"key_correlation": _correlation(asked, got)}
    for name, rolls in (("", made), ("real_", other)):
        each = [structure_indicator(song) for song in songs_of(trained, rolls)]
        known = [value for value in each if not np.isnan(value)]
        found[f"{name}structure"] = float(np.mean(known)) if known else float("nan")
        before, after = rolls[:, :-BAR], rolls[:, BAR:]
        either = (before | after).sum((1, 2))
        shared = (before & after).sum((1, 2)) / np.maximum(either, 1)
        found[f"{name}bar_likeness"] = float(shared[either > 0].mean()) if either.any() else 0.0
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, over all values; 0 where either never changes."""
    if min(np.ptp(a), np.ptp(b)) < 1e-6:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def filling(trained: TrainedGan, encoded: EncodedRolls) -> dict[str, Any]:
    """How well a Pix2Pix finds the notes that facades of test windows dropped (chapter 9).

    Returns:
        ``drops``: for each share of notes dropped, the note F1 of the filled roll (``filled``) and
        of the facade left as it is (``facade``), and of the notes that were added the share that
        had been dropped (``precision``), of those dropped the share that was found (``recall``).
        ``ngrams``: clipped precisions of 2- to 5-grams of chords and their geometric mean
        (``bleu``), of the filled rolls, the facades, and other real windows, each against the
        roll that was meant; at the middle share.
    """
    recipe, rows, ngrams = trained.recipe, [], {}
    real = draw_rolls(encoded.test, recipe, LAST, 0, WEIGHED)
    other = draw_rolls(encoded.validation, recipe, LAST, 1, WEIGHED).numpy() > 0
    meant = real.numpy() > 0
    noise, _, _ = look_at(recipe, encoded, "test", WEIGHED, LAST)
    for drop in DROPS:
        facade = drop_notes(real, (drop, drop), np.random.default_rng([recipe.seed, LAST]))
        left, made = facade.numpy() > 0, make_rolls(trained.model, noise, (facade,)) > 0
        kept = note_onsets(left)
        added, dropped = note_onsets(made) & ~kept, note_onsets(meant) & ~kept
        hits = int((added & dropped).sum())
        rows.append(
            {"drop": drop, "filled": note_f1(made, meant), "facade": note_f1(left, meant)}
            | {"precision": hits / max(int(added.sum()), 1)}
            | {"recall": hits / max(int(dropped.sum()), 1)}
        )
        if drop == DROPS[1]:
            wanted = songs_of(trained, meant)
            for name, rolls in (("filled", made), ("facade", left), ("other music", other)):
                ngrams[name] = ngram_precisions(songs_of(trained, rolls), wanted)
    return {"drops": rows, "ngrams": ngrams}
