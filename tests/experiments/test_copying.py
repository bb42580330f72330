from dataclasses import replace

import pytest

from symphony import load, train
from symphony.evaluation import Originality
from symphony.experiments import against_real, copying_by_step
from symphony.systems import recipe


@pytest.fixture(scope="module")
def judge(chorales):
    return Originality.of_corpus(chorales)


def test_every_snapshot_is_measured(judge, tmp_path):
    chosen = replace(recipe("char-rnn-overfit", "tiny"), steps=20, snapshots=(10, 20))
    train(chosen, tmp_path, progress=False)
    rows = copying_by_step(tmp_path, judge, pieces=2, seconds=15)
    assert [row["step"] for row in rows] == [10, 20]
    for row in rows:
        assert 0 <= row["smallest"] <= row["median"] <= row["largest"]


def test_both_sides_are_measured_alike(chorales, judge):
    found = against_real(load("ngram-2"), chorales, pieces=2, seconds=4)
    assert (found["pieces"], found["seconds"]) == (2, 4)
    assert found["unseen"] == len(judge.unseen)
    for side in ("composed", "real"):
        assert found[f"{side}_run_median"] <= found[f"{side}_run_p95"]
        assert found[f"{side}_run_p95"] <= found[f"{side}_run_longest"]
        assert 0 <= found[f"{side}_pulse"] <= 1
