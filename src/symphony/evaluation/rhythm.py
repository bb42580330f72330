"""How steady a pulse a piece keeps: the number behind "without a steady rhythm" in chapter 2."""

from __future__ import annotations

import numpy as np

from symphony.song import Song

FRAME = 0.01  # seconds
BLUR = 0.02  # seconds: onsets this close together are played as one beat
SHORTEST_BEAT, LONGEST_BEAT = 0.2, 2.0  # seconds: 300 down to 30 beats a minute


def pulse_clarity(song: Song, window: float = 10.0) -> float:
    """How well the onsets repeat at their best period, from about 0 (none) to 1 (a machine).

    Onsets become a train of Gaussian pulses; its autocorrelation is divided by its value at
    lag 0, and the highest peak between 0.2 and 2 s counts. The median over windows of
    ``window`` seconds that hold at least eight onsets is given: a pulse may drift over a
    piece, but not within a window.

    Returns:
        The median clarity; NaN where no window holds eight onsets.

    See Also:
        Lartillot et al., "Multi-feature modeling of pulse clarity", ISMIR 2008: the same idea
        on audio. Chapter 2 uses it.
    """
    found = []
    for start in np.arange(0.0, max(song.seconds - window / 2, FRAME), window / 2):
        near = slice(*np.searchsorted(song.onset, [start - 1, start + window + 1]))
        onsets = np.unique(np.round((song.onset[near] - start) / FRAME).astype(int))
        onsets = onsets[(onsets >= 0) & (onsets < window / FRAME)]
        if len(onsets) >= 8:
            found.append(_clarity(onsets, int(window / FRAME)))
    return float(np.median(found)) if found else float("nan")


def _clarity(onsets: np.ndarray, frames: int) -> float:
    train = np.zeros(frames)
    train[onsets] = 1.0
    reach = np.arange(-4 * BLUR, 4 * BLUR + FRAME / 2, FRAME)
    train = np.convolve(train, np.exp(-0.5 * (reach / BLUR) ** 2), mode="same")
    train -= train.mean()
    spectrum = np.abs(np.fft.rfft(train, 2 * frames)) ** 2
    correlation = np.fft.irfft(spectrum)[:frames] / (frames - np.arange(frames))
    lags = slice(int(SHORTEST_BEAT / FRAME), int(LONGEST_BEAT / FRAME) + 1)
    return float(np.clip(correlation[lags].max() / correlation[0], 0.0, 1.0))
