"""Songs as streams of piano events: note on, note off, time shift, velocity.

The alphabet is that of Performance RNN (Oore et al., "This time with feeling", 2018) with
the original project's seven velocities: 363 symbols. Explained in chapter 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int16

from symphony.errors import RequestError, SongError
from symphony.midi import LONGEST_SONG
from symphony.song import TEMPO, Song

NOTE_OFF, SHIFT, VELOCITY = 128, 256, 356  # where each kind begins; note on begins at 0
SHIFTS = 100  # the longest single shift, in steps
STEP = 0.01  # seconds
LONGEST_HANGING = 8.0  # seconds that a note without its note-off may sound
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class EventCodec:
    """Notes to events on a grid of 10 ms, and back.

    Symbols: 0-127 note on, 128-255 note off, 256-355 a shift of 1 to 100 steps of 10 ms, then
    the velocity classes. At one moment offs come before ons, low pitches before high; a
    velocity is written only when it changes. A longer rest is several shifts.

    The round trip is exact for songs whose times lie on the grid, whose notes last at least
    10 ms and don't overlap another of the same pitch, and whose velocities are the classes' own.
    Anything else moves to the nearest such song: an overlapped note ends where the next begins.

    Attributes:
        velocity_bins: 7 for the original's floor(log2 v), 32 for Performance RNN's.
        pedal: whether notes ring while the sustain pedal holds them.

    Raises:
        RequestError: another number of velocity bins.
    """

    velocity_bins: int = 7
    pedal: bool = True

    def __post_init__(self) -> None:
        if self.velocity_bins not in (7, 32):
            raise RequestError(f"Velocities come in 7 or 32 classes, not {self.velocity_bins}.")

    @property
    def vocab_size(self) -> int:
        """How many symbols songs are written in: 363, or 388 with 32 velocities."""
        return VELOCITY + self.velocity_bins

    @property
    def bos(self) -> int:
        """The start symbol (beginning of sequence), one past the last event: no song holds it."""
        return self.vocab_size

    def velocity_class(self, velocity: np.ndarray) -> np.ndarray:
        """The class of each velocity from 1 to 127, counted from 0."""
        if self.velocity_bins == 7:
            return np.log2(np.maximum(velocity, 1)).astype(np.int64)
        return velocity.astype(np.int64) * self.velocity_bins // 128

    def class_velocity(self, number: np.ndarray) -> np.ndarray:
        """The velocity that stands for a class: its middle."""
        if self.velocity_bins == 7:
            return np.where(number == 0, 1, 3 * 2 ** np.maximum(number - 1, 0)).astype(np.int64)
        return number.astype(np.int64) * 4 + 2

    def encode(self, song: Song) -> Int16[np.ndarray, " t"]:
        """The events of a song; an empty array for a song without notes.

        Raises:
            SongError: a song of more than a day.
        """
        if not len(song):
            return np.empty(0, np.int16)
        if self.pedal:
            song = song.sustained()
        if song.seconds > LONGEST_SONG:
            raise SongError(
                f"{song.name or 'This song'} sounds for {song.seconds / 3600:,.0f} hours, and "
                f"events count at most {LONGEST_SONG / 3600:.0f}: take a slice of it."
            )
        on = np.round(song.onset / STEP).astype(np.int64)
        off = np.maximum(np.round(song.end / STEP).astype(np.int64), on + 1)
        pitch, loud = song.pitch.astype(np.int64), self.velocity_class(song.velocity)
        # One key, one note: of two struck at once the longer stays, and a note struck again ends.
        order = np.lexsort((-off, on, pitch))
        on, off, pitch, loud = on[order], off[order], pitch[order], loud[order]
        first = np.append(True, (np.diff(pitch) != 0) | (np.diff(on) != 0))
        on, off, pitch, loud = on[first], off[first], pitch[first], loud[first]
        same = np.append(np.diff(pitch) == 0, False)
        off = np.where(same, np.minimum(off, np.append(on[1:], 0)), off)

        time = np.concatenate([off, on])
        symbol = np.concatenate([pitch + NOTE_OFF, pitch])
        is_on = np.repeat([False, True], len(on))
        order = np.lexsort((symbol, is_on, time))
        time, symbol, is_on = time[order], symbol[order], is_on[order]
        loudness = np.concatenate([loud, loud])[order]

        gap = np.diff(time, prepend=0)
        shifts = -(-gap // SHIFTS)  # rounded up: how many shift symbols cross this gap
        ons = np.flatnonzero(is_on)
        changed = np.zeros(len(time), bool)
        changed[ons] = np.append(True, np.diff(loudness[ons]) != 0)
        end = np.cumsum(shifts + changed + 1)
        out = np.full(end[-1], SHIFT + SHIFTS - 1, np.int16)  # whole seconds, where not overwritten
        out[end - 1] = symbol
        out[(end - 2)[changed]] = VELOCITY + loudness[changed]
        moved = shifts > 0
        last_shift = (end - 2 - changed)[moved]
        out[last_shift] = SHIFT + (gap[moved] - 1) % SHIFTS
        return out

    def decode(self, tokens: np.ndarray, name: str = "") -> Song:
        """The song that a stream of events plays; any order a model may sample is accepted.

        A note-off without its note-on is ignored. A note-on of a sounding key strikes it again.
        A note left hanging ends with the stream, or after 8 s. Notes of no length are dropped.
        Events know no tempo: the song's is 100 quarter notes a minute, as that of all music here
        that gives none.

        Raises:
            RequestError: a symbol outside the vocabulary.
            SongError: no note that sounds.
        """
        tokens = np.asarray(tokens, dtype=np.int64).reshape(-1)
        if len(tokens) and not 0 <= tokens.min() <= tokens.max() < self.vocab_size:
            raise RequestError(
                f"Events are numbers from 0 to {self.vocab_size - 1}; "
                f"got {tokens.min()} to {tokens.max()}."
            )
        is_shift = (tokens >= SHIFT) & (tokens < VELOCITY)
        time = np.cumsum(np.where(is_shift, tokens - SHIFT + 1, 0))
        loud = np.where(tokens >= VELOCITY, np.arange(len(tokens)), -1)
        loud = np.maximum.accumulate(loud) if len(loud) else loud
        default = self.velocity_class(np.array([80]))[0]
        loud = np.where(loud >= 0, tokens[np.maximum(loud, 0)] - VELOCITY, default)

        struck = np.flatnonzero(tokens < SHIFT)
        order = struck[np.lexsort((struck, tokens[struck] % 128))]
        pitch, is_on, at = tokens[order] % 128, tokens[order] < NOTE_OFF, time[order]
        end = at + round(LONGEST_HANGING / STEP)
        if len(order):
            end = np.minimum(end, time[-1])
            follows = np.append(np.diff(pitch) == 0, False)
            end = np.where(follows, np.append(at[1:], 0), end)
        keep = is_on & (end > at)
        if not keep.any():
            raise SongError("These events hold no note that sounds.")
        return Song(
            onset=at[keep] * STEP,
            duration=(end - at)[keep] * STEP,
            pitch=pitch[keep],
            velocity=self.class_velocity(loud[order][keep]),
            tempo=np.array([[0.0, TEMPO]]),
            name=name,
        )

    def transposed(
        self, tokens: Int[np.ndarray, "*batch t"], semitones: Int[np.ndarray, "*batch"] | int
    ) -> Int[np.ndarray, "*batch t"]:
        """Each row of events moved by its own number of semitones, as a new array.

        Note-ons and note-offs move, all else stays: what :meth:`encode` gives for the transposed
        song, since notes of one moment keep their order. A row in which any note would leave the
        128 pitches stays as it is.

        Args:
            tokens: events, the start symbol among them or not.
            semitones: one number a row, or one for all; negative moves down.
        """
        tokens = np.asarray(tokens)
        by = np.asarray(semitones, dtype=np.int64)[..., None]  # [..., 1]
        is_note = tokens < SHIFT
        pitch = tokens % NOTE_OFF + by  # meaningless where no note is
        fits = ((pitch >= 0) & (pitch < NOTE_OFF) | ~is_note).all(axis=-1, keepdims=True)
        return np.where(is_note & fits, tokens + by, tokens).astype(tokens.dtype)

    def seconds(self, tokens: np.ndarray) -> float:
        """How long a stream of events lasts."""
        return float(self.symbol_seconds()[np.asarray(tokens)].sum())

    def symbol_seconds(self) -> Float64[np.ndarray, " v+1"]:
        """How far each symbol moves time on, in seconds; the start symbol stands last."""
        symbols = np.arange(self.bos + 1)
        is_shift = (symbols >= SHIFT) & (symbols < VELOCITY)
        return np.where(is_shift, symbols - SHIFT + 1, 0) * STEP

    def describe(self, tokens: np.ndarray) -> list[str]:
        """Each event in words: "note on C4", "shift 120 ms", "velocity 96"."""
        return [self._word(int(token)) for token in np.asarray(tokens).reshape(-1)]

    def _word(self, token: int) -> str:
        if token < SHIFT:
            kind = "note on" if token < NOTE_OFF else "note off"
            return f"{kind} {NAMES[token % 128 % 12]}{token % 128 // 12 - 1}"
        if token < VELOCITY:
            return f"shift {(token - SHIFT + 1) * 10} ms"
        if token < self.vocab_size:
            return f"velocity {self.class_velocity(np.array([token - VELOCITY]))[0]}"
        return "start"
