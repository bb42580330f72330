"""BLEU, and why it stands in a historical column only (chapter 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from symphony.errors import RequestError
from symphony.evaluation.onsets import onsets
from symphony.song import Song

ORDERS = (2, 3, 4, 5)  # of the report's
MOST_NOTES, MOST_REFERENCES = 200, 20  # longer says the same and takes minutes


def pitch_words(song: Song, most: int = MOST_NOTES) -> str:
    """The song's first pitches as words: what BLEU reads."""
    return " ".join(map(str, song.pitch[:most]))


def bleu(pieces: Sequence[Song], references: Sequence[Song], order: int = 4) -> float:
    """Corpus BLEU from 0 to 1 of pitch sequences, each piece against all references.

    Geometric mean of the clipped precisions of 1- to ``order``-grams, times a penalty for
    brevity: Papineni et al., "BLEU", ACL 2002, through sacrebleu (Post, WMT 2018), whose
    smoothing replaces precisions of zero.

    It rewards copying, and soon saturates: an n-gram model of order 3 outdoes real music. Compare
    it with the anchors only, with held-out music as reference.

    Raises:
        RequestError: no piece, or no reference.
    """
    from sacrebleu.metrics import BLEU

    if not len(pieces) or not len(references):
        raise RequestError("BLEU compares at least one piece with at least one reference.")
    metric = BLEU(tokenize="none", max_ngram_order=order, force=True)
    texts = [pitch_words(song) for song in references[:MOST_REFERENCES]]
    score = metric.corpus_score(
        [pitch_words(song) for song in pieces], [[text] * len(pieces) for text in texts]
    )
    return float(np.clip(score.score / 100, 0.0, 1.0))


def chord_words(song: Song) -> str:
    """The song as words, one for each onset: the pitches struck there."""
    first = onsets(song).first_note
    return " ".join("+".join(map(str, np.unique(song.pitch[a:b]))) for a, b in pairwise(first))


def ngram_precisions(pieces: Sequence[Song], references: Sequence[Song]) -> dict[str, float]:
    """The original report's BLEU for Pix2Pix: each piece against its target.

    Words are chords, one for each onset; notes within 30 ms are one. Precisions are clipped: an
    n-gram counts as often as its reference has it. There is no smoothing, and no penalty for
    brevity: keeping silent is safe.

    Returns:
        ``"2"`` to ``"5"``, the precision of the n-grams of that order in all pieces together, 0
        where there are none; and ``bleu``, the geometric mean of the four.

    Raises:
        RequestError: no piece, or not one reference for each.
    """
    from sacrebleu.metrics import BLEU

    if not len(pieces) or len(pieces) != len(references):
        raise RequestError("Precisions need at least one piece, and a reference for each.")
    metric = BLEU(tokenize="none", max_ngram_order=max(ORDERS), smooth_method="none", force=True)
    found = metric.corpus_score(
        [chord_words(song) for song in pieces], [[chord_words(song) for song in references]]
    )
    shares = {str(n): found.precisions[n - 1] / 100 for n in ORDERS}
    bleu = float(np.prod(list(shares.values())) ** (1 / len(ORDERS)))
    return shares | {"bleu": bleu}


def sequence_bleu(
    sequences: np.ndarray, references: np.ndarray | None, order: int = 4, most: int = 400
) -> float:
    """Corpus BLEU from 0 to 1 of rows of symbols, each against all references at once.

    Without references each row is compared with all others: **self-BLEU** (Zhu et al., "Texygen",
    SIGIR 2018), which rises as rows become alike. Precisions are clipped by the reference that has
    an n-gram most often; those of zero are smoothed as sacrebleu does; rows and references are of
    one length, so there is no penalty for brevity.

    Raises:
        RequestError: no row, or nothing to compare it with.
    """
    rows = [tuple(row) for row in np.asarray(sequences).tolist()]
    others = (
        [] if references is None else [tuple(r) for r in np.asarray(references).tolist()][:most]
    )
    if (
        not rows
        or (references is None and len(rows) < 2)
        or (references is not None and not others)
    ):
        raise RequestError("BLEU compares at least one row with at least one other.")
    logs, smooth = 0.0, 1
    for size in range(1, order + 1):
        counted = [_counts(row, size) for row in rows]
        pool = counted if references is None else [_counts(row, size) for row in others]
        first, second = _highest(pool)
        found = total = 0
        for own in counted:
            total += sum(own.values())
            for gram, times in own.items():
                highest = first.get(gram, 0)
                if references is None and times == highest:  # not against itself
                    highest = second.get(gram, 0)
                found += min(times, highest)
        if not found and size == 1:
            return 0.0
        if not found:  # sacrebleu's exponential smoothing
            smooth *= 2
        logs += np.log(found / total if found else 1 / (smooth * max(total, 1)))
    return float(np.exp(logs / order))


def _counts(row: tuple[int, ...], size: int) -> Counter[tuple[int, ...]]:
    return Counter(row[i : i + size] for i in range(len(row) - size + 1))


def _highest(
    pool: Sequence[Counter[tuple[int, ...]]],
) -> tuple[dict[tuple[int, ...], int], dict[tuple[int, ...], int]]:
    """How often each n-gram stands in the row that has it most, and in the next."""
    first: dict[tuple[int, ...], int] = {}
    second: dict[tuple[int, ...], int] = {}
    for own in pool:
        for gram, times in own.items():
            if times > first.get(gram, 0):
                first[gram], second[gram] = times, first.get(gram, 0)
            elif times > second.get(gram, 0):
                second[gram] = times
    return first, second
