"""Splitting by piece, with near-duplicates on one side (chapter 1).

Two tunes are near-duplicates when they share at least a fifth of the smaller one's distinct
12-grams of melodic intervals. A test tune whose twin was trained on would measure memory.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from symphony.song import Song

GRAM = 12  # intervals
SHARE = 0.2
BLOCK = 4_000_000  # places looked up at once
HELD_OUT = 0.1  # of the songs, for validation and for test each


def melody(song: Song) -> np.ndarray:
    """Pitches of the top line: notes struck while no higher note sounds."""
    top: list[int] = []
    held: list[tuple[int, float]] = []  # heap of (-pitch, end)
    onset, pitch = song.onset.round(3), song.pitch.astype(np.int64)
    order = np.lexsort((-pitch, onset))
    columns = (column[order].tolist() for column in (onset, song.end, pitch))
    for begin, end, key in zip(*columns, strict=True):
        while held and held[0][1] <= begin + 0.005:
            heapq.heappop(held)
        if not held or key > -held[0][0]:
            top.append(key)
        heapq.heappush(held, (-key, end))
    return np.array(top, dtype=np.int64)


def near_duplicates(
    songs: Sequence[Song],
    pieces: Sequence[str] | None = None,
    progress: bool = False,
    gram: int = GRAM,
) -> list[int]:
    """The index of the first song of each song's group: of one piece, or near-duplicates.

    Songs with the same notes, or the same intervals, are merged before any are compared. Memory
    grows with the music, never with the pairs of songs.

    Args:
        songs: any number of songs.
        pieces: the piece of each song, empty strings where unknown.
        progress: show a bar where it takes longer than two seconds.
        gram: how many intervals in a row count as one find.
    """
    groups = _Groups(len(songs))
    same_piece: dict[str, int] = {}
    same_notes: dict[bytes, int] = {}
    same_grams: dict[bytes, int] = {}
    compared: list[int] = []  # one song for each set of grams
    grams: list[np.ndarray] = []
    for i in _bar(range(len(songs)), "listening for melodies", progress):
        if pieces and pieces[i]:
            groups.merge(i, same_piece.setdefault(pieces[i], i))
            continue
        song = songs[i]
        twin = same_notes.setdefault(_digest(song.onset, song.duration, song.pitch), i)
        if twin != i:
            groups.merge(i, twin)
            continue
        found = _hashes(melody(song), gram)
        twin = same_grams.setdefault(_digest(found), i) if len(found) else i
        if twin != i:
            groups.merge(i, twin)
        elif len(found):
            compared.append(i)
            grams.append(found)
    for i, other in enumerate(_overlapping(grams, progress)):
        groups.merge(compared[i], compared[other])
    return groups.first()


class _Groups:
    """Songs merged into groups: a union-find forest."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def merge(self, i: int, j: int) -> None:
        self.parent[self.root(i)] = self.root(j)

    def first(self) -> list[int]:
        """The first song of each song's group: a name that no order of hashing changes."""
        smallest: dict[int, int] = {}
        return [smallest.setdefault(self.root(i), i) for i in range(len(self.parent))]


def _hashes(top: np.ndarray, gram: int) -> UInt64[np.ndarray, " g"]:
    """The distinct interval grams of a melody as sorted hashes: eight bytes each, not a hundred."""
    steps = np.diff(top).astype(np.int8).view(np.uint8).astype(np.uint64)
    if len(steps) < gram:
        return np.empty(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(steps, gram)
    out = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        out = (out ^ column) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return np.unique(out)


def _digest(*columns: np.ndarray) -> bytes:
    """A short name for the very same numbers."""
    digest = hashlib.blake2b(digest_size=16)
    for column in columns:
        digest.update(column.tobytes())
    return digest.digest()


def _overlapping(
    grams: list[UInt64[np.ndarray, " g"]], progress: bool
) -> Int64[np.ndarray, " sets"]:
    """A set of the same group for each set: joined where two share enough of the smaller one."""
    group = np.arange(len(grams))
    if not grams:
        return group
    sizes = np.array([len(each) for each in grams], np.int64)
    known = np.concatenate(grams)
    known.sort()
    known = np.unique(known[1:][known[1:] == known[:-1]])  # most grams are one song's own
    found = [_places(known, each) for each in grams]
    ends = np.cumsum([len(each) for each in found])
    gram = np.concatenate(found)
    owner = np.repeat(np.arange(len(found), dtype=np.int32), np.diff(ends, prepend=0))
    order = np.argsort(gram, kind="stable")  # by gram, then by owner
    first = np.searchsorted(gram[order], np.arange(len(known)))[gram]  # where its gram begins
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    owner, before = owner[order], place - first  # how many sets before this have the gram
    for i in _bar(range(1, len(found)), "comparing melodies", progress):
        mine = slice(ends[i - 1], ends[i])
        begin, count = first[mine], before[mine]
        shared = np.zeros(i, np.int64)
        for part in np.split(np.arange(len(count)), _cuts(count)):
            if count[part].any():
                shared += np.bincount(owner[_ranges(begin[part], count[part])], minlength=i)
        near = shared >= SHARE * np.minimum(sizes[i], sizes[:i])
        if near.any():
            group[:i][np.isin(group[:i], np.unique(group[:i][near]))] = i
    return group


def _places(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where the wanted numbers stand among the known, which are in order; others left out."""
    at = np.searchsorted(known, wanted)
    at = at[at < len(known)]
    return at[known[at] == wanted[: len(at)]]  # the wanted are in order, too


def _cuts(counts: np.ndarray) -> np.ndarray:
    """Where to cut a list of ranges so that no part has many more than BLOCK places."""
    return np.flatnonzero(np.diff(np.cumsum(counts) // BLOCK)) + 1


def _ranges(begin: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The places begin, begin + 1, … of each range, one range after another."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(begin - (ends - counts), counts)


def _bar(places: range, what: str, progress: bool) -> Iterable[int]:
    """The places, with a bar for those who wait."""
    from tqdm.auto import tqdm

    bar: Iterable[int] = tqdm(places, desc=what, unit=" songs", disable=not progress, delay=2)
    return bar


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
