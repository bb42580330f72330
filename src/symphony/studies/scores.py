"""One table for any model: the same measures, beside the same four anchors (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from symphony import evaluation as measures
from symphony.codecs import EventCodec
from symphony.corpora import Corpus
from symphony.errors import SymphonyError
from symphony.evaluation import Originality
from symphony.evaluation.intervals import NOTHING, Interval, bootstrap
from symphony.models.char_rnn import CharRNN
from symphony.models.ngram import NGram
from symphony.song import Song
from symphony.training import Trained, baseline, load_model
from symphony.training.encoded import encode_songs
from symphony.training.features import piece_features
from symphony.training.measure import PieceLosses, symbol_losses

HELD_OUT = 200_000  # symbols of the test split that are predicted
COMPONENTS = 16  # of the encoder's features, for the two-sample test and the Fréchet distance
FEWEST_PIECES = 10  # in a column
FEWEST_NOTES = 8  # in a window, for it to count as music
COPY, REAL = "training copy", "unseen real"


class EvaluationError(SymphonyError):
    """A corpus or a number of samples that can't be evaluated on."""


@dataclass(frozen=True)
class _Side:
    """One column: what is measured, and what it cost to predict, where it predicts."""

    songs: Sequence[Song]
    model: Trained | None = None


def evaluate(
    trained: Trained,
    corpus: Corpus,
    *,
    samples: int = 100,
    seconds: float = 30.0,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Every statistic of chapter 3, for a model and its four anchors.

    The anchors: uniform noise, the chain that validation likes best, unseen real music (windows
    of test pieces), and a copy of the training music. All are cut to the same length. What needs
    a reference (overlap, BLEU, two-sample accuracy, Fréchet distance) takes windows of validation
    pieces, so that unseen real music can be measured against it like anything else.

    Args:
        trained: the model; a conditional one plays and predicts without being told anything.
        corpus: what it is measured beside; the one it learned from, as a rule.
        samples: pieces in each column, at least ten; a small corpus may hold fewer windows.
        seconds: how long each is.
        seed: decides all draws.
        progress: show a bar.

    Returns:
        ``columns``, and ``rows`` of ``measure``, ``group`` and ``values``: for each column the
        estimate with its 95 % interval, None where undefined.

    Raises:
        EvaluationError: fewer than ten samples, or a split without music.
    """
    if samples < FEWEST_PIECES:
        raise EvaluationError(
            f"{FEWEST_PIECES} samples are the fewest to say anything by, not {samples}."
        )
    for part in ("train", "validation", "test"):
        if not len(corpus.part(part)):
            raise EvaluationError(f"{corpus.name} has no {part} pieces to measure beside.")
    name = trained.recipe.name
    # A GAN writes rolls; its anchors, and real music, stay in events.
    codec = trained.codec if isinstance(trained.codec, EventCodec) else EventCodec()
    bar = tqdm(total=9, desc=f"evaluating {name}", disable=not progress)

    def done(what: str) -> None:
        bar.set_postfix_str(what)
        bar.update()

    def windows(part: str) -> list[Song]:
        cut = real_windows(corpus.part(part), samples, seconds, seed)
        # As the model could have written them: its grid, its loudness, the pedal in the notes.
        return [codec.decode(codec.encode(song)) for song in cut]

    with bar:
        sides = {name: _Side(trained.compose(seconds, batch=samples, seed=seed), trained)}
        done("composed")
        for anchor in ("uniform", "ngram"):
            chain = baseline(anchor, corpus, codec)
            pieces = chain.compose(seconds, batch=samples, seed=seed)
            sides[chain.recipe.name] = _Side(pieces, chain)
            done(f"{chain.recipe.name} composed")
        sides[REAL] = _Side(windows("test"))
        sides[COPY] = _Side(windows("train"))
        reference = windows("validation")
        done("real music cut")
        rows = _likelihood(sides, encode_songs(corpus.test, codec)[:HELD_OUT])
        done("held-out music predicted")
        rows += _copied(sides, corpus)
        done("copies searched")
        rows += _musical(sides)
        done("pieces measured")
        # Smaller sets look more diverse and farther off, so from here on all are of one size.
        equal = min(len(reference), *(len(side.songs) for side in sides.values()))
        reference = reference[:equal]
        sides = {c: _Side(side.songs[:equal], side.model) for c, side in sides.items()}
        rows += _likeness(sides, reference)
        done("sets compared")
        rows += _encoded(sides, reference, corpus, seed)
        done("classified")
    return {
        "model": name,
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint,
        "samples": samples,
        "in_sets": equal,
        "seconds": seconds,
        "seed": seed,
        "columns": list(sides),
        "rows": rows,
    }


def real_windows(songs: Sequence[Song], most: int, seconds: float, seed: int) -> list[Song]:
    """Stretches of real pieces that don't overlap: one of each piece, then a second of each, …

    A piece shorter than ``seconds`` is taken whole. Fewer than ``most`` come back where the pieces
    hold no more; what begins in silence begins at its first note.

    Raises:
        EvaluationError: hardly any music in these pieces.
    """
    order = np.random.default_rng(seed).permutation(len(songs))
    out: list[Song] = []
    left = [int(i) for i in order]
    turn = 0
    while left and len(out) < most:
        longer = []
        for i in left:
            song = songs[i]
            begin = float(song.onset[0]) + turn * seconds if len(song) else np.inf
            if begin + (seconds if turn else 0) > song.seconds:
                continue
            longer.append(i)
            cut = song.slice(begin, begin + seconds)
            if len(cut) >= FEWEST_NOTES and len(out) < most:
                out.append(cut)
        left, turn = longer, turn + 1
    if len(out) < FEWEST_PIECES:
        raise EvaluationError("These pieces hold too little music to measure beside.")
    return out


def _row(measure: str, group: str, values: dict[str, Interval]) -> dict[str, Any]:
    def clean(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 4)

    cells = {c: [clean(v.estimate), clean(v.low), clean(v.high)] for c, v in values.items()}
    return {"measure": measure, "group": group, "values": cells}


def _likelihood(sides: dict[str, _Side], stream: np.ndarray) -> list[dict[str, Any]]:
    by_event, by_note = dict.fromkeys(sides, NOTHING), dict.fromkeys(sides, NOTHING)
    for column, side in sides.items():
        if side.model is None:
            continue
        model = side.model.model
        if isinstance(model, NGram):
            losses = model.losses(stream)
        elif isinstance(model, CharRNN):
            losses = symbol_losses(model, stream)
        else:
            continue
        cost = PieceLosses.of(losses, stream)
        table = np.column_stack([cost.nats / np.log(2), cost.symbols, cost.notes])
        by_event[column] = bootstrap(table, lambda t: t[:, 0].sum() / t[:, 1].sum())
        by_note[column] = bootstrap(table, lambda t: t[:, 0].sum() / max(t[:, 2].sum(), 1))
    return [
        _row("bits an event", "held-out likelihood", by_event),
        _row("bits a note", "held-out likelihood", by_note),
    ]


def _musical(sides: dict[str, _Side]) -> list[dict[str, Any]]:
    each: dict[str, Callable[[Song], float]] = {
        "notes a second": measures.notes_per_second,
        "pitch-class entropy (bits)": measures.pitch_class_entropy,
        "scale consistency": measures.scale_consistency,
        "polyphony": measures.polyphony,
        "empty-beat rate": measures.empty_beat_rate,
        "groove consistency": measures.groove_consistency,
        "pulse clarity": measures.pulse_clarity,
        "structure indicator (3-8 s)": measures.structure_indicator,
    }
    return [
        _row(
            name,
            "pieces",
            {c: bootstrap(np.array([measure(s) for s in side.songs])) for c, side in sides.items()},
        )
        for name, measure in each.items()
    ]


def _likeness(sides: dict[str, _Side], reference: Sequence[Song]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Interval]] = {}

    def note(measure: str, column: str, value: float) -> None:
        rows.setdefault(measure, {})[column] = Interval(value, np.nan, np.nan, 1)

    for column, side in sides.items():
        found = measures.overlap_of(side.songs, reference)
        note("overlapping area, mean", column, _mean([o.area for o in found.values()]))
        note("divergence, mean (nats)", column, _mean([o.divergence for o in found.values()]))
        note("BLEU against unseen music", column, measures.bleu(side.songs, reference))
        note("distinct runs of 4", column, measures.distinct(side.songs))
        note("pairwise diversity", column, measures.pairwise_diversity(side.songs))
    return [_row(measure, "sets", values) for measure, values in rows.items()]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _encoded(
    sides: dict[str, _Side], reference: Sequence[Song], corpus: Corpus, seed: int
) -> list[dict[str, Any]]:
    """What our own encoder hears: one network for all columns, whatever the model."""
    performed = corpus.name in ("asap", "maestro")
    encoder = load_model("char-rnn-performances" if performed else "char-rnn")
    real = piece_features(encoder, reference)
    count = min(COMPONENTS, len(real) // 2)
    mean, directions = measures.principal_components(real, count)
    real = (real - mean) @ directions
    told, far = {}, {}
    for column, side in sides.items():
        rows = (piece_features(encoder, side.songs) - mean) @ directions
        told[column] = measures.two_sample_accuracy(rows, real, seed)
        far[column] = bootstrap(
            rows, lambda drawn: measures.frechet_distance(drawn, real), seed=seed, resamples=200
        )
    return [
        _row("two-sample accuracy", "encoder", told),
        _row("Fréchet distance", "encoder", far),
    ]


def _copied(sides: dict[str, _Side], corpus: Corpus) -> list[dict[str, Any]]:
    judge = Originality.of_corpus(corpus)
    runs = {
        c: np.array([judge.index.longest_run(s) for s in side.songs]) for c, side in sides.items()
    }
    usual = float(np.percentile(runs[REAL], 95))
    longest = {c: bootstrap(found, np.median) for c, found in runs.items()}
    tail = {
        c: bootstrap(found, lambda drawn: np.percentile(drawn, 95)) for c, found in runs.items()
    }
    above = {c: bootstrap((found > usual).astype(float)) for c, found in runs.items()}
    coverage = {
        c: bootstrap(np.array([judge.index.coverage(s) for s in side.songs]))
        for c, side in sides.items()
    }
    return [
        _row("longest run, median (onsets)", "originality", longest),
        _row("longest run, 95th percentile", "originality", tail),
        _row(f"share above real music's 95th ({usual:.0f})", "originality", above),
        _row("covered by shared 12-grams", "originality", coverage),
    ]


def evaluation_rows(found: dict[str, Any]) -> list[dict[str, str]]:
    """An evaluation as rows of words, a row a measure and a column for each music."""
    return [
        {"measure": row["measure"]} | {c: _cell(row["values"][c]) for c in found["columns"]}
        for row in found["rows"]
    ]


def _cell(value: Sequence[float | None]) -> str:
    estimate, low, high = (np.nan if v is None else v for v in value)
    return str(Interval(float(estimate), float(low), float(high), 0))
