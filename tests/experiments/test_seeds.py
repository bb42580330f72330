from dataclasses import replace

import pytest

from symphony.errors import RequestError
from symphony.experiments import train_arms, train_once
from symphony.systems import load, recipe


def test_every_arm_is_trained_with_every_seed_and_never_twice(tmp_path):
    base = replace(recipe("iwgan", "tiny"), steps=2)
    arms = {"one way": base, "other way": replace(base, loss="hinge")}

    def measure(trained, data):
        return {"seed": trained.recipe.seed, "pieces": len(data.train["lengths"])}

    found = train_arms(arms, (0, 1), tmp_path, measure)
    assert found["recipes"] == {arm: each.hash for arm, each in arms.items()}
    assert [(r["arm"], r["seed"]) for r in found["rows"]] == [
        ("one way", 0), ("other way", 0), ("one way", 1), ("other way", 1),
    ]  # fmt: skip
    assert [row["metrics"]["seed"] for row in found["rows"]] == [0, 0, 1, 1]
    assert all(row["metrics"]["pieces"] == base.subset for row in found["rows"])
    assert all(row["best_step"] == row["curve"][-1]["step"] == 2 for row in found["rows"])
    assert load(tmp_path / "one-way-1").recipe == replace(base, seed=1)

    weights = tmp_path / "one-way-1" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    again = train_arms(arms, (0, 1), tmp_path)
    assert weights.stat().st_mtime_ns == before
    assert again["rows"][0]["curve"] == found["rows"][0]["curve"]

    # What is kept of a recipe that is still the arm's needs no run; another's is found anew.
    kept = {
        "recipes": {"one way": arms["one way"].hash, "other way": "an older one"},
        "rows": [{"arm": arm, "seed": 0, "kept": True} for arm in arms],
    }
    mixed = train_arms(arms, (0, 1), tmp_path, measure, kept=kept)["rows"]
    assert mixed[0] == kept["rows"][0]
    assert [row["curve"] for row in mixed[1:]] == [row["curve"] for row in found["rows"][1:]]

    # What another recipe left there is nobody's result under today's hash.
    with pytest.raises(RequestError, match="another recipe"):
        train_once(replace(base, batch=2), tmp_path / "one-way-0")


def test_a_comparison_grows_by_an_arm_without_training_the_others_again(tmp_path):
    base = replace(recipe("iwgan", "tiny"), steps=2)
    first = train_arms({"one way": base}, (0, 1), tmp_path / "first")
    arms = {"other way": replace(base, loss="hinge"), "one way": base}
    grown = train_arms(arms, (0, 1), tmp_path / "then", kept=first)
    assert grown["recipes"] == {arm: each.hash for arm, each in arms.items()}
    assert [(r["arm"], r["seed"]) for r in grown["rows"]] == [
        ("other way", 0), ("one way", 0), ("other way", 1), ("one way", 1),
    ]  # fmt: skip
    assert grown["rows"][1::2] == first["rows"]
    assert sorted(p.name for p in (tmp_path / "then").iterdir()) == ["other-way-0", "other-way-1"]

    # A row is kept for its recipe, not for its arm's name; an arm that is gone goes.
    again = train_arms({"one way": replace(base, steps=3)}, (0,), tmp_path / "more", kept=grown)
    (row,) = again["rows"]
    assert row["best_step"] == 3


def test_runs_side_by_side_are_the_runs_one_by_one(tmp_path):
    arms = {"arm": replace(recipe("iwgan", "tiny"), steps=2)}
    found = [
        train_arms(arms, (0, 1), tmp_path / str(count), processes=count)["rows"] for count in (1, 2)
    ]
    for one, other in zip(*found, strict=True):
        assert (one["curve"], one["metrics"]) == (other["curve"], other["metrics"])
