"""Songs as notes and waits that last what they last: what a Duration Net reads (chapter 11).

The order is that of :mod:`symphony.codecs.steps`: the notes of one onset from low to high, then
the wait for the next onset. The lengths are sixteenths as heard, not rounded to whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from symphony.codecs.steps import NEXT
from symphony.song import Song

TOGETHER = 0.35  # sixteenths: notes that begin nearer to one another are one chord
SHORTEST = 0.5  # sixteenths: of what distortion leaves
GRID = 6  # divisions of a sixteenth: holds triplets and thirty-seconds
ON_GRID = 0.02  # sixteenths that music on the grid may lie beside it
FAR = 1e6  # seconds: beyond every song's end
OCTAVES = 0.5  # how far a tempo is looked for, either way
TRIED = 241  # tempi


@dataclass(frozen=True)
class Elements:
    """Notes and waits of one song in order.

    Attributes:
        token: pitch, or 128 for a wait.
        length: sixteenths as heard.
        note: which of the song's notes it is; -1 for a wait.
        first: sixteenths before the first onset.
        tempo: the tempo that counted the sixteenths, as a Song's.
    """

    token: Int64[np.ndarray, " t"]
    length: Float64[np.ndarray, " t"]
    note: Int64[np.ndarray, " t"]
    first: float
    tempo: Float64[np.ndarray, "k 2"]

    @property
    def on_grid(self) -> bool:
        """Whether all of it lies on sixteenths, triplets or thirty-seconds already."""
        heard = np.append(self.length, self.first) * GRID
        return bool((np.abs(heard - np.round(heard)) <= ON_GRID * GRID).all())


def to_elements(song: Song) -> Elements:
    """The elements of a song that has notes; its tempo is estimated where it knows no beat."""
    if song.onset_quarters is not None and song.duration_quarters is not None:
        onset, duration, tempo = 4 * song.onset_quarters, 4 * song.duration_quarters, song.tempo
    else:
        per_minute = estimate_tempo(song)
        onset, duration = (4 * seconds * per_minute / 60 for seconds in (song.onset, song.duration))
        tempo = np.array([[0.0, per_minute]])
    order = np.argsort(onset, kind="stable")
    chord = np.cumsum(np.diff(onset[order], prepend=onset[order[0]]) >= TOGETHER)  # of each note
    order = order[np.lexsort((song.pitch[order], chord))]
    begins = np.searchsorted(chord, np.arange(chord[-1] + 1))  # the first note of each chord
    starts = np.minimum.reduceat(onset[order], begins)
    count = len(order) + len(starts) - 1
    note, token = np.full(count, -1), np.full(count, NEXT)
    length = np.zeros(count)
    at = np.arange(len(order)) + chord  # as many waits before a note as chords
    note[at], token[at], length[at] = order, song.pitch[order], duration[order]
    length[token == NEXT] = np.diff(starts)
    return Elements(token, length, note, float(starts[0]), tempo)


def with_lengths(
    song: Song, elements: Elements, length: Float64[np.ndarray, " t"], first: float | None = None
) -> Song:
    """The song whose elements last ``length`` sixteenths; all else of its notes stays.

    Notes of one chord begin together; the pedal moves with the notes around it.
    """
    begin = elements.first if first is None else first
    onset = begin + np.cumsum(np.where(elements.token == NEXT, length, 0.0))
    sounding = elements.note >= 0
    onset, length, note = onset[sounding], length[sounding], elements.note[sounding]
    tempo = elements.tempo
    times = np.append(tempo[:, 0], FAR)
    counted = 4 * replace(song, tempo=tempo).quarters_at(times)
    seconds = np.interp(onset, counted, times)
    pedal = song.pedal
    if len(pedal):
        old = np.concatenate([[0.0], song.onset[note], [song.seconds + FAR]])
        new = np.concatenate([[0.0], seconds, [song.seconds + FAR]])
        old, new = np.maximum.accumulate(old), np.maximum.accumulate(new)
        pedal = np.interp(pedal, old, new)
    return replace(
        song,
        onset=seconds,
        duration=np.interp(onset + length, counted, times) - seconds,
        pitch=song.pitch[note],
        velocity=song.velocity[note],
        onset_quarters=onset / 4,
        duration_quarters=length / 4,
        tempo=tempo,
        pedal=pedal,
        abc=None,
    )


def estimate_tempo(song: Song) -> float:
    """Quarter notes a minute whose sixteenths lie nearest to a song's onsets.

    Of the tempi within half an octave of the song's own, the one with the largest mean of
    cos(2 pi w) over the waits w between onsets, in its sixteenths; one as the song's own says
    where two do alike.
    """
    own = float(song.tempo[0, 1])
    waits = np.diff(np.unique(np.round(song.onset, 3)))
    waits = waits[waits > 0.03]  # seconds: what is nearer is a chord
    if not len(waits):
        return own
    octaves = np.linspace(-OCTAVES, OCTAVES, TRIED)
    tempi = own * 2**octaves
    fit = [np.cos(2 * np.pi * 4 * waits * tempo / 60).mean() for tempo in tempi]
    return float(tempi[np.argmax(np.round(fit, 6) - octaves**2)])


def distort(
    token: Int64[np.ndarray, "B T"],
    length: Float64[np.ndarray, "B T"],
    rng: np.random.Generator,
    *,
    stretch: float | np.ndarray = 0.0,
    jitter: float | np.ndarray = 0.0,
    drift: float | np.ndarray = 0.0,
) -> Float64[np.ndarray, "B T"]:
    """Lengths as a model without a beat, or a human being, might play them.

    Args:
        token, length: of the elements of B passages.
        rng: draws the noise.
        stretch: each element lasts 1 - stretch to 1 + stretch times as long, independently: the
            report's distortion, where it is .2.
        jitter: standard deviation of each onset and release, in sixteenths. An onset that comes
            late lengthens the wait before it and shortens the one after.
        drift: standard deviation of the tempo's logarithm, a slow wave over the passage.
    """
    shape, steps = length.shape, length.shape[-1]
    out = length * rng.uniform(-1, 1, shape) * stretch + length
    period, phase = rng.uniform(32, 128, (len(length), 1)), rng.uniform(0, 1, (len(length), 1))
    wave = np.sin(2 * np.pi * (np.arange(steps) / period + phase))  # [B, T]
    out = out * np.exp(np.sqrt(2) * drift * wave)
    wait = token == NEXT
    late = rng.normal(0, 1, shape) * jitter  # of the onset after a wait; of a note's length
    before = np.maximum.accumulate(np.where(wait, np.arange(steps), -1), axis=-1)
    before = np.concatenate([np.full((len(length), 1), -1), before[:, :-1]], axis=-1)
    earlier = np.where(before < 0, 0.0, np.take_along_axis(late, np.maximum(before, 0), axis=-1))
    out = out + np.where(wait, late - earlier, np.sqrt(2) * late)
    return np.maximum(out, SHORTEST)


def distorted(song: Song, seed: int = 0, **noise: float) -> Song:
    """A song with its lengths distorted; for ``noise`` see :func:`distort`."""
    elements = to_elements(song)
    rng = np.random.default_rng(seed)
    length = distort(elements.token[None], elements.length[None], rng, **noise)[0]
    return with_lengths(song, elements, length)
