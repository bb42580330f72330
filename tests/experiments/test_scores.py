import json

import numpy as np
import pytest
from making import random_song

from symphony import load
from symphony.errors import RequestError, SongError
from symphony.experiments import evaluate, evaluation_rows
from symphony.experiments.scores import COPY, REAL, real_windows
from symphony.song import Song


@pytest.fixture(scope="module")
def found(chorales):
    controls = {"temperature": 0.9}
    return evaluate(
        load("ngram-2"), chorales, samples=12, seconds=6, controls=controls, progress=False
    )


def value(found, measure, column):
    (row,) = [row for row in found["rows"] if row["measure"].startswith(measure)]
    return row["values"][column][0]


def test_every_column_answers_every_measure(found):
    assert found["columns"][0] == "ngram-2"
    assert {"uniform", REAL, COPY} < set(found["columns"])
    for row in found["rows"]:
        assert set(row["values"]) == set(found["columns"])
        for estimate, low, high in row["values"].values():
            if low is not None:
                assert low <= estimate <= high or row["measure"].startswith("Fréchet")
    assert json.loads(json.dumps(found)) == found


def test_the_anchors_lie_where_they_must(found):
    assert value(found, "bits an event", "uniform") == pytest.approx(np.log2(364), abs=1e-3)
    assert value(found, "bits an event", "ngram-2") < value(found, "bits an event", "uniform")
    assert value(found, "bits an event", REAL) is None
    runs = {column: value(found, "longest run, median", column) for column in found["columns"]}
    assert runs[COPY] > 2 * runs[REAL] > runs["uniform"]
    coverage = {c: value(found, "covered by shared 12-grams", c) for c in found["columns"]}
    assert coverage[COPY] > coverage[REAL] == coverage["uniform"] == 0
    assert value(found, "two-sample accuracy (logistic)", "uniform") > value(
        found, "two-sample accuracy", REAL
    )
    assert value(found, "Fréchet distance", "uniform") > value(found, "Fréchet distance", REAL)


def test_rows_are_words_in_the_same_columns(found):
    rows = evaluation_rows(found)
    assert all(list(row) == ["measure", *found["columns"]] for row in rows)
    assert rows[0][REAL] == "–"


def test_windows_of_real_music_do_not_overlap():
    songs = [random_song(seed, notes=80) for seed in range(12)]
    cut = real_windows(songs, 40, 3.0, seed=0)
    assert 12 < len(cut) <= 40
    assert all(len(piece) >= 8 and piece.seconds <= 3.001 for piece in cut)
    notes = [tuple(piece.pitch) for piece in cut]
    assert len(set(notes)) == len(notes)
    assert [p.pitch.tolist() for p in cut] == [
        p.pitch.tolist() for p in real_windows(songs, 40, 3.0, seed=0)
    ]


def test_too_little_to_say_anything_by(chorales):
    unigram = load("unigram")
    with pytest.raises(RequestError, match="fewer say nothing"):
        evaluate(unigram, "no such corpus", samples=3)  # refused before anything is read
    with pytest.raises(RequestError, match="has no control key"):
        evaluate(unigram, chorales, controls={"key": "C major"}, progress=False)
    with pytest.raises(SongError, match="too little music"):
        real_windows([Song([0.0], [1.0], [60], [80])], 10, 30.0, 0)
