"""BLEU, and why it stands in a historical column only (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symphony.errors import SymphonyError
from symphony.song import Song

MOST_NOTES, MOST_REFERENCES = 200, 20  # longer says the same and takes minutes


class BleuError(SymphonyError):
    """Nothing to compare."""


def pitch_words(song: Song, most: int = MOST_NOTES) -> str:
    """The song's first pitches as words: what BLEU reads."""
    return " ".join(map(str, song.pitch[:most]))


def bleu(pieces: Sequence[Song], references: Sequence[Song], order: int = 4) -> float:
    """Corpus BLEU from 0 to 1 of pitch sequences, each piece against all references.

    Geometric mean of the clipped precisions of 1- to ``order``-grams, times a penalty for
    brevity: Papineni et al., "BLEU", ACL 2002, through sacrebleu (Post, WMT 2018), whose
    smoothing replaces precisions of zero.

    It rewards copying, and soon saturates: a chain of order 3 outdoes real music. Read it beside
    the anchors only, with held-out music as reference.

    Raises:
        BleuError: no piece, or no reference.
    """
    from sacrebleu.metrics import BLEU

    if not len(pieces) or not len(references):
        raise BleuError("BLEU compares at least one piece with at least one reference.")
    metric = BLEU(tokenize="none", max_ngram_order=order, force=True)
    heard = [pitch_words(song) for song in references[:MOST_REFERENCES]]
    score = metric.corpus_score(
        [pitch_words(song) for song in pieces], [[words] * len(pieces) for words in heard]
    )
    return float(np.clip(score.score / 100, 0.0, 1.0))
