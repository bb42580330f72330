"""Held-out loss: how surprised a model is by music it never saw."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from symphony.models.char_rnn import CharRNN

ROWS, CHUNK = 16, 256


@torch.inference_mode()
def held_out_loss(model: CharRNN, stream: np.ndarray, most: int | None = None) -> float:
    """Mean cross-entropy of a stream in nats a symbol; divide by ln 2 for bits.

    The stream is cut into 16 rows read side by side, the state carried along each.

    Args:
        model: predicts the next symbol.
        stream: symbols, the start symbol between songs.
        most: read only so many symbols from the beginning.
    """
    stream = stream[:most]
    rows = max(min(ROWS, (len(stream) - 1) // 32), 1)
    length = (len(stream) - 1) // rows
    device = next(model.parameters()).device
    kept = torch.from_numpy(np.asarray(stream[: rows * length + 1], dtype=np.int64)).to(device)
    inputs, targets = kept[:-1].view(rows, length), kept[1:].view(rows, length)
    training, total, state = model.training, 0.0, None
    model.eval()
    for at in range(0, length, CHUNK):
        logits, state = model(inputs[:, at : at + CHUNK], state)
        flat = targets[:, at : at + CHUNK].flatten()
        total += functional.cross_entropy(logits.flatten(0, 1), flat, reduction="sum").item()
    model.train(training)
    return total / (rows * length)
