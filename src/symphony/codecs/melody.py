"""Melodies as words: a pitch and how long until the next note, in one symbol (chapter 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16

from symphony.errors import RequestError, SongError
from symphony.song import TEMPO, Song

SIXTEENTH = 0.25  # quarter notes


@dataclass(frozen=True)
class MelodyCodec:
    """One word a note: its pitch, and the wait until the next note in sixteenths.

    Of notes that begin together the highest is the melody. Waits are rounded to the nearest of
    ``waits``; the note sounds through its wait, so rests are lost. Pitches outside the range move
    by octaves into it. The round trip is exact for melodies without rests that fit.

    Attributes:
        lowest: MIDI number of the lowest pitch.
        pitches: semitones of the range.
        waits: sixteenths that a word may last, shortest first.
    """

    lowest: int = 53
    pitches: int = 36
    waits: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)

    def __post_init__(self) -> None:
        fits = self.lowest >= 0 and self.pitches >= 12 and self.lowest + self.pitches <= 128
        if not fits or not self.waits or min(self.waits) < 1:
            raise RequestError("Melody words need an octave on the keyboard, and waits above 0.")

    @property
    def vocab_size(self) -> int:
        """Words."""
        return self.pitches * len(self.waits)

    @property
    def bos(self) -> int:
        """The extra symbol that begins a piece."""
        return self.vocab_size

    def encode(self, song: Song) -> Int16[np.ndarray, " t"]:
        """The words of a song's melody.

        Raises:
            SongError: the song's beat is unknown, as in a performance.
        """
        if song.onset_quarters is None or song.duration_quarters is None:
            raise SongError("Melody words need a beat, and this song's is unknown.")
        at = np.round(song.onset_quarters / SIXTEENTH).astype(np.int64)
        last = np.append(np.diff(at) > 0, True)[: len(at)]  # the highest of those together
        at, pitch = at[last], song.pitch[last].astype(np.int64)
        end = np.round(song.duration_quarters[last][-1:] / SIXTEENTH).astype(np.int64)
        wait = np.diff(at, append=at[-1:] + np.maximum(end, 1))
        length = np.abs(wait[:, None] - np.array(self.waits)).argmin(1)
        step = pitch - self.lowest
        octaves = np.where(step < 0, step // 12, np.maximum(step - self.pitches + 12, 0) // 12)
        return ((step - 12 * octaves) * len(self.waits) + length).astype(np.int16)

    def decode(self, words: np.ndarray, tempo: float = TEMPO, name: str = "") -> Song:
        """The song that words play, at ``tempo`` quarter notes a minute.

        Raises:
            RequestError: no words, or numbers that are none.
        """
        words = np.asarray(words, np.int64).reshape(-1)
        if not len(words) or not 0 <= words.min() <= words.max() < self.vocab_size:
            raise RequestError(f"Melody words are numbers from 0 to {self.vocab_size - 1}.")
        wait = np.array(self.waits)[words % len(self.waits)] * SIXTEENTH
        at = np.cumsum(wait) - wait
        return Song(
            onset=at * 60 / tempo,
            duration=wait * 60 / tempo,
            pitch=words // len(self.waits) + self.lowest,
            velocity=np.full(len(words), 80),
            onset_quarters=at,
            duration_quarters=wait,
            tempo=np.array([[0.0, tempo]]),
            name=name,
        )
