"""Finding the longest runs that a song shares with any of many pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Int64
from tqdm.auto import tqdm

from symphony.evaluation.lcs import pitch_text, whole_lcs, windowed_lcs
from symphony.evaluation.onsets import Onsets, grams, onsets
from symphony.song import Song

SEEDS = (12, 6, 3, 2, 1)  # tokens; runs are found from seeds of these lengths
COVER = 12  # tokens of the runs that count as covered
MOST_PAIRS = 20_000_000  # of places with equal seeds: beyond, shorter seeds find nothing new
Span = tuple[float, float]


@dataclass(frozen=True)
class Match:
    """The longest run a song shares with one piece.

    Attributes:
        name: the piece.
        index: its place in the index.
        run: onsets in the run, each with the same pitches relative to the one before it. The
            onset that the first is relative to is not counted.
        rhythm_run: the longest part of it whose rhythm agrees too, in onsets.
        query_time: where it is in the song, in seconds.
        piece_time: where it is in the piece, in seconds.
        coverage: share of the song's onsets inside runs of 12 or more shared with this piece.
        whole_lcs: the original report's measure (see :mod:`symphony.evaluation.lcs`).
        windowed_lcs: the same over equal lengths, transposition undone.
        semitones: what to add to the song to meet the piece.
        query_notes: indices of the song's notes in the run.
        piece_notes: indices of the piece's notes in the run.
    """

    name: str
    index: int
    run: int
    rhythm_run: int
    query_time: Span
    piece_time: Span
    coverage: float
    whole_lcs: float
    windowed_lcs: float
    semitones: int
    query_notes: Int64[np.ndarray, " q"] = field(repr=False)
    piece_notes: Int64[np.ndarray, " p"] = field(repr=False)


@dataclass(frozen=True)
class OriginalityIndex:
    """Pieces prepared for comparison; make it with :meth:`of`.

    Runs are found by seed and extend: places with equal seeds lie on one diagonal of the table
    (song, piece) as long as the run goes on. No run of at least a seed's length is missed.
    """

    songs: Sequence[Song]
    progress: bool = False

    def bar(self, songs: Sequence[Song], what: str) -> Iterable[Song]:
        """Songs, with a bar where they take longer than two seconds."""
        return tqdm(songs, what, delay=2, unit=" songs", leave=False, disable=not self.progress)

    @cached_property
    def parts(self) -> list[Onsets]:
        """The onset tokens of each piece."""
        return [onsets(song) for song in self.bar(self.songs, "reading what was learned from")]

    @cached_property
    def begins(self) -> Int64[np.ndarray, " pieces+1"]:
        """Where each piece's tokens begin in the concatenation."""
        return np.cumsum([0, *(len(part) for part in self.parts)])

    @cached_property
    def tokens(self) -> np.ndarray:
        """All tokens, one piece after another."""
        return np.concatenate([part.tokens for part in self.parts] or [np.empty(0, np.uint64)])

    @cached_property
    def texts(self) -> list[str]:
        """Note-on pitches of each piece."""
        return [pitch_text(song) for song in self.songs]

    @cached_property
    def _sorted(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}

    def seeds(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of all runs of ``size`` tokens within a piece, sorted, and where they begin."""
        if size not in self._sorted:
            hashes = grams(self.tokens, size)
            inside = np.ones(len(hashes), bool)
            for boundary in self.begins[1:-1]:
                inside[max(boundary - size + 1, 0) : boundary] = False
            places = np.flatnonzero(inside)
            order = np.argsort(hashes[places], kind="stable")
            self._sorted[size] = hashes[places][order], places[order]
        return self._sorted[size]

    def runs(self, query: Onsets, size: int) -> np.ndarray:
        """All maximal shared runs of at least ``size`` tokens.

        Returns:
            Rows of (length, place in the song, place in the concatenation), or too many to be
            worth finding: an empty table.
        """
        hashes, places = self.seeds(size)
        wanted = grams(query.tokens, size)
        low = np.searchsorted(hashes, wanted, "left")
        count = np.searchsorted(hashes, wanted, "right") - low
        if not 0 < count.sum() <= MOST_PAIRS:
            return np.empty((0, 3), np.int64)
        mine = np.repeat(np.arange(len(wanted)), count)
        nth = np.arange(len(mine)) - np.repeat(np.cumsum(count) - count, count)
        theirs = places[np.repeat(low, count) + nth]
        order = np.lexsort((mine, theirs - mine))
        mine, theirs = mine[order], theirs[order]
        piece = np.searchsorted(self.begins, theirs, "right")
        breaks = np.append(
            True,
            (np.diff(mine) != 1) | (np.diff(theirs - mine) != 0) | (np.diff(piece) != 0),
        )
        first = np.flatnonzero(breaks)
        length = np.diff(np.append(first, len(mine))) + size - 1
        return np.column_stack([length, mine[first], theirs[first]])

    def longest_run(self, song: Song) -> int:
        """Onsets in the longest run shared with any piece; 0 where there is none."""
        query = onsets(song)
        for size in SEEDS:
            found = self.runs(query, size)
            if len(found):
                return int(found[:, 0].max())
        return 0

    def coverage(self, song: Song) -> float:
        """Share of a song's onsets inside runs of 12 or more shared with any piece."""
        query = onsets(song)
        return _covered(self.runs(query, COVER), len(query))

    def nearest(self, song: Song, most: int = 5) -> list[Match]:
        """The pieces that share the longest runs, longest first; ties in the index's order."""
        query = onsets(song)
        best: dict[int, np.ndarray] = {}
        for size in SEEDS:
            found = self.runs(query, size)
            found = found[np.argsort(-found[:, 0], kind="stable")]
            pieces = np.searchsorted(self.begins, found[:, 2], "right") - 1
            chosen, at = np.unique(pieces, return_index=True)
            best = {int(p): found[i] for p, i in zip(chosen, at, strict=True)}
            if len(best) >= min(most, len(self.songs)):
                break
        ranked = sorted(best, key=lambda p: (-best[p][0], p))[:most]
        return [self._match(song, query, p, best[p]) for p in ranked]

    def _match(self, song: Song, query: Onsets, index: int, found: np.ndarray) -> Match:
        length, mine, theirs = (int(x) for x in found)
        theirs -= int(self.begins[index])
        piece, part = self.songs[index], self.parts[index]
        same = query.rhythm[mine : mine + length] == part.rhythm[theirs : theirs + length]
        ends = np.flatnonzero(~np.append(same, False))
        rhythm_run = int(np.diff(np.append(-1, ends)).max() - 1)
        semitones = int(part.top[theirs] - query.top[mine])
        span = self.runs(query, COVER)
        inside = (span[:, 2] >= self.begins[index]) & (span[:, 2] < self.begins[index + 1])
        return Match(
            name=piece.name,
            index=index,
            run=length,
            rhythm_run=rhythm_run,
            query_time=_span(song, query, mine, length),
            piece_time=_span(piece, part, theirs, length),
            coverage=_covered(span[inside], len(query)),
            whole_lcs=float(whole_lcs(song, [self.texts[index]])[0]),
            windowed_lcs=windowed_lcs(song, piece, semitones),
            semitones=semitones,
            query_notes=np.arange(query.first_note[mine + 1], query.first_note[mine + length + 1]),
            piece_notes=np.arange(
                part.first_note[theirs + 1], part.first_note[theirs + length + 1]
            ),
        )


def _span(song: Song, part: Onsets, first: int, length: int) -> Span:
    notes = slice(part.first_note[first + 1], part.first_note[first + length + 1])
    return float(part.times[first + 1]), float(song.end[notes].max())


def _covered(runs: np.ndarray, count: int) -> float:
    if not count:
        return 0.0
    edges = np.zeros(count + 1, np.int64)
    np.add.at(edges, runs[:, 1], 1)
    np.add.at(edges, runs[:, 1] + runs[:, 0], -1)
    return float((np.cumsum(edges)[:-1] > 0).mean())
