"""Improved WGAN: its networks, beside what all critics do (test_wgan, test_networks)."""

from dataclasses import replace

import pytest
import torch
from running import run
from torch import nn

from symphony.systems import load, system
from symphony.systems.iwgan.network import (
    ConvDecoder,
    GRUDecoder,
    WGANConfig,
    WGANCritic,
    WGANGenerator,
    binarize,
)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)


@pytest.mark.parametrize("kind", [ConvDecoder, GRUDecoder])
def test_the_config_says_which_decoder_it_is(kind):
    name = {ConvDecoder: "conv", GRUDecoder: "gru"}[kind]
    generator = WGANGenerator(WGANConfig(32, 6, name, 16))
    assert type(generator.decoder) is kind
    assert generator(torch.zeros(2, 6)).shape == (2, 32, 128)


def test_a_gru_hears_its_noise_at_every_step_and_what_share_of_the_roll_has_gone():
    decoder, heard = GRUDecoder(WGANConfig(16, 3, "gru", 16)), []
    decoder.first.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    noise = torch.rand(2, 3)
    decoder(noise)
    assert torch.equal(heard[0][..., :3], noise[:, None].expand(-1, 16, -1))
    assert heard[0][0, :, 3].tolist() == [step / 16 for step in range(16)]


@pytest.mark.parametrize("kind", ["conv", "gru"])
def test_keys_outside_its_range_are_silent_and_unheard(kind):
    config = WGANConfig(32, 6, kind, 16, (8, 8), 2, lowest=30, pitches=48)
    roll = WGANGenerator(config)(torch.rand(2, 6))
    assert roll.shape == (2, 32, 128)
    assert (roll[..., :30] == -1).all()
    assert (roll[..., 78:] == -1).all()
    assert (roll[..., 30:78] != -1).all()
    critic, noisy, moved = WGANCritic(config), roll.clone(), roll.clone()
    noisy[..., :30], noisy[..., 78:], moved[..., 77] = 1.0, 1.0, 1.0
    with torch.no_grad():
        assert torch.equal(critic(noisy), critic(roll))
        assert not torch.equal(critic(moved), critic(roll))


@pytest.mark.parametrize(("lowest", "pitches"), [(-1, 16), (16, 128), (81, 48)])
def test_a_range_beyond_the_keyboard_is_refused(lowest, pitches):
    with pytest.raises(ValueError, match="leave the keyboard"):
        WGANConfig(lowest=lowest, pitches=pitches)


def test_binary_cells_pass_gradients_on_as_if_they_were_grey():
    x = torch.tensor([-3.0, -0.1, 0.0, 0.2, 5.0], requires_grad=True)
    sign, weights = binarize(x), torch.arange(5.0)
    assert sign.tolist() == pytest.approx([-1, -1, -1, 1, 1], abs=1e-6)
    (sign * weights).sum().backward()
    assert torch.equal(x.grad, weights)


def test_a_binary_generator_plays_the_signs_of_a_grey_one():
    config = WGANConfig(32, 6, channels=16, output_bias_init=0.0)
    grey, binary = WGANGenerator(config), WGANGenerator(replace(config, binary=True))
    binary.load_state_dict(grey.state_dict())
    noise = torch.rand(3, 6)
    with torch.no_grad():
        assert torch.equal(binary(noise).round(), torch.where(grey(noise) > 0, 1.0, -1.0))
    binary(noise).sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in binary.parameters())


def test_nothing_normalises_over_a_batch():
    """The gradient penalty looks at one roll at a time."""
    for net in (WGANGenerator(WGANConfig(32, 6)), WGANCritic(WGANConfig(32, 6))):
        assert not any(
            isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in net.modules()
        )


@pytest.mark.parametrize("steps", [16, 32, 64])
def test_each_layer_of_the_critic_halves_time_and_pitch(steps):
    critic, shapes = WGANCritic(WGANConfig(steps, 6, critic_channels=2)), []
    for layer in critic.layers:
        layer.register_forward_hook(lambda _, given, out: shapes.append(tuple(out.shape[1:])))
    critic(torch.zeros(1, steps, 128))
    assert shapes == [(2 << i, steps >> (i + 1), 64 >> i) for i in range(4)]


def test_a_gru_generator_trains_and_composes(runs, tmp_path):
    recipe = runs.recipe("iwgan")
    network = replace(recipe.network, generator="gru", recurrent=(8, 8), output_bias_init=-0.1)
    run(system(replace(recipe, network=network)), runs.data("iwgan"), tmp_path)
    trained = load(tmp_path)
    assert trained.recipe.network == network
    trained.compose(4.0)
