"""The player of the book's pages: a piece to hear, its roll with a moving cursor, and one line
that says how much of it was copied.

One piece of HTML that asks no other host for anything: it works in Jupyter, on Colab, in VS
Code and on the static page, and without scripts the sound still plays.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from symphony.errors import RequestError, SongError
from symphony.rendering.audio import mp3_bytes, sound_seconds
from symphony.rendering.plots import clock, describe, note_name
from symphony.song import Song

WIDTH = 2000  # units of the drawing from left to right: 10 ms each in a piece of 20 s
FADE = 1.5  # seconds over which an excerpt fades out, to say that the piece goes on
UNSEEN_LIMIT = 95.0  # percentile of unseen real music from which a shared run is marked
_LOUDNESS = ((0, 48, 0.65), (48, 80, 0.82), (80, 128, 1.0))  # velocities and their opacity


@dataclass(frozen=True, repr=False)
class Player:
    """What :func:`player` makes; display it, or take its ``html``.

    Attributes:
        title: what stands above the roll.
        seconds: length of the sound.
        figure: the <figure> alone, without style and script.
    """

    title: str
    seconds: float
    figure: str

    @property
    def html(self) -> str:
        """The whole: figure, style and script."""
        return self.figure + _assets()

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<Player {self.title!r}, {self.seconds:.1f} s>"


@dataclass(frozen=True, repr=False)
class Players:
    """Several players in a grid of one to three columns, as wide as the page allows."""

    players: tuple[Player, ...]
    one_clock: bool = False

    @property
    def html(self) -> str:
        """The grid with one style and one script for all."""
        inside = "".join(one.figure for one in self.players)
        clock = " data-one-clock" if self.one_clock else ""
        return f'<div class="symphony-players"{clock}>{inside}</div>{_assets()}'

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<Players: {', '.join(repr(one.title) for one in self.players)}>"


def player(
    song: Song,
    *,
    title: str = "",
    seconds: float | None = None,
    start: float = 0.0,
    originality: Any = None,
    accompaniment: Song | None = None,
    condition: Song | None = None,
) -> Player:
    """A song with its sound, its roll and its originality line, for notebooks and pages.

    Args:
        song: what to play, pedal and all.
        title: what to write above; the song's name if left out.
        seconds: how much of it, fading out at the end; None plays it to its end.
        start: where in the song to begin, in seconds; the times below the roll are the song's.
        originality: an ``OriginalityReport`` of the whole song (its ``line`` is written below
            with its verdict in two words, and what it shares beyond the 95th percentile of
            unseen real music is marked in the roll), a line of your own, or None.
        accompaniment: what a guitar plays with it, drawn thinner, in another color (see
            :func:`symphony.corpora.accompaniment`).
        condition: the song that a model was to fill: notes of ``song`` that aren't in it, key
            and onset, are marked in the roll as added, and a shared passage is not.

    Raises:
        SongError: a song without notes, or one that stays silent.
        RequestError: an excerpt without notes, or times that bound none.
    """
    if not (np.isfinite(start) and start >= 0):
        raise RequestError(f"An excerpt starts at 0 s or later, not at {start} s.")
    if seconds is not None and not (np.isfinite(seconds) and seconds > 0):
        raise RequestError(f"An excerpt lasts more than 0 s, not {seconds} s.")
    if not len(song):
        raise SongError("This song has no notes, so there is nothing to hear.")
    whole = song.sustained()
    end = whole.seconds if seconds is None else start + seconds
    name = title or song.name or "Untitled"
    rows = np.flatnonzero((whole.onset >= start) & (whole.onset < end))
    if not len(rows):
        raise RequestError(
            f"{name} has no notes between {clock(start)} and {clock(end)}, so there is nothing "
            "to hear."
        )
    excerpt = whole.slice(start, end) if start or seconds else whole
    cut = end < whole.seconds
    chords = None if accompaniment is None else accompaniment.sustained().slice(start, end)
    words, sign, marked = "", "", None
    if isinstance(originality, str):
        words = originality
    elif originality is not None:
        words, (sign, worth_marking) = originality.line, _sign(originality)
        if worth_marking:
            marked = np.isin(rows, np.asarray(originality.nearest[0].query_notes))
    if condition is not None:
        known = set(zip(condition.pitch.tolist(), condition.onset.round(3).tolist(), strict=True))
        notes = zip(whole.pitch[rows].tolist(), whole.onset[rows].round(3).tolist(), strict=True)
        marked = np.array([note not in known for note in notes])
    fade = min(FADE, excerpt.seconds / 4) if cut else 0.0
    sound = mp3_bytes(excerpt, fade=fade, accompaniment=chords)
    added = condition is not None
    return Player(
        title=name,
        seconds=sound_seconds(excerpt),
        figure=_figure(name, excerpt, start, sound, words, sign, marked, chords, added),
    )


def players(items: Sequence[Player], *, one_clock: bool = False) -> Players:
    """Players in a grid: three columns on a wide page, one on a phone.

    Args:
        items: what :func:`player` made.
        one_clock: they play versions of one piece: who starts another hears it go on from the
            same place, as a share of its length.

    Raises:
        RequestError: nothing to show.
    """
    if not items:
        raise RequestError("A grid of players needs at least one player.")
    return Players(tuple(items), one_clock)


def _sign(originality: Any) -> tuple[str, bool]:
    """A report in two words, and whether its passage is worth marking.

    No sign where no unseen music was at hand: a run means nothing by itself.
    """
    if not originality.nearest:
        return "nothing shared", False
    if originality.copied:
        return "copied", True
    rank = float(originality.percentile["run"])
    if np.isnan(rank):
        return "", False
    return ("much shared", True) if rank >= UNSEEN_LIMIT else ("nothing copied", False)


def _figure(
    title: str,
    song: Song,
    start: float,
    sound: bytes,
    words: str,
    sign: str,
    marked: np.ndarray | None,
    chords: Song | None,
    added: bool,
) -> str:
    length = sound_seconds(song)
    label = describe(song, title)
    if chords is not None and len(chords):
        label += f" A guitar accompanies it with {len(chords)} notes."
    line = html.escape(words)
    if sign:
        kind = "sp-plain" if marked is None or added else "sp-warn"
        line = f'<b class="{kind}">{sign}</b>{line}'
    if added and marked is not None:
        label += f" {marked.sum()} notes, in another color, were added by the model."
        line += '<br><span class="sp-added">Orange: added by the model.</span>'
    elif marked is not None and marked.any():
        first, last = song.onset[marked].min(), song.end[marked].max()
        label += (
            f" A copied passage is marked from {clock(start + first)} to {clock(start + last)}."
        )
    name = html.escape(title)
    body = (
        f"<figcaption><b>{name}</b><span>{clock(length)}</span></figcaption>"
        f"{_roll(song, length, label, marked, chords)}{_axis(start, length)}"
        f'<audio controls preload="metadata" aria-label="{name}" '
        f'src="data:audio/mpeg;base64,{base64.b64encode(sound).decode()}"></audio>'
        + (f'<p class="sp-originality">{line}</p>' if line else "")
    )
    key = hashlib.sha256(body.encode()).hexdigest()[:12]
    return (
        f'<figure class="symphony-player mathjax_ignore" id="player-{key}" '
        f'data-title="{name}" data-start="{start:.2f}" data-length="{length:.3f}">{body}</figure>'
    )


def _roll(
    song: Song, length: float, label: str, marked: np.ndarray | None, chords: Song | None
) -> str:
    """Notes as strokes of a few paths: some ten bytes a note."""
    pitches = song.pitch if chords is None else np.concatenate([song.pitch, chords.pitch])
    low, high = int(pitches.min()) - 1, int(pitches.max()) + 1
    spare = max(24 - (high - low), 0)
    low, high = low - spare // 2, high + (spare + 1) // 2

    def places(notes: Song) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = np.round(notes.onset / length * WIDTH).astype(int)
        # a struck-again note must not melt into the one before: end a little early
        width = np.maximum(np.round(notes.duration / length * WIDTH).astype(int) - 2, 3)
        return x, (high - notes.pitch.astype(int)) * 2 + 1, width

    x, y, width = places(song)
    plain = np.ones(len(song), bool) if marked is None else ~marked
    paths = [] if chords is None else [_path("sp-chords", *places(chords), 1.0)]
    for least, limit, opacity in _LOUDNESS:
        chosen = plain & (song.velocity >= least) & (song.velocity < limit)
        paths.append(_path("sp-notes", x[chosen], y[chosen], width[chosen], opacity))
    if marked is not None:
        paths.append(_path("sp-copied", x[marked], y[marked], width[marked], 1.0))
    height = (high - low) * 2 + 2
    octaves = [pitch for pitch in range(-(-low // 12) * 12, high + 1, 12) if pitch >= 0]
    grid = "".join(f"M0 {(high - pitch) * 2 + 1}h{WIDTH}" for pitch in octaves)
    names = "".join(
        f'<span aria-hidden="true" style="top:{((high - p) * 2 + 1) / height:.1%}">{note_name(p)}'
        "</span>"
        for p in octaves
    )
    return (
        f'<div class="sp-roll">{names}<svg viewBox="0 0 {WIDTH} {height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{html.escape(label)}">'
        f'<path class="sp-grid" d="{grid}"/>{"".join(paths)}</svg></div>'
    )


def _path(kind: str, x: np.ndarray, y: np.ndarray, width: np.ndarray, opacity: float) -> str:
    if not len(x):
        return ""
    strokes = "".join(f"M{a} {b}h{c}" for a, b, c in zip(x, y, width, strict=True))
    faded = "" if opacity == 1 else f' opacity="{opacity:.2g}"'
    return f'<path class="{kind}"{faded} d="{strokes}"/>'


def _axis(start: float, length: float) -> str:
    """Times of the song below the roll: at most six, at round seconds."""
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if length / s <= 5), 1800)
    times = np.arange(np.ceil(start / step) * step, start + length * 0.98, step)
    marks = "".join(
        f'<span style="left:{(time - start) / length:.1%}">{clock(time)}</span>' for time in times
    )
    return f'<div class="sp-axis" aria-hidden="true">{marks}</div>'


@lru_cache(maxsize=1)
def _assets() -> str:
    """Style and script, comments and indentation left out."""
    here = files("symphony.rendering")
    style = re.sub(r"/\*.*?\*/", "", here.joinpath("player.css").read_text("utf-8"), flags=re.S)
    script = re.sub(r"(?m)(^|\s)//.*$|/\*.*?\*/", "", here.joinpath("player.js").read_text("utf-8"))
    tidy = [
        "\n".join(line.strip() for line in text.splitlines() if line.strip())
        for text in (style, script)
    ]
    return f"<style>{tidy[0]}</style><script>{tidy[1]}</script>"
