"""Under torchrun two processes, each with half of every batch, train one model."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from running import run, two_processes

from symphony.systems import recipe, system
from symphony.systems.char_rnn.network import CharLSTMConfig
from symphony.training import Card

SCRIPT = """
import json, sys
from pathlib import Path
from symphony.systems import system, system_of
from symphony.training import Card, Run, loop
from symphony.training.runtime import launch

for folder in sorted(p.parent for p in Path(sys.argv[1]).glob("*/card.json")):
    learner, place = system_of(Card.load(folder)), Run(folder)
    fabric, built = launch("cpu", learner.recipe.batch), []

    class Watched(type(learner)):
        def build(self, data):
            built.append(super().build(data))
            return built[-1]

    watched = Watched(learner.recipe)
    card = loop.train(watched, place.data(), place, fabric, progress=False)
    found = {
        "card": card is not None,
        "world": fabric.world_size,
        "weights": [p.double().sum().item() for p in built[0].parameters()],
    }
    (folder / f"rank-{fabric.global_rank}.json").write_text(json.dumps(found))
    fabric.barrier()
"""


def small(name):
    """Recipes without chance of their own: dropout is drawn by each process for itself."""
    base = recipe(name, "tiny")
    if name == "char-rnn":
        shape = CharLSTMConfig(num_layers=2, hidden_size=16, embedding_dim=8)
        return replace(base, steps=6, evaluate_every=3, window=32, network=shape)
    if name == "conditional-char-rnn":
        shape = replace(base.network, condition_dropout=0.0)
        return replace(base, steps=6, evaluate_every=3, window=32, network=shape)
    return base


ALIKE = ("char-rnn", "conditional-char-rnn", "iwgan", "dcrnn", "pix2pix", "duration-net")
# A Velocity Net's loss is a mean over the notes struck, and each half has its own number of them.
ALL = (*ALIKE, "rnn-gan", "velocity-net")


@pytest.fixture(scope="module")
def together(runs, tmp_path_factory):
    """What two processes made of all recipes, one after the other."""
    home = tmp_path_factory.mktemp("together")
    for name in ALL:
        (home / name).mkdir()
        chosen, data = small(name), runs.data(name)
        data.save(home / name / "encoded.safetensors")
        Card.of(chosen, data.facts).save(home / name)  # says what to train
    script = home / "train.py"
    script.write_text(SCRIPT)
    two_processes(script, home)
    return home


@pytest.mark.parametrize("name", ALL)
def test_both_processes_end_with_the_same_weights_and_the_first_writes(name, together):
    first, second = (
        json.loads((together / name / f"rank-{rank}.json").read_text()) for rank in (0, 1)
    )
    assert (first["world"], first["card"], second["card"]) == (2, True, False)
    assert first["weights"] == second["weights"]
    card = Card.load(together / name)
    assert card.processes == 2
    assert card.recipe == small(name).to_dict()
    assert [point["step"] for point in card.curve][-1] == small(name).steps


@pytest.mark.parametrize("name", ALIKE)
def test_two_halves_of_a_batch_teach_what_the_whole_does(name, together, runs, tmp_path):
    learner, data = system(small(name)), runs.data(name)
    run(learner, data, tmp_path)
    torch.manual_seed(learner.recipe.seed)
    begun = dict(learner.build(data).named_parameters())
    alone, shared = (
        torch.load(folder / "state.ckpt", weights_only=True)["nets"]
        for folder in (tmp_path, together / name)
    )
    assert alone.keys() == shared.keys()
    far = apart = 0.0
    for weight, start in begun.items():
        if name == "pix2pix" and weight.endswith("bias"):
            continue  # instance norm takes most away; Adam makes steps of what rounding leaves
        far += (alone[weight] - start).square().sum().item()
        apart += (alone[weight] - shared[weight]).square().sum().item()
    assert far > 0
    assert apart < 1e-4 * far  # a hundredth of the way that training went, in length
    for one, two in zip(Card.load(tmp_path).curve, Card.load(together / name).curve, strict=True):
        assert one.keys() == two.keys()
        for key in ("train", "validation", "generator_loss", "critic_loss", "real_score"):
            if key in one:
                assert one[key] == pytest.approx(two[key], rel=1e-3, abs=1e-4)


def test_a_replay_makes_one_model_but_not_that_of_one_process(together, runs, tmp_path):
    """Each process remembers fakes of its own share: see Replay."""
    chosen = small("rnn-gan")
    assert chosen.replay_batches > 0
    run(system(chosen), runs.data("rnn-gan"), tmp_path)
    state = torch.load(together / "rnn-gan" / "state.ckpt", weights_only=True)["nets"]
    assert len(state["replay.rolls"]) == chosen.replay_batches * chosen.batch // 2
    assert np.isfinite([*Card.load(together / "rnn-gan").metrics.values()]).all()
    one, two = (Card.load(folder).curve[0] for folder in (tmp_path, together / "rnn-gan"))
    assert one["real_score"] == pytest.approx(two["real_score"], rel=1e-2)


def test_a_run_of_two_goes_on_with_one(together, runs, tmp_path):
    """Where nothing is remembered by process: the state is that of one model."""
    for file in ("state.ckpt", "encoded.safetensors", "weights.safetensors"):
        (tmp_path / file).write_bytes((together / "char-rnn" / file).read_bytes())
    card = run(system(small("char-rnn")), runs.data("char-rnn"), tmp_path, resume=True)
    assert card.curve == Card.load(together / "char-rnn").curve
