"""Held-out loss: how surprised a model is by music it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch.nn import functional

from symphony.models.char_rnn import CharRNN

if TYPE_CHECKING:
    from symphony.codecs import ConditionCodec

ROWS, CHUNK = 16, 256


@torch.inference_mode()
def symbol_losses(
    model: CharRNN, stream: np.ndarray, conditions: np.ndarray | None = None
) -> Float32[np.ndarray, " n"]:
    """Cross-entropy of each symbol after the first, in nats.

    The stream is cut into 16 rows read side by side, the state carried along each. What doesn't
    fill a row is left out: fewer than 16 symbols.

    Args:
        model: predicts the next symbol.
        stream: symbols, the start symbol between songs.
        conditions: what a conditional model is told, [len(stream), K]; row i for symbol i.
    """
    rows = max(min(ROWS, (len(stream) - 1) // 32), 1)
    length = (len(stream) - 1) // rows
    device = next(model.parameters()).device
    kept = torch.from_numpy(np.asarray(stream[: rows * length + 1], dtype=np.int64)).to(device)
    inputs, targets = kept[:-1].view(rows, length), kept[1:].view(rows, length)
    told: list[torch.Tensor] = []
    if conditions is not None:
        shown = conditions[1 : rows * length + 1]
        told = [torch.from_numpy(shown).to(device).view(rows, length, -1)]
    training, state, losses = model.training, None, []
    model.eval()
    for at in range(0, length, CHUNK):
        part: Any = [each[:, at : at + CHUNK] for each in told]
        logits, state = model(inputs[:, at : at + CHUNK], state, *part)
        wanted = targets[:, at : at + CHUNK]
        losses.append(functional.cross_entropy(logits.mT, wanted, reduction="none").cpu())
    model.train(training)
    return torch.cat(losses, dim=1).flatten().numpy()


@dataclass(frozen=True)
class PieceLosses:
    """What each piece of a stream cost a model.

    Attributes:
        nats: negative log-likelihood of each piece.
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


def held_out_loss(
    model: CharRNN,
    stream: np.ndarray,
    most: int | None = None,
    asked: ConditionCodec | None = None,
) -> float:
    """Mean cross-entropy of a stream in nats a symbol; divide by ln 2 for bits.

    Args:
        model: predicts the next symbol.
        stream: symbols, the start symbol between songs.
        most: read only so many symbols from the beginning.
        asked: what a conditional model is told, measured on the stream itself.
    """
    stream = stream[:most]
    rows = asked.rows(stream, model.config.vocabulary) if asked else None
    return float(symbol_losses(model, stream, rows).mean(dtype=np.float64))
