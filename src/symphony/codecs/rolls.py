"""Songs as piano rolls: a picture for convolutions, one row a sixteenth note (chapter 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from symphony.errors import RequestError, SongError
from symphony.song import TEMPO, Song

PITCHES = 128  # columns of a roll: MIDI's note numbers
# Quarter notes of one song: nearly three hours at 100 a minute, longer than any recital, in 65,536
# rows of a sixteenth, half a minute for a network. A note held for a day would have ten times more.
MOST_QUARTERS = 2**14


@dataclass(frozen=True)
class RollCodec:
    """Two planes of T x 128: which keys sound in a step, and which are struck in it.

    A held note and one struck again look the same in the first plane alone; the second tells
    them apart on the way back. Exact for songs on the grid in which no note overlaps another of
    its pitch.

    Attributes:
        steps_per_quarter: rows in a quarter note; 4 makes a row a sixteenth.

    Raises:
        RequestError: fewer than 1 or more than 96 rows in a quarter note.
    """

    steps_per_quarter: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.steps_per_quarter <= 96:
            raise RequestError(f"A quarter has 1 to 96 rows, not {self.steps_per_quarter}.")

    def rows(self, seconds: float, tempo: float) -> int:
        """Rows that last so long at so many quarter notes a minute."""
        return int(np.ceil(seconds * tempo / 60 * self.steps_per_quarter))

    def encode(self, song: Song) -> Bool[np.ndarray, "2 t 128"]:
        """Planes (sounding, struck); by the beat where it is known, else by the tempo.

        Raises:
            SongError: longer than a roll may be.
        """
        start, end = song.onset_quarters, None
        if start is not None and song.duration_quarters is not None:
            end = start + song.duration_quarters
        else:
            start, end = song.quarters_at(song.onset), song.quarters_at(song.end)
        if len(end) and not end.max() <= MOST_QUARTERS:
            raise SongError(
                f"{song.name or 'This song'} is {end.max():,.0f} quarter notes long, and a piano "
                f"roll at most {MOST_QUARTERS:,}: take a slice of it."
            )
        first = np.round(np.maximum(start, 0) * self.steps_per_quarter).astype(np.int64)
        last = np.maximum(np.round(end * self.steps_per_quarter).astype(np.int64), first + 1)
        length = int(last.max()) if len(last) else 0
        edges = np.zeros((length + 1, PITCHES), np.int32)
        np.add.at(edges, (first, song.pitch), 1)
        np.add.at(edges, (last, song.pitch), -1)
        struck = np.zeros((length, PITCHES), bool)
        struck[first, song.pitch] = True
        np.cumsum(edges, axis=0, out=edges)
        return np.stack([edges[:-1] > 0, struck])

    def decode(self, roll: np.ndarray, tempo: float = TEMPO, name: str = "") -> Song:
        """The song of a roll, at ``tempo`` quarter notes a minute.

        Anything above 0 sounds, so that the {-1, +1} rolls of GANs may come as they are.

        Args:
            roll: [2, T, 128], planes as :meth:`encode` gives them, or [T, 128], the first alone,
                in which a key that goes on sounding is one held note.
            tempo: quarter notes a minute.
            name: what to call the song.

        Raises:
            RequestError: another shape.
            SongError: a roll in which nothing sounds.
        """
        planes = np.asarray(roll) > 0
        if planes.ndim == 2:
            planes = np.stack([planes, np.zeros_like(planes)])
        if planes.ndim != 3 or planes.shape[0] != 2 or planes.shape[2] != PITCHES:
            raise RequestError(f"A roll is T x 128, or 2 x T x 128; this is {np.shape(roll)}.")
        sounding, struck = planes
        before = np.vstack([np.zeros((1, PITCHES), bool), sounding[:-1]])
        begins = sounding & (struck | ~before)
        pitch, first = np.nonzero(begins.T)
        after = np.vstack([sounding[1:] & ~begins[1:], np.zeros((1, PITCHES), bool)])
        _, last = np.nonzero((sounding & ~after).T)
        if not len(pitch):
            raise SongError("Nothing sounds in this roll.")
        onset = first / self.steps_per_quarter
        duration = (last + 1 - first) / self.steps_per_quarter
        return Song(
            onset=onset * 60 / tempo,
            duration=duration * 60 / tempo,
            pitch=pitch,
            velocity=np.full(len(pitch), 80),
            onset_quarters=onset,
            duration_quarters=duration,
            tempo=np.array([[0.0, tempo]]),
            name=name,
        )


def to_bipolar(roll: Shaped[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """A roll as {-1, +1} in single precision, as the GANs read it; anything above 0 becomes +1."""
    return np.where(np.asarray(roll) > 0, np.float32(1), np.float32(-1))


def split_repeated(planes: np.ndarray) -> Bool[np.ndarray, "t 128"]:
    """Both planes in one, as the GANs see it: a repeated note is split by a silent row.

    One picture of what sounds can't show a repeated note, so the row before each repetition is
    left silent, as a pianist's finger leaves the key. A note of a single row has none to give up:
    it merges with the next (4 notes in 1,000 of the chorales, where 170 are repetitions).

    Args:
        planes: [2, T, 128], sounding and struck.
    """
    sounding, struck = np.asarray(planes, dtype=bool)
    again = np.vstack([struck[1:], np.zeros_like(struck[:1])])
    return sounding & ~(again & ~struck)


def merge_repeated(roll: np.ndarray) -> Bool[np.ndarray, "2 t 128"]:
    """Planes (sounding, struck) from the one of :func:`split_repeated`.

    A gap of a single row between two notes of one key is taken for a split: the first note
    sounds through it, and the second is struck after it. So a rest that short is lost (14 notes
    in 1,000 of the chorales grow by a row).

    Args:
        roll: [T, 128]; anything above 0 sounds.
    """
    sounding = np.asarray(roll) > 0
    silence = np.zeros_like(sounding[:1])
    before, after = np.vstack([silence, sounding[:-1]]), np.vstack([sounding[1:], silence])
    return np.stack([sounding | (before & after), sounding & ~before])


def check_drop(drop: float) -> None:
    """Refuse what is no share of the notes.

    Raises:
        RequestError: outside 0 to below 1.
    """
    if not 0 <= drop < 1:
        raise RequestError(f"A facade drops a share of the notes from 0 to below 1, not {drop}.")


def facade_of(song: Song, drop: float, seed: int = 0) -> Song:
    """A song without a share of its notes, at least one of them left (chapter 9).

    Raises:
        RequestError: no share of the notes, or a seed below 0.
    """
    check_drop(drop)
    if seed < 0:
        raise RequestError(f"A seed is a whole number from 0, not {seed}.")
    kept = np.random.default_rng(seed).random(len(song)) >= drop
    kept[: 0 if kept.any() else 1] = True
    return song.select(kept)


def tile_starts(steps: int, window: int) -> np.ndarray:
    """Where windows begin that cover so many rows, each overlapping the next by a quarter."""
    hop = window - window // 4
    return np.arange(0, max(steps - window // 4, 1), hop)


def overlap_add(
    tiles: Float32[np.ndarray, "n T 128"], starts: np.ndarray
) -> Float32[np.ndarray, "t 128"]:
    """Overlapping tiles as one roll, each fading into the next where they overlap."""
    window = tiles.shape[1]
    up = np.arange(1, window + 1)
    weight = np.minimum(np.minimum(up, up[::-1]), window // 4 + 1).astype(np.float32)[:, None]
    whole = np.zeros((int(starts[-1]) + window, tiles.shape[2]), np.float32)
    total = np.zeros((len(whole), 1), np.float32)
    for tile, start in zip(tiles, starts, strict=True):
        whole[start : start + window] += weight * tile
        total[start : start + window] += weight
    return whole / total


def drop_notes(
    rolls: Bool[np.ndarray, "B T 128"], shares: tuple[float, float], rng: np.random.Generator
) -> Bool[np.ndarray, "B T 128"]:
    """Facades: rolls without a share of their notes, the share drawn between the two given.

    A note is a run of rows in which its key sounds; it goes or stays as a whole.
    """
    begins = rolls.copy()
    begins[:, 1:] &= ~rolls[:, :-1]
    rows = np.arange(rolls.shape[1])[:, None]
    onset = np.maximum.accumulate(np.where(begins, rows, 0), axis=1)  # of the note, [B, T, 128]
    draw = np.take_along_axis(rng.random(rolls.shape, np.float32), onset, axis=1)
    return rolls & (draw >= rng.uniform(*shares, (len(rolls), 1, 1)))
