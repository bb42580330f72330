import importlib.util
from pathlib import Path

import pytest

from symphony.studies import KeptError, shipped_evaluation, shipped_folder, shipped_study
from symphony.training import load_model, shipped

SCRIPTS = sorted((Path(__file__).parents[2] / "book").glob("study_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_studies_follow_todays_recipes(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = shipped_study(module.MODEL)
    assert kept["recipes"] == {arm: plan.hash for arm, plan in module.ARMS.items()}, (
        f"the recipes changed: python book/{script.name}"
    )
    assert len(module.SEEDS) >= 3


@pytest.mark.parametrize("name", shipped())
def test_evaluations_belong_to_the_shipped_weights(name):
    kept = shipped_evaluation(name)
    assert kept["weights_sha256"] == load_model(name).card["weights_sha256"], (
        f"{name} was trained anew: make weights"
    )
    assert (kept["samples"], kept["seconds"]) == (100, 30.0)


def test_what_is_not_kept_is_said():
    assert shipped_folder("char-rnn").is_dir()
    for read in (shipped_study, shipped_evaluation):
        with pytest.raises(KeptError, match="nobody"):
            read("nobody")
