"""Songs as note/skip tokens with durations: a score's view, in sixteenths (chapter 1).

The original project's coding for SeqGAN and the autoencoders: a pitch, or 128 for "go on to
the next onset"; in parallel, how many sixteenths each lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16

from symphony.codecs.keys import estimate_key
from symphony.errors import RequestError, SongError
from symphony.song import TEMPO, Song

NEXT = 128
LONGEST = 16  # sixteenths: a whole note
SIXTEENTH = 0.25  # quarter notes
MOST_QUARTERS = 2**20  # of one song: a day at 700 a minute


@dataclass(frozen=True)
class StepCodec:
    """Rows of (token, sixteenths): notes from low to high, then NEXT with the wait that follows.

    Onsets and durations are rounded to sixteenths, durations to 1 to 16; a longer wait is several
    NEXT. The round trip is exact for songs on that grid whose durations fit.

    Attributes:
        to_c: transpose each song to C major or A minor first, by the nearest way.
    """

    to_c: bool = False

    @property
    def vocab_size(self) -> int:
        """Tokens: 128 pitches and NEXT."""
        return NEXT + 1

    def encode(self, song: Song) -> Int16[np.ndarray, "t 2"]:
        """The steps of a song.

        Raises:
            SongError: the song's beat is unknown, as in a performance, or counts too far.
        """
        onset, duration = song.onset_quarters, song.duration_quarters
        if onset is None or duration is None:
            raise SongError("Steps need a beat, and this song's is unknown: use events instead.")
        if len(onset) and onset.max() > MOST_QUARTERS:
            raise SongError(
                f"{song.name or 'This song'} is {onset.max():,.0f} quarter notes long, and steps "
                f"count at most {MOST_QUARTERS:,}: take a slice of it."
            )
        if self.to_c:
            tonic, minor = estimate_key(song)
            up = (9 if minor else 0) - tonic
            song = song.transposed((up + 5) % 12 - 5)
        at = np.round(onset / SIXTEENTH).astype(np.int64)
        length = np.round(duration / SIXTEENTH).astype(np.int64).clip(1, LONGEST)
        order = np.lexsort((song.pitch, at))
        at, length, pitch = at[order], length[order], song.pitch[order].astype(np.int64)
        wait = np.diff(at, prepend=0)
        skips = -(-wait // LONGEST)
        end = np.cumsum(skips + 1)
        out = np.full((int(end[-1]) if len(end) else 0, 2), (NEXT, LONGEST), np.int16)
        out[end - 1] = np.column_stack([pitch, length])
        moved = skips > 0
        out[(end - 2)[moved], 1] = (wait[moved] - 1) % LONGEST + 1
        return out

    def decode(self, steps: np.ndarray, tempo: float = TEMPO, name: str = "") -> Song:
        """The song that steps play, at ``tempo`` quarter notes a minute.

        Raises:
            RequestError: not rows of (token, sixteenths).
            SongError: no note among them.
        """
        steps = np.asarray(steps, dtype=np.int64)
        good = steps.ndim == 2 and steps.shape[1] == 2 and len(steps) > 0
        if not good or steps.min() < 0 or steps[:, 0].max() > NEXT or steps[:, 1].max() > LONGEST:
            raise RequestError("Steps are rows of a token from 0 to 128 and 1 to 16 sixteenths.")
        skip = steps[:, 0] == NEXT
        at = np.cumsum(np.where(skip, steps[:, 1], 0))[~skip] * SIXTEENTH
        length = np.maximum(steps[~skip, 1], 1) * SIXTEENTH
        if skip.all():
            raise SongError("These steps hold no note.")
        return Song(
            onset=at * 60 / tempo,
            duration=length * 60 / tempo,
            pitch=steps[~skip, 0],
            velocity=np.full(int((~skip).sum()), 80),
            onset_quarters=at,
            duration_quarters=length,
            tempo=np.array([[0.0, tempo]]),
            name=name,
        )
