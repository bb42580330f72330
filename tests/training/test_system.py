"""What every trained system can do, and what no recipe may ask: on one that no room holds."""

import json
from dataclasses import replace

import pytest
import torch
from running import Line, LineRecipe, run
from torch import nn

from symphony.errors import RequestError
from symphony.song import Song
from symphony.training import Card, Trained
from symphony.training.system import descend
from symphony.typed import from_json


@pytest.fixture(scope="module")
def trained(line, data, finished):
    return Trained(line, line.kept(line.build(data)), Card.load(finished))


def test_a_request_reaches_the_system_with_its_controls(trained):
    first, second = trained.compose(2.5, seed=7, batch=2, pitch=72)
    assert (first.seconds, first.pitch.tolist(), first.velocity.tolist()) == (2.5, [72], [8])
    assert second.equals(first)
    assert trained.compose(1.0)[0].pitch.tolist() == [60]
    assert (trained.name, trained.recipe) == ("line", trained.system.recipe)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"seconds": 0}, "more than 0 s"),
        ({"seconds": -1.0}, "more than 0 s"),
        ({"seconds": float("nan")}, "more than 0 s"),
        ({"seconds": 3601}, "at most an hour"),
        ({"batch": 0}, "at least one piece"),
        ({"seed": -1}, "a seed of 0 or more"),
        ({"temperature": 1.0}, "line has no control temperature, only pitch"),
    ],
)
def test_what_no_system_can_compose_is_refused(request_, sentence, trained):
    with pytest.raises(RequestError, match=sentence):
        trained.compose(**{"seconds": 1.0, **request_})


def test_a_system_that_only_composes_fills_no_holes(trained):
    with pytest.raises(RequestError, match="line can't fill a song: it only composes"):
        trained.fill(Song([0.0], [1.0], [60], [80]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps is a finite number from 1, not 0"),
        ({"steps": "many"}, "steps is 'many', not int"),
        ({"steps": 2.0}, r"steps is '2\.0', not int"),
        ({"steps": True}, "steps is 'True', not int"),
        ({"batch": 0}, "batch is a finite number from 1, not 0"),
        ({"evaluate_every": -3}, "evaluate_every is a finite number from 1, not -3"),
        ({"subset": 0}, "subset is a finite number from 1, not 0"),
        ({"subset": [3]}, r"subset is '\[3\]', not int"),
        ({"seed": -1}, "seed is a finite number from 0 to .*, not -1"),
        ({"seed": 2**31}, "seed is a finite number from 0 to .*, not 2147483648"),
        ({"keep": "worst"}, "keep is 'worst', not 'best' or 'last'"),
        ({"snapshots": 3}, "snapshots is '3', not a list"),
        ({"snapshots": (1, "2")}, "snapshots is '2', not int"),
        ({"snapshots": (0, 3)}, "snapshots is a finite number from 1"),
        ({"corpus": 3}, "corpus is '3', not str"),
        ({"name": None}, "name is 'None', not str"),
        ({"lr": "fast"}, "lr is 'fast', not a number"),
    ],
)
def test_what_no_run_could_follow_is_refused_with_its_field(change, sentence):
    with pytest.raises(RequestError, match=sentence):
        LineRecipe(**change)


def test_a_recipe_survives_json_with_its_hash():
    recipe = LineRecipe(subset=3, snapshots=(1, 5), scores=(0.5, -1.0))
    back = from_json(LineRecipe, json.loads(json.dumps(recipe.to_dict())), "recipe")
    assert back == recipe
    assert back.hash == recipe.hash


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"lr": 0.1}, {"snapshots": (3,)}, {"name": "b"}, {"corpus": "folk"}]
)
def test_the_hash_changes_with_anything_in_a_recipe(change):
    assert replace(LineRecipe(), **change).hash != LineRecipe().hash


def test_two_systems_with_equal_fields_have_different_hashes():
    class OtherRecipe(LineRecipe):
        room = "other"

    assert OtherRecipe().hash != LineRecipe().hash


def test_the_norm_of_a_step_is_that_of_all_gradients_before_clipping():
    net = nn.Linear(1, 1)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    loss = 3 * net.weight.sum() + 4 * net.bias.sum()
    assert descend(loss, optimizer, clip=0.5).item() == pytest.approx(5.0)
    assert net.weight.item() == pytest.approx(-0.3, rel=1e-4)  # clipped to a tenth
    assert net.bias.item() == pytest.approx(-0.4, rel=1e-4)


def test_a_step_takes_its_own_learning_rate_and_leaves_no_gradient_over():
    net = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    before = net.weight.item()
    for turn in (1, 2):
        descend(net.weight.sum(), optimizer, lr=0.25)
        assert net.weight.item() == pytest.approx(before - 0.25 * turn)


def test_weights_without_a_gradient_stay(line, data):
    nets = line.build(data)
    optimizer = torch.optim.SGD(nets["line"].parameters(), lr=1.0)
    other = nn.Parameter(torch.ones(1))
    optimizer.add_param_group({"params": [other]})
    descend(nets["line"](torch.ones(1, 32)).sum(), optimizer)
    assert other.item() == 1.0


def test_a_net_of_several_is_had_by_its_name(line, data):
    nets = line.build(data)
    assert set(nets) == {"line", "memory"}
    assert nets["line"].matrix.shape == (32, 32)
    with pytest.raises(KeyError):
        nets["critic"]


def test_composing_after_training_asks_nothing_but_the_weights(data, tmp_path):
    card = run(Line(LineRecipe(steps=1)), data, tmp_path)
    assert card.curve[0]["step"] == 1
