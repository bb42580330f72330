"""The form of a piece in letters, and the noise that each letter stands for (chapter 6)."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from symphony.errors import RequestError

REDRAWN = 0.25  # share of the noise that changes from one tile of a piece to the next
NAME = r"[A-Z][a-z0-9']*"  # of a section: A, or Verse
MOST_SECTIONS = 1000  # more than an hour of the shortest
LONGEST_FORM = 20_000  # characters: twenty a section


def parse_form(form: str) -> list[tuple[str, str]]:
    """Sections from letters, each from one letter's noise to another's.

    "A B C A B" are five sections, each of one letter; "A>B" walks from A to B in a line, and
    "A>B>A" back again. A capital begins a name, so that "Verse Chorus" are two sections.

    Raises:
        RequestError: no form at all, or one of more than a thousand sections.
    """
    too_long = f"A form has at most {MOST_SECTIONS:,} sections, in {LONGEST_FORM:,} characters"
    if len(form) > LONGEST_FORM:
        raise RequestError(f"{too_long}; this one has {len(form):,} characters.")
    if not re.fullmatch(rf"\s*{NAME}(\s*(>\s*)?{NAME})*\s*", form):
        shown = form if len(form) <= 60 else f"{form[:60]}…"
        raise RequestError(f"A form is letters such as A B C A B, or a walk A>B: not {shown!r}.")
    sections = []
    for walk in re.findall(rf"{NAME}(?:\s*>\s*{NAME})*", form):
        names = re.findall(NAME, walk)
        sections += list(pairwise(names)) if names[1:] else [(walk, walk)]
    if len(sections) > MOST_SECTIONS:
        raise RequestError(f"{too_long}; this one has {len(sections):,} sections.")
    return sections


def section_noise(name: str, size: int, seed: int, piece: int) -> Float32[np.ndarray, " z"]:
    """The noise of a letter: the same wherever the letter stands in a piece."""
    rng = np.random.default_rng([seed, piece, *name.encode()])
    return rng.uniform(-1, 1, size).astype(np.float32)


def form_noise(
    form: str, size: int, rows: int, seed: int = 0, piece: int = 0
) -> Float32[np.ndarray, "T z"]:
    """The noise of each row of a form, ``rows`` a section.

    Sections of a DCRNN last whole plans: noise that came while a plan is repeated would not be
    read.
    """
    at = np.linspace(0, 1, rows, endpoint=False, dtype=np.float32)[:, None]
    walks = parse_form(form)
    noise = {name: section_noise(name, size, seed, piece) for walk in walks for name in walk}
    return np.concatenate([(1 - at) * noise[a] + at * noise[b] for a, b in walks])


def correlated_noise(n: int, size: int, rng: np.random.Generator) -> Float32[np.ndarray, "n z"]:
    """The noise of tile after tile, a quarter of it drawn anew for each: a piece keeps its key."""
    noise = rng.uniform(-1, 1, (n, size)).astype(np.float32)
    for before, after in pairwise(noise):
        kept = rng.random(size) >= REDRAWN
        after[kept] = before[kept]
    return noise
