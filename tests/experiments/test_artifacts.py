import importlib.util
from pathlib import Path

import pytest

from symphony.errors import FileError
from symphony.experiments import (
    encoder_of,
    keep_experiment,
    keep_trial,
    shipped_evaluation,
    shipped_experiment,
    shipped_folder,
    shipped_search,
    shipped_trial,
)
from symphony.systems import card_of, names, recipe, shipped, system_of

BOOK = Path(__file__).parents[2] / "book"
SCRIPTS = sorted(BOOK.glob("experiment_*.py"))
TRIALS = sorted(BOOK.glob("trial_*.py"))


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_experiments_follow_todays_recipes(path):
    module = script(path)
    kept = shipped_experiment(module.MODEL)
    assert kept["recipes"] == {arm: recipe.hash for arm, recipe in module.ARMS.items()}, (
        f"the recipes changed: python book/{path.name}"
    )
    assert len(module.SEEDS) >= 3
    trained = [row for row in kept["rows"] if row["seed"] is not None]
    assert {row.get("arm", row.get("model")) for row in trained} == set(module.ARMS)
    assert {row["seed"] for row in trained} == set(module.SEEDS)


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
def test_trials_follow_todays_recipes(path):
    module = script(path)
    try:
        kept = shipped_trial(module.MODEL)
    except FileError:
        pytest.skip(f"not run yet: python book/{path.name}")
    assert kept["recipes"] == {arm: recipe.hash for arm, recipe in module.ARMS.items()}
    runs = {(row["arm"], row["seed"]) for row in kept["rows"]}
    assert runs == {(arm, seed) for arm in module.ARMS for seed in module.SEEDS}
    for row in kept["rows"]:
        steps = tuple(copied["step"] for copied in row.get("copying", []))
        assert steps == module.ARMS[row["arm"]].snapshots


def test_the_kept_search_tried_every_setting_of_its_script():
    kept = shipped_search("char-rnn")
    settings = script(BOOK / "search_char_rnn.py").SETTINGS
    assert len(kept) == len(settings)
    assert all(any(setting.items() <= row.items() for row in kept) for setting in settings)
    best = min(kept, key=lambda row: row["validation"])
    chosen = recipe("char-rnn")
    network = chosen.network
    assert (best["layers"], best["hidden"]) == (network.num_layers, network.hidden_size)
    assert (best["dropout"], best["lr"]) == (network.dropout, chosen.lr)
    assert (best["window"], best["batch"]) == (chosen.window, chosen.batch)


def test_every_kept_experiment_has_its_script():
    kept = {path.parent.name for path in shipped_folder("").glob("*/experiment.json")}
    assert kept == {script(path).MODEL for path in SCRIPTS}


REFINED = tuple(script(BOOK / "weights.py").REFINED)


@pytest.mark.parametrize("name", [name for name in shipped() if name not in REFINED])
def test_evaluations_belong_to_the_shipped_weights(name):
    kept = shipped_evaluation(name)
    card, _ = card_of(name)
    assert kept["weights_sha256"] == card.weights_sha256, f"{name} was trained anew: make weights"
    encoder = encoder_of(card.recipe["corpus"]).card.weights_sha256
    assert kept["encoder"] == encoder, f"{name} was compared by an older encoder: make weights"
    assert (kept["samples"], kept["seconds"]) == (100, 30.0)


@pytest.mark.parametrize("name", REFINED)
def test_nets_that_compose_nothing_of_their_own_are_measured_on_their_cards(name):
    card, _ = card_of(name)
    assert hasattr(system_of(card), "refine")
    assert card.measured["refined"], f"{name} was trained anew: make weights"


def test_what_ships_is_what_the_script_ships():
    listed = script(BOOK / "weights.py").SHIPPED_RECIPES
    assert sorted(listed) == list(shipped())
    assert set(listed) <= set(names())


def test_what_is_not_kept_is_said():
    for read in (shipped_experiment, shipped_evaluation, shipped_search, shipped_trial):
        with pytest.raises(FileError, match="nobody"):
            read("nobody")


@pytest.mark.parametrize(
    ("keep", "read"), [(keep_experiment, shipped_experiment), (keep_trial, shipped_trial)]
)
def test_what_is_kept_is_found(tmp_path, capsys, keep, read):
    found = {"recipes": {"arm": "0"}, "rows": [{"arm": "arm", "seed": 0}]}
    keep("model", found, home=tmp_path)
    assert read("model", home=tmp_path) == found
    assert str(shipped_folder("model", tmp_path)) in capsys.readouterr().out
