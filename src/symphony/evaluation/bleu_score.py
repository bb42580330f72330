"""BLEU, and why it stands in a historical column only (chapter 3)."""

from __future__ import annotations

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
