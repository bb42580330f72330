"""Commands that measure: what a piece copied, and how a model does beside its anchors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import tyro

from symphony.cli.app import app, print_table


@app.command
def evaluate(
    model: tyro.conf.Positional[str],
    /,
    corpus: str | None = None,
    samples: int = 100,
    seconds: float = 30.0,
    seed: int = 0,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Measure a model beside four anchors: noise, the best chain, unseen music, a training copy.

    Every column is measured alike; brackets are 95 % bootstrap intervals. A number means
    something only between its anchors. Chapter 3 explains each row. Example:
    ``symphony evaluate char-rnn``, or ``symphony evaluate ngram-4 --corpus folk``.

    Args:
        model: a shipped model, the folder of a run, or a chain: uniform, unigram, ngram-1 to
            ngram-8.
        corpus: a corpus by name or a folder; the one the model learned from if left out.
        samples: pieces in each column.
        seconds: how long each piece is.
        seed: decides what is drawn.
        as_json: print one JSON object instead of the table.
    """
    from symphony import studies
    from symphony.corpora import load_corpus
    from symphony.training import load_any

    trained = load_any(model, corpus or "chorales")
    music = load_corpus(corpus or trained.recipe.corpus)
    found = studies.evaluate(trained, music, samples=samples, seconds=seconds, seed=seed)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = studies.evaluation_rows(found)
    print_table([list(rows[0]), *([*row.values()] for row in rows)])


@app.command
def originality(
    song: tyro.conf.Positional[Path],
    /,
    corpus: str = "chorales",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Measure what a piece copied: its nearest pieces in a corpus, and where.

    Each figure stands beside unseen real music: a percentile of 50 is what a typical real
    piece shares with pieces it has never met; 100 is more than any of them shares.

    Args:
        song: a MIDI or ABC file.
        corpus: a corpus by name, or a folder of MIDI and ABC files. The piece is compared
            with its training split.
        as_json: print one JSON object instead of the table.
    """
    from symphony.corpora import load_corpus, read_song
    from symphony.evaluation import Originality

    piece = read_song(song)
    report = Originality.of_corpus(load_corpus(corpus)).report(piece)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    print(
        f"{'run':>4}  {'in the piece':>15}  {'in the original':>15}  {'12-grams':>8}  "
        f"{'LCS':>5}  name"
    )
    for match in report.nearest:
        here, there = _span(match.query_time), _span(match.piece_time)
        print(
            f"{match.run:>4}  {here:>15}  {there:>15}  {match.coverage:>8.0%}  "
            f"{match.whole_lcs:>5.2f}  {match.name}"
        )
    shares = ", ".join(f"{name} {value:.0f}" for name, value in report.percentile.items())
    print(f"Percentiles among unseen real music: {shares}.")
    print(report.verdict)


def _span(time: tuple[float, float]) -> str:
    return "-".join(f"{int(t) // 60}:{int(t) % 60:02d}" for t in time)
