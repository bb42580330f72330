"""Piano rolls and overlap plots: functions that take ``ax`` and return it.

One blue from light to dark serves printed pages, dark pages (figures keep a white card) and
color-blind readers alike: what is marked is darker, never only another hue. See chapter 1
for piano rolls, chapter 2 for overlap plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symphony.errors import RequestError, SongError
from symphony.song import Song

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOFT, LOUD = "#a3c1de", "#0b2c52"  # velocity 1 and 127
SHARED, OTHER = "#0b2c52", "#b3c8dc"  # copied notes and the rest
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds between ticks


def note_name(pitch: int) -> str:
    """MIDI 60 is C4, middle C.

    >>> note_name(60), note_name(69), note_name(21)
    ('C4', 'A4', 'A0')
    """
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, rounded down.

    >>> clock(143.7), clock(5)
    ('2:23', '0:05')
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def describe(song: Song, title: str = "") -> str:
    """One sentence that says what a piano roll shows: the text for those who can't see it."""
    name = title or song.name or "a piece"
    if not len(song):
        return f"Empty piano roll of {name}."
    low, high = note_name(int(song.pitch.min())), note_name(int(song.pitch.max()))
    notes = "1 note" if len(song) == 1 else f"{len(song)} notes"
    span = f"at {low}" if low == high else f"from {low} to {high}"
    return f"Piano roll of {name}: {notes} in {song.seconds:.0f} seconds, {span}."


def piano_roll(
    song: Song,
    ax: Axes | None = None,
    *,
    seconds: tuple[float, float] | None = None,
    color: Any = None,
    title: str | None = None,
) -> Axes:
    """Notes as bars: time to the right in minutes and seconds, pitch upwards, darker is louder.

    Args:
        song: what to draw, durations as the keys were held (``song.sustained()`` shows them
            as they sound).
        ax: where to draw; a new figure if left out.
        seconds: the window (start, end); the whole song if left out.
        color: one color for all notes instead of their velocity, or one a note.
        title: the song's name if left out.

    Raises:
        SongError: a song without notes.
        RequestError: a window that isn't one.
    """
    start, end = _window(song, seconds)
    ax = _axes(ax)
    shown = np.flatnonzero((song.onset < end) & (song.end > start))
    if color is None:
        shades = _velocity_colors(song.velocity[shown])
    elif isinstance(color, str) or len(color) != len(song):
        shades = color
    else:
        shades = np.asarray(color)[shown]
    _bars(ax, song, shown, shades)
    _frame(ax, song.pitch[shown] if len(shown) else song.pitch, start, end)
    # a name is no formula, whatever signs it holds
    name = song.name if title is None else title
    ax.set_title(name, loc="left", fontsize=10, parse_math=False)
    if color is None and len(shown) and np.ptp(song.velocity[shown]):
        ax.set_title("darker: louder", loc="right", fontsize=8, color="#555555")
    return ax


def overlap(
    song: Song,
    piece: Song,
    match: Any,
    axes: Sequence[Axes] | None = None,
    *,
    context: float | None = 5.0,
) -> Sequence[Axes]:
    """Two piano rolls one above the other: what they share is dark, the rest light.

    The copied passage stands under a bracket with its times in either piece, and dashed
    lines join its ends, after the original project's plot of ``0035.mid``.

    Args:
        song: the piece under suspicion, above.
        piece: the piece it is compared with, below.
        match: what ``OriginalityIndex.longest_run`` found: ``query_time`` and ``piece_time``
            in seconds, ``query_notes`` and ``piece_notes`` as row numbers of the notes.
        axes: two axes, upper and lower; a new figure if left out.
        context: seconds shown before and after the passage; None shows both pieces whole.

    Raises:
        SongError: a song without notes.
        RequestError: a match of other songs, or more or fewer than two axes.
    """
    sides = [
        (song, match.query_time, np.asarray(match.query_notes, dtype=np.int64)),
        (piece, match.piece_time, np.asarray(match.piece_notes, dtype=np.int64)),
    ]
    for one, _, notes in sides:
        if len(notes) and not 0 <= notes.min() <= notes.max() < len(one):
            raise RequestError(
                f"This match was not found in {one.name or 'this song'}: it marks note "
                f"{notes.max()} and the song has {len(one)}."
            )
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(2, 1, figsize=(8, 5), layout="constrained")[1]
    assert axes is not None
    if len(axes) != 2:
        raise RequestError(f"An overlap plot needs two axes, not {len(axes)}.")
    for ax, (one, (begin, finish), notes) in zip(axes, sides, strict=True):
        whole = (0.0, max(one.seconds, finish))
        wide = whole if context is None else (max(begin - context, 0.0), finish + context)
        colors = np.full(len(one), OTHER, dtype=object)
        colors[notes] = SHARED
        piano_roll(one, ax, seconds=wide, color=colors)
        ax.set_title(
            f"copied: {clock(begin)}–{clock(finish)}", loc="right", fontsize=9, color=SHARED
        )
        _bracket(ax, begin, finish)
    _join(axes, [time for _, time, _ in sides])
    return axes


def sample_history(
    songs: Sequence[Song], *, seconds: float | None = None, titles: Sequence[str] | None = None
) -> Sequence[Axes]:
    """Small piano rolls side by side on one scale of time and pitch.

    Args:
        songs: at least one; a song without notes is an empty picture.
        seconds: how much of each is shown; the longest song's length if left out.
        titles: one a song; their names if left out.

    Raises:
        RequestError: no songs, or another number of titles than of songs.
    """
    import matplotlib.pyplot as plt

    if not songs:
        raise RequestError("A sample history needs at least one song.")
    if titles is not None and len(titles) != len(songs):
        raise RequestError(f"{len(songs)} songs need {len(songs)} titles, not {len(titles)}.")
    end = seconds or max(song.seconds for song in songs) or 1.0
    pitches = np.concatenate([song.pitch for song in songs])
    pitches = pitches if len(pitches) else np.array([60])
    axes = plt.subplots(
        1, len(songs), figsize=(8, 2.2), sharey=True, layout="constrained", squeeze=False
    )[1][0]
    for i, (song, ax) in enumerate(zip(songs, axes, strict=True)):
        if len(song):
            piano_roll(song, ax, seconds=(0.0, end))
        _frame(ax, pitches, 0.0, end)
        ax.set_title("", loc="right")
        name = song.name if titles is None else titles[i]
        ax.set_title(name, loc="left", fontsize=10, parse_math=False)
        ax.set(xlabel="", ylabel="pitch" if i == 0 else "")
        ax.set_xticks([0.0, end], [clock(0.0), clock(end)])  # more would not fit
        for label, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)
    return axes


def _window(song: Song, seconds: tuple[float, float] | None) -> tuple[float, float]:
    if not len(song):
        raise SongError("This song has no notes, so there is nothing to draw.")
    start, end = seconds or (0.0, song.seconds)
    if not (np.isfinite([start, end]).all() and 0 <= start < end):
        raise RequestError(
            f"A window runs from 0 s or later to a later time, not {start} to {end} s."
        )
    return float(start), float(end)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(8, 3), layout="constrained")[1]


def _velocity_colors(velocity: np.ndarray) -> np.ndarray:
    """Shades between SOFT and LOUD, one row of red, green and blue a note."""
    from matplotlib.colors import to_rgb

    share = ((velocity.astype(float) - 1) / 126)[:, None]
    return np.array(to_rgb(SOFT)) * (1 - share) + np.array(to_rgb(LOUD)) * share


def _bars(ax: Axes, song: Song, shown: np.ndarray, colors: Any) -> None:
    """One rectangle a note, drawn as one collection: ten thousand notes are no burden."""
    from matplotlib.collections import PolyCollection

    left, right, pitch = song.onset[shown], song.end[shown], song.pitch[shown].astype(float)
    low, high = pitch - 0.45, pitch + 0.45
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1)
    ax.add_collection(
        PolyCollection(list(corners.reshape(-1, 4, 2)), facecolors=colors, edgecolors="none"),
        autolim=False,
    )


def _frame(ax: Axes, pitch: np.ndarray, start: float, end: float) -> None:
    """Ticks at each C and at round times; at least an octave and a half of room."""
    low, high = int(pitch.min()) - 2, int(pitch.max()) + 2
    missing = max(18 - (high - low), 0)
    low, high = max(low - missing // 2, -1), min(high + (missing + 1) // 2, 128)
    octaves = list(range(-(-low // 12) * 12, high + 1, 12))
    ax.set_facecolor("white")
    ax.figure.set_facecolor("white")
    ax.set(xlim=(start, end), ylim=(low, high), ylabel="pitch", xlabel="minutes:seconds")
    ax.set_yticks(octaves, [note_name(max(octave, 0)) for octave in octaves])
    hours = np.ceil((end - start) / 9 / 3600) * 3600  # beyond all steps
    step = next((s for s in _STEPS if (end - start) / s <= 9), hours)
    times = np.arange(np.ceil(start / step) * step, end + 1e-9, step)
    ax.set_xticks(times, [clock(t) for t in times])
    ax.grid(axis="y", color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _bracket(ax: Axes, begin: float, finish: float) -> None:
    across = ax.get_xaxis_transform()  # x in seconds, y as a share of the height
    ax.plot(
        [begin, begin, finish, finish],
        [0.94, 0.98, 0.98, 0.94],
        transform=across,
        color=SHARED,
        linewidth=1.5,
        label="copied passage",
    )
    ax.axvspan(begin, finish, color=SHARED, alpha=0.05, linewidth=0)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.08 * (high - low))  # room for the bracket above the notes


def _join(axes: Sequence[Axes], times: Sequence[tuple[float, float]]) -> None:
    from matplotlib.patches import ConnectionPatch

    upper, lower = axes
    if upper.figure is not lower.figure:
        return
    for above, below in zip(*times, strict=True):
        line = ConnectionPatch(
            (above, 0),
            (below, 1),
            *(upper.get_xaxis_transform(), lower.get_xaxis_transform()),
            axesA=upper,
            axesB=lower,
            color=SHARED,
            linewidth=0.8,
            linestyle=(0, (4, 4)),
            alpha=0.6,
        )
        line.set_in_layout(False)
        upper.figure.add_artist(line)
