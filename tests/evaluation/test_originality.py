import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import random_song, songs

from symphony.evaluation import Originality, OriginalityIndex
from symphony.evaluation.onsets import onsets
from symphony.evaluation.originality import clock_span, percentile_of
from symphony.song import Song


def naive_longest(a, b):
    """Textbook longest common substring by dynamic programming."""
    best, before = 0, [0] * (len(b) + 1)
    for x in a:
        row = [0] * (len(b) + 1)
        for j, y in enumerate(b):
            row[j + 1] = before[j] + 1 if x == y else 0
        best, before = max(best, *row), row
    return best


def walk(seed, notes=40):
    """A melody of few intervals, so that runs of all lengths occur."""
    rng = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(rng.integers(-1, 2, notes))
    return Song(np.arange(notes) * 0.25, np.full(notes, 0.2), pitch, [80] * notes, name=f"{seed}")


@given(st.integers(0, 1000))
def test_the_longest_run_is_the_textbooks(seed):
    pieces = [walk(seed + i + 1) for i in range(4)]
    query = onsets(walk(seed)).tokens.tolist()
    found = OriginalityIndex(pieces).nearest(walk(seed), 4)
    for match in found:
        wanted = naive_longest(query, onsets(pieces[match.index]).tokens.tolist())
        assert match.run == wanted
    assert [m.run for m in found] == sorted((m.run for m in found), reverse=True)
    assert len(found) == 4
    assert OriginalityIndex(pieces).longest_run(walk(seed)) == found[0].run


@given(st.integers(0, 500))
def test_coverage_is_the_share_of_tokens_in_known_twelve_grams(seed):
    piece = walk(seed, 60)
    query = Song.join([walk(seed + 1, 20), piece.slice(2, 8), walk(seed + 2, 20)])
    mine, theirs = (onsets(song).tokens.tolist() for song in (query, piece))
    known = {tuple(theirs[i : i + 12]) for i in range(len(theirs) - 11)}
    covered = set()
    for i in range(len(mine) - 11):
        if tuple(mine[i : i + 12]) in known:
            covered |= set(range(i, i + 12))
    found = OriginalityIndex([piece]).coverage(query)
    assert found == pytest.approx(len(covered) / len(mine))


@given(songs(), st.integers(-12, 12), st.floats(0.5, 2.0))
def test_neither_key_nor_tempo_hides_a_copy(song, semitones, stretch):
    pitch = song.pitch.astype(int) + semitones
    if pitch.min() < 0 or pitch.max() > 127 or np.diff(np.unique(song.onset)).min(initial=1) < 0.07:
        return
    copy = Song(song.onset * stretch, song.duration * stretch, pitch, song.velocity)
    tokens = onsets(song).tokens
    assert np.array_equal(onsets(copy).tokens, tokens)
    if len(tokens):
        assert OriginalityIndex([song]).longest_run(copy) == len(tokens)


def test_a_planted_copy_is_found_where_it_lies():
    source, other = random_song(1, 200), random_song(2, 200)
    passage = source.slice(5.0, 12.0)
    query = Song.join([other.slice(0, 6), passage.transposed(5), other.slice(8, 14)])
    (match,) = OriginalityIndex([source]).nearest(query, 1)
    assert len(passage) - 1 <= match.run <= len(passage) + 2  # the first has no predecessor
    assert match.piece_time[0] == pytest.approx(passage.onset[1] + 5.0, abs=1.0)
    begin = other.slice(0, 6).seconds
    assert match.query_time[0] == pytest.approx(begin + passage.onset[1], abs=1.0)
    assert match.semitones == -5
    copied, original = query.pitch[match.query_notes], source.pitch[match.piece_notes]
    assert (copied.astype(int) - 5).tolist() == original.tolist()
    assert match.rhythm_run >= match.run - 2


def test_the_rhythm_run_says_how_literal_a_copy_is():
    source = walk(0)
    bent = Song(np.arange(40) ** 1.5 * 0.25, source.duration, source.pitch, source.velocity)
    onset = np.cumsum(np.tile([0.2, 0.8], 20))
    swung = Song(onset, source.duration, source.pitch, source.velocity)
    index = OriginalityIndex([source])
    for copy in (bent, swung):
        (match,) = index.nearest(copy, 1)
        assert match.run == 39
        assert match.rhythm_run < 39
    (match,) = index.nearest(source, 1)
    assert match.rhythm_run == 39


def test_runs_do_not_cross_from_piece_to_piece():
    whole = random_song(3, 60)
    halves = [whole.slice(0, 5), whole.slice(5, 100)]
    index = OriginalityIndex(halves)
    assert index.longest_run(whole) == max(len(half) - 1 for half in halves)


def test_a_rolled_chord_is_one_onset():
    struck = Song([0, 0, 0, 1, 1], [1] * 5, [60, 64, 67, 62, 65], [80] * 5)
    rolled = Song([0, 0.02, 0.04, 1, 1.03], [1] * 5, [60, 64, 67, 62, 65], [80] * 5)
    assert np.array_equal(onsets(struck).tokens, onsets(rolled).tokens)
    assert len(onsets(struck)) == 1


def test_empty_and_lonely_songs_share_nothing():
    empty, one = Song([], [], [], []), Song([0], [1], [60], [80])
    index = OriginalityIndex([random_song(1), empty, one])
    for song in (empty, one):
        assert index.longest_run(song) == 0
        assert index.nearest(song) == []
        assert index.coverage(song) == 0.0
    report = Originality(index, []).report(one)
    assert report.verdict == "Shares no onset with the training music."
    assert OriginalityIndex([]).nearest(random_song(1)) == []


def test_verdicts_follow_the_unseen_music():
    train = [random_song(i, 120) for i in range(6)]
    unseen = [random_song(i, 120) for i in range(100, 112)]
    judge = Originality(OriginalityIndex(train), unseen)
    copy, fresh = judge.report(train[2]), judge.report(random_song(999, 120))
    assert copy.copied
    assert copy.run == 119
    assert copy.percentile["run"] == 100
    assert copy.verdict.startswith("Copies 119 onsets")
    assert not fresh.copied
    assert "119 onsets" in copy.line
    lonely = Originality(OriginalityIndex(train), []).report(train[0])
    assert "no unseen music" in lonely.verdict
    assert lonely.to_dict()["percentile"] is None


def test_the_json_is_sorted_and_in_seconds():
    train = [random_song(i, 60).named(f"piece {i}") for i in range(6)]
    judge = Originality(OriginalityIndex(train), [random_song(50, 60)])
    found = judge.report(Song.join([train[3].slice(0, 4), train[1]])).to_dict()
    assert set(found) == {"nearest", "percentile", "verdict"}
    assert found["nearest"][0]["name"] == "piece 1"
    assert set(found["nearest"][0]) == {
        "name", "run", "query_time", "piece_time", "coverage", "lcs",
    }  # fmt: skip
    runs = [match["run"] for match in found["nearest"]]
    assert runs == sorted(runs, reverse=True)
    begin, end = found["nearest"][0]["query_time"]
    assert 0 <= begin < end


def test_the_reference_is_cut_to_the_songs_length():
    unseen = [random_song(i, 400) for i in range(5)]
    judge = Originality(OriginalityIndex([random_song(77, 400)]), unseen)
    assert (judge.reference(16)["run"] <= judge.reference(400)["run"]).all()
    assert judge.reference(100) is judge.reference(95)


def test_percentiles_count_ties_half():
    assert percentile_of(3, np.array([1, 2, 3, 4])) == 62.5
    assert np.isnan(percentile_of(1, np.array([])))


def test_clock():
    assert clock_span((59.9, 65.0)) == "0:59-1:05"


def test_the_corpus_knows_its_own_and_not_the_unseen(chorales):
    judge = Originality.of_corpus(chorales)
    own = [judge.report(song).percentile["run"] for song in chorales.train[:20]]
    assert min(own) == 100
    others = [judge.report(song).percentile["run"] for song in chorales.test]
    assert 30 < np.median(others) < 70
