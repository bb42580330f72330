"""Nets that refine: no note lost, no pitch changed, what is right left alone, memory flat."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import random_song, songs
from running import Music

from symphony.codecs import distorted
from symphony.codecs.steps import NEXT
from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.systems import load, recipe, system
from symphony.systems.duration_net.network import DurationNet, DurationNetConfig
from symphony.systems.duration_net.system import element_arrays
from symphony.systems.refining import MARGIN, ROWS, WINDOW, in_windows
from symphony.systems.velocity_net.network import VelocityNet, VelocityNetConfig
from symphony.systems.velocity_net.system import loss as velocity_loss
from symphony.systems.velocity_net.system import onset_arrays, read_chords

BOTH = pytest.mark.parametrize("name", ["duration-net", "velocity-net"])
few = settings(max_examples=25, deadline=None)


def written(sixteenths, pitches=None, velocity=64):
    """A line of notes, one after another, at 100 quarter notes a minute."""
    length = np.array(sixteenths, float) / 4
    onset = np.append(0.0, np.cumsum(length)[:-1])
    pitches = np.arange(60, 60 + len(length)) if pitches is None else pitches
    return Song(
        onset * 0.6, length * 0.6, pitches, np.full(len(length), velocity),
        onset_quarters=onset, duration_quarters=length, tempo=[[0.0, 100.0]],
    )  # fmt: skip


# The properties, whatever the weights are


@given(songs(), st.integers(0, 99))
@few
def test_durations_change_no_pitch_and_lose_no_note(runs, song, seed):
    spoilt = distorted(song, seed, stretch=0.3, jitter=0.3)
    refined = load(runs.folder("duration-net")).refine(spoilt)
    kept = [
        sorted(zip(s.pitch.tolist(), s.velocity.tolist(), strict=True)) for s in (song, refined)
    ]
    assert kept[0] == kept[1]
    whole = np.concatenate([refined.onset_quarters, refined.duration_quarters]) * 4
    if refined is not spoilt:
        assert np.allclose(whole, np.round(whole))
        assert refined.duration_quarters.min() >= 0.25


@given(songs())
@few
def test_velocities_change_nothing_else(runs, song):
    song = replace(song, velocity=np.full(len(song), 64))
    refined = load(runs.folder("velocity-net")).refine(song)
    assert replace(refined, velocity=song.velocity).equals(song)
    assert 1 <= refined.velocity.min() <= refined.velocity.max() <= 127


def test_music_on_the_grid_keeps_its_durations(runs):
    net = load(runs.folder("duration-net"))
    for lengths in ([4, 2, 2, 8, 16], [4 / 3, 4 / 3, 4 / 3, 4], [0.5, 0.5, 1, 40]):
        song = written(lengths)
        assert net.refine(song) is song
    spoilt = distorted(written([4, 2, 2, 8, 16]), stretch=0.2)
    once = net.refine(spoilt)
    assert net.refine(once) is once


def test_dynamics_that_are_there_stay(runs):
    played = random_song()
    louder = replace(played, velocity=np.arange(len(played)) % 60 + 30)
    assert load(runs.folder("velocity-net")).refine(louder) is louder


@BOTH
def test_a_song_without_notes_is_refused_and_one_note_is_not(name, runs):
    net = load(runs.folder(name))
    with pytest.raises(SongError, match="nothing to refine"):
        net.refine(Song([], [], [], []))
    one = net.refine(Song([0.31], [0.77], [60], [80]))
    assert one.pitch.tolist() == [60]


@pytest.mark.parametrize("name", ["char-rnn", "pix2pix", "ngram-2"])
def test_who_only_composes_cannot_refine(name, runs):
    with pytest.raises(RequestError, match=f"{name} can't refine a song"):
        load(runs.folder(name)).refine(random_song())


@given(songs(), st.integers(0, 99))
@few
def test_a_piece_without_a_beat_gets_one_and_keeps_its_notes(runs, song, seed):
    played = replace(distorted(song, seed, jitter=0.2), onset_quarters=None, duration_quarters=None)
    refined = load(runs.folder("duration-net")).refine(played)
    assert sorted(refined.pitch.tolist()) == sorted(song.pitch.tolist())
    if refined is not played:
        assert np.allclose(refined.onset_quarters * 4, np.round(refined.onset_quarters * 4))
        assert len(refined.tempo) == 1


def test_lengths_beyond_the_classes_are_rounded(runs):
    refined = load(runs.folder("duration-net")).refine(written([4.2, 63.6, 4.1]))
    assert refined.duration_quarters[1] == 16.0
    assert refined.onset_quarters[2] - refined.onset_quarters[1] == 16.0


def test_a_refined_piece_can_be_written_and_read_again(runs, tmp_path):
    refined = load(runs.folder("duration-net")).refine(distorted(random_song(), stretch=0.2))
    refined.to_midi(tmp_path / "x.mid")
    back = Song.from_midi(tmp_path / "x.mid")
    assert np.allclose(back.onset_quarters, refined.onset_quarters, atol=1e-6)


# Windows


@pytest.mark.parametrize("length", [1, 5, WINDOW - 1, WINDOW, WINDOW + 1, 1000, 5000])
def test_windows_cover_every_step_once_in_order(length):
    values = np.arange(length, dtype=np.float32)
    parts = list(in_windows(lambda x: x * 2, lambda at: (torch.from_numpy(values[at]),), length))
    assert parts[0][0] == 0
    assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
    assert np.array_equal(np.concatenate([made for *_, made in parts]), values * 2)
    assert all(len(made) == end - begin for begin, end, made in parts)


def test_every_answer_has_context_on_both_sides():
    def context(at):  # steps of the window before and after each of its steps
        return torch.stack([at - at[:, :1], at[:, -1:] - at], dim=-1)

    parts = in_windows(context, lambda at: (torch.from_numpy(at),), 5000)
    before, after = np.concatenate([made for *_, made in parts]).T
    steps = np.arange(5000)
    assert (before >= np.minimum(steps, MARGIN)).all()
    assert (after >= np.minimum(steps[::-1], MARGIN)).all()


@BOTH
def test_memory_is_flat_however_long_the_piece(name, runs, monkeypatch):
    trained, seen = load(runs.folder(name)), []
    net = trained.nets["network"]
    forward = type(net).forward
    monkeypatch.setattr(type(net), "forward", lambda *a: seen.append(a[1].shape) or forward(*a))
    long = written(np.tile([4.1, 2.2, 1.9], 4000), np.tile([60, 64, 67], 4000))
    assert len(trained.refine(long)) == 12_000
    assert {shape[1] for shape in seen} == {WINDOW}
    assert max(shape[0] for shape in seen) == ROWS


# Learning


@BOTH
def test_every_weight_gets_a_gradient(name, runs):
    learner, data = runs.system(name), runs.data(name)
    nets = learner.build(data)
    learner.train_step(nets, learner.optimizers(nets), data, 0)
    for weight in nets.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().max() > 0


@BOTH
def test_one_batch_can_be_learned_by_heart(name, runs):
    base = replace(recipe(name, "tiny"), window=12, batch=2, lr=0.02, steps=10_000)
    wider = {"duration-net": DurationNetConfig(16, 16, 16, 32, 32)}
    wider["velocity-net"] = VelocityNetConfig(hidden_size=32)
    learner = system(replace(base, network=wider[name]))
    data = learner.encode(Music())
    nets = learner.build(data)
    opts = learner.optimizers(nets)
    losses = [float(learner.train_step(nets, opts, data, 0)["train"]) for _ in range(250)]
    assert losses[-1] < 0.02 * losses[0]


def test_a_net_that_answers_with_numbers_learns_too(runs):
    base = recipe("duration-net", "tiny")
    learner = system(replace(base, network=replace(base.network, classes=False), lr=0.02))
    data = runs.data("duration-net")
    nets = learner.build(data)
    opts = learner.optimizers(nets)
    losses = [float(learner.train_step(nets, opts, data, 0)["train"]) for _ in range(100)]
    assert losses[-1] < 0.3 * losses[0]
    tokens, heard = torch.tensor([[60, NEXT]]), torch.tensor([[4.0, 400.0]])
    assert 1 <= nets["network"].sixteenths(tokens, heard).min() <= 16


@pytest.mark.parametrize("ways", [False, True])
def test_who_reads_onwards_only_knows_nothing_of_what_follows(ways):
    net = DurationNet(DurationNetConfig(8, 8, 8, 8, 8, bidirectional=ways))
    tokens, heard = torch.randint(0, 129, (1, 20)), torch.rand(1, 20) * 16
    later = heard.clone()
    later[:, 10:] = 1.0
    before, after = net(tokens, heard)[:, :10], net(tokens, later)[:, :10]
    assert torch.allclose(before, after) == (not ways)


def test_silence_counts_only_where_it_is_not_masked():
    struck, waits = torch.zeros(1, 3, 128), torch.zeros(1, 3, 2)
    struck[0, 0, 60] = struck[0, 1, 64] = 1
    target = struck * 0.75
    nets = [VelocityNet(VelocityNetConfig(4, 1, masked=masked)) for masked in (True, False)]
    for net in nets:
        torch.nn.init.zeros_(net.out.weight)
        torch.nn.init.zeros_(net.out.bias)  # sigmoid(0) = .5 everywhere
    masked, whole = (velocity_loss(net, struck, waits, target).item() for net in nets)
    assert masked == pytest.approx(0.25**2)
    assert whole == pytest.approx((2 * 0.25**2 + (3 * 128 - 2) * 0.5**2) / (3 * 128))


# Data


def test_elements_of_two_songs_have_a_bar_of_rest_between():
    arrays = element_arrays([written([4, 2]), written([8])])
    assert arrays["token"].tolist() == [60, NEXT, 61, NEXT, 60, NEXT]
    assert arrays["length"].tolist() == [4, 4, 2, 16, 8, 16]


def test_chords_waits_and_velocities_by_hand():
    song = Song([0.0, 0.01, 1.0, 3.0], [0.5] * 4, [60, 64, 62, 67], [10, 20, 30, 40])
    arrays = onset_arrays([song, song])
    assert arrays["chord"].tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
    assert arrays["wait"].tolist() == [4, 1, 2, 4, 1, 2]
    struck, waits, target = read_chords(arrays, np.array([[1, 2], [2, 3]]))
    assert struck.nonzero().tolist() == [
        [0, 0, 62], [0, 1, 67], [1, 0, 67], [1, 1, 60], [1, 1, 64]
    ]  # fmt: skip
    assert target[1, 1, 64] == pytest.approx(20 / 127)
    assert waits[0].tolist() == [[0, 1], [1, 2]]  # log2 of 1 and 2 s, of 2 and 4 s
