"""What systems of piano rolls share: encoding, windows, evaluation, tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import random_song
from running import Music, run
from torch import nn

from symphony.codecs import (
    correlated_noise,
    in_c,
    key_profiles,
    overlap_add,
    split_repeated,
    tile_starts,
    to_bipolar,
)
from symphony.errors import FileError, RequestError, SongError
from symphony.song import TEMPO, Song
from symphony.systems import load, recipe, rolls, system
from symphony.systems.iwgan.network import WGANConfig
from symphony.systems.rolls import Rolls, draw_rolls
from symphony.training import load_samples

SHORT = replace(recipe("iwgan", "tiny"), network=WGANConfig(32, 8, channels=16, critic_channels=2))


def arrays_of(*pieces):
    return {
        "packed": np.concatenate([np.packbits(p, axis=1) for p in pieces]),
        "lengths": np.array([len(p) for p in pieces], np.int32),
    }


def piece(rows, low):
    """Every row says where it is: key ``low`` + row."""
    roll = np.zeros((rows, 128), bool)
    roll[np.arange(rows), low + np.arange(rows) % 20] = True
    return roll


def test_a_song_longer_than_a_roll_is_left_out_and_named():
    held = Song([0.0, 30 * 3600.0], [30 * 3600.0, 1.0], [60, 62], [80, 80], name="a held note")
    gan, whole = system(replace(SHORT, subset=None)), Music()
    with pytest.warns(UserWarning, match="a held note is .* quarter notes long.* It is left out"):
        data = gan.encode(Music(train=[held, *whole.train]))
    found, expected = data.arrays["train"], gan.encode(whole).arrays["train"]
    np.testing.assert_array_equal(found["packed"], expected["packed"])
    np.testing.assert_array_equal(found["lengths"], expected["lengths"])
    with (
        pytest.warns(UserWarning, match="It is left out"),
        pytest.raises(SongError, match="Made-up music has no piece that fits a piano roll"),
    ):
        gan.encode(Music(test=[held]))


@given(st.integers(1, 6), st.lists(st.integers(1, 70), min_size=1, max_size=4), st.integers(0, 9))
def test_windows_are_stretches_of_one_piece_from_a_beat_on(count, lengths, seed):
    pieces = [piece(n, 20 * i) for i, n in enumerate(lengths)]
    windows = Rolls(**arrays_of(*pieces)).windows(np.random.default_rng(seed), count, 16, 4)
    assert windows.shape == (count, 16, 128)
    for window in windows:
        keys = window.argmax(1)
        which = keys[0] // 20
        assert (keys // 20 == which).all()
        starts = range(0, max(lengths[which] - 16, 0) + 1, 4)
        rows = (np.arange(s, s + 16) % lengths[which] for s in starts)
        assert any(np.array_equal(window, pieces[which][r]) for r in rows)


def test_every_beat_of_every_piece_is_drawn_and_none_more_often():
    pieces = piece(24, 0), piece(16, 40), piece(5, 80)  # 3, 1 and 1 places to begin at
    windows = Rolls(**arrays_of(*pieces)).windows(np.random.default_rng(0), 5000, 16, 4)
    first = windows[:, 0].argmax(1)
    drawn = dict(zip(*map(np.ndarray.tolist, np.unique(first, return_counts=True)), strict=True))
    assert set(drawn) == {0, 4, 8, 40, 80}
    for count in drawn.values():
        assert count == pytest.approx(1000, abs=4 * 1000**0.5)


def test_draws_depend_on_seed_step_and_turn_alone():
    music = arrays_of(*(piece(90, 20 * i) for i in range(5)))
    first = draw_rolls(music, SHORT, 3, 1)
    torch.manual_seed(99)  # must not matter
    np.random.seed(99)  # noqa: NPY002
    assert torch.equal(first, draw_rolls(music, SHORT, 3, 1))
    assert first.unique().tolist() == [-1, 1]
    assert first.shape == (SHORT.batch, 32, 128)
    for other in (draw_rolls(music, SHORT, 3, 2), draw_rolls(music, SHORT, 4, 1)):
        assert not torch.equal(first, other)
    assert not torch.equal(first, draw_rolls(music, replace(SHORT, seed=1), 3, 1))
    assert len(draw_rolls(music, SHORT, 3, 1, 11)) == 11


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan", "dcrnn", "pix2pix"])
def test_examples_are_drawn_anew_each_turn_and_step(name, runs):
    learner, data = runs.system(name), runs.data(name)
    first = learner.examples(data, 2, 1)[0]
    assert torch.equal(first, learner.examples(data, 2, 1)[0])
    assert torch.equal(first, draw_rolls(data.train, learner.recipe, 2, 1))
    for step, turn in ((2, 0), (3, 1)):
        assert not torch.equal(first, learner.examples(data, step, turn)[0])


def test_a_transposed_draw_is_the_draw_transposed():
    music = arrays_of(piece(64, 60))
    plain = draw_rolls(music, SHORT, 0)
    for semitones in (-60, -3, 5, 48):
        moved = draw_rolls(music, replace(SHORT, transpose=(semitones,)), 0)
        assert torch.equal(moved, plain.roll(semitones, 2))
    some = draw_rolls(music, replace(SHORT, transpose=(0, 5), batch=40), 0)
    assert {int(k) for k in (some > 0).any(1).float().argmax(1)} == {60, 65}


@pytest.mark.parametrize(("low", "semitones"), [(108, 1), (100, 12), (0, -1), (11, -12)])
def test_a_transposition_that_leaves_the_keyboard_leaves_its_window(low, semitones):
    music = arrays_of(piece(64, low))
    moved = draw_rolls(music, replace(SHORT, transpose=(semitones,)), 0)
    assert torch.equal(moved, draw_rolls(music, SHORT, 0))


def test_silence_may_be_transposed():
    music = arrays_of(np.zeros((40, 128), bool))
    assert (draw_rolls(music, replace(SHORT, transpose=(5,)), 0) == -1).all()


@pytest.mark.parametrize("to_c", [False, True])
def test_songs_become_rolls_with_the_lengths_of_their_pieces(to_c):
    music, base = Music(), replace(SHORT, to_c=to_c, subset=None)
    data = rolls.encode_rolls(base, music)
    songs = [in_c(song) if to_c else song for song in music.train]
    expected = [split_repeated(base.codec.encode(song)) for song in songs]
    assert data.train["lengths"].tolist() == [len(roll) for roll in expected]
    found = np.unpackbits(data.train["packed"], axis=1).astype(bool)
    assert np.array_equal(found, np.concatenate(expected))
    assert data.train["packed"].dtype == np.uint8
    assert data.facts["keys"] == key_profiles(music.train)


def test_the_keys_of_a_card_are_those_of_the_songs_it_learned_from():
    music = Music()
    data = rolls.encode_rolls(replace(SHORT, subset=3), music)
    assert data.facts["keys"] == key_profiles(music.train[:3])
    assert len(data.train["lengths"]) == 3


def test_chorales_become_rolls(chorales):
    data = rolls.encode_rolls(replace(SHORT, subset=5), chorales)
    counts = [len(data.arrays[split]["lengths"]) for split in ("train", "validation", "test")]
    assert counts == [5, len(chorales.validation), len(chorales.test)]
    for arrays in data.arrays.values():
        assert arrays["lengths"].sum() == len(arrays["packed"])


def test_noise_is_uniform_and_repeats():
    noise = rolls.draw_noise(500, 40, torch.Generator().manual_seed(3))
    assert noise.shape == (500, 40)
    assert -1 <= noise.min() < -0.99
    assert 0.99 < noise.max() <= 1
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert torch.equal(noise, rolls.draw_noise(500, 40, torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_a_net_answers_the_same_in_any_number_of_batches(most):
    net = nn.Bilinear(3, 2, 4)
    a, b = torch.randn(7, 3), torch.randn(7, 2)
    found = rolls.in_batches(net, a, b, most=most)
    np.testing.assert_allclose(found, net(a, b).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan", "dcrnn", "pix2pix"])
def test_an_evaluation_is_the_same_whenever_it_is_taken(name, runs):
    trained, data = load(runs.folder(name)), runs.data(name)
    first = trained.system.evaluate(trained.nets, data)
    torch.manual_seed(99)
    again = trained.system.evaluate(trained.nets, data)
    assert first.metrics == again.metrics
    assert np.array_equal(first.samples, again.samples)
    assert first.score == again.score


@pytest.mark.parametrize("name", ["iwgan", "pix2pix"])
def test_fakes_are_measured_beside_other_rolls_than_those_they_were_made_of(name, runs):
    batch = runs.system(name).batch(runs.data(name), "train", 8, 3)
    assert batch.target.shape == batch.reference.shape
    assert not np.array_equal(batch.target, batch.reference)
    if name == "pix2pix":
        facade = batch.condition[0].numpy() > 0
        assert not (facade & ~batch.target).any()
        assert facade.sum() < batch.target.sum()


@pytest.mark.parametrize(
    ("metrics", "score"),
    [
        ({"chords": 0, "two_sample_1nn": 0.5}, -np.inf),
        ({"chords": 0, "two_sample_1nn": 0.5, "added_f1": 1.0}, -np.inf),
        ({"chords": 9, "two_sample_1nn": 0.5}, 0.0),
        ({"chords": 9, "two_sample_1nn": 0.9}, -0.4),
        ({"chords": 9, "two_sample_1nn": 0.1}, -0.4),
        ({"chords": 9, "two_sample_1nn": 1.0, "added_f1": 0.3}, 0.3),
    ],
)
def test_the_selection_score_worked_by_hand(metrics, score):
    assert rolls.selection_score(metrics) == pytest.approx(score)


def test_a_generator_that_is_silent_still_leaves_a_run_and_says_so_when_it_composes(runs, tmp_path):
    quiet = replace(runs.recipe("iwgan").network, output_bias_init=-9.0)
    learner = system(replace(runs.recipe("iwgan"), network=quiet))
    run(learner, runs.data("iwgan"), tmp_path)
    with pytest.raises(RequestError, match="iwgan, seed 4: nothing sounds"):
        load(tmp_path).compose(4.0, seed=4)


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan", "dcrnn", "pix2pix"])
def test_samples_come_back_as_rolls(name, runs):
    base = runs.recipe(name)
    steps, samples = rolls.load_roll_samples(runs.folder(name))
    assert steps.tolist() == [2, 4, 6]
    assert samples.shape == (3, base.kept_samples, base.network.steps, 128)
    assert samples.dtype == bool
    packed = load_samples(runs.folder(name))[1]
    assert np.array_equal(np.packbits(samples, axis=3), packed)


def test_samples_that_are_not_there_are_missed_with_a_sentence(tmp_path):
    with pytest.raises(FileError, match="There are no samples"):
        rolls.load_roll_samples(tmp_path)


def test_tiles_cover_a_piece_and_fade_into_each_other():
    starts = tile_starts(100, 16)
    assert starts[0] == 0
    assert np.diff(starts).tolist() == [12] * (len(starts) - 1)
    assert 100 <= starts[-1] + 16 < 112
    assert tile_starts(3, 16).tolist() == [0]
    tiles = np.repeat(np.arange(len(starts), dtype=np.float32), 16 * 128).reshape(-1, 16, 128)
    whole = overlap_add(tiles, starts)[:, 0]
    assert (np.diff(whole) >= -1e-6).all()  # from one to the next without a leap
    assert np.diff(whole).max() < 0.5
    same = np.broadcast_to(np.float32(0.3), (len(starts), 16, 128))
    np.testing.assert_allclose(overlap_add(same, starts), 0.3, rtol=1e-5)


def test_tiles_after_one_another_share_most_of_their_noise():
    noise = correlated_noise(50, 400, np.random.default_rng(0))
    kept = (noise[1:] == noise[:-1]).mean()
    assert kept == pytest.approx(0.75, abs=0.02)
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(3**-0.5, abs=0.02)  # still uniform


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan"])
@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_the_noise_of_a_piece_is_scaled_as_asked(name, scale, runs):
    trained, heard = load(runs.folder(name)), []
    generator = trained.nets["generator"]
    generator.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    trained.compose(9.0, seed=1)
    trained.compose(9.0, seed=1, noise_scale=scale)
    assert len(heard[0]) > 1  # several tiles
    torch.testing.assert_close(heard[1], heard[0] * scale)


def test_a_piece_lasts_as_long_as_asked_at_100_quarters_a_minute():
    assert SHORT.codec.rows(12.0, TEMPO) == 80  # 20 quarters of 4 rows
    assert SHORT.codec.rows(0.01, TEMPO) == 1


def test_songs_that_share_a_split_with_silence_are_encoded_without_it():
    music = Music(train=[random_song(1), random_song(2).slice(0, 0.001)])
    data = rolls.encode_rolls(replace(SHORT, subset=None), music)
    assert len(data.train["lengths"]) == 1


def test_rolls_of_minus_one_and_one_are_what_networks_read():
    music = arrays_of(piece(64, 60))
    drawn = draw_rolls(music, SHORT, 0)
    assert torch.equal(drawn, torch.from_numpy(to_bipolar(drawn.numpy())))
    assert drawn.dtype == torch.float32
