import json
from dataclasses import replace

from symphony.studies import keep_study, kept, shipped_study, train_arms
from symphony.training import recipe


def test_every_arm_is_trained_with_every_seed_and_never_twice(tmp_path, monkeypatch, chorales):
    plan = replace(recipe("iwgan", "tiny"), steps=2)
    arms = {"one way": plan, "other way": replace(plan, loss="hinge")}
    study = train_arms(arms, (0, 1), tmp_path, lambda trained, rolls: {"seed": trained.recipe.seed})
    assert study["recipes"] == {arm: p.hash for arm, p in arms.items()}
    assert [(r["arm"], r["seed"]) for r in study["rows"]] == [
        ("one way", 0), ("other way", 0), ("one way", 1), ("other way", 1),
    ]  # fmt: skip
    assert [row["metrics"]["seed"] for row in study["rows"]] == [0, 0, 1, 1]
    card = json.loads((tmp_path / "one-way-1" / "card.json").read_text())
    assert card["recipe"]["seed"] == 1

    weights = tmp_path / "one-way-1" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    again = train_arms(arms, (0, 1), tmp_path)
    assert weights.stat().st_mtime_ns == before
    assert again["rows"][0]["curve"] == study["rows"][0]["curve"]

    monkeypatch.setattr(kept, "SHIPPED", tmp_path / "shipped")
    keep_study("model", study)
    assert shipped_study("model") == study
