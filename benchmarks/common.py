"""Timing two things side by side, and music to time them on."""

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from symphony.training import Data, Recipe

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


def stepping(recipe: Recipe, data: Data, warm: int = 2) -> Callable[[], object]:
    """A recipe's training, a step a call, as the library's loop takes it between evaluations.

    Args:
        recipe: of any system.
        data: its music; nothing is written anywhere.
        warm: steps taken at once, so that optimizers have their memory.
    """
    import torch

    from symphony.systems import system

    learner = system(recipe)
    nets = learner.build(data)
    opts, steps = learner.optimizers(nets), itertools.count()

    def step() -> object:
        at = next(steps)
        torch.manual_seed((recipe.seed << 32) + (at << 8))
        nets.train()
        return learner.train_step(nets, opts, data, at)

    for _ in range(warm):
        step()
    return step


def midi_files(folder: Path, most: int = 40) -> dict[str, list[Path]]:
    """Two kinds: chorales written as MIDI, a few kilobytes each as most people's files are.

    And real performances, where the raw corpus is at hand.
    """
    from symphony.corpora import load_corpus

    for i, song in enumerate(load_corpus("chorales", progress=False).songs[:most]):
        song.to_midi(folder / f"{i:03d}.mid")
    kinds = {"scores": sorted(folder.glob("*.mid"))}
    named = os.environ.get("SYMPHONY_DATA")
    home = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    found = sorted((home / "asap").rglob("*.mid"))[:: max(1067 // most, 1)][:most]
    return kinds | ({"performances": found} if found else {})
