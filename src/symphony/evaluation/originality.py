"""How much of a piece was copied, against what unseen real music shares anyway (chapter 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symphony.evaluation.index import Match, OriginalityIndex
from symphony.evaluation.onsets import beginning, onsets
from symphony.song import Song

if TYPE_CHECKING:
    from symphony.corpora import Corpus

MEASURES = ("run", "rhythm_run", "coverage", "windowed_lcs", "whole_lcs")


@dataclass(frozen=True)
class OriginalityReport:
    """What one piece shares with the training music.

    Attributes:
        nearest: pieces by the length of the longest shared run.
        values: the five measures, each the highest over the nearest pieces; coverage is by
            runs from any piece.
        percentile: of each measure among unseen real music of like length, 0 to 100; a tie
            counts half. NaN where there is no unseen music.
        reference: each measure's values for that unseen music.
    """

    nearest: tuple[Match, ...]
    values: dict[str, float]
    percentile: dict[str, float]
    reference: dict[str, np.ndarray]

    @property
    def run(self) -> int:
        """Onsets in the longest shared run."""
        return int(self.values["run"])

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.nearest:
            return "Shares no onset with the training music."
        match, rank, others = self.nearest[0], self.percentile["run"], self.reference["run"]
        where = (
            f"{_onsets(match.run)} ({clock_span(match.query_time)}) of '{match.name}' "
            f"({clock_span(match.piece_time)})"
        )
        if not len(others):
            return f"Shares {where}; there is no unseen music to compare with."
        if match.run > others.max():
            return f"Copies {where}: more than any of {len(others)} unseen real pieces shares."
        if rank >= 95:
            return f"Shares {where}: more than {rank:.0f} % of unseen real pieces do."
        return (
            f"Nothing copied: its longest shared run, {_onsets(match.run)} with '{match.name}', "
            f"is like that of unseen real music (median {np.median(others):.0f})."
        )

    @property
    def line(self) -> str:
        """A short line for a player."""
        if not self.nearest:
            return self.verdict
        others = self.reference["run"]
        comparison = "no unseen music to compare with"
        if len(others):
            comparison = (
                f"unseen real music: median {np.median(others):.0f}, at most {others.max():.0f}; "
                f"percentile {self.percentile['run']:.0f}"
            )
        name = self.nearest[0].name
        return f"Longest shared run: {_onsets(self.run)} with '{name}' ({comparison})."

    @property
    def copied(self) -> bool:
        """Whether its run is longer than any in unseen real music."""
        others = self.reference["run"]
        return bool(len(others) and self.run > others.max())

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON; ``percentile`` is that of the longest run, times are seconds."""
        rank = self.percentile["run"]
        return {
            "nearest": [
                {
                    "name": match.name,
                    "run": match.run,
                    "query_time": [round(t, 3) for t in match.query_time],
                    "piece_time": [round(t, 3) for t in match.piece_time],
                    "coverage": round(match.coverage, 4),
                    "lcs": round(match.whole_lcs, 4),
                }
                for match in self.nearest
            ],
            "percentile": None if np.isnan(rank) else round(rank, 1),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Originality:
    """Compares songs with an index, and with what unseen real pieces share with it.

    The longer a piece, the longer the runs it shares with anything. So each unseen piece is cut
    to about the song's number of onsets before its own measures are taken.
    """

    index: OriginalityIndex
    unseen: Sequence[Song]

    @staticmethod
    def of_corpus(corpus: Corpus, progress: bool = False) -> Originality:
        """Training pieces as the index, validation and test pieces as unseen music.

        ``progress`` shows bars where it takes longer than two seconds, as in a large corpus.
        """
        index = OriginalityIndex(list(corpus.train), progress)
        return Originality(index, [*corpus.validation, *corpus.test])

    @cached_property
    def _references(self) -> dict[int, dict[str, np.ndarray]]:
        return {}

    def reference(self, length: int) -> dict[str, np.ndarray]:
        """Each measure of each unseen piece, cut to about ``length`` onsets from its beginning.

        Lengths are rounded to powers of the square root of two, so that few are measured.
        """
        near = round(2 ** (round(2 * np.log2(max(length, 8))) / 2))
        if near not in self._references:
            rows = []
            for song in self.index.bar(self.unseen, "measuring unseen music"):
                cut = beginning(song, near)
                rows.append(self._measure(cut, self.index.nearest(cut, 1)))
            self._references[near] = {m: np.array([row[m] for row in rows]) for m in MEASURES}
        return self._references[near]

    def report(self, song: Song, most: int = 5) -> OriginalityReport:
        """Everything about one song; ``most`` nearest pieces."""
        nearest = tuple(self.index.nearest(song, most))
        values = self._measure(song, nearest[:1])
        reference = self.reference(len(onsets(song)))
        percentile = {m: percentile_of(values[m], reference[m]) for m in MEASURES}
        return OriginalityReport(nearest, values, percentile, reference)

    def _measure(self, song: Song, nearest: Sequence[Match]) -> dict[str, float]:
        values = {m: float(getattr(nearest[0], m)) if nearest else 0.0 for m in MEASURES}
        return values | {"coverage": self.index.coverage(song)}


def percentile_of(value: float, others: np.ndarray) -> float:
    """The share of ``others`` below a value, in percent, ties counting half; NaN for none."""
    if not len(others):
        return float("nan")
    return float(100 * ((others < value).mean() + 0.5 * (others == value).mean()))


def clock_span(span: tuple[float, float]) -> str:
    """A span of seconds as minutes and seconds: 0:59-2:05."""
    return "-".join(f"{int(t) // 60}:{int(t) % 60:02d}" for t in span)


def _onsets(count: int) -> str:
    return f"{count} onset{'' if count == 1 else 's'}"
