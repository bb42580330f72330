"""ABC WGAN: soft feedback, its tricks, its losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from running import run
from torch.nn import functional

from symphony.corpora import accompaniment
from symphony.errors import RequestError, SongError
from symphony.systems import load, recipe, system
from symphony.systems.abc_wgan.network import (
    AbcGANConfig,
    GRUCritic,
    Multiplier,
    SoftGenerator,
    fisher_loss,
)
from symphony.systems.abc_wgan.system import distinct, known_grams, shared

CONFIG = AbcGANConfig(6, 4, 10, 5)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return SoftGenerator(7, CONFIG)


def test_soft_feedback_reads_the_mean_embedding(generator):
    noise = torch.randn(3, 4)
    out = generator(noise, 4)
    h, x = generator.initial(noise).tanh(), generator.begin.expand(3, -1)
    for t in range(4):
        _, h = generator.gru(x[:, None], h[None])
        h = h[0]
        p = generator.head(h).softmax(1)
        torch.testing.assert_close(out[:, t], p)
        x = sum(p[:, k : k + 1] * generator.embed.weight[:, k] for k in range(7))
    torch.testing.assert_close(out.sum(2), torch.ones(3, 4))


def test_the_path_from_score_to_noise_is_not_broken(generator):
    noise = torch.randn(2, 4, requires_grad=True)
    GRUCritic(7, CONFIG)(generator(noise, 6)).sum().backward()
    assert noise.grad.abs().min() > 0
    assert all(p.grad.abs().sum() > 0 for p in generator.parameters())


def test_with_a_teacher_only_the_last_character_is_the_generators(generator):
    noise, prefix = torch.randn(2, 4), torch.randint(0, 7, (2, 5))
    out = generator(noise, 6, prefix)
    assert torch.equal(out[:, :5], functional.one_hot(prefix, 7).float())
    torch.testing.assert_close(out[:, 5], generator.logits(noise, prefix)[:, 5].softmax(1))
    torch.testing.assert_close(generator(noise, 1, prefix[:, :0]), generator(noise, 1))


def test_hard_writing_reads_what_it_wrote(generator):
    noise, uniform = torch.randn(3, 4), torch.rand(3, 6)
    for by in (None, uniform):
        made = generator.write(noise, 6, False, by)
        p = generator.logits(noise, made[:, :-1]).softmax(2)
        again = p.argmax(2) if by is None else (p.cumsum(2) <= by[..., None]).sum(2).clamp(max=6)
        assert torch.equal(made, again)
    soft = generator.write(noise, 6, True)
    assert torch.equal(soft, generator(noise, 6).argmax(2))


def test_fisher_loss_is_the_papers():
    real, fake, multiplier = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.0]), Multiplier()
    multiplier.value += 0.3
    loss = fisher_loss(real, fake, multiplier, rho=0.1)
    square = ((1 + 4) / 2 + (1 + 0) / 2) / 2  # Omega = 1.5
    wanted = -((1.5 + 0.5) + 0.3 * (1 - square) - 0.05 * (square - 1) ** 2)
    assert loss.item() == pytest.approx(wanted)
    assert multiplier.value.item() == pytest.approx(0.3 - 0.1 * (1 - square))


def test_both_networks_learn_one_batch_by_heart():
    torch.manual_seed(2)
    generator, critic = SoftGenerator(7, CONFIG), GRUCritic(7, CONFIG)
    noise, real, fake = torch.randn(2, 4), torch.randint(0, 7, (2, 6)), torch.randint(0, 7, (2, 6))
    opts = [torch.optim.Adam(net.parameters(), 0.02) for net in (generator, critic)]
    for _ in range(150):
        wanted = generator.one_hot(real)
        nats = -(generator(noise, 6).clamp_min(1e-9).log() * wanted).sum(2).mean()
        gap = critic(generator.one_hot(fake)).mean() - critic(wanted).mean()
        for opt, loss in zip(opts, (nats, gap.clamp(min=-5)), strict=True):
            opt.zero_grad()
            loss.backward()
            opt.step()
    assert nats < 0.2
    assert gap < -4.5


def lengths(seed=0, **change):
    learner = system(replace(recipe("abc-wgan", "small"), **change))
    rng = np.random.default_rng(seed)
    steps = learner.recipe.steps
    return [learner.length(step, rng) for step in np.linspace(0, steps - 1, 200).astype(int)]


def test_a_curriculum_grows_from_one_character_to_all():
    grown = lengths(variable_length=False)
    assert grown[0] == 1
    assert grown == sorted(grown)
    full = recipe("abc-wgan", "small").network.steps
    assert grown[170:] == [full] * 30  # the last fifth and a little more
    assert set(lengths(variable_length=False, curriculum=False)) == {full}


def test_variable_lengths_lie_between_one_and_the_longest_yet():
    free = lengths(curriculum=False)
    full = recipe("abc-wgan", "small").network.steps
    assert (min(free), max(free)) == (1, full)
    both, longest = lengths(), lengths(variable_length=False)
    assert all(1 <= a <= b for a, b in zip(both, longest, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"curriculum": False, "variable_length": False, "teacher_helping": False},
        {"teacher_helping": False},
        {"loss": "fisher"},
        {"loss": "likelihood"},
    ],
)
def test_each_switch_trains_and_composes(change, runs, tmp_path):
    learner = system(replace(runs.recipe("abc-wgan"), **change))
    run(learner, runs.data("abc-wgan"), tmp_path)
    trained = load(tmp_path)
    assert np.isfinite(list(trained.card.metrics.values())).all()
    (song,) = trained.compose(4.0, seed=1, temperature=1.0)
    assert song.abc.startswith("X:1\nT:abc-wgan, seed 1\nM:6/8\nL:1/8\nK:G\n")


def test_a_penalised_critic_is_nearer_to_a_slope_of_one(runs, tmp_path):
    norms = {}
    for weight in (0.0, 10.0):
        base = replace(runs.recipe("abc-wgan"), gp_weight=weight, lr=0.02, steps=12)
        run(system(base), runs.data("abc-wgan"), tmp_path / str(weight))
        critic = load(tmp_path / str(weight)).nets["critic"]
        x = torch.rand(4, 8, 96).softmax(2).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(x).sum(), x)
        norms[weight] = gradient.flatten(1).norm(dim=1).mean()
    assert abs(norms[10.0] - 1) < abs(norms[0.0] - 1)


def test_real_lines_begin_bars_and_stay_in_their_tune(runs):
    learner, arrays = runs.system("abc-wgan"), runs.data("abc-wgan").train
    text = learner.recipe.codec.body(np.array(arrays["characters"]))
    for at in arrays["starts"]:
        assert at == 0 or text[at - 1] in "|]"
        assert "]" not in text[at : at + 7]
    lines = learner.lines(arrays, 8, 50, 0).numpy()
    assert all(learner.recipe.codec.body(line) in text for line in lines)


def test_shares_of_known_runs():
    known = known_grams(np.array([1, 2, 3, 4, 5]))
    lines = np.array([[1, 2, 3, 4, 9], [1, 2, 3, 4, 5]])
    assert shared(lines, known) == 0.75
    assert distinct(lines, 4) == 0.75


def test_a_corpus_without_tunes_of_the_meter_is_refused(runs):
    from making import random_tune
    from running import Music

    songs = [random_tune(i) for i in range(3)]
    learner = system(replace(runs.recipe("abc-wgan"), codec=replace(learner_codec(), meter="5/4")))
    with pytest.raises(SongError, match="no tunes in ABC of meter 5/4"):
        learner.encode(Music(songs[:1], songs[1:2], songs[2:]))


def learner_codec():
    return recipe("abc-wgan", "tiny").codec


def test_a_model_that_writes_no_note_says_so(runs):
    trained = load(runs.folder("abc-wgan"))
    head = trained.nets["generator"].head
    with torch.no_grad():
        head.weight.zero_()
        head.bias[:] = -50.0
        head.bias[ord("|") - 31] = 50.0
    with pytest.raises(RequestError, match="nothing sounds"):
        trained.compose(3.0)


def test_chord_symbols_that_a_model_writes_sound_with_its_tune(monkeypatch):
    trained = load("abc-wgan")
    body = '"G"GABdBG|"C"egedBG|\n'
    row = np.array([0 if c == "\n" else ord(c) - 31 for c in body])

    def write(self, generator, noise, uniform, temperature):
        return np.tile(row, (len(noise), 1))

    monkeypatch.setattr(type(trained.system), "write", write)
    (song,) = trained.compose(6.0)
    assert body in song.abc
    chords = accompaniment(song)
    assert chords.seconds <= song.seconds <= 6.0
    g, c = {67 % 12, 71 % 12, 74 % 12}, {0, 4, 7}
    on = chords.onset_quarters
    assert {p % 12 for p in chords.pitch[on < 3].tolist()} == g
    assert {p % 12 for p in chords.pitch[(on >= 3) & (on < 6)].tolist()} == c


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"noise": 0}, {"hidden_size": 0}])
def test_networks_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="An ABC WGAN needs"):
        replace(CONFIG, **wrong)
