"""Quantisers and velocity baselines, on music whose answer is known by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from making import random_song

from symphony.codecs import distort, distorted, to_elements
from symphony.codecs.steps import NEXT
from symphony.experiments import refining
from symphony.song import Song


def line(lengths, chords=False):
    """Notes one after another, in sixteenths; with a bass of the same lengths below."""
    length = np.array(lengths, float) / 4
    onset = np.append(0.0, np.cumsum(length)[:-1])
    if chords:
        onset, length = np.repeat(onset, 2), np.repeat(length, 2)
    pitch = np.tile([72, 48] if chords else [72], len(lengths))
    return Song(
        onset * 0.6, length * 0.6, pitch, np.arange(len(onset)) % 50 + 40,
        onset_quarters=onset, duration_quarters=length, tempo=[[0.0, 100.0]],
    )  # fmt: skip


SONGS = [line(np.random.default_rng(i).choice([2, 4, 4, 8], 60)) for i in range(8)]
STRETCH = {"stretch": 0.2}
WAYS = {
    "round": refining.round_to_grid,
    "music21": refining.music21_quantize,
    "count": refining.CountingQuantizer.fit(SONGS, STRETCH),
    "path": refining.ViterbiQuantizer.fit(SONGS, STRETCH),
}


@pytest.mark.parametrize("name", WAYS)
def test_what_lies_on_the_grid_stays_there(name):
    bars = [np.arange(0, 200, 16.0)] * 2
    found = refining.duration_scores(WAYS[name], SONGS[:2], bars)
    assert found == {"error": 0.0, "exact": 1.0, "bars": 1.0}


def test_scores_by_hand():
    def quarters(token, heard):
        return np.full(len(token), 4.0)

    # lengths 4 2 2 8: of 7 elements (4 notes, 3 waits) those of 4 are right: a note and a wait
    found = refining.duration_scores(quarters, [line([4, 2, 2, 8])], [np.array([0.0, 4.0, 8.0])])
    assert found["exact"] == pytest.approx(2 / 7)
    assert found["error"] == pytest.approx((4 * 2 + 4) / 7)  # four twos, and an eight
    assert found["bars"] == 0.5  # the first adds up; the second gets two waits of 4
    assert "bars" not in refining.duration_scores(quarters, SONGS, None)


def test_bars_that_begin_without_an_onset_are_left_out():
    song, bars = line([4, 8, 4]), np.array([0.0, 4.0, 8.0, 12.0])
    found = refining.duration_scores(refining.round_to_grid, [song], [bars])
    assert found["bars"] == 1.0  # 0 to 4 counts; 8 has no onset


def test_the_path_is_the_likeliest_of_all_paths():
    """Against every path of three elements, written out."""
    rng = np.random.default_rng(0)
    prior = np.log(rng.dirichlet(np.ones(16), (2, 2, 16)))
    way = refining.ViterbiQuantizer(prior, 0.2)
    token, heard = np.array([60, NEXT, 62]), np.array([3.1, 2.6, 5.2])
    k, tempi = np.arange(1, 17), refining.TEMPI
    fits = [-((np.log(h) - np.log(k)[:, None] - tempi) ** 2) / 2 / 0.2**2 for h in heard]
    steps = np.arange(len(tempi))
    stays = np.abs(steps[:, None] - steps)
    moves = np.where(stays == 0, np.log(0.9), np.where(stays == 1, np.log(0.05), -np.inf))
    total = (
        fits[0][:, :, None, None, None, None] - ((tempi / 0.1) ** 2 / 2)[:, None, None, None, None]
    )
    total = total + prior[0, 1][:, None, :, None, None, None] + moves[:, None, :, None, None]
    total = total + fits[1][:, :, None, None] + prior[1, 0][:, None, :, None] + moves[:, None, :]
    total = total + fits[2]  # [k, tempo, k, tempo, k, tempo]
    best = np.unravel_index(total.argmax(), total.shape)
    assert way(token, heard).tolist() == [best[i] + 1 for i in (0, 2, 4)]


def test_a_path_finds_more_than_rounding_and_follows_a_tempo():
    path, rounded = (
        refining.duration_scores(WAYS[name], SONGS, None, **STRETCH) for name in ("path", "round")
    )
    assert path["exact"] > rounded["exact"] + 0.1
    song = to_elements(SONGS[0])
    slow = song.length * 1.2  # all of it a fifth too slow
    assert (WAYS["path"](song.token, slow) == song.length).mean() > 0.95


def test_counting_answers_with_what_was_commonest():
    way = refining.CountingQuantizer.fit([line([4] * 99 + [3])] * 20, STRETCH)
    heard = np.array([3.3, 4.0, 0.6, 63.7])
    assert way(np.full(4, 60), heard).tolist() == [4, 4, 1, 64]  # never heard, and beyond the table


def test_music21_rounds_onsets_and_so_keeps_the_whole():
    song = to_elements(line([4] * 50, chords=True))
    heard = distort(song.token[None], song.length[None], np.random.default_rng(0), jitter=0.2)[0]
    found = refining.music21_quantize(song.token, heard)
    wait = song.token == NEXT
    assert found[wait].sum() == pytest.approx(heard[wait].sum(), abs=0.6)
    assert np.allclose(found, np.round(found))


def test_curves_have_a_point_for_every_level():
    curves = refining.duration_curves(lambda _: refining.round_to_grid, SONGS[:1], None)
    assert {kind: len(points) for kind, points in curves.items()} == {"stretch": 6, "human": 6}
    assert curves["stretch"][0]["exact"] == curves["human"][0]["exact"] == 1.0
    assert curves["stretch"][-1]["exact"] < 0.9


def test_bar_lines_of_a_chorale():
    from symphony.corpora import load_corpus

    song = load_corpus("chorales", progress=False).test[0]
    lines = refining.bar_lines(song)
    assert (np.diff(lines) > 0).all()
    assert lines[-1] >= 4 * song.onset_quarters[-1]


def tune(body, meter="M:4/4\n", length="L:1/8\n"):
    """A song of an ABC tune, read by symusic, repeats played."""
    from symphony.corpora.abc_tunes import read_abc

    return read_abc(f"X:1\nT:tune\n{meter}{length}K:C\n{body}\n")


def test_bar_lines_of_tunes_by_hand():
    even = tune("CDEF GABc|cBAG FEDC|")
    assert refining.tune_bar_lines(even).tolist() == [0, 16, 32]
    begun = tune("|:C|DEF GAB|cBA G2:|", "M:6/8\n")  # a pickup of 2, its bar closed by 10
    assert refining.tune_bar_lines(begun).tolist() == [0, 2, 14, 26, 38]


def test_bars_that_a_text_does_not_show_are_not_guessed():
    song = tune("CDEF GABc|")
    for body in ("CDEF GABc|cBA|FED|CDEF GABc|", "CDEF|GABc cBAG|F|E|", "CDEF GABc|cBAG|", ""):
        abc = f"X:1\nM:4/4\nL:1/8\nK:C\n{body}\n"
        uneven = replace(song, abc=abc, duration_quarters=song.duration_quarters + 0.5)
        assert refining.tune_bar_lines(uneven) is None
    for head in ("L:1/8", "M:none\nL:1/8", "M:4/4\nL:eighth", "M:4/4\nL:1/0", "M:0/4"):
        assert refining.tune_bar_lines(replace(song, abc=f"X:1\n{head}\nK:C\nCDEF|\n")) is None
    assert refining.tune_bar_lines(replace(song, abc=None)) is None


def test_what_is_measured_of_tunes_has_no_triplets():
    plain, triplets = tune("CDEF GABc|cBAG FEDC|"), tune("(3CDE (3FGA G2F2|cBAG FEDC|")
    assert refining.on_sixteenths(plain)
    assert not refining.on_sixteenths(triplets)
    corpus = SimpleNamespace(name="tunes", test=[triplets, plain])
    songs, bars = refining.songs_and_bars(corpus)
    assert songs == [plain]
    assert bars[0].tolist() == [0, 16, 32]
    found = refining.duration_scores(refining.leave_alone, songs, bars)
    assert found == {"error": 0.0, "exact": 1.0, "bars": 1.0}


def test_a_net_on_strange_music_stands_beside_ways_that_know_it():
    plain, triplets = tune("CDEF GABc|cBAG FEDC|"), tune("(3CDE (3FGA G2F2|cBAG FEDC|")
    corpus = SimpleNamespace(name="tunes", train=[plain] * 3, test=[triplets, plain])
    trained = SimpleNamespace(
        system=SimpleNamespace(lengths=lambda _, token, heard: refining.round_to_grid(token, heard))
    )
    found = refining.duration_transfer(trained, corpus)
    assert (found["measured"], found["held_out"]) == (1, 2)
    ways = {"leave alone", "round to the grid", "counting", "dynamic programming"}
    assert set(found["baselines"]) == ways
    assert found["curves"] == found["baselines"]["round to the grid"]


# Velocities


def test_velocity_baselines_by_hand():
    soft = Song([0.0, 0.0, 1.0, 2.0], [1.0] * 4, [48, 72, 60, 60], [30, 50, 60, 80])
    ways = refining.velocity_baselines([soft] * 3)
    assert ways["mean"](soft).tolist() == [55.0] * 4
    assert ways["last velocity"](soft).tolist() == [55, 55, 40, 60]
    fit = ways["regression on pitch"](soft)
    assert fit[2] == fit[3] == pytest.approx(70)  # the mean of the two


def test_contrast_by_hand():
    song = Song([0.0, 0.0, 0.0, 1.0, 2.0, 2.0], [1.0] * 6, [48, 60, 72, 90, 50, 62], [30] * 6)
    assert refining.contrast(song, np.array([30, 50, 70, 127, 40, 50])) == (30 + 10) / 2
    assert np.isnan(refining.contrast(line([4, 4]), np.array([1, 2])))


def test_velocity_scores_of_what_was_played_are_perfect_and_of_a_constant_say_nothing():
    songs = [replace(random_song(i), velocity=np.arange(80) + 20) for i in range(4)]
    played = refining.velocity_scores(lambda song: song.velocity.astype(float), songs)
    assert (played["error"]["estimate"], played["correlation"]["estimate"]) == (
        0.0,
        pytest.approx(1),
    )
    flat = refining.velocity_scores(lambda song: np.full(len(song), 59.5), songs)
    assert flat["error"]["estimate"] == pytest.approx(20.0)
    assert flat["correlation"]["estimate"] == flat["spread"]["estimate"] == 0.0
    assert played["spread"]["estimate"] == pytest.approx(np.arange(80).std())


def test_one_note_is_moved_and_looked_up_where_it_went():
    class Pitches:
        """Answers with the pitch."""

        def velocities(self, trained, song):
            return song.pitch.astype(float)

    trained = SimpleNamespace(system=Pitches())
    chords = [distorted(line([4] * 40, chords=True))]
    pairs = refining.octave_effect(trained, chords, 12, count=30)
    assert len(pairs) == 30
    assert (pairs[:, 1] - pairs[:, 0] == 12).all()
    assert len(refining.octave_effect(trained, chords, 60, count=30)) < 30  # beyond the keyboard
    assert refining.octave_effect(trained, [Song([], [], [], [])], count=2).shape == (0, 2)
