"""What all pairs of a generator and its opponent must do."""

import pytest
import torch
from torch.nn import functional

from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNCritic, DCRNNGenerator
from symphony.systems.iwgan.network import WGANConfig, WGANCritic, WGANGenerator
from symphony.systems.pix2pix.network import PatchGAN, Pix2PixConfig, UNet
from symphony.systems.rnn_gan.network import LSTMGenerator, RNNGANConfig, discriminator_of

SMALL_DCRNN = {
    "noise": 6, "phrase": 4, "hidden_a": 8, "hidden_b": 8, "strip_channels": 4,
    "critic_channels": 3,
}  # fmt: skip
PAIRS = {
    "rnn-gan": (RNNGANConfig(12, 6, 10), LSTMGenerator, discriminator_of),
    "rnn-gan, noise at every row": (
        RNNGANConfig(12, 24, 10, noise_rows=12), LSTMGenerator, discriminator_of,
    ),
    "rnn-gan, convolutional": (
        RNNGANConfig(32, 6, 10, conv_channels=3), LSTMGenerator, discriminator_of,
    ),
    "iwgan conv": (WGANConfig(32, 6, "conv", 16, critic_channels=3), WGANGenerator, WGANCritic),
    "iwgan gru": (WGANConfig(32, 6, "gru", 16, (9, 7), 3), WGANGenerator, WGANCritic),
    "dcrnn": (DCRNNConfig(24, **SMALL_DCRNN), DCRNNGenerator, DCRNNCritic),
    "dcrnn without keys": (
        DCRNNConfig(24, repeat=1, conditional=False, **SMALL_DCRNN), DCRNNGenerator, DCRNNCritic,
    ),
    "dcrnn, fully connected": (
        DCRNNConfig(24, **SMALL_DCRNN | {"strip_channels": 0}), DCRNNGenerator, DCRNNCritic,
    ),
    "pix2pix": (Pix2PixConfig(128, 3, 3), UNet, PatchGAN),
    "pix2pix long": (Pix2PixConfig(256, 2, 2), UNet, PatchGAN),
}  # fmt: skip


@pytest.fixture(params=PAIRS)
def pair(request):
    config, generator, opponent = PAIRS[request.param]
    torch.manual_seed(0)
    return config, generator(config), opponent(config)


def rolls(batch, steps, share=0.03):
    return torch.where(torch.rand(batch, steps, 128) < share, 1.0, -1.0)


def inputs(config, batch=3):
    """Noise, and the condition that goes with it."""
    noise = torch.rand(batch, config.noise) * 2 - 1
    if isinstance(config, DCRNNConfig) and config.conditional:
        return noise, functional.normalize(torch.rand(batch, 12), p=1.0)
    if isinstance(config, Pix2PixConfig):
        return noise, rolls(batch, config.steps)
    return (noise,)


def test_noise_becomes_rolls_and_rolls_become_scores(pair):
    config, generator, opponent = pair
    noise, *condition = inputs(config)
    fake = generator(noise, *condition)
    assert fake.shape == (3, config.steps, 128)
    assert -1 <= fake.min() < fake.max() <= 1
    assert opponent(fake, *condition).shape[0] == 3


def test_other_noise_makes_another_roll_and_the_same_noise_the_same(pair):
    config, generator, _ = pair
    noise, *condition = inputs(config, 1)
    fake = generator(noise, *condition)
    assert torch.equal(fake, generator(noise, *condition))
    assert not torch.allclose(fake, generator(-noise, *condition), atol=1e-6)


def test_rolls_of_a_batch_do_not_hear_each_other(pair):
    config, generator, opponent = pair
    noise, *condition = inputs(config)
    fake = generator(noise, *condition)
    alone = generator(noise[1:2], *(c[1:2] for c in condition))
    torch.testing.assert_close(fake[1:2], alone, atol=1e-5, rtol=1e-4)
    scores = opponent(fake, *condition)
    torch.testing.assert_close(
        scores[1:2], opponent(alone, *(c[1:2] for c in condition)), atol=1e-4, rtol=1e-4
    )


def test_every_weight_learns(pair):
    config, generator, opponent = pair
    noise, *condition = inputs(config)
    opponent(generator(noise, *condition), *condition).square().sum().backward()
    for net in (generator, opponent):
        for name, weight in net.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().max() > 0 or normalised(net, name), name


def normalised(net, name):
    """A bias that instance norm takes away again."""
    if not name.endswith("bias"):
        return False
    layer, i = name.split(".")[0], int(name.split(".")[1])
    if isinstance(net, UNet):
        return i < 6 and (layer == "up" or i > 0)
    return isinstance(net, PatchGAN) and layer == "layers" and i > 0


def test_the_opponent_tells_one_real_batch_from_noise(pair):
    config, _, opponent = pair
    _, *condition = inputs(config, 8)
    real, noise = rolls(8, config.steps, 0.02), rolls(8, config.steps, 0.2)
    optimizer = torch.optim.Adam(opponent.parameters(), lr=5e-3)
    for _ in range(40):
        optimizer.zero_grad()
        on_real, on_noise = opponent(real, *condition), opponent(noise, *condition)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_noise).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


def test_the_generator_learns_one_batch_by_heart(pair):
    config, generator, _ = pair
    noise, *condition = inputs(config, 2)
    real = rolls(2, config.steps)
    before = (generator(noise, *condition) - real).abs().mean().item()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss = (generator(noise, *condition) - real).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < before
    assert loss.item() < 0.2  # all silent: 2 x .03


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan conv", "iwgan gru", "dcrnn"])
def test_an_output_bias_begins_with_more_silence(name):
    config, generator, _ = PAIRS[name]
    means = []
    for bias in (-1.5, 0.0):
        torch.manual_seed(0)
        net = generator(type(config)(**{**vars(config), "output_bias_init": bias}))
        means.append(net(*inputs(config)).mean().item())
    assert means[0] < means[1] - 0.3


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: RNNGANConfig(0), "needs steps"),
        (lambda: RNNGANConfig(hidden_size=0), "needs steps, noise and cells"),
        (lambda: WGANConfig(60), "steps is a multiple of 16, not 60"),
        (lambda: WGANConfig(64, pitches=100), "pitches is a multiple of 16, not 100"),
        (lambda: WGANConfig(64, generator="lstm"), "conv or gru"),
        (lambda: WGANConfig(64, critic_channels=0), "channels"),
        (lambda: WGANConfig(64, channels=4), "8 at least"),
        (lambda: WGANConfig(64, recurrent=(8, 0)), "channels"),
        (lambda: DCRNNConfig(20), "multiple of 8"),
        (lambda: DCRNNConfig(repeat=0), "phrases"),
        (lambda: DCRNNConfig(strip_channels=-1), "channels"),
        (lambda: Pix2PixConfig(200), "multiple of 128"),
        (lambda: Pix2PixConfig(128, 0), "channels"),
    ],
)
def test_networks_that_cannot_be_are_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()
