"""Notes refined a second, and the memory of two hours of music beside that of ten minutes."""

import subprocess
import sys
import time

import numpy as np

from benchmarks.common import Row
from symphony import load
from symphony.codecs import distorted
from symphony.song import Song

NETS = ("duration-net", "velocity-net")
# In a process of its own, for its largest memory; what the first call loads is in both.
PEAK = """
import resource, sys
from benchmarks.refining import NETS, piece, refined
refined(piece(1.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refined(piece(float(sys.argv[1])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def piece(minutes: float) -> Song:
    """Four voices in quarters and eighths at 100 a minute, out of time, all notes as loud."""
    rng = np.random.default_rng(0)
    quarters = rng.choice([0.5, 1.0], round(minutes * 100 / 0.75))
    onset = np.repeat(np.cumsum(quarters) - quarters, 4)
    duration, pitch = np.repeat(quarters, 4), np.tile([48, 55, 64, 72], len(quarters))
    song = Song(
        onset * 0.6, duration * 0.6, pitch + rng.integers(0, 5, len(pitch)),
        np.full(len(pitch), 64), onset_quarters=onset, duration_quarters=duration,
        tempo=np.array([[0.0, 100.0]]),
    )  # fmt: skip
    return distorted(song, stretch=0.2)


def refined(song: Song) -> Song:
    for name in NETS:
        song = load(name).refine(song)
    return song


def peak(minutes: float) -> float:
    """Megabytes that refining so many minutes adds to those of a short piece."""
    command = [sys.executable, "-c", PEAK, str(minutes)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure() -> list[Row]:
    song, rows = piece(10), []
    for name in NETS:
        net = load(name)
        net.refine(song)
        begun = time.perf_counter()
        net.refine(song)
        seconds = time.perf_counter() - begun
        rows.append((f"notes that a {name} refines a second", len(song) / seconds, ">=", 1000.0))
    more = peak(120) - peak(10)
    return [*rows, ("MB more for two hours of music than for ten minutes", more, "<=", 100.0)]
