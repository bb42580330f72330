import io
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import ConnectionPatch

from symphony.errors import RequestError, SongError
from symphony.rendering import (
    clock,
    describe,
    note_name,
    overlap,
    piano_roll,
    sample_history,
)
from symphony.rendering.plots import LOUD, OTHER, SHARED, SOFT
from symphony.song import Song

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


def song(onset, pitch, velocity=64, duration=0.5, name=""):
    n = len(onset)
    return Song(
        np.array(onset, float),
        np.broadcast_to(np.asarray(duration, float), n),
        pitch,
        np.broadcast_to(velocity, n),
        name=name,
    )


SCALE = song(range(10), range(60, 70), np.arange(1, 127, 13)[:10], name="Scale")


def bars(ax):
    (found,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return [path.vertices[:4] for path in found.get_paths()], found.get_facecolors()


def test_one_bar_a_note_where_it_sounds():
    corners, _ = bars(piano_roll(SCALE))
    assert len(corners) == 10
    for i, corner in enumerate(corners):
        assert corner.min(axis=0).tolist() == pytest.approx([i, 60 + i - 0.45])
        assert corner.max(axis=0).tolist() == pytest.approx([i + 0.5, 60 + i + 0.45])


def test_a_window_shows_what_sounds_in_it():
    ax = piano_roll(SCALE, seconds=(2.25, 5.0))
    corners, _ = bars(ax)
    assert [int(c[:, 1].mean() + 0.01) for c in corners] == [62, 63, 64]
    assert ax.get_xlim() == (2.25, 5.0)


def test_louder_is_darker():
    _, colors = bars(piano_roll(song([0, 1, 2], [60, 60, 60], [1, 64, 127])))
    brightness = colors[:, :3].sum(axis=1)
    assert brightness[0] > brightness[1] > brightness[2]
    np.testing.assert_allclose(colors[0, :3], to_rgb(SOFT))
    np.testing.assert_allclose(colors[2, :3], to_rgb(LOUD))


def test_times_read_in_minutes_and_pitches_by_name():
    ax = piano_roll(song([130, 143.7, 150], [36, 60, 84]), seconds=(130, 151))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2:10", "2:15", "2:20", "2:25", "2:30"]
    assert ax.get_xticks().tolist() == [130, 135, 140, 145, 150]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["C2", "C3", "C4", "C5", "C6"]
    assert ax.get_yticks().tolist() == [36, 48, 60, 72, 84]


def test_it_draws_on_the_axes_given():
    _, ax = plt.subplots()
    assert piano_roll(SCALE, ax, title="Mine") is ax
    assert ax.get_title("left") == "Mine"
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("window", [(3.0, 3.0), (-1.0, 3.0), (5.0, 2.0), (0.0, float("nan"))])
def test_windows_that_are_none(window):
    with pytest.raises(RequestError, match="window"):
        piano_roll(SCALE, seconds=window)


def test_an_empty_song_is_refused():
    with pytest.raises(SongError, match="no notes"):
        piano_roll(song([], []))


def match(query_notes, piece_notes, query_time=(2.0, 4.5), piece_time=(71.0, 73.5)):
    return SimpleNamespace(
        query_notes=query_notes,
        piece_notes=piece_notes,
        query_time=query_time,
        piece_time=piece_time,
    )


PIECE = song(np.arange(65, 80), range(50, 65), name="Original")


def test_overlap_darkens_exactly_the_matched_notes():
    upper, lower = overlap(SCALE, PIECE, match([2, 3, 4], np.array([6, 7, 8])), context=None)
    for ax, one, shared in ((upper, SCALE, {62, 63, 64}), (lower, PIECE, {56, 57, 58})):
        corners, colors = bars(ax)
        assert len(corners) == len(one)
        dark = {
            round(corner[:, 1].mean())
            for corner, color in zip(corners, colors, strict=True)
            if to_hex(color) == SHARED
        }
        assert dark == shared
        assert {to_hex(c) for c in colors} == {SHARED, OTHER}


def test_overlap_brackets_the_passage_with_its_times():
    axes = overlap(SCALE, PIECE, match([2, 3, 4], [6, 7, 8]))
    for ax, (begin, end), words in zip(
        axes, ((2.0, 4.5), (71.0, 73.5)), ("0:02–0:04", "1:11–1:13"), strict=True
    ):
        (bracket,) = [line for line in ax.lines if line.get_label() == "copied passage"]
        assert bracket.get_xdata().tolist() == [begin, begin, end, end]
        assert words in ax.get_title("right")
        assert ax.get_xlim() == pytest.approx((max(begin - 5, 0), end + 5))
    joins = [a for a in axes[0].figure.artists if isinstance(a, ConnectionPatch)]
    assert len(joins) == 2


def test_overlap_refuses_a_match_of_other_songs():
    with pytest.raises(RequestError, match="marks note 40"):
        overlap(SCALE, PIECE, match([2, 40], [1, 2]))
    with pytest.raises(RequestError, match="two axes"):
        overlap(SCALE, PIECE, match([2], [2]), axes=plt.subplots(1, 3)[1])


def test_sample_history_shares_time_and_pitch():
    axes = sample_history([SCALE, PIECE], seconds=70.0, titles=["a", "b"])
    assert [ax.get_xlim() for ax in axes] == [(0.0, 70.0)] * 2
    assert axes[0].get_ylim() == axes[1].get_ylim() == (48, 71)
    assert [len(bars(ax)[0]) for ax in axes] == [10, 5]
    silence = sample_history([SCALE, song([], [])], titles=["a", "silence"])[1]
    assert silence.get_title(loc="left") == "silence"
    assert silence.get_xlim() == (0.0, SCALE.seconds)
    assert len(sample_history([song([], [])])) == 1
    with pytest.raises(RequestError, match="at least one"):
        sample_history([])
    with pytest.raises(RequestError, match="2 titles"):
        sample_history([SCALE, PIECE], titles=["a"])


def test_a_figure_is_small():
    rng = np.random.default_rng(0)
    busy = song(np.sort(rng.uniform(0, 60, 600)), rng.integers(30, 90, 600), 70)
    file = io.BytesIO()
    piano_roll(busy).figure.savefig(file, dpi=110)
    assert len(file.getvalue()) < 60_000


def test_words():
    assert describe(SCALE) == "Piano roll of Scale: 10 notes in 10 seconds, from C4 to A4."
    assert describe(song([], []), "x") == "Empty piano roll of x."
    assert [note_name(p) for p in (0, 60, 61, 127)] == ["C-1", "C4", "C♯4", "G9"]
    assert [clock(t) for t in (0, 59.9, 60, 3600)] == ["0:00", "0:59", "1:00", "60:00"]
