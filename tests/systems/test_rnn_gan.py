"""RNN-GAN: one LSTM composes, another says what is real."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from running import run

from symphony.systems import system
from symphony.systems.iwgan.network import WGANCritic
from symphony.systems.rnn_gan.network import (
    LSTMDiscriminator,
    LSTMGenerator,
    RNNGANConfig,
    discriminator_of,
)
from symphony.training import Card

TINY = RNNGANConfig(steps=12, noise=6, hidden_size=10)


def test_the_generator_hears_its_noise_once_at_the_beginning():
    torch.manual_seed(0)
    generator, heard = LSTMGenerator(TINY), []
    generator.lstm.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    noise = torch.rand(3, 6) * 2 - 1
    generator(noise)
    assert torch.equal(heard[0][:, 0], noise)
    assert (heard[0][:, 1:] == 0).all()
    assert heard[0].shape == (3, 12, 6)


@pytest.mark.parametrize("rows", [1, 4, 12])
def test_noise_is_shared_by_the_first_rows_and_all_others_hear_none(rows):
    generator, heard = LSTMGenerator(replace(TINY, noise=24, noise_rows=rows)), []
    generator.lstm.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    noise = torch.rand(3, 24) * 2 - 1
    assert generator(noise).shape == (3, 12, 128)
    assert torch.equal(heard[0][:, :rows].flatten(1), noise)
    assert (heard[0][:, rows:] == 0).all()


def test_noise_at_every_row_changes_only_what_comes_after_it():
    torch.manual_seed(0)
    generator, noise = LSTMGenerator(replace(TINY, noise=24, noise_rows=12)), torch.rand(2, 24)
    other = noise.clone()
    other[:, 2 * 7 :] *= -1  # two numbers a row: from the eighth row on
    before, after = generator(noise), generator(other)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"noise_rows": 0}, "multiple"),
        ({"noise_rows": 4}, "multiple"),  # six numbers
        ({"noise": 13, "noise_rows": 13}, "multiple"),  # of twelve rows
        ({"conv_channels": -1}, "needs steps"),
    ],
)
def test_noise_that_rows_cant_share_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(TINY, **change)


def test_binary_cells_are_the_signs_of_grey_ones_and_pass_gradients_on():
    config = replace(TINY, output_bias_init=0.0)
    grey, binary = LSTMGenerator(config), LSTMGenerator(replace(config, binary=True))
    binary.load_state_dict(grey.state_dict())
    noise = torch.rand(3, 6)
    assert torch.equal(binary(noise).round(), torch.where(grey(noise) > 0, 1.0, -1.0))
    binary(noise).sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in binary.parameters())


def test_a_convolutional_discriminator_is_chapter_fives():
    assert isinstance(discriminator_of(TINY), LSTMDiscriminator)
    convolutional = discriminator_of(replace(TINY, steps=16, conv_channels=2))
    assert isinstance(convolutional, WGANCritic)
    assert convolutional(torch.zeros(3, 16, 128)).shape == (3,)


@pytest.mark.parametrize(
    "change", [{"noise": 32, "noise_rows": 16}, {"binary": True}, {"conv_channels": 2}]
)
def test_every_kind_of_network_trains(change, runs, tmp_path):
    recipe = runs.recipe("rnn-gan")
    recipe = replace(recipe, network=replace(recipe.network, **change))
    run(system(recipe), runs.data("rnn-gan"), tmp_path)
    assert all(np.isfinite([*point.values()]).all() for point in Card.load(tmp_path).curve)


def test_the_discriminator_hears_the_whole_roll():
    torch.manual_seed(0)
    discriminator = LSTMDiscriminator(TINY)
    rolls = -torch.ones(1, 12, 128)
    scores = [discriminator(rolls)]
    for row in (0, 6, 11):
        changed = rolls.clone()
        changed[0, row] = 1.0
        scores.append(discriminator(changed))
    assert len({score.item() for score in scores}) == 4


def test_the_output_may_be_as_loud_and_as_silent_as_music_is():
    generator = LSTMGenerator(TINY)
    with torch.no_grad():
        generator.fc.bias += 20
        assert generator(torch.zeros(1, 6)).min() > 0.99
        generator.fc.bias -= 40
        assert generator(torch.zeros(1, 6)).max() < -0.99


def nets_after(recipe, data, steps=1):
    learner = system(recipe)
    torch.manual_seed(recipe.seed)
    nets = learner.build(data)
    opts = learner.optimizers(nets)
    before = {k: v.clone() for k, v in nets.state_dict().items()}
    for step in range(steps):
        logs = learner.train_step(nets, opts, data, step)
    return before, nets.state_dict(), logs


@pytest.mark.parametrize(
    ("rate", "still", "lively"),
    [
        ("generator_lr", "generator", "discriminator"),
        ("discriminator_lr", "discriminator", "generator"),
    ],
)
def test_each_loss_moves_its_own_net_and_no_other(rate, still, lively, runs):
    recipe = replace(runs.recipe("rnn-gan"), **{rate: 1e-30})
    before, after, _ = nets_after(recipe, runs.data("rnn-gan"))

    def moved(net):
        return any(
            not torch.equal(before[k], after[k]) for k in before if k.startswith(f"{net}.")
        )  # fmt: skip

    assert not moved(still)
    assert moved(lively)


def test_the_discriminator_sees_earlier_fakes_once_its_memory_is_full(runs):
    recipe, data = replace(runs.recipe("rnn-gan"), replay_batches=2), runs.data("rnn-gan")
    learner = system(recipe)
    nets = learner.build(data)
    opts, shown, made = learner.optimizers(nets), [], []
    nets["discriminator"].register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    nets["generator"].register_forward_hook(lambda _, given, out: made.append(out.detach()))
    for step in range(4):
        learner.train_step(nets, opts, data, step)
    fakes, fresh = shown[1::3], made[0::2]  # real, fake, and the generator's own; two makings
    new = [int((a == b).flatten(1).all(1).sum()) for a, b in zip(fakes, fresh, strict=True)]
    assert new == [4, 4, 2, 2]
    earlier = torch.cat(fresh[:2])
    for roll in fakes[2]:
        assert (earlier == roll).flatten(1).all(1).any() or (fresh[2] == roll).flatten(1).all(
            1
        ).any()


def test_flipped_and_smoothed_labels_reach_the_loss(runs):
    losses = {}
    for change in ({}, {"label_flip": 0.9}, {"label_smoothing": 0.5}):
        plain = {"label_flip": 0.0, "label_smoothing": 0.0, "replay_batches": 0}
        recipe = replace(runs.recipe("rnn-gan"), **{**plain, **change, "discriminator_lr": 0.05})
        *_, logs = nets_after(recipe, runs.data("rnn-gan"), steps=12)
        losses[tuple(change)] = logs["discriminator_loss"].item()
        if not change:
            assert logs["discriminator_accuracy"] == 1.0
    assert losses[()] < 0.2
    assert losses[("label_flip",)] > losses[()] + 0.1
    assert losses[("label_smoothing",)] > losses[()] + 0.1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_either_optimizer_trains(optimizer, runs, tmp_path):
    recipe = replace(
        runs.recipe("rnn-gan"), discriminator_optimizer=optimizer, replay_batches=0,
        ema_decay=0.5, snapshots=(3,),
    )  # fmt: skip
    run(system(recipe), runs.data("rnn-gan"), tmp_path)
    curve = Card.load(tmp_path).curve
    assert all(np.isfinite([*point.values()]).all() for point in curve)
    assert (tmp_path / "step-000003.safetensors").is_file()


def test_the_memory_of_fakes_is_part_of_the_state_and_does_not_ship(runs):
    state = torch.load(runs.folder("rnn-gan") / "state.ckpt", weights_only=True)["nets"]
    replay = state["replay.rolls"]
    assert replay.shape == (8, 16, 128)  # two batches of four
    assert (replay.flatten(1).abs().sum(1) > 0).all()
    assert Card.load(runs.folder("rnn-gan")).parameters.keys() == {"generator", "discriminator"}
