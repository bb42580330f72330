"""Splitting by piece, with near-duplicates on one side (chapter 1).

Two tunes are near-duplicates when they share at least a fifth of the smaller one's distinct
12-grams of melodic intervals. A test tune whose twin was trained on would measure memory.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from symphony.song import Song

GRAM = 12  # intervals
SHARE = 0.2
HELD_OUT = 0.1  # of the songs, for validation and for test each


def melody(song: Song) -> np.ndarray:
    """Pitches of the top line: notes struck while no higher note sounds."""
    top, held = [], [(0, 0.0)][:0]  # held: heap of (-pitch, end)
    for onset, end, pitch in sorted(
        zip(song.onset.round(3), song.end, song.pitch.astype(int), strict=True),
        key=lambda n: (n[0], -n[2]),
    ):
        while held and held[0][1] <= onset + 0.005:
            heapq.heappop(held)
        if not held or pitch > -held[0][0]:
            top.append(int(pitch))
        heapq.heappush(held, (-int(pitch), float(end)))
    return np.array(top, dtype=np.int64)


def interval_grams(song: Song, size: int = GRAM) -> frozenset[bytes]:
    """Distinct runs of ``size`` melodic intervals: the same in every key."""
    steps = np.diff(melody(song)).astype(np.int8)
    return frozenset(steps[i : i + size].tobytes() for i in range(len(steps) - size + 1))


def near_duplicates(songs: Sequence[Song], pieces: Sequence[str] | None = None) -> list[int]:
    """The index of the first song of each song's group: of one piece, or near-duplicates.

    Args:
        songs: any number of songs.
        pieces: the piece of each song, empty strings where unknown.
    """
    parent = list(range(len(songs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, piece in enumerate(pieces or []):
        if piece:
            parent[root(i)] = root(first.setdefault(piece, i))
    unknown = [i for i in range(len(songs)) if not (pieces and pieces[i])]
    where: defaultdict[bytes, list[int]] = defaultdict(list)
    sizes = {}
    for i in unknown:
        grams = interval_grams(songs[i])
        sizes[i] = len(grams)
        for gram in grams:
            where[gram].append(i)
    shared: Counter[tuple[int, int]] = Counter()
    for members in where.values():
        for a, i in enumerate(members):
            shared.update((i, j) for j in members[a + 1 :])
    for (i, j), count in shared.items():
        if count >= SHARE * min(sizes[i], sizes[j]):
            parent[root(i)] = root(j)
    smallest: dict[int, int] = {}  # a name for each group that no order of hashing changes
    return [smallest.setdefault(root(i), i) for i in range(len(songs))]


def split_by_group(names: Sequence[str], groups: Sequence[int]) -> list[str]:
    """Each song's split; groups stay whole, and a hash of names deals them out.

    Groups are put in the order of a hash of their first name, then dealt: test until it has a
    tenth of the songs, then validation, the rest to train. So everyone gets the same split, and
    three groups are enough for all three. A group larger than a fifth of the corpus is trained
    on. With fewer than three groups everything is train.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)

    def hashed(group: int) -> str:
        first = min(names[i] for i in members[group])
        return hashlib.sha256(first.encode()).hexdigest()

    split = ["train"] * len(names)
    if len(members) < 3:
        return split
    order = sorted(members, key=hashed)
    small = [g for g in order if len(members[g]) <= max(0.2 * len(names), 1)]
    wanted = HELD_OUT * len(names)
    for part in ("test", "validation"):
        taken = 0
        while small and taken < max(wanted, 1) and len(small) + (len(order) > len(small)) > 1:
            group = small.pop(0)
            for i in members[group]:
                split[i] = part
            taken += len(members[group])
    return split
