"""What each piece of a stream cost a model that predicts it (chapter 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True)
class PieceLosses:
    """Negative log-likelihood, piece by piece.

    Attributes:
        nats: of each piece.
        symbols: events of each piece, the start symbol that ends it included.
        notes: note-ons of each piece.
    """

    nats: Float64[np.ndarray, " p"]
    symbols: Int64[np.ndarray, " p"]
    notes: Int64[np.ndarray, " p"]

    @staticmethod
    def of(losses: np.ndarray, stream: np.ndarray) -> PieceLosses:
        """Losses of the symbols after a stream's first, gathered between start symbols.

        The stream's first symbol is its start symbol; a piece at its end may be cut short.
        """
        stream = np.asarray(stream)
        targets = stream[1 : len(losses) + 1]
        piece = np.cumsum(stream[: len(losses)] == stream[0]) - 1
        return PieceLosses(
            np.bincount(piece, losses),
            np.bincount(piece),
            np.bincount(piece, targets < 128, minlength=int(piece[-1]) + 1).astype(np.int64),
        )

    @property
    def bits_per_event(self) -> float:
        """Mean over all events."""
        return float(self.nats.sum() / np.log(2) / self.symbols.sum())

    @property
    def bits_per_note(self) -> float:
        """Mean over all notes; NaN where there is none."""
        notes = self.notes.sum()
        return float(self.nats.sum() / np.log(2) / notes) if notes else float("nan")
