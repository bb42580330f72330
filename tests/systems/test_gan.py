"""What adversarial systems share: losses by their formulas, penalties by hand, replay, averages."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from symphony.systems import gan
from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNCritic
from symphony.systems.rnn_gan.network import LSTMDiscriminator, RNNGANConfig


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def epsilon(count):
    return torch.rand(count, 1, 1, generator=rng())


class Linear(nn.Module):
    """A critic whose gradient is known: the same at every roll."""

    def __init__(self, gradient):
        super().__init__()
        self.gradient = nn.Parameter(gradient)

    def forward(self, rolls):
        return (rolls * self.gradient).sum((1, 2))


def test_the_penalty_of_a_linear_critic_is_that_worked_out_by_hand():
    gradient = torch.zeros(4, 128)
    gradient[0, 0], gradient[3, 7] = 3.0, 4.0  # of norm 5, so that the penalty is (5 - 1)^2
    critic = Linear(gradient)
    real, fake = torch.randn(6, 4, 128), torch.randn(6, 4, 128)
    assert gan.grad_norms(critic, real).tolist() == pytest.approx([5.0] * 6)
    penalty = gan.gradient_penalty(critic, real, fake, epsilon(6))
    assert penalty.item() == pytest.approx(16.0, rel=1e-5)
    penalty.backward()  # 2 (5 - 1) times the gradient's direction
    assert critic.gradient.grad[0, 0].item() == pytest.approx(8 * 3 / 5, rel=1e-5)
    assert critic.gradient.grad[3, 7].item() == pytest.approx(8 * 4 / 5, rel=1e-5)
    assert gan.r1_penalty(critic, real).item() == pytest.approx(12.5, rel=1e-5)


def test_the_penalty_is_taken_between_real_and_fake():
    seen = []

    class Spy(Linear):
        def forward(self, rolls):
            seen.append(rolls.detach())
            return super().forward(rolls)

    real, fake, share = torch.ones(50, 2, 128), -torch.ones(50, 2, 128), epsilon(50)
    gan.gradient_penalty(Spy(torch.ones(2, 128)), real, fake, share)
    torch.testing.assert_close(seen[0], (2 * share - 1).expand(-1, 2, 128))
    gan.r1_penalty(Spy(torch.ones(2, 128)), real)
    assert torch.equal(seen[1], real)


def test_the_penalty_hears_the_condition():
    critic = DCRNNCritic(DCRNNConfig(8, noise=2, critic_channels=2))
    rolls = torch.randn(3, 8, 128)
    keys = torch.eye(12)[[0, 0, 0]], torch.eye(12)[[7, 7, 7]]
    first, second = (gan.grad_norms(critic, rolls, (key,)) for key in keys)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_penalty_goes_back_twice_through_recurrent_critics(kind, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    torch.manual_seed(0)
    critic = LSTMDiscriminator(RNNGANConfig(9, hidden_size=7))
    critic.lstm = kind(128, 7, 2, batch_first=True)
    critic.to(device)
    real, fake = torch.randn(2, 3, 9, 128, device=device).unbind(0)
    gan.gradient_penalty(critic, real, fake, epsilon(3).to(device)).backward()
    for name, weight in critic.named_parameters():
        if name != "score.bias":  # moves no gradient
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().max() > 0, name


def test_the_penalty_is_the_finite_difference():
    torch.manual_seed(0)
    config = DCRNNConfig(8, noise=2, critic_channels=2, conditional=False)
    critic = DCRNNCritic(config).double()
    real, fake = torch.randn(2, 2, 8, 128, dtype=torch.float64).unbind(0)
    share = epsilon(2).double()
    gan.gradient_penalty(critic, real, fake, share).backward()
    weight = critic.form.layers[0].weight
    ends = []
    for move in (1e-6, -2e-6):
        weight.data[0, 0, 2, 2] += move
        ends.append(gan.gradient_penalty(critic, real, fake, share).item())
    found = weight.grad[0, 0, 2, 2].item()
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-9)


def test_a_gradient_of_zero_has_a_finite_penalty():
    critic = Linear(torch.zeros(2, 128))
    ones = torch.ones(2, 2, 128)
    penalty = gan.gradient_penalty(critic, ones, ones, epsilon(2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    assert critic.gradient.grad.isfinite().all()


def test_losses_are_their_formulas():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    bce_real = (np.log1p(np.exp(-2)) + np.log1p(np.exp(-0.5))) / 2  # -log D(x)
    bce_fake = (np.log1p(np.exp(-3)) + np.log(2)) / 2  # -log(1 - D(x~))
    wanted = {
        "wasserstein": -1.5 - 1.25,
        "hinge": (0 + 0.5) / 2 + (0 + 1) / 2,
        "bce": (bce_real + bce_fake) / 2,
    }
    for loss, value in wanted.items():
        assert gan.discriminator_loss(loss, real, fake).item() == pytest.approx(value)
    assert gan.generator_loss("wasserstein", fake).item() == 1.5
    assert gan.generator_loss("hinge", fake).item() == 1.5
    assert gan.generator_loss("bce", fake).item() == pytest.approx(
        (np.log1p(np.exp(3)) + np.log(2)) / 2
    )


@pytest.mark.parametrize("shape", [(4,), (3, 5, 5)])
def test_an_undecided_discriminator_costs_ln_2(shape):
    undecided = torch.zeros(shape)
    for labels in (0.0, 1.0, 0.3):
        assert gan.bce(undecided, labels).item() == pytest.approx(np.log(2))
    assert gan.discriminator_loss("bce", undecided, undecided).item() == pytest.approx(np.log(2))
    assert gan.generator_loss("bce", undecided).item() == pytest.approx(np.log(2))


def test_each_example_has_its_own_label():
    scores = torch.tensor([5.0, -5.0])
    assert gan.bce(scores, torch.tensor([1.0, 0.0])).item() < 0.01
    assert gan.bce(scores, torch.tensor([0.0, 1.0])).item() > 4.9


@given(st.floats(0, 0.95), st.floats(0, 0.5), st.booleans())
def test_labels_are_flipped_and_smoothed_by_the_shares_asked_for(flip, smoothing, real):
    labels = gan.noisy_labels(4000, real, flip, smoothing, rng(3))
    usual = 1 - smoothing if real else 0.0
    other = 0.0 if real else 1 - smoothing
    turned = (labels - other).abs() < 1e-6
    assert (turned | ((labels - usual).abs() < 1e-6)).all()
    assert turned.float().mean().item() == pytest.approx(flip, abs=0.04)


def test_labels_without_noise_are_ones_and_zeros():
    assert gan.noisy_labels(5, True, 0.0, 0.0, rng()).tolist() == [1.0] * 5
    assert gan.noisy_labels(5, False, 0.0, 0.1, rng()).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("loss", "real", "fake", "accuracy"),
    [
        ("bce", [1.0, 2.0], [-1.0, -2.0], 1.0),
        ("bce", [1.0, 2.0], [1.0, 2.0], 0.5),
        ("bce", [-1.0, 2.0], [1.0, -2.0], 0.5),
        ("hinge", [11.0, 12.0], [9.0, 8.0], 0.5),  # fakes above 0 are taken for real
        ("wasserstein", [11.0, 12.0], [9.0, 8.0], 1.0),  # only differences mean something
        ("wasserstein", [-3.0, -3.0], [-3.0, -3.0], 0.5),
    ],
)
def test_accuracy_is_the_mean_of_both_kinds(loss, real, fake, accuracy):
    logs = gan.score_logs(torch.tensor(real), torch.tensor(fake), loss)
    assert logs["discriminator_accuracy"].item() == accuracy
    assert logs["real_score"].item() == np.mean(real)
    assert logs["fake_score"].item() == np.mean(fake)


def test_gradients_pass_through_a_frozen_net_and_none_stay_in_it():
    net, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    with gan.frozen(net):
        net(x).sum().backward()
    assert torch.equal(x.grad, net.weight)
    assert net.weight.grad is None
    assert net.weight.requires_grad
    with pytest.raises(ZeroDivisionError), gan.frozen(net):
        raise ZeroDivisionError
    assert net.weight.requires_grad


def test_the_numbers_of_a_step_depend_on_seed_and_step_alone():
    torch.manual_seed(99)
    first = torch.rand(4, generator=gan.step_rng(3, 7))
    assert torch.equal(first, torch.rand(4, generator=gan.step_rng(3, 7)))
    for seed, step in ((3, 8), (4, 7), (7, 3), (2**31 - 1, 2**31)):
        assert not torch.equal(first, torch.rand(4, generator=gan.step_rng(seed, step)))


@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_replay_keeps_its_size_and_loses_no_fake_but_those_shown(batch, batches, seed):
    replay, luck = gan.Replay(batch * batches, 1, 1), rng(seed)
    remembered = set()
    for turn in range(batches + 3):
        now = torch.arange(turn * batch, (turn + 1) * batch).float().view(-1, 1, 1)
        fresh = set(now.flatten().tolist())
        shown = replay.mix(now, luck)
        shown, after = set(shown.flatten().tolist()), set(replay.rolls.flatten().tolist())
        if turn < batches:  # until it is full all are shown, and remembered
            assert shown == fresh
            remembered |= fresh
            assert int(replay.count) == len(remembered)
            continue
        assert len(shown) == batch
        assert len(shown - fresh) == batch // 2
        assert shown - fresh <= remembered
        assert len(after) == batch * batches
        assert shown | after == remembered | fresh
        remembered = after


def test_replay_does_not_change_the_fakes_it_is_given():
    replay, luck = gan.Replay(4, 1), rng()
    replay.mix(torch.zeros(4, 1), luck)
    fakes = torch.ones(4, 1)
    assert replay.mix(fakes, luck).sum() == 2
    assert (fakes == 1).all()


def test_no_memory_shows_what_is_now():
    replay, fakes = gan.Replay(0, 3), torch.randn(4, 3)
    for _ in range(3):
        assert torch.equal(replay.mix(fakes, rng()), fakes)


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_a_memory_that_was_saved_goes_on_as_if_it_had_not_been(turns):
    replay, luck = gan.Replay(8, 2), rng(1)
    for _ in range(turns):
        replay.mix(torch.randn(4, 2, generator=luck), luck)
    again = gan.Replay(8, 2)
    again.load_state_dict(replay.state_dict())
    for seed in range(4):
        fakes = torch.randn(4, 2, generator=luck)
        assert torch.equal(replay.mix(fakes, rng(seed)), again.mix(fakes, rng(seed)))
    assert torch.equal(replay.rolls, again.rolls)


def test_a_memory_does_not_learn():
    assert list(gan.Replay(8, 2).parameters()) == []


@given(st.floats(0, 0.999), st.integers(1, 5))
def test_the_average_follows_its_formula(decay, steps):
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    average = gan.ema(model, decay)
    by_hand = None
    for i in range(steps):
        model.weight.data = torch.full((1, 2), float(i + 3))
        average.update_parameters(model)
        by_hand = i + 3.0 if by_hand is None else decay * by_hand + (1 - decay) * (i + 3)
    expected = torch.full((1, 2), by_hand)
    torch.testing.assert_close(average.module.weight.data, expected, atol=1e-5, rtol=1e-5)


def test_the_average_is_a_copy_that_does_not_learn():
    model = nn.Linear(2, 1)
    average = gan.ema(model, 0.5)
    assert not any(p.requires_grad for p in average.parameters())
    assert model.weight.requires_grad
    model.weight.data += 1
    assert not torch.equal(average.module.weight, model.weight)


def test_an_average_of_zero_is_the_generator_itself():
    model = nn.Linear(2, 1)
    average = gan.ema(model, 0.0)
    for i in range(3):
        model.weight.data = torch.full((1, 2), float(i))
        average.update_parameters(model)
        assert torch.equal(average.module.weight, model.weight)


def test_the_average_takes_buffers_as_they_are():
    model = nn.BatchNorm1d(3)
    average = gan.ema(model, 0.99)
    model(torch.randn(8, 3) + 5)
    average.update_parameters(model)
    assert torch.equal(average.module.running_mean, model.running_mean)


def test_the_first_fakes_of_an_average_that_was_saved_are_not_forgotten():
    model = nn.Linear(2, 1)
    average = gan.ema(model, 0.9)
    average.update_parameters(model)
    again = gan.ema(nn.Linear(2, 1), 0.9)
    again.load_state_dict(average.state_dict())
    model.weight.data += 1
    for each in (average, again):
        each.update_parameters(model)
    assert torch.equal(average.module.weight, again.module.weight)
