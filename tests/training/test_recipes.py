import dataclasses
import json
import subprocess
import sys

import pytest

from symphony.training import recipe
from symphony.training.recipes import RecipeError, names


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"window": -1}, "window"),
        ({"evaluate_every": 0}, "evaluate_every"),
        ({"subset": 0}, "subset"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"clip": float("inf")}, "clip"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"keep": "worst"}, "worst"),
        ({"transpose": ()}, "transposition"),
    ],
)
def test_a_recipe_no_run_could_follow_is_refused_with_its_reason(change, word):
    with pytest.raises(RecipeError, match=word):
        dataclasses.replace(recipe("char-rnn", "tiny"), **change)


def test_the_hash_is_that_of_the_content_in_any_process_and_survives_json():
    here = recipe("char-rnn")
    back = json.loads(json.dumps(dataclasses.asdict(here)))
    back["transpose"], back["snapshots"] = tuple(back["transpose"]), tuple(back["snapshots"])
    assert type(here)(**back).hash == here.hash
    code = "from symphony.training import recipe; print(recipe('char-rnn').hash)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert there.stdout.strip() == here.hash


@pytest.mark.parametrize("name", [n for n in names() if n.startswith("char-rnn")])
def test_the_sizes_are_what_the_book_says(name):
    small, full = recipe(name, "small").model, recipe(name, "full").model
    assert (small["layers"], small["width"]) == (2, 256)
    assert (full["layers"], full["width"]) == (3, 512)


def test_overfitting_is_left_free_to_happen():
    plan = recipe("char-rnn-overfit")
    assert (plan.subset, plan.keep, plan.transpose) == (32, "last", (0,))
    assert plan.model["dropout"] == 0
    assert plan.snapshots[-1] == plan.steps
