"""What all four pairs of networks must do."""

import pytest
import torch
from torch.nn import functional

from symphony.models.dcrnn import DCRNNConfig, DCRNNCritic, DCRNNGenerator
from symphony.models.iwgan import IWGANConfig, IWGANCritic, IWGANGenerator
from symphony.models.pix2pix import Pix2PixConfig, Pix2PixCritic, Pix2PixGenerator
from symphony.models.rnn_gan import RNNGANConfig, RNNGANCritic, RNNGANGenerator

SMALL_DCRNN = {"noise": 6, "phrase": 4, "planner": 8, "player": 8, "hands": 4, "critic": 3}
PAIRS = {
    "rnn-gan": (RNNGANConfig(12, 6, 10), RNNGANGenerator, RNNGANCritic),
    "iwgan conv": (IWGANConfig(32, 6, "conv", 16, critic=3), IWGANGenerator, IWGANCritic),
    "iwgan gru": (IWGANConfig(32, 6, "gru", 16, (9, 7), 3), IWGANGenerator, IWGANCritic),
    "dcrnn": (DCRNNConfig(24, **SMALL_DCRNN), DCRNNGenerator, DCRNNCritic),
    "dcrnn without keys": (
        DCRNNConfig(24, repeat=1, conditional=False, **SMALL_DCRNN), DCRNNGenerator, DCRNNCritic,
    ),
    "pix2pix": (Pix2PixConfig(128, 3, 3), Pix2PixGenerator, Pix2PixCritic),
    "pix2pix long": (Pix2PixConfig(256, 2, 2), Pix2PixGenerator, Pix2PixCritic),
}  # fmt: skip


@pytest.fixture(params=PAIRS)
def pair(request):
    config, generator, critic = PAIRS[request.param]
    torch.manual_seed(0)
    return config, generator(config), critic(config)


def rolls(batch, steps, share=0.03):
    return torch.where(torch.rand(batch, steps, 128) < share, 1.0, -1.0)


def hear(config, batch=3):
    """Noise, and what is given with it."""
    noise = torch.rand(batch, config.noise) * 2 - 1
    if isinstance(config, DCRNNConfig) and config.conditional:
        return noise, functional.normalize(torch.rand(batch, 12), p=1.0)
    if isinstance(config, Pix2PixConfig):
        return noise, rolls(batch, config.steps)
    return (noise,)


def test_noise_becomes_rolls_and_rolls_become_scores(pair):
    config, generator, critic = pair
    noise, *given = hear(config)
    made = generator(noise, *given)
    assert made.shape == (3, config.steps, 128)
    assert -1 <= made.min() < made.max() <= 1
    assert critic(made, *given).shape[0] == 3


def test_other_noise_makes_another_roll_and_the_same_noise_the_same(pair):
    config, generator, _ = pair
    noise, *given = hear(config, 1)
    made = generator(noise, *given)
    assert torch.equal(made, generator(noise, *given))
    assert not torch.allclose(made, generator(-noise, *given), atol=1e-6)


def test_rolls_of_a_batch_do_not_hear_each_other(pair):
    config, generator, critic = pair
    noise, *given = hear(config)
    made = generator(noise, *given)
    alone = generator(noise[1:2], *(g[1:2] for g in given))
    torch.testing.assert_close(made[1:2], alone, atol=1e-5, rtol=1e-4)
    scores = critic(made, *given)
    torch.testing.assert_close(
        scores[1:2], critic(alone, *(g[1:2] for g in given)), atol=1e-4, rtol=1e-4
    )


def test_every_weight_learns(pair):
    config, generator, critic = pair
    noise, *given = hear(config)
    critic(generator(noise, *given), *given).square().sum().backward()
    for net in (generator, critic):
        for name, weight in net.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().max() > 0 or normalised(net, name), name


def normalised(net, name):
    """A bias that instance norm takes away again."""
    if not name.endswith("bias"):
        return False
    layer, i = name.split(".")[0], int(name.split(".")[1])
    if isinstance(net, Pix2PixGenerator):
        return i < 6 and (layer == "up" or i > 0)
    return isinstance(net, Pix2PixCritic) and layer == "layers" and i > 0


def test_the_critic_tells_one_real_batch_from_noise(pair):
    config, _, critic = pair
    _, *given = hear(config, 8)
    real, noise = rolls(8, config.steps, 0.02), rolls(8, config.steps, 0.2)
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for _ in range(40):
        optimizer.zero_grad()
        scores, doubts = critic(real, *given), critic(noise, *given)
        loss = functional.softplus(-scores).mean() + functional.softplus(doubts).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


def test_the_generator_learns_one_batch_by_heart(pair):
    config, generator, _ = pair
    noise, *given = hear(config, 2)
    real = rolls(2, config.steps)
    before = (generator(noise, *given) - real).abs().mean().item()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss = (generator(noise, *given) - real).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < before
    assert loss.item() < 0.2  # all silent: 2 x .03


def test_a_pix2pix_learns_one_pair_better_than_copying_its_facade():
    torch.manual_seed(1)
    config = Pix2PixConfig(128, 16, 2)
    generator = Pix2PixGenerator(config)
    facade = rolls(1, 16, 0.02).repeat_interleave(8, 1)
    real = torch.maximum(facade, facade.roll(4, 2))  # a third above every note
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for _ in range(80):
        optimizer.zero_grad()
        loss = (generator(torch.ones(1, config.noise), facade) - real).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < (facade - real).abs().mean().item() / 2


def test_a_dcrnn_plays_one_plan_again_and_again():
    torch.manual_seed(0)
    config = DCRNNConfig(24, **SMALL_DCRNN, repeat=3)
    generator = DCRNNGenerator(config)
    seen = []
    generator.play.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    generator(*hear(config, 2))
    plan = seen[0].unflatten(1, (2, 3, 4))  # periods, repetitions, steps of the phrase
    assert torch.equal(plan[:, :, 0], plan[:, :, 1])
    assert torch.equal(plan[:, :, 0], plan[:, :, 2])
    assert not torch.allclose(plan[:, 0, 0], plan[:, 1, 0], atol=1e-6)


@pytest.mark.parametrize("repeat", [1, 3])
def test_a_dcrnn_hears_the_same_whether_its_noise_is_told_once_or_at_every_step(repeat):
    torch.manual_seed(0)
    config = DCRNNConfig(24, repeat=repeat, **SMALL_DCRNN)
    generator = DCRNNGenerator(config)
    noise, keys = hear(config)
    each = noise[:, None].repeat(1, 24, 1)
    torch.testing.assert_close(
        generator(noise=noise, key_histogram=keys), generator(noise=each, key_histogram=keys)
    )


def test_a_dcrnn_leads_on_for_any_number_of_steps_and_changes_only_from_there():
    torch.manual_seed(0)
    config = DCRNNConfig(24, **SMALL_DCRNN)
    generator = DCRNNGenerator(config)
    noise, keys = torch.rand(1, 41, 6), torch.full((1, 12), 1 / 12)
    other = noise.clone()
    other[:, 24:] = -1  # the third plan begins at 24
    made, changed = generator(noise, keys), generator(other, keys)
    assert made.shape == (1, 41, 128)
    assert torch.equal(made[:, :24], changed[:, :24])
    assert not torch.allclose(made[:, 24:], changed[:, 24:], atol=1e-6)


def test_a_dcrnn_is_told_keys_only_if_it_knows_them():
    config = DCRNNConfig(24, **SMALL_DCRNN)
    with pytest.raises(ValueError, match="needs key histogram"):
        DCRNNGenerator(config)(torch.rand(1, 6))
    silent = DCRNNConfig(24, conditional=False, **SMALL_DCRNN)
    with pytest.raises(ValueError, match="takes no key histogram"):
        DCRNNGenerator(silent)(torch.rand(1, 6), torch.rand(1, 12))


def test_a_dcrnn_critic_weighs_what_sounds_by_the_key_asked_for():
    torch.manual_seed(0)
    critic = DCRNNCritic(DCRNNConfig(24, critic=2))
    critic.score.weight.data[:, : critic.roll.size + critic.form.size] = 0  # the key decides alone
    low = torch.rand(2, 24, 128) * 2 - 1
    low[:, :, -12:] = -1.0
    octave_up = low.roll(12, dims=2)
    even, triad = torch.full((2, 12), 1 / 12), torch.zeros(2, 12)
    triad[:, [0, 4, 7]] = 1 / 3
    assert torch.allclose(critic(low, triad), critic(octave_up, triad), atol=1e-5)
    assert not torch.allclose(critic(low, triad), critic(low.roll(1, dims=2), triad), atol=1e-4)
    assert torch.allclose(critic(low, even), critic(low.roll(1, dims=2), even), atol=1e-5)


def test_a_patch_sees_70_by_70():
    critic = Pix2PixCritic(Pix2PixConfig(128, 2, 4))
    for i in range(1, 4):  # instance norm sees everything: look at the convolutions alone
        assert critic.layers[i].kernel_size == (4, 4)
    seen, step = 1, 1
    for layer in (*critic.layers, critic.score):
        seen, step = seen + 3 * step, step * layer.stride[0]
    assert seen == 70


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: RNNGANConfig(0), "needs steps"),
        (lambda: IWGANConfig(60), "multiple of 16"),
        (lambda: IWGANConfig(64, generator="lstm"), "conv or gru"),
        (lambda: IWGANConfig(64, critic=0), "channels"),
        (lambda: DCRNNConfig(20), "multiple of 8"),
        (lambda: DCRNNConfig(repeat=0), "phrases"),
        (lambda: Pix2PixConfig(200), "multiple of 128"),
        (lambda: Pix2PixConfig(128, 0), "channels"),
    ],
)
def test_networks_that_cannot_be_are_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()
