import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.codecs import RollCodec, parse_key, with_breaths, without_breaths
from symphony.song import SongError
from symphony.training import recipe
from symphony.training.encoded import EncodedError
from symphony.training.rolls import (
    EncodedRolls,
    Rolls,
    draw_rolls,
    drop_notes,
    encode_rolls,
    in_c,
    key_histogram,
    roll_codec,
)

SHORT = replace(recipe("iwgan", "tiny"), window=32)


def rolls_of(*pieces):
    return Rolls(
        np.concatenate([np.packbits(p, axis=1) for p in pieces]),
        np.array([len(p) for p in pieces], np.int32),
    )


def piece(rows, low, seed=0):
    """Every row says where it is: key ``low`` + row, and chance above."""
    roll = np.zeros((rows, 128), bool)
    roll[np.arange(rows), low + np.arange(rows) % 20] = True
    return roll


def test_notes_held_and_notes_struck_again_are_told_apart():
    planes = np.zeros((2, 12, 128), bool)
    planes[0, :, 60] = True  # held for twelve rows, or
    planes[1, 0, 60] = True
    assert np.array_equal(without_breaths(with_breaths(planes)), planes)
    planes[1, [4, 8], 60] = True  # three times four
    roll = with_breaths(planes)
    assert roll[:, 60].tolist() == [True, True, True, False] * 2 + [True] * 4
    assert np.array_equal(without_breaths(roll), planes)


@given(songs())
def test_breaths_lose_only_the_shortest_notes_and_rests(song):
    planes = RollCodec().encode(song)
    sounding, struck = planes
    back = without_breaths(with_breaths(planes))
    assert not (sounding & ~back[0]).any()  # nothing that sounded falls silent
    nothing = np.zeros((1, 128), bool)
    before, after = np.vstack([nothing, sounding[:-1]]), np.vstack([sounding[1:], nothing])
    too_short = struck & np.vstack([struck[1:], nothing])  # no row to give up for a breath
    if not too_short.any() and not (before & ~sounding & after).any():
        assert np.array_equal(back, planes)


def test_most_notes_of_the_chorales_come_back(chorales):
    codec, kept, whole = RollCodec(), 0, 0
    for song in chorales.songs[:40]:
        planes = codec.encode(song)
        back = codec.decode(without_breaths(with_breaths(planes)))
        notes = {(o, p): d for o, p, d in zip(*notes_of(codec.decode(planes)), strict=True)}
        found = {(o, p): d for o, p, d in zip(*notes_of(back), strict=True)}
        kept += sum(found.get(note) == lasting for note, lasting in notes.items())
        whole += len(notes)
    assert kept / whole > 0.97


def notes_of(song):
    return song.onset_quarters.tolist(), song.pitch.tolist(), song.duration_quarters.tolist()


@given(st.integers(1, 6), st.lists(st.integers(1, 70), min_size=1, max_size=4), st.integers(0, 9))
def test_windows_are_stretches_of_one_piece_from_a_beat_on(count, lengths, seed):
    pieces = [piece(n, 20 * i) for i, n in enumerate(lengths)]
    windows = rolls_of(*pieces).windows(np.random.default_rng(seed), count, 16, 4)
    assert windows.shape == (count, 16, 128)
    for window in windows:
        keys = window.argmax(1)
        which = keys[0] // 20
        assert (keys // 20 == which).all()
        starts = [
            s for s in range(0, max(lengths[which] - 16, 0) + 1, 4)
            if np.array_equal(window, pieces[which][np.arange(s, s + 16) % lengths[which]])
        ]  # fmt: skip
        assert starts


def test_draws_depend_on_seed_step_and_turn_alone():
    music = rolls_of(*(piece(90, 20 * i) for i in range(5)))
    first = draw_rolls(music, SHORT, 3, 1)
    torch.manual_seed(99)  # must not matter
    assert torch.equal(first, draw_rolls(music, SHORT, 3, 1))
    assert first.unique().tolist() == [-1, 1]
    for other in (draw_rolls(music, SHORT, 3, 2), draw_rolls(music, SHORT, 4, 1)):
        assert not torch.equal(first, other)
    assert not torch.equal(first, draw_rolls(music, replace(SHORT, seed=1), 3, 1))


def test_windows_are_transposed_within_the_keyboard():
    music = rolls_of(piece(64, 60))
    moved = draw_rolls(music, replace(SHORT, transpose=(0, 5), batch=40), 0, 0)
    lowest = {int(k) for k in (moved > 0).any(1).float().argmax(1)}
    assert lowest == {60, 65}
    top = draw_rolls(rolls_of(piece(64, 108)), replace(SHORT, transpose=(5,)), 0, 0)
    assert (top > 0).any(1).float().argmax(1).tolist() == [108] * SHORT.batch


def test_whole_notes_drop_by_the_share_asked_for():
    roll = torch.full((30, 64, 128), -1.0)
    for row in range(0, 64, 4):
        roll[:, row : row + 3, 30:90] = 1.0  # 16 x 60 notes of three rows
    facade = drop_notes(roll, (0.3, 0.3), np.random.default_rng(0))
    kept = (facade > 0).view(30, 16, 4, 128)[:, :, :3, 30:90]
    assert (kept == kept[:, :, :1]).all()  # no note is cut
    assert 1 - kept.float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert not ((facade > 0) & (roll < 0)).any()
    shares = 1 - (drop_notes(roll, (0.2, 0.6), np.random.default_rng(0)) > 0).float().mean(
        (1, 2)
    ) / (roll > 0).float().mean((1, 2))
    assert 0.15 < shares.min() < 0.3
    assert 0.5 < shares.max() < 0.65


def test_key_histograms_count_pitch_classes():
    roll = torch.full((2, 8, 128), -1.0)
    roll[0, :, 60], roll[0, :4, 79] = 1.0, 1.0
    histogram = key_histogram(roll)
    assert histogram[0, 0].item() == pytest.approx(2 / 3)
    assert histogram[0, 7].item() == pytest.approx(1 / 3)
    assert histogram[1].tolist() == pytest.approx([1 / 12] * 12)  # silence is in no key


def test_chorales_move_to_c(chorales):
    for song in chorales.songs[:12]:
        moved = in_c(song)
        assert len(moved) == len(song)
        assert abs(int(moved.pitch[0]) - int(song.pitch[0])) <= 6


def test_a_corpus_becomes_rolls_split_by_piece_and_comes_back_from_its_file(chorales, tmp_path):
    plan = replace(recipe("dcrnn", "tiny"), subset=5)
    rolls = encode_rolls(chorales, roll_codec(plan), plan)
    assert [len(p.lengths) for p in (rolls.train, rolls.validation, rolls.test)] == [
        5, len(chorales.validation), len(chorales.test),
    ]  # fmt: skip
    assert sum(rolls.keys["major"]) == pytest.approx(1, abs=1e-3)
    rolls.save(tmp_path / "x.npz")
    back = EncodedRolls.load(tmp_path / "x.npz")
    assert np.array_equal(back.test.packed, rolls.test.packed)
    assert (back.keys, back.codec, back.corpus) == (rolls.keys, rolls.codec, rolls.corpus)
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:300])
    with pytest.raises(EncodedError, match="broken"):
        EncodedRolls.load(tmp_path / "x.npz")
    with pytest.raises(EncodedError, match="no encoded rolls"):
        EncodedRolls.load(tmp_path / "y.npz")


def test_rolls_that_do_not_add_up_are_refused(tmp_path):
    good = rolls_of(piece(8, 40))
    bad = Rolls(good.packed, good.lengths + 1)
    music = EncodedRolls(good, bad, good, {}, RollCodec().to_dict(), {})
    music.save(tmp_path / "x.npz")
    with pytest.raises(EncodedError, match="validation split has 8 rows, not 9"):
        EncodedRolls.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("codec", "word"),
    [({"name": "events"}, "reads rolls"), ({"name": "rolls", "bins": 3}, "no such settings")],
)
def test_a_codec_gans_cannot_read_is_refused(codec, word):
    with pytest.raises(EncodedError, match=word):
        roll_codec(replace(SHORT, codec=codec))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C major", (0, False)),
        ("f# minor", (6, True)),
        ("Bb", (10, False)),
        ("  A♭ minor ", (8, True)),
        ("Cb major", (11, False)),
    ],
)
def test_keys_have_names(name, key):
    assert parse_key(name) == key


@pytest.mark.parametrize("name", ["", "H major", "C dorian", "major"])
def test_a_key_nobody_knows_is_refused(name):
    with pytest.raises(SongError, match="There is no key"):
        parse_key(name)


def test_rolls_keep_their_card_in_json():
    assert json.loads(json.dumps(SHORT.codec)) == SHORT.codec
