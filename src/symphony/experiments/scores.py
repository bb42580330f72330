"""One table for any model: the same measures, beside the same four anchors (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from symphony import evaluation as measures
from symphony.codecs import EventCodec
from symphony.corpora import Corpus, load_corpus
from symphony.errors import RequestError, SongError
from symphony.evaluation import UNDEFINED, ConfidenceInterval, Originality, PieceLosses, bootstrap
from symphony.experiments.features import piece_features
from symphony.song import Song
from symphony.systems import load
from symphony.systems.ngram.system import fit
from symphony.systems.ngram.system import recipe as ngram_recipe
from symphony.systems.streams import BITS, encode_songs, symbol_losses
from symphony.training import Trained

HELD_OUT = 200_000  # symbols of the test split that are predicted
COMPONENTS = 16  # of the encoder's features, for the two-sample test and the Fréchet distance
FEWEST_PIECES, MOST_PIECES = 10, 10_000  # in a column
FEWEST_NOTES = 8  # in a window, for it to count as music
STAGES = 9  # of the progress bar
COPY, REAL = "training copy", "unseen real"
ENCODER = "char-rnn"
ENCODERS = dict.fromkeys(("asap", "maestro"), "char-rnn-performances")  # for performed music
MUSICAL: dict[str, Callable[[Song], float]] = {  # of one piece, by their names in tables
    "notes a second": measures.notes_per_second,
    "pitch-class entropy (bits)": measures.pitch_class_entropy,
    "scale consistency": measures.scale_consistency,
    "polyphony": measures.polyphony,
    "empty-beat rate": measures.empty_beat_rate,
    "groove consistency": measures.groove_consistency,
    "pulse clarity": measures.pulse_clarity,
    "structure indicator (3-8 s)": measures.structure_indicator,
}

Columns = Mapping[str, Sequence[Song]]
Rows = list[dict[str, Any]]


def evaluate(
    trained: Trained,
    corpus: Corpus | str,
    *,
    samples: int = 100,
    seconds: float = 30.0,
    seed: int = 0,
    controls: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Every statistic of chapter 3, for a model and its four anchors.

    The anchors: uniform noise, the n-gram model that validation likes best, unseen real music
    (windows of test pieces), and a copy of the training music. All are cut to the same length.
    What needs a reference (overlap, BLEU, two-sample accuracy, Fréchet distance) takes windows of
    validation pieces, so that unseen real music can be measured against it like anything else.

    Args:
        trained: the model; a conditional one predicts without a condition.
        corpus: what it is measured beside, or its name; the one it learned from, as a rule.
        samples: pieces in each column, at least ten; a small corpus may hold fewer windows.
        seconds: how long each is.
        seed: decides all draws.
        controls: of the model when it composes; the anchors have none.
        progress: show a bar.

    Returns:
        ``encoder``, the SHA-256 of the weights of :func:`encoder_of` the corpus; ``columns``, and
        ``rows`` of ``measure``, ``group`` and ``values``: for each column the estimate with its
        95 % confidence interval, None where undefined.

    Raises:
        RequestError: too few or too many samples, or a control that the model hasn't.
        SongError: a split without enough music.
    """
    if not FEWEST_PIECES <= samples <= MOST_PIECES:
        raise RequestError(
            f"A column holds {FEWEST_PIECES} to {MOST_PIECES} samples, not {samples}: fewer say "
            "nothing, more take days."
        )
    if isinstance(corpus, str):
        corpus = load_corpus(corpus, progress=progress)
    for split in ("train", "validation", "test"):
        if not len(corpus.part(split)):
            raise SongError(f"{corpus.name} has no {split} pieces to measure beside.")
    codec = trained.recipe.codec
    if not hasattr(codec, "symbol_seconds"):
        codec = EventCodec()  # of a model that writes rolls, anchors and real music stay in events
    bar = tqdm(total=STAGES, desc=f"evaluating {trained.name}", disable=not progress)

    def done(what: str) -> None:
        bar.set_postfix_str(what)
        bar.update()

    def windows(split: str) -> list[Song]:
        cut = real_windows(corpus.part(split), samples, seconds, seed)
        # As the model could have written them: its grid, its loudness, the pedal in the notes.
        return [codec.decode(codec.encode(song)) for song in cut]

    with bar:
        pieces = trained.compose(seconds, batch=samples, seed=seed, **(controls or {}))
        models, columns = {trained.name: trained}, {trained.name: pieces}
        done("composed")
        for anchor in ("uniform", "ngram"):
            order = replace(ngram_recipe(anchor, "small"), codec=codec, corpus=corpus.name)
            ngram = fit(order, corpus)
            models[ngram.name] = ngram
            columns[ngram.name] = ngram.compose(seconds, batch=samples, seed=seed)
            done(f"{ngram.name} composed")
        columns[REAL], columns[COPY] = windows("test"), windows("train")
        reference = windows("validation")
        done("real music cut")
        rows = _likelihood(columns, models, encode_songs(corpus.test, codec)[:HELD_OUT])
        done("held-out music predicted")
        rows += _copied(columns, corpus)
        done("copies searched")
        rows += _musical(columns)
        done("pieces measured")
        # Smaller sets look more diverse and farther off, so from here on all are of one size.
        equal = min(len(songs) for songs in (reference, *columns.values()))
        reference = reference[:equal]
        columns = {name: songs[:equal] for name, songs in columns.items()}
        rows += _likeness(columns, reference)
        done("sets compared")
        encoder = encoder_of(corpus.name)
        rows += _encoded(columns, reference, encoder, seed)
        done("classified")
    return {
        "model": trained.name,
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint,
        "samples": samples,
        "in_sets": equal,
        "seconds": seconds,
        "seed": seed,
        "controls": trained.card.defaults | dict(controls or {}),
        "encoder": encoder.card.weights_sha256,
        "columns": list(columns),
        "rows": rows,
    }


def encoder_of(corpus: str) -> Trained:
    """The shipped network whose features compare pieces with a corpus, for every model alike."""
    return load(ENCODERS.get(corpus, ENCODER))


def real_windows(songs: Sequence[Song], most: int, seconds: float, seed: int) -> list[Song]:
    """Stretches of real pieces that don't overlap: one of each piece, then a second of each, …

    A piece shorter than ``seconds`` is taken whole. Fewer than ``most`` come back where the pieces
    hold no more; what begins in silence begins at its first note.

    Raises:
        SongError: hardly any music in these pieces.
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
        raise SongError("These pieces hold too little music to measure beside.")
    return out


def _row(measure: str, group: str, values: Mapping[str, ConfidenceInterval]) -> dict[str, Any]:
    def clean(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 4)

    cells = {c: [clean(v.estimate), clean(v.low), clean(v.high)] for c, v in values.items()}
    return {"measure": measure, "group": group, "values": cells}


def _likelihood(columns: Columns, models: Mapping[str, Trained], stream: np.ndarray) -> Rows:
    """What each symbol of unseen music cost the models that predict symbols."""
    by_event, by_note = dict.fromkeys(columns, UNDEFINED), dict.fromkeys(columns, UNDEFINED)
    for name, model in models.items():
        if "network" not in model.nets:  # a generator predicts nothing
            continue
        network = model.nets["network"]
        counted = hasattr(network, "losses")  # an n-gram table answers by itself
        losses = network.losses(stream) if counted else symbol_losses(network, stream)
        cost = PieceLosses.of(losses, stream)
        table = np.column_stack([cost.nats / BITS, cost.symbols, cost.notes])
        by_event[name] = bootstrap(table, lambda t: t[:, 0].sum() / t[:, 1].sum())
        by_note[name] = bootstrap(table, lambda t: t[:, 0].sum() / max(t[:, 2].sum(), 1))
    return [
        _row("bits an event", "held-out likelihood", by_event),
        _row("bits a note", "held-out likelihood", by_note),
    ]


def _copied(columns: Columns, corpus: Corpus) -> Rows:
    judge = Originality.of_corpus(corpus)
    runs = {
        c: np.array([judge.index.longest_run(s) for s in songs]) for c, songs in columns.items()
    }
    usual = float(np.percentile(runs[REAL], 95))
    longest = {c: bootstrap(found, np.median) for c, found in runs.items()}
    tail = {
        c: bootstrap(found, lambda drawn: np.percentile(drawn, 95)) for c, found in runs.items()
    }
    above = {c: bootstrap((found > usual).astype(float)) for c, found in runs.items()}
    return [
        _row("longest run, median (onsets)", "originality", longest),
        _row("longest run, 95th percentile", "originality", tail),
        _row(f"share above real music's 95th ({usual:.0f})", "originality", above),
        _row("covered by shared 12-grams", "originality", _mean_of(judge.index.coverage, columns)),
    ]


def _musical(columns: Columns) -> Rows:
    return [_row(name, "pieces", _mean_of(measure, columns)) for name, measure in MUSICAL.items()]


def _mean_of(measure: Callable[[Song], float], columns: Columns) -> dict[str, ConfidenceInterval]:
    """The mean over each column's pieces."""
    return {c: bootstrap(np.array([measure(s) for s in songs])) for c, songs in columns.items()}


def _likeness(columns: Columns, reference: Sequence[Song]) -> Rows:
    rows: dict[str, dict[str, ConfidenceInterval]] = {}

    def note(measure: str, column: str, value: float) -> None:
        interval = ConfidenceInterval(value, np.nan, np.nan, 1)
        rows.setdefault(measure, {})[column] = interval

    for column, songs in columns.items():
        found = measures.overlap_of(songs, reference)
        note("overlapping area, mean", column, _mean([o.area for o in found.values()]))
        note("divergence, mean (nats)", column, _mean([o.divergence for o in found.values()]))
        note("BLEU against unseen music", column, measures.bleu(songs, reference))
        note("distinct runs of 4", column, measures.distinct(songs))
        note("pairwise diversity", column, measures.pairwise_diversity(songs))
    return [_row(measure, "sets", values) for measure, values in rows.items()]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _encoded(columns: Columns, reference: Sequence[Song], encoder: Trained, seed: int) -> Rows:
    """What our own encoder hears: one network for all columns, whatever the model."""
    real = piece_features(encoder, reference)
    mean, directions, _ = measures.principal_components(real, min(COMPONENTS, len(real) // 2))
    real = (real - mean) @ directions
    accuracy, distance = {}, {}
    for column, songs in columns.items():
        rows = (piece_features(encoder, songs) - mean) @ directions
        accuracy[column] = measures.two_sample_logistic(rows, real, seed)
        distance[column] = bootstrap(
            rows, lambda drawn: measures.frechet_distance(drawn, real), seed=seed, resamples=200
        )
    return [
        _row("two-sample accuracy (logistic)", "encoder", accuracy),
        _row("Fréchet distance", "encoder", distance),
    ]


def evaluation_rows(found: dict[str, Any]) -> list[dict[str, str]]:
    """An evaluation as rows of words, a row a measure and a column for each music."""
    return [
        {"measure": row["measure"]} | {c: _cell(row["values"][c]) for c in found["columns"]}
        for row in found["rows"]
    ]


def _cell(value: Sequence[float | None]) -> str:
    estimate, low, high = (np.nan if v is None else v for v in value)
    return str(ConfidenceInterval(float(estimate), float(low), float(high), 0))
