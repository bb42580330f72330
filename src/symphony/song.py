"""A piece of music as an immutable table of notes, and MIDI in and out.

Everything in the library meets here: corpora give songs, codecs turn them into arrays and
back, rendering draws and plays them, evaluation compares them. Explained in chapter 1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from symphony.errors import RequestError, SongError
from symphony.files import shown, written
from symphony.midi import SHORTEST_NOTE, pretty_midi_notes, quarters_at, read_notes, write_notes

if TYPE_CHECKING:
    import pretty_midi

__all__ = ["TEMPO", "Song", "SongError"]

# Quarter notes a minute of music that says nothing of its pace: a quarter is then 600 ms, and every
# value down to the sixteenth, and every triplet, is a whole number of the 10 ms that events count.
TEMPO = 100.0

ACCOMPANYING = ("onset", "duration", "pitch", "velocity")
COLUMNS: dict[str, Any] = {
    "onset": np.float64,
    "duration": np.float64,
    "pitch": None,  # checked as given, before they become bytes
    "velocity": None,
    "onset_quarters": np.float64,
    "duration_quarters": np.float64,
}


def _check(
    onset: np.ndarray, duration: np.ndarray, pitch: np.ndarray, velocity: np.ndarray
) -> None:
    """Refuse notes that no piano could play."""
    first, shortest = onset.min(), duration.min()
    # A NaN anywhere makes the extremes NaN, for which no comparison holds.
    if not (first >= 0 and shortest > -np.inf and max(onset.max(), duration.max()) < np.inf):
        raise SongError("Every onset and duration must be a finite number of seconds from 0.")
    if shortest < 0:
        raise SongError("A note can't last less than no time: a duration is negative.")
    for a, low, what in ((pitch, 0, "pitch"), (velocity, 1, "velocity")):
        lowest, highest = a.min(), a.max()
        if not (lowest >= low and highest <= 127):
            raise SongError(
                f"A {what} lies between {low} and 127; this song has {lowest} to {highest}."
            )


def _check_times(tempo: np.ndarray, pedal: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Refuse a tempo, a pedal or a beat that no time has."""
    if not len(tempo) or tempo[0, 0] != 0 or not (np.isfinite(tempo) & (tempo >= 0)).all():
        raise SongError("A song's tempo starts at 0 s and is finite throughout.")
    if tempo[:, 1].min() <= 0 or (tempo[1:, 0] < tempo[:-1, 0]).any():
        raise SongError("A song's tempo changes come in order, each above 0 quarters a minute.")
    if not (np.isfinite(pedal).all() and (pedal[:, 0] >= 0).all() and (np.diff(pedal) >= 0).all()):
        raise SongError("The pedal goes down at a finite time from 0 s, and up at a later one.")
    for name in ("onset_quarters", "duration_quarters"):
        if name in columns and not np.isfinite(columns[name]).all():
            raise SongError("A song's quarter notes are finite where its beat is known.")


def _steady_tempo() -> np.ndarray:
    return np.array([[0.0, 120.0]])


def _no_pedal() -> np.ndarray:
    return np.empty((0, 2))


@dataclass(frozen=True, eq=False, repr=False)
class Song:
    """Notes of one piece, sorted by onset, then pitch. Arrays are read-only.

    Attributes:
        onset: seconds from the start.
        duration: seconds, above 0 (shorter than 1 ms is lengthened to 1 ms).
        pitch: MIDI note number; 60 is middle C.
        velocity: how hard the key was struck, 1 to 127.
        onset_quarters: onsets in quarter notes, or None where no beat is known.
        duration_quarters: durations in quarter notes, or None.
        tempo: rows of (seconds, quarter notes per minute); the first row is at 0 s.
        pedal: rows of (down, up) in seconds of the sustain pedal.
        name: what to call the piece.
        source: the corpus, file or model it came from.
        abc: the tune's text, when it came from ABC notation.

    Raises:
        SongError: arrays of unequal length, or values no piano could play.
    """

    onset: Float64[np.ndarray, " n"]
    duration: Float64[np.ndarray, " n"]
    pitch: UInt8[np.ndarray, " n"]
    velocity: UInt8[np.ndarray, " n"]
    onset_quarters: Float64[np.ndarray, " n"] | None = None
    duration_quarters: Float64[np.ndarray, " n"] | None = None
    tempo: Float64[np.ndarray, "k 2"] = field(default_factory=_steady_tempo)
    pedal: Float64[np.ndarray, "p 2"] = field(default_factory=_no_pedal)
    name: str = ""
    source: str = ""
    abc: str | None = None

    def __post_init__(self) -> None:
        columns = {
            name: np.array(getattr(self, name), dtype=kind).reshape(-1)
            for name, kind in COLUMNS.items()
            if getattr(self, name) is not None
        }
        if len({len(a) for a in columns.values()}) != 1:
            raise SongError(
                "A song needs as many onsets as durations, pitches and velocities; "
                f"got columns of {sorted(len(a) for a in columns.values())} values."
            )
        if (self.onset_quarters is None) != (self.duration_quarters is None):
            raise SongError("A song's quarter notes need both onsets and durations, or neither.")
        onset, duration, pitch = columns["onset"], columns["duration"], columns["pitch"]
        if len(onset):
            _check(onset, duration, pitch, columns["velocity"])
            if duration.min() < SHORTEST_NOTE:
                columns["duration"] = np.maximum(duration, SHORTEST_NOTE)
        tempo, pedal = (np.array(a, np.float64).reshape(-1, 2) for a in (self.tempo, self.pedal))
        _check_times(tempo, pedal, columns)
        later = onset[1:] > onset[:-1]
        if not later.all():
            later |= (onset[1:] == onset[:-1]) & (pitch[1:] >= pitch[:-1])
        if not later.all():
            order = np.lexsort((pitch, onset))
            columns = {name: a[order] for name, a in columns.items()}
        for name in ("pitch", "velocity"):
            columns[name] = columns[name].astype(np.uint8, copy=False)
        for name, value in (columns | {"tempo": tempo, "pedal": pedal}).items():
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        for name in ("name", "source"):
            object.__setattr__(self, name, shown(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.onset)

    def __repr__(self) -> str:
        return f"<Song {self.name or 'untitled'!r}: {len(self)} notes, {self.seconds:.1f} s>"

    @property
    def end(self) -> Float64[np.ndarray, " n"]:
        """When each note is released, in seconds."""
        return self.onset + self.duration

    @property
    def seconds(self) -> float:
        """When the last note is released; 0 for a song without notes."""
        return float(self.end.max()) if len(self) else 0.0

    def equals(self, other: Song, tolerance: float = 0.0) -> bool:
        """Whether both songs have the same notes, times within ``tolerance`` seconds."""
        return (
            len(self) == len(other)
            and bool(np.array_equal(self.pitch, other.pitch))
            and bool(np.array_equal(self.velocity, other.velocity))
            and bool(np.allclose(self.onset, other.onset, rtol=0, atol=tolerance))
            and bool(np.allclose(self.duration, other.duration, rtol=0, atol=tolerance))
        )

    def named(self, name: str, source: str | None = None) -> Song:
        """The same notes under another name."""
        return replace(self, name=name, source=self.source if source is None else source)

    def transposed(self, semitones: int) -> Song:
        """Every note moved by ``semitones``.

        Raises:
            RequestError: a note would leave the 128 pitches.
        """
        pitch = self.pitch.astype(np.int64) + semitones
        if len(self) and not 0 <= pitch.min() <= pitch.max() <= 127:
            raise RequestError(
                f"Moved by {semitones} semitones, this song leaves MIDI's 128 pitches."
            )
        return replace(self, pitch=pitch, abc=None if semitones else self.abc)

    def quarters_at(self, seconds: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """Quarter notes that the tempo has counted at each time in seconds."""
        return quarters_at(self.tempo, seconds)

    def seconds_at(self, quarters: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The times in seconds at which the tempo has counted so many quarter notes.

        Read off a grid of 16,384 points and the tempo changes; beyond the end, the end.
        """
        time = np.unique(np.concatenate([self.tempo[:, 0], np.linspace(0, self.seconds, 2**14)]))
        return np.interp(quarters, self.quarters_at(time), time)

    def slice(self, start: float, end: float) -> Song:
        """The notes that begin in [start, end) seconds, cut off at ``end``, from time 0.

        Raises:
            RequestError: times that hold no stretch of the song.
        """
        if not 0 <= start < end:
            raise RequestError(
                f"A slice runs from 0 s or later to a later time, not {start}-{end} s."
            )
        inside = (self.onset >= start) & (self.onset < end)
        onset = self.onset[inside]
        duration = np.minimum(self.duration[inside], end - onset)
        tempo_now = self.tempo[self.tempo[:, 0] <= start][-1:, 1]
        later = self.tempo[(self.tempo[:, 0] > start) & (self.tempo[:, 0] < end)]
        held = self.pedal[(self.pedal[:, 1] > start) & (self.pedal[:, 0] < end)]
        quarters: dict[str, Any] = {"onset_quarters": None, "duration_quarters": None}
        if self.onset_quarters is not None and self.duration_quarters is not None:
            first = self.quarters_at(np.array([start]))[0]
            kept = duration / self.duration[inside]
            quarters["onset_quarters"] = self.onset_quarters[inside] - first
            quarters["duration_quarters"] = self.duration_quarters[inside] * kept
        return replace(
            self,
            onset=onset - start,
            duration=duration,
            pitch=self.pitch[inside],
            velocity=self.velocity[inside],
            tempo=np.vstack([[[0.0, tempo_now.item()]], later - np.array([start, 0.0])]),
            pedal=np.clip(held, start, end) - start,
            abc=None,
            **quarters,
        )

    def select(self, keep: Bool[np.ndarray, " n"]) -> Song:
        """The notes where ``keep`` is true; tempo, pedal and name stay."""
        columns: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[keep]
            for name in COLUMNS
        }
        return replace(self, **columns, abc=None)

    def with_notes(self, other: Song) -> Song:
        """The notes of both, at the times they have; the rest stays this song's.

        Quarter notes are kept where both songs know them.
        """
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            pair = getattr(self, name), getattr(other, name)
            columns[name] = None if any(a is None for a in pair) else np.concatenate(pair)
        return replace(self, **columns, abc=None)

    def sustained(self) -> Song:
        """Durations as they sound: notes held by the sustain pedal ring until it is lifted.

        A note struck again while the pedal is down ends where its next stroke begins.
        """
        if not len(self.pedal) or not len(self):
            return self if not len(self.pedal) else replace(self, pedal=_no_pedal())
        downs, ups = self.pedal[np.argsort(self.pedal[:, 0], kind="stable")].T
        end = self.end
        at = np.searchsorted(downs, end, side="right") - 1
        held = (at >= 0) & (end < ups[at])
        end = np.where(held, ups[at], end)
        by_pitch = np.lexsort((self.onset, self.pitch))
        here, after = by_pitch[:-1], by_pitch[1:]
        again = (self.pitch[here] == self.pitch[after]) & held[here]
        again &= self.onset[after] > self.onset[here]
        end[here[again]] = np.minimum(end[here[again]], self.onset[after[again]])
        duration = np.maximum(end - self.onset, self.duration)
        quarters = self.duration_quarters
        if quarters is not None:
            quarters = self.quarters_at(self.onset + duration) - self.quarters_at(self.onset)
        return replace(self, duration=duration, duration_quarters=quarters, pedal=_no_pedal())

    @staticmethod
    def join(songs: Sequence[Song], gap: float = 0.0) -> Song:
        """Songs one after another with ``gap`` seconds of rest between.

        Raises:
            RequestError: no song.
        """
        if not songs:
            raise RequestError("There is nothing to join: give at least one song.")
        starts = np.cumsum([0.0] + [s.seconds + gap for s in songs])[:-1]
        tempo = np.vstack(
            [s.tempo + np.array([at, 0.0]) for s, at in zip(songs, starts, strict=True)]
        )
        counted = replace(songs[0], tempo=tempo).quarters_at(starts)
        quarters: dict[str, Any] = {"onset_quarters": None, "duration_quarters": None}
        if all(s.onset_quarters is not None for s in songs):
            quarters = {
                "onset_quarters": np.concatenate(
                    [s.onset_quarters + q for s, q in zip(songs, counted, strict=True)]
                ),
                "duration_quarters": np.concatenate([s.duration_quarters for s in songs]),
            }
        return Song(
            onset=np.concatenate([s.onset + at for s, at in zip(songs, starts, strict=True)]),
            duration=np.concatenate([s.duration for s in songs]),
            pitch=np.concatenate([s.pitch for s in songs]),
            velocity=np.concatenate([s.velocity for s in songs]),
            tempo=tempo,
            pedal=np.vstack([s.pedal + at for s, at in zip(songs, starts, strict=True)]),
            name=songs[0].name,
            source=songs[0].source,
            **quarters,
        )

    @classmethod
    def from_midi(cls, file: str | Path | bytes, name: str | None = None) -> Song:
        """Read a MIDI file, or its bytes: every track but drums, as one piano.

        Notes of no length are kept (and last 1 ms). Quarter notes are known only where
        the onsets sit on a beat: see :func:`symphony.midi.read_notes`.

        Raises:
            FileError: there is no such file, or it can't be read.
            SongError: not MIDI, cut short, too large, or without a note.
        """
        # os.path, for pathlib takes a tenth of the time that reading the notes does.
        source = "" if isinstance(file, bytes) else shown(os.path.basename(file))  # noqa: PTH119
        stem = os.path.splitext(source)[0] if name is None else shown(name)  # noqa: PTH122
        song = object.__new__(cls)  # past the checks: they would take half as long as reading
        vars(song).update(read_notes(file), name=stem, source=source, abc=None)
        return song

    def to_midi(
        self, path: str | Path | None = None, *, accompaniment: Song | None = None
    ) -> bytes:
        """MIDI bytes, written to ``path`` when given; times are kept to about half a ms.

        Args:
            path: the file to write.
            accompaniment: notes for a second instrument, a guitar, on a channel of its own (see
                :func:`symphony.corpora.accompaniment`). Read back, both are one piano.

        Raises:
            SongError: longer than a day, or a tempo beyond what MIDI can count.
            FileError: nothing can be written there; an earlier file stays as it was.
        """
        data = write_notes(
            onset=self.onset,
            duration=self.duration,
            pitch=self.pitch,
            velocity=self.velocity,
            tempo=self.tempo,
            pedal=self.pedal,
            accompaniment=None
            if accompaniment is None
            else {name: getattr(accompaniment, name) for name in ACCOMPANYING},
        )
        if path is not None:
            with written(path) as partial:
                partial.write_bytes(data)
        return data

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI, name: str = "") -> Song:
        """The notes of a ``pretty_midi.PrettyMIDI`` object, drums left out.

        Raises:
            SongError: it holds no notes.
        """
        return cls(**pretty_midi_notes(midi), name=name)

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The same notes, tempo and pedal as the field's usual MIDI object."""
        import io

        import pretty_midi

        return pretty_midi.PrettyMIDI(io.BytesIO(self.to_midi()))
