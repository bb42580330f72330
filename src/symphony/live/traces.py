"""Hands and muscles made up: traces to play from where there is no device (chapter 12)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int8

from symphony.errors import RequestError
from symphony.live.sources import Replay

CAMERA = 60.0  # frames a second
SENSORS, EMG_RATE = 8, 200.0  # of the original's armband; frames a second
ENVELOPE, ENVELOPE_SECONDS = 0.6, 0.1  # of log-normal strength: its deviation, and how fast it is
RMS_SECONDS = 0.15
FULL = 128.0  # counts: an armband's frames are whole numbers of eight bits

# RMS in counts by gesture and sensor. The means are those of a worn armband (3, 14, 18, 24);
# how they spread over eight sensors around the arm is made up.
GESTURES: dict[str, tuple[float, ...]] = {
    "rest": (3, 3, 3, 3, 3, 3, 3, 3),
    "wave in": (30, 26, 14, 8, 6, 7, 9, 12),
    "wave out": (8, 9, 12, 20, 34, 33, 18, 10),
    "fist": (24, 28, 30, 25, 20, 18, 22, 25),
}


def hand(
    points: Sequence[Sequence[float]] | np.ndarray,
    hold: float = 2.0,
    move: float = 0.4,
    *,
    tremor: float = 0.004,
    seed: int = 0,
) -> Replay:
    """A hand that goes from point to point and rests at each, as a camera of 60 frames sees it.

    Between points it takes the path of minimum jerk (Flash and Hogan, "The coordination of arm
    movements", 1985), which starts and stops softly; a tremor of 9 Hz is added, and each frame
    comes up to 4 ms early or late.

    Args:
        points: places in [0, 1], each of so many axes.
        hold, move: seconds at each place, and on the way to the next.
        tremor: its amplitude.
        seed: of tremor and camera.

    Raises:
        RequestError: no point, or times that aren't positive.
    """
    if not len(points) or not hold > 0 or not move > 0:
        raise RequestError("A hand needs a point to go to, and a while to get there and to stay.")
    places, rng = np.asarray(points, np.float64), np.random.default_rng(seed)
    length = len(places) * (hold + move) - move
    times = np.arange(0, length, 1 / CAMERA)
    leg = np.minimum((times / (hold + move)).astype(int), len(places) - 1)
    done = np.clip((times - leg * (hold + move) - hold) / move, 0, 1)[:, None]
    smooth = done**3 * (10 - 15 * done + 6 * done**2)
    after = places[np.minimum(leg + 1, len(places) - 1)]
    values = places[leg] + smooth * (after - places[leg])
    phase = rng.uniform(0, 2 * np.pi, places.shape[1])
    values = values + tremor * np.sin(2 * np.pi * 9 * times[:, None] + phase)
    jitter = rng.uniform(-0.004, 0.004, len(times))
    return Replay(np.maximum.accumulate(np.maximum(times + jitter, 0)), np.clip(values, 0, 1))


def muscles(
    gestures: Sequence[str], hold: float = 3.0, *, wearer: int = 0, seed: int = 0
) -> Int8[np.ndarray, "frames 8"]:
    """Frames of eight sensors at 200 Hz while an arm makes gestures, each for ``hold`` seconds.

    White noise through a filter of 20 to 95 Hz, times each gesture's strength at each sensor, times
    a log-normal envelope, rounded to whole counts. ``wearer`` draws an arm: how strong it is, and
    how far the band is turned on it.

    Raises:
        RequestError: no gesture, or one that has no name here.
    """
    from scipy.signal import butter, lfilter

    unknown = [name for name in gestures if name not in GESTURES]
    if unknown or not gestures or not hold > 0:
        raise RequestError(f"Gestures are {', '.join(GESTURES)}, and last a while: not {gestures}.")
    arm, rng = np.random.default_rng([wearer, 1]), np.random.default_rng([wearer, seed, 2])
    strength = np.exp(arm.normal(0, 0.3, SENSORS)) if wearer else np.ones(SENSORS)
    turn = int(arm.integers(SENSORS)) if wearer else 0
    count = round(hold * EMG_RATE)
    sigma = np.repeat([np.roll(GESTURES[g], turn) * strength for g in gestures], count, axis=0)
    b, a = butter(2, (20, 95), "bandpass", fs=EMG_RATE)
    white = lfilter(b, a, rng.normal(size=(len(sigma) + 200, SENSORS)), axis=0)[200:]
    white /= white.std(axis=0)
    pull = np.exp(-1 / (ENVELOPE_SECONDS * EMG_RATE))  # of an envelope that drifts and comes back
    drift = rng.normal(size=(len(sigma) + 200, SENSORS)) * np.sqrt(1 - pull**2)
    drift = lfilter([1.0], [1.0, -pull], drift, axis=0)[200:] * ENVELOPE
    envelope = np.exp(drift - ENVELOPE**2)  # whose mean square is 1
    return np.clip(np.round(white * envelope * sigma), -128, 127).astype(np.int8)


def rms(frames: Float64[np.ndarray, "frames n"]) -> Float64[np.ndarray, " n"]:
    """Root mean square of each sensor, as a share of the largest count."""
    x = np.asarray(frames, np.float64)
    return np.sqrt((x**2).mean(axis=0)) / FULL


def rms_trace(frames: np.ndarray, every: float = 0.02) -> Replay:
    """What an armband's source would have read: the RMS of the last 150 ms, fifty times a second.

    Raises:
        RequestError: too few frames for one RMS.
    """
    window, hop = round(RMS_SECONDS * EMG_RATE), round(every * EMG_RATE)
    ends = np.arange(window, len(frames) + 1, hop)
    if not len(ends):
        raise RequestError(f"An RMS is taken of {window} frames; there are {len(frames)}.")
    values = np.array([rms(frames[end - window : end]) for end in ends])
    return Replay(ends / EMG_RATE, values)
