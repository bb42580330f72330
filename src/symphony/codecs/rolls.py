"""Songs as piano rolls: a picture for convolutions, one row a sixteenth note (chapter 1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from symphony.song import Song, SongError


@dataclass(frozen=True)
class RollCodec:
    """Two planes of T x 128: which keys sound in a step, and which are struck in it.

    A held note and one struck again look the same in the first plane alone; the second tells
    them apart on the way back. Exact for songs on the grid in which no note overlaps another of
    its pitch.

    Attributes:
        steps_per_quarter: rows in a quarter note; 4 makes a row a sixteenth.
    """

    steps_per_quarter: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.steps_per_quarter <= 96:
            raise SongError(f"A quarter has 1 to 96 rows, not {self.steps_per_quarter}.")

    def to_dict(self) -> dict[str, Any]:
        """The codec as JSON, for a card."""
        return {"name": "rolls", **asdict(self)}

    def encode(self, song: Song) -> Bool[np.ndarray, "2 t 128"]:
        """Planes (sounding, struck); by the beat where it is known, else by the tempo."""
        start, end = song.onset_quarters, None
        if start is not None and song.duration_quarters is not None:
            end = start + song.duration_quarters
        else:
            start, end = song.quarters_at(song.onset), song.quarters_at(song.end)
        first = np.round(start * self.steps_per_quarter).astype(np.int64)
        last = np.maximum(np.round(end * self.steps_per_quarter).astype(np.int64), first + 1)
        length = int(last.max()) if len(last) else 0
        edges = np.zeros((length + 1, 128), np.int32)
        np.add.at(edges, (first, song.pitch), 1)
        np.add.at(edges, (last, song.pitch), -1)
        struck = np.zeros((length, 128), bool)
        struck[first, song.pitch] = True
        return np.stack([np.cumsum(edges, axis=0)[:-1] > 0, struck])

    def decode(self, roll: np.ndarray, tempo: float = 90.0, name: str = "") -> Song:
        """The song of a roll: planes as :meth:`encode` gives them, or the first alone.

        Anything above 0 sounds, so that the {-1, +1} rolls of GANs may come as they are. With
        one plane, a key that goes on sounding is one held note.

        Raises:
            SongError: another shape, or a roll in which nothing sounds.
        """
        planes = np.asarray(roll) > 0
        if planes.ndim == 2:
            planes = np.stack([planes, np.zeros_like(planes)])
        if planes.ndim != 3 or planes.shape[0] != 2 or planes.shape[2] != 128:
            raise SongError(f"A roll is T x 128, or 2 x T x 128; this is {np.shape(roll)}.")
        sounding, struck = planes
        before = np.vstack([np.zeros((1, 128), bool), sounding[:-1]])
        begins = sounding & (struck | ~before)
        pitch, first = np.nonzero(begins.T)
        after = np.vstack([sounding[1:] & ~begins[1:], np.zeros((1, 128), bool)])
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


def to_signs(roll: np.ndarray) -> np.ndarray:
    """A roll as {-1, +1} in single precision, as the GANs read it."""
    return np.where(np.asarray(roll) > 0, np.float32(1), np.float32(-1))


def with_breaths(planes: np.ndarray) -> Bool[np.ndarray, "t 128"]:
    """Both planes in one, as the GANs see it: a key struck again is let go a step before.

    One picture of what sounds can't show a repeated note, so the step before each repetition is
    left silent, as a pianist's finger leaves the key. A note of a single step has no step to give
    up: it joins the one after it (4 notes in 1,000 of the chorales, where 170 are repetitions).
    """
    sounding, struck = np.asarray(planes, dtype=bool)
    again = np.vstack([struck[1:], np.zeros_like(struck[:1])])
    return sounding & ~(again & ~struck)


def without_breaths(roll: np.ndarray) -> Bool[np.ndarray, "2 t 128"]:
    """What :func:`with_breaths` left, as planes (sounding, struck) again.

    A gap of a single step between two notes of one key is a breath, and the first note sounds
    through it. So a rest that short is lost (14 notes in 1,000 of the chorales grow by a step).

    Args:
        roll: anything above 0 sounds.
    """
    sounding = np.asarray(roll) > 0
    silence = np.zeros_like(sounding[:1])
    before, after = np.vstack([silence, sounding[:-1]]), np.vstack([sounding[1:], silence])
    return np.stack([sounding | (before & after), sounding & ~before])
