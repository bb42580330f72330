"""Pix2Pix: a roll with holes in, the roll it might have been out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from making import random_song
from running import run, weights
from torch.nn import functional

from symphony.codecs import drop_notes, facade_of
from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.systems import load, system
from symphony.systems.pix2pix.network import PatchGAN, Pix2PixConfig, UNet


def rolls(batch, steps, share=0.03):
    return torch.where(torch.rand(batch, steps, 128) < share, 1.0, -1.0)


def test_a_u_net_learns_one_pair_better_than_copying_its_facade():
    torch.manual_seed(1)
    config = Pix2PixConfig(128, 12, 2)
    generator = UNet(config)
    facade = rolls(1, 16, 0.02).repeat_interleave(8, 1)
    real = torch.maximum(facade, facade.roll(4, 2))  # a third above every note
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    for _ in range(60):
        optimizer.zero_grad()
        loss = (generator(torch.ones(1, config.noise), facade) - real).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < (facade - real).abs().mean().item() / 2


@pytest.mark.parametrize("steps", [128, 256])
def test_a_u_net_halves_seven_times_and_joins_each_size_again(steps):
    config = Pix2PixConfig(steps, 2, 2)
    generator, down, up = UNet(config), [], []
    for layer in generator.down:
        layer.register_forward_hook(lambda _, given, out: down.append(tuple(out.shape[1:])))
    for layer in generator.up:
        layer.register_forward_pre_hook(lambda _, given: up.append(tuple(given[0].shape[1:])))
    generator(torch.ones(1, config.noise), rolls(1, steps))
    widths = [2, 4, 8, 16, 16, 16, 16]
    assert down == [(c, steps >> (i + 1), 64 >> i) for i, c in enumerate(widths)]
    assert up[0] == down[-1]
    for given, skip in zip(up[1:], down[-2::-1], strict=True):
        assert given == (2 * skip[0], *skip[1:])  # twice the channels: its own and the skip's


def test_noise_drops_values_of_the_deepest_layers_by_its_sign():
    torch.manual_seed(0)
    config = Pix2PixConfig(128, 2, 2)
    generator, facade = UNet(config), rolls(2, 128)
    noise = torch.rand(2, config.noise) * 2 - 1
    assert torch.equal(generator(noise, facade), generator(noise.sign() * 0.1, facade))
    assert not torch.allclose(generator(noise, facade), generator(noise.abs(), facade))
    assert config.noise == sum(c * t * k for c, t, k in config.maps())


def test_a_patch_sees_70_by_70():
    critic = PatchGAN(Pix2PixConfig(128, 2, 4))
    seen, step = 1, 1
    for layer in (*critic.layers, critic.score):  # instance norm sees all: the convolutions alone
        assert layer.kernel_size == (4, 4)
        seen, step = seen + 3 * step, step * layer.stride[0]
    assert seen == 70
    assert critic(rolls(2, 128), rolls(2, 128)).shape == (2, 14, 14)


def test_a_patch_hears_the_facade():
    torch.manual_seed(0)
    critic, roll = PatchGAN(Pix2PixConfig(128, 2, 4)), rolls(1, 128)
    assert not torch.allclose(critic(roll, rolls(1, 128)), critic(roll, rolls(1, 128)))


def test_whole_notes_drop_by_the_share_asked_for():
    roll = np.zeros((30, 64, 128), bool)
    for row in range(0, 64, 4):
        roll[:, row : row + 3, 30:90] = True  # 16 x 60 notes of three rows
    facade = drop_notes(roll, (0.3, 0.3), np.random.default_rng(0))
    kept = facade.reshape(30, 16, 4, 128)[:, :, :3, 30:90]
    assert (kept == kept[:, :, :1]).all()  # no note is cut
    assert 1 - kept.mean() == pytest.approx(0.3, abs=0.02)
    assert not (facade & ~roll).any()
    left = drop_notes(roll, (0.2, 0.6), np.random.default_rng(0))
    shares = 1 - left.sum((1, 2)) / roll.sum((1, 2))
    assert 0.15 < shares.min() < 0.3
    assert 0.5 < shares.max() < 0.65


def test_nothing_drops_where_nothing_should():
    roll = rolls(3, 40, 0.2).numpy() > 0
    assert np.array_equal(drop_notes(roll, (0.0, 0.0), np.random.default_rng(0)), roll)


def test_facades_depend_on_seed_and_step_alone(runs):
    learner, data = runs.system("pix2pix"), runs.data("pix2pix")
    _, (first,) = learner.examples(data, 2)
    torch.manual_seed(9)
    assert torch.equal(first, learner.examples(data, 2)[1][0])
    assert not torch.equal(first, learner.examples(data, 3)[1][0])


def test_without_adversarial_weight_the_discriminator_does_not_matter(runs, tmp_path):
    base = replace(runs.recipe("pix2pix"), adversarial_weight=0.0, steps=2)
    for name, rate in (("slow", 1e-5), ("fast", 1e-2)):
        run(system(replace(base, discriminator_lr=rate)), runs.data("pix2pix"), tmp_path / name)
    a, b = (weights(tmp_path / name) for name in ("slow", "fast"))
    assert all(torch.equal(a[k], b[k]) for k in a if k.startswith("generator"))
    assert not all(torch.equal(a[k], b[k]) for k in a)


def test_with_adversarial_weight_it_does(runs, tmp_path):
    for name, rate in (("slow", 1e-5), ("fast", 1e-1)):
        recipe = replace(
            runs.recipe("pix2pix"), l1_weight=0.0, steps=2, discriminator_lr=rate, generator_lr=0.01
        )
        run(system(recipe), runs.data("pix2pix"), tmp_path / name)
    a, b = (weights(tmp_path / name) for name in ("slow", "fast"))
    assert not all(torch.equal(a[k], b[k]) for k in a if k.startswith("generator"))


def test_the_generators_loss_is_its_formula(runs):
    recipe = replace(runs.recipe("pix2pix"), adversarial_weight=0.5, l1_weight=7.0, bce_weight=3.0,
                     discriminator_lr=1e-30)  # fmt: skip
    learner, data, made = system(recipe), runs.data("pix2pix"), []
    torch.manual_seed(0)
    nets = learner.build(data)
    nets["generator"].register_forward_hook(lambda _, given, out: made.append(out.detach()))
    real, (facade,) = learner.examples(data, 0)
    logs = learner.train_step(nets, learner.optimizers(nets), data, 0)
    scores = nets["discriminator"](made[1], facade)
    expected = 0.5 * functional.softplus(-scores).mean() + 7.0 * (made[1] - real).abs().mean()
    p = torch.where(real > 0, 1 + made[1], 1 - made[1]) / 2  # of each cell's truth
    expected -= 3.0 * p.log().mean()
    assert logs["generator_loss"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.fixture(scope="module")
def song():
    onset = np.arange(0, 60, 0.5)
    return Song(
        onset, np.full(120, 0.5), 50 + np.arange(120) % 20, np.full(120, 64),
        onset_quarters=onset, duration_quarters=np.full(120, 0.5), tempo=np.array([[0, 60.0]]),
    )  # fmt: skip


def notes_of(song):
    return set(zip(song.onset.tolist(), song.pitch.tolist(), song.duration.tolist(), strict=True))


def test_holes_are_filled_and_what_was_there_stays(runs, song):
    trained = load(runs.folder("pix2pix"))
    facade = facade_of(song, 0.5, seed=1)
    assert 40 < len(facade) < 80
    filled = trained.fill(facade, seed=2)
    assert len(filled) > len(facade)
    assert filled.equals(trained.fill(facade, seed=2))
    assert notes_of(facade) <= notes_of(filled)
    np.testing.assert_allclose(filled.onset, filled.onset_quarters, atol=0.01)
    assert filled.source == "pix2pix"


def test_no_new_note_sounds_where_the_song_already_does(runs, song):
    trained = load(runs.folder("pix2pix"))
    facade = facade_of(song, 0.5, seed=1)
    filled = trained.fill(facade, seed=2)
    codec = trained.recipe.codec
    before, after = codec.encode(facade)[0], codec.encode(filled)[0]
    assert (after[: len(before)] | ~before).all()
    count = np.zeros_like(after, dtype=int)
    for onset, pitch, lasting in notes_of(filled):
        count[round(onset * 4) : round((onset + lasting) * 4), pitch] += 1
    assert count.max() == 1


def test_a_song_without_a_beat_is_filled_by_its_clock(runs):
    trained, song = load(runs.folder("pix2pix")), random_song(3)
    filled = trained.fill(song, seed=1)
    assert notes_of(song) <= notes_of(filled)
    assert filled.seconds == pytest.approx(song.seconds, abs=0.2)


def test_a_song_without_notes_has_nothing_to_fill(runs, song):
    with pytest.raises(SongError, match="nothing to fill"):
        load(runs.folder("pix2pix")).fill(song.slice(0.0, 0.1).select(np.zeros(1, bool)))


def test_a_facade_leaves_at_least_one_note(song):
    one = song.select(np.arange(120) == 3)
    for seed in range(20):
        assert len(facade_of(one, 0.9, seed)) == 1
    assert facade_of(song, 0.0).equals(song)
    with pytest.raises(RequestError, match="A facade drops a share"):
        facade_of(song, 1.0)


def test_it_composes_what_it_left_of_held_out_pieces(runs, chorales):
    first, second = load(runs.folder("pix2pix")).compose(6.0, seed=1, batch=2)
    assert {s.name.split("made of ")[1] for s in (first, second)} <= {s.name for s in chorales.test}
    assert max(first.seconds, second.seconds) <= 6.001


def test_more_is_dropped_where_more_is_asked(runs):
    trained = load(runs.folder("pix2pix"))
    with torch.no_grad():  # of an untrained net: nothing is filled in
        trained.nets["generator"].up[-1].bias -= 50
    kept = [len(trained.compose(20.0, seed=1, drop=drop)[0]) for drop in (0.0, 0.4, 0.9)]
    assert kept[0] > kept[1] > kept[2] > 0


def test_without_its_corpus_it_composes_nothing_and_says_what_to_do(runs, tmp_path):
    recipe = replace(runs.recipe("pix2pix"), corpus=str(tmp_path / "gone"), steps=1)
    run(system(recipe), runs.data("pix2pix"), tmp_path / "run")
    with pytest.raises(RequestError, match=r"gone is not here.*symphony fill"):
        load(tmp_path / "run").compose(4.0)
