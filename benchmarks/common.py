"""Timing two things side by side, and music to time them on."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Row = tuple[str, float, str, float]  # what, measured, ">=" or "<=", target


def side_by_side(*calls: Callable[[], object], rounds: int = 7) -> list[float]:
    """The median seconds of each call, taken in turns so that a busy machine slows all alike."""
    seconds = [[] for _ in calls]
    for _ in range(rounds):
        for call, kept in zip(calls, seconds, strict=True):
            begun = time.perf_counter()
            call()
            kept.append(time.perf_counter() - begun)
    return [float(np.median(kept)) for kept in seconds]


def midi_files(folder: Path, most: int = 40) -> list[Path]:
    """Real performances where the raw corpora are at hand, else chorales written as MIDI."""
    named = os.environ.get("SYMPHONY_DATA")
    home = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    found = sorted((home / "asap").rglob("*.mid"))[:: max(1067 // most, 1)][:most]
    if found:
        return found
    from symphony.corpora import load_corpus

    for i, song in enumerate(load_corpus("chorales", progress=False).songs[:most]):
        song.to_midi(folder / f"{i:03d}.mid")
    return sorted(folder.glob("*.mid"))
