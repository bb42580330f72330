import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from symphony.models.dcrnn import DCRNNConfig, DCRNNCritic
from symphony.models.rnn_gan import RNNGANConfig, RNNGANCritic
from symphony.training import gan_losses as losses


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


class Linear(nn.Module):
    """A critic whose slope is known: the same at every roll."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, rolls):
        return (rolls * self.slope).sum((1, 2))


def test_the_penalty_of_a_linear_critic_is_that_worked_out_by_hand():
    slope = torch.zeros(4, 128)
    slope[0, 0], slope[3, 7] = 3.0, 4.0  # of norm 5, so that the penalty is (5 - 1)^2
    critic = Linear(slope)
    real, made = torch.randn(6, 4, 128), torch.randn(6, 4, 128)
    penalty = losses.gradient_penalty(critic, real, made, (), chance())
    assert penalty.item() == pytest.approx(16.0, rel=1e-5)
    penalty.backward()  # 2 (5 - 1) times the slope's direction
    assert critic.slope.grad[0, 0].item() == pytest.approx(8 * 3 / 5, rel=1e-5)
    assert critic.slope.grad[3, 7].item() == pytest.approx(8 * 4 / 5, rel=1e-5)
    assert losses.r1(critic, real, ()).item() == pytest.approx(12.5, rel=1e-5)


def test_the_penalty_is_taken_between_real_and_made():
    seen = []

    class Spy(Linear):
        def forward(self, rolls):
            seen.append(rolls.detach())
            return super().forward(rolls)

    real, made = torch.ones(50, 2, 128), -torch.ones(50, 2, 128)
    losses.gradient_penalty(Spy(torch.ones(2, 128)), real, made, (), chance())
    points = seen[0][:, 0, 0]
    assert (seen[0] == points[:, None, None]).all()  # one share a pair
    assert points.min() < -0.7
    assert points.max() > 0.7
    assert len(points.unique()) > 45


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_penalty_goes_back_twice_through_recurrent_critics(kind, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    torch.manual_seed(0)
    critic = RNNGANCritic(RNNGANConfig(9, width=7))
    critic.lstm = kind(128, 7, 2, batch_first=True)
    critic.to(device)
    real, made = torch.randn(2, 3, 9, 128, device=device).unbind(0)
    losses.gradient_penalty(critic, real, made, (), chance()).backward()
    for name, weight in critic.named_parameters():
        if name != "score.bias":  # moves no slope
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().max() > 0, name


def test_the_penalty_is_the_finite_difference():
    torch.manual_seed(0)
    config = DCRNNConfig(8, noise=2, critic=2, conditional=False)
    critic = DCRNNCritic(config).double()
    real, made = torch.randn(2, 2, 8, 128, dtype=torch.float64).unbind(0)
    losses.gradient_penalty(critic, real, made, (), chance()).backward()
    weight = critic.form.layers[0].weight
    ends = []
    for move in (1e-6, -2e-6):
        weight.data[0, 0, 2, 2] += move
        ends.append(losses.gradient_penalty(critic, real, made, (), chance()).item())
    found = weight.grad[0, 0, 2, 2].item()
    assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-9)


def test_a_slope_of_zero_has_a_finite_penalty():
    critic = Linear(torch.zeros(2, 128))
    penalty = losses.gradient_penalty(
        critic, torch.ones(2, 2, 128), torch.ones(2, 2, 128), (), chance()
    )
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    assert critic.slope.grad.isfinite().all()


@given(st.floats(0, 0.95), st.floats(0, 0.5), st.booleans())
def test_labels_are_flipped_and_smoothed_by_the_shares_asked_for(flip, smooth, real):
    told = losses.labels(torch.zeros(4000), real, flip, smooth, chance(3))
    usual = 1 - smooth if real else 0.0
    other = 0.0 if real else 1 - smooth
    turned = (told - other).abs() < 1e-6
    assert (turned | ((told - usual).abs() < 1e-6)).all()
    assert turned.float().mean().item() == pytest.approx(flip, abs=0.04)


def test_all_patches_of_a_roll_are_told_the_same():
    told = losses.labels(torch.zeros(100, 3, 4), True, 0.5, 0.1, chance())
    assert (told == told[:, :1, :1]).all()
    assert told.unique().tolist() == pytest.approx([0.0, 0.9])


def test_losses_are_their_formulas():
    real, made = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert losses.wasserstein(real, made).item() == pytest.approx(-1.5 - 1.25)
    assert losses.hinge(real, made).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1) / 2)
    assert losses.classical(real, torch.ones(2)).item() == pytest.approx(
        (np.log1p(np.exp(-2)) + np.log1p(np.exp(-0.5))) / 2
    )
    assert losses.fooling("wasserstein", made).item() == 1.5
    assert losses.fooling("hinge", made).item() == 1.5
    assert losses.fooling("classical", made).item() == pytest.approx(
        (np.log1p(np.exp(3)) + np.log(2)) / 2
    )


@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_the_history_keeps_its_size_and_loses_no_roll_but_those_shown(batch, batches, seed):
    luck, history, made = chance(seed), torch.zeros(0), 0
    for turn in range(batches + 3):
        now = torch.arange(made, made + batch).float().view(-1, 1, 1)
        made += batch
        shown, after = losses.replay(history, now, batches, luck)
        assert shown.shape == now.shape
        assert len(after) == min(turn + 1, batches) * batch
        before = {*history.flatten().tolist(), *now.flatten().tolist()}
        swapped = {*shown.flatten().tolist()} - {*now.flatten().tolist()}
        assert len(swapped) == (batch // 2 if turn >= batches else 0)
        assert {*shown.flatten().tolist(), *after.flatten().tolist()} == before
        assert len({*after.flatten().tolist()}) == len(after)
        history = after


@given(st.floats(0, 0.999), st.integers(1, 5))
def test_the_average_follows_its_formula(decay, steps):
    torch.manual_seed(0)
    average, model = nn.Linear(2, 1), nn.Linear(2, 1)
    by_hand = average.weight.detach().clone()
    for i in range(steps):
        model.weight.data = torch.full((1, 2), float(i))
        losses.follow(average, model, decay)
        by_hand = decay * by_hand + (1 - decay) * i
    torch.testing.assert_close(average.weight.data, by_hand, atol=1e-5, rtol=1e-5)


def test_the_average_takes_buffers_as_they_are():
    average, model = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    model(torch.randn(8, 3) + 5)
    losses.follow(average, model, 0.99)
    assert torch.equal(average.running_mean, model.running_mean)


def test_steepness_is_the_norm_of_all_gradients():
    model = nn.Linear(1, 1)
    model.weight.grad, model.bias.grad = torch.tensor([[3.0]]), torch.tensor([4.0])
    assert losses.steepness(model).item() == 5.0
