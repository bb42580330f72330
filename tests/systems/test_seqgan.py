"""SeqGAN: rewards, roll-outs and the gradient they give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from running import run
from torch.nn import functional

from symphony.errors import RequestError
from symphony.systems import load, recipe, system
from symphony.systems.seqgan.network import (
    Highway,
    HighwayCNN,
    Policy,
    SeqGANConfig,
    pick,
    policy_loss,
)

CONFIG = SeqGANConfig(7, 12, 6, 4, 3)
THETA, WORTH = (
    torch.tensor([0.2, -0.4, 0.5]),
    torch.tensor([0.9, 0.6, 0.3]),
)  # probabilities, as a discriminator gives


def reinforce(batch, baseline, seed=0):
    """The gradient by the logits of three symbols, from one batch of draws."""
    theta = THETA.clone().requires_grad_()
    rng = torch.Generator().manual_seed(seed)
    drawn = pick(theta.detach().expand(batch, 3), torch.rand(batch, generator=rng))
    log_p = theta.log_softmax(0)[drawn]
    (-policy_loss(log_p[:, None], WORTH[drawn][:, None], baseline)).backward()
    return theta.grad


@pytest.mark.parametrize("baseline", [False, True])
def test_reinforce_finds_the_gradient_that_is_known(baseline):
    p = THETA.softmax(0)
    true = p * (WORTH - (p * WORTH).sum())  # of the expected reward, by the logits
    torch.testing.assert_close(reinforce(400_000, baseline), true, atol=3e-3, rtol=0)


def test_a_baseline_makes_the_gradient_steadier():
    spread = {
        baseline: torch.stack([reinforce(16, baseline, s) for s in range(400)]).var(0).sum()
        for baseline in (False, True)
    }
    assert spread[True] < 0.8 * spread[False]


def test_a_baseline_is_the_others_mean():
    log_p, rewards = torch.zeros(3, 2, requires_grad=True), torch.tensor([[1.0, 4], [2, 5], [6, 0]])
    policy_loss(log_p, rewards).backward()
    wanted = [[1 - 4, 4 - 2.5], [2 - 3.5, 5 - 2], [6 - 1.5, 0 - 4.5]]
    torch.testing.assert_close(-3 * log_p.grad, torch.tensor(wanted))


@pytest.fixture
def policy():
    torch.manual_seed(0)
    return Policy(9, CONFIG).requires_grad_(False)


def naive_roll_outs(policy, words, uniform):
    """Each prefix read again from its start, each roll-out alone."""
    batch, count, steps, _ = uniform.shape
    out = torch.empty(steps - 1, count, batch, steps, dtype=torch.int64)
    for p in range(1, steps):
        for n in range(count):
            for b in range(batch):
                line = words[b : b + 1, :p]
                for t in range(p, steps):
                    begun = functional.pad(line, (1, 0), value=policy.bos)
                    logits, _ = policy(begun)
                    drawn = pick(logits[:, -1, : policy.bos], uniform[b, n, p - 1, t][None])
                    line = torch.cat([line, drawn[:, None]], 1)
                out[p - 1, n, b] = line[0]
    return out


def test_cached_roll_outs_are_the_naive_ones(policy):
    words, states = policy.draw(torch.rand(3, 7))
    uniform = torch.rand(3, 2, 7, 7)
    found = policy.roll_outs(words, states, uniform)
    assert torch.equal(found, naive_roll_outs(policy, words, uniform))
    for p in range(1, 7):
        assert (found[p - 1, :, :, :p] == words[:, :p]).all()


def test_words_are_drawn_as_often_as_their_probability(policy):
    uniform = (torch.arange(20_000) + 0.5) / 20_000
    logits = torch.randn(1, 9)
    found = torch.bincount(pick(logits.expand(20_000, 9), uniform), minlength=9) / 20_000
    torch.testing.assert_close(found, logits.softmax(1)[0], atol=1e-4, rtol=0)
    words, _ = policy.draw(torch.rand(5, 7))
    assert words.max() < policy.bos  # the start symbol is never drawn


def test_log_probs_sum_to_one_over_words(policy):
    found = policy.log_probs(torch.randint(0, 9, (2, 7)))
    torch.testing.assert_close(found.exp().sum(2), torch.ones(2, 7))


def test_a_gate_begins_nearly_shut():
    layer, x = Highway(5), torch.rand(4, 5)
    assert (layer(x) - x).abs().max() < 0.5
    layer.gate.bias.data[:] = -50.0
    assert torch.equal(layer(x), x)
    layer.gate.bias.data[:] = 50.0
    torch.testing.assert_close(layer(x), functional.relu(layer.change(x)))


def test_both_networks_learn_one_batch_by_heart():
    torch.manual_seed(1)
    policy, judge = Policy(9, CONFIG), HighwayCNN(9, replace(CONFIG, dropout=0.0))
    real, fake = torch.randint(0, 9, (2, 7)), torch.randint(0, 9, (6, 7))
    opts = [torch.optim.Adam(net.parameters(), 0.02) for net in (policy, judge)]
    for _ in range(120):
        nats = -policy.log_probs(real).gather(2, real[..., None]).mean()
        wrong = functional.softplus(-judge(real)).mean() + functional.softplus(judge(fake)).mean()
        for opt, loss in zip(opts, (nats, wrong), strict=True):
            opt.zero_grad()
            loss.backward()
            opt.step()
    assert nats < 0.2
    assert wrong < 0.1
    for net in (policy, judge):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_policy_learns_what_is_rewarded(policy):
    policy.requires_grad_(True)
    opt = torch.optim.Adam(policy.parameters(), 0.02)
    shares = []
    for step in range(40):
        words, _ = policy.draw(torch.rand(32, 7, generator=torch.Generator().manual_seed(step)))
        good = (words == 3).float()
        log_p = policy.log_probs(words).gather(2, words[..., None])[..., 0]
        opt.zero_grad()
        policy_loss(log_p, good).backward()
        opt.step()
        shares.append(good.mean().item())
    assert np.mean(shares[-5:]) > 0.9 > 0.3 > np.mean(shares[:3])


def test_without_roll_outs_every_word_is_worth_what_the_melody_is(runs):
    learner = system(replace(runs.recipe("seqgan"), roll_outs=0))
    nets = learner.build(runs.data("seqgan"))
    words, states = nets["generator"].draw(torch.rand(4, 8))
    found = learner.rewards(nets, words, states, torch.rand(4, 0, 8, 8))
    assert (found == found[:, :1]).all()
    with_some = runs.system("seqgan")
    more = with_some.rewards(nets, words, states, torch.rand(4, 2, 8, 8))
    torch.testing.assert_close(more[:, -1], found[:, -1])


def test_phases_follow_each_other_and_the_pretrained_generator_is_kept(runs):
    trained = load(runs.folder("seqgan"))
    phases = [set(point) for point in trained.card.curve]
    assert "train" in phases[0]
    assert "train" not in phases[1] | phases[2]
    assert "reward" in phases[2] - phases[1]
    nets = trained.nets
    assert any(
        not torch.equal(a, b)
        for a, b in zip(
            nets["generator"].parameters(), nets["pretrained"].parameters(), strict=True
        )
    )
    (before,) = trained.compose(3.0, seed=1, pretrained=True)
    (after,) = trained.compose(3.0, seed=1)
    assert before.seconds == pytest.approx(3.0, abs=1.5)
    assert after.source == before.source == "seqgan"


def test_phases_that_end_between_evaluations_are_refused():
    with pytest.raises(RequestError, match="Phases end at an evaluation"):
        replace(recipe("seqgan", "tiny"), pretrain_steps=3)


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"hidden_size": 0}, {"filters": 0}, {"widths": 0}])
def test_networks_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="A SeqGAN needs two words"):
        replace(CONFIG, **wrong)


@pytest.mark.parametrize("change", [{"baseline": False}, {"roll_outs": 0}])
def test_each_switch_trains(change, runs, tmp_path):
    run(system(replace(runs.recipe("seqgan"), **change)), runs.data("seqgan"), tmp_path)
    load(tmp_path).compose(2.0)
