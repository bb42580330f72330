"""The plan of a long piece: letters, noise that wanders, and tiles that overlap."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from symphony.errors import SymphonyError

REDRAWN = 0.25  # share of the noise that changes from one tile of a piece to the next
NAME = r"[A-Z][a-z0-9']*"  # of a section: A, or Verse


class ComposeError(SymphonyError):
    """A piece a GAN can't make."""


def parse_form(form: str) -> list[tuple[str, str]]:
    """A plan of letters, each section from one letter's noise to another's.

    "A B C A B" are five sections, each of one letter; "A>B" walks from A to B in a line, and
    "A>B>A" back again. A capital begins a name, so that "Verse Chorus" are two sections.

    Raises:
        ComposeError: no plan at all.
    """
    if not re.fullmatch(rf"\s*{NAME}(\s*>?\s*{NAME})*\s*", form):
        raise ComposeError(f"A form is letters such as A B C A B, or a walk A>B: not {form!r}.")
    sections = []
    for walk in re.findall(rf"{NAME}(?:\s*>\s*{NAME})*", form):
        names = re.findall(NAME, walk)
        sections += list(pairwise(names)) if names[1:] else [(walk, walk)]
    return sections


def letter(name: str, size: int, seed: int, piece: int) -> Float32[np.ndarray, " z"]:
    """The noise of a letter: the same wherever the letter stands in a piece."""
    chance = np.random.default_rng([seed, piece, *name.encode()])
    return chance.uniform(-1, 1, size).astype(np.float32)


def wander(tiles: int, size: int, chance: np.random.Generator) -> Float32[np.ndarray, "tiles z"]:
    """The noise of tile after tile, a quarter of it drawn anew for each: a piece keeps its key."""
    noise = chance.uniform(-1, 1, (tiles, size)).astype(np.float32)
    for before, after in pairwise(noise):
        kept = chance.random(size) >= REDRAWN
        after[kept] = before[kept]
    return noise


def tile_starts(steps: int, window: int) -> np.ndarray:
    """Where windows begin that cover so many rows, each overlapping the next by a quarter."""
    hop = window - window // 4
    return np.arange(0, max(steps - window // 4, 1), hop)


def stitch(
    tiles: Float32[np.ndarray, "n T 128"], starts: np.ndarray
) -> Float32[np.ndarray, "t 128"]:
    """Overlapping tiles as one roll, each fading into the next where they overlap."""
    window = tiles.shape[1]
    up = np.arange(1, window + 1)
    weight = np.minimum(np.minimum(up, up[::-1]), window // 4 + 1).astype(np.float32)[:, None]
    whole = np.zeros((int(starts[-1]) + window, tiles.shape[2]), np.float32)
    total = np.zeros((len(whole), 1), np.float32)
    for tile, start in zip(tiles, starts, strict=True):
        whole[start : start + window] += weight * tile
        total[start : start + window] += weight
    return whole / total
