"""A piece of music as an immutable table of notes, and MIDI in and out.

Everything in the library meets here: corpora give songs, codecs turn them into arrays and
back, rendering draws and plays them, evaluation compares them. Explained in chapter 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, UInt8

from symphony.midi import SongError, quarters_at, read_notes, write_notes

if TYPE_CHECKING:
    import pretty_midi

SHORTEST_NOTE = 0.001  # seconds: a zero-length note still sounds, so it is given this long
__all__ = ["Song", "SongError"]


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
        times = [np.array(a, dtype=np.float64).reshape(-1) for a in (self.onset, self.duration)]
        numbers = [np.array(a).reshape(-1) for a in (self.pitch, self.velocity)]
        quarters = [
            None if a is None else np.array(a, dtype=np.float64).reshape(-1)
            for a in (self.onset_quarters, self.duration_quarters)
        ]
        columns = times + numbers + [a for a in quarters if a is not None]
        if len({len(a) for a in columns}) != 1:
            raise SongError(
                "A song needs as many onsets as durations, pitches and velocities; "
                f"got columns of {sorted(len(a) for a in columns)} values."
            )
        if (quarters[0] is None) != (quarters[1] is None):
            raise SongError("A song's quarter notes need both onsets and durations, or neither.")
        if not all(np.isfinite(a).all() for a in times) or (times[0] < 0).any():
            raise SongError("Every onset and duration must be a finite number of seconds from 0.")
        if (times[1] < 0).any():
            raise SongError("A note can't last less than no time: a duration is negative.")
        for a, low, what in zip(numbers, (0, 1), ("pitch", "velocity"), strict=True):
            if len(a) and (a.min() < low or a.max() > 127):
                raise SongError(
                    f"A {what} lies between {low} and 127; this song has {a.min()} to {a.max()}."
                )
        tempo = np.array(self.tempo, dtype=np.float64).reshape(-1, 2)
        if not len(tempo) or tempo[0, 0] != 0 or not (np.isfinite(tempo) & (tempo >= 0)).all():
            raise SongError("A song's tempo starts at 0 s and is finite throughout.")
        if (tempo[:, 1] <= 0).any() or (np.diff(tempo[:, 0]) < 0).any():
            raise SongError("A song's tempo changes come in order, each above 0 quarters a minute.")
        pedal = np.array(self.pedal, dtype=np.float64).reshape(-1, 2)
        np.maximum(times[1], SHORTEST_NOTE, out=times[1])
        later = np.diff(times[0])
        order: Any = slice(None)  # most songs come sorted
        if not ((later > 0) | ((later == 0) & (numbers[0][1:] >= numbers[0][:-1]))).all():
            order = np.lexsort((numbers[0], times[0]))
        values: dict[str, Any] = {
            "onset": times[0][order],
            "duration": times[1][order],
            "pitch": numbers[0][order].astype(np.uint8),
            "velocity": numbers[1][order].astype(np.uint8),
            "onset_quarters": None if quarters[0] is None else quarters[0][order],
            "duration_quarters": None if quarters[1] is None else quarters[1][order],
            "tempo": tempo,
            "pedal": pedal,
        }
        for name, value in values.items():
            if value is not None:
                value.flags.writeable = False
            object.__setattr__(self, name, value)

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
        """Every note moved by ``semitones``; SongError where one would leave the keyboard."""
        pitch = self.pitch.astype(np.int64) + semitones
        if len(self) and not 0 <= pitch.min() <= pitch.max() <= 127:
            raise SongError(f"Moved by {semitones} semitones, this song leaves MIDI's 128 pitches.")
        return replace(self, pitch=pitch, abc=None if semitones else self.abc)

    def quarters_at(self, seconds: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """Quarter notes that the tempo has counted at each time in seconds."""
        return quarters_at(self.tempo, seconds)

    def slice(self, start: float, end: float) -> Song:
        """The notes that begin in [start, end) seconds, cut off at ``end``, from time 0."""
        if not 0 <= start < end:
            raise SongError(f"A slice runs from 0 s or later to a later time, not {start}-{end} s.")
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
        """Songs one after another with ``gap`` seconds of rest between."""
        if not songs:
            raise SongError("There is nothing to join: give at least one song.")
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
            SongError: not MIDI, cut short, too large, or without a note.
        """
        stem = "" if isinstance(file, bytes) else Path(file).stem
        source = "" if isinstance(file, bytes) else Path(file).name
        return cls(**read_notes(file), name=stem if name is None else name, source=source)

    def to_midi(self, path: str | Path | None = None) -> bytes:
        """MIDI bytes, written to ``path`` when given; times are kept to about half a ms."""
        data = write_notes(
            onset=self.onset,
            duration=self.duration,
            pitch=self.pitch,
            velocity=self.velocity,
            tempo=self.tempo,
            pedal=self.pedal,
        )
        if path is not None:
            Path(path).write_bytes(data)
        return data

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI, name: str = "") -> Song:
        """The notes of a ``pretty_midi.PrettyMIDI`` object, drums left out."""
        played = [i for i in midi.instruments if not i.is_drum]
        rows = [(n.start, n.end - n.start, n.pitch, n.velocity) for i in played for n in i.notes]
        if not rows:
            raise SongError("This PrettyMIDI object holds no notes.")
        times, qpm = midi.get_tempo_changes()
        tempo = np.column_stack([times, qpm]) if len(times) else _steady_tempo()
        pedal, down = [], None
        for change in sorted(
            (c for i in played for c in i.control_changes if c.number == 64), key=lambda c: c.time
        ):
            if change.value >= 64 and down is None:
                down = change.time
            elif change.value < 64 and down is not None:
                pedal.append((down, change.time))
                down = None
        onset, duration, pitch, velocity = map(np.array, zip(*rows, strict=True))
        if down is not None:
            pedal.append((down, max(float((onset + duration).max()), down)))
        return cls(
            onset,
            duration,
            pitch,
            velocity,
            tempo=tempo,
            pedal=np.array(pedal).reshape(-1, 2),
            name=name,
        )

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The same notes, tempo and pedal as the field's usual MIDI object."""
        import io

        import pretty_midi

        return pretty_midi.PrettyMIDI(io.BytesIO(self.to_midi()))
