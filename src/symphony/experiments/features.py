"""A piece as one vector: what a trained Char-RNN's top layer holds while it reads (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.training import Trained

ROWS = 32  # pieces read side by side


@torch.inference_mode()
def piece_features(
    encoder: Trained, songs: Sequence[Song], most: int = 512
) -> Float64[np.ndarray, "n hidden"]:
    """Mean hidden state of the top layer over the first ``most`` events of each song.

    It says about music what the encoder needs to know to predict it: the counterpart of an
    Inception network's last pooling in Heusel et al., 2017.

    Args:
        encoder: a Char-RNN; its LSTM must read symbols alone.
        songs: what to describe.
        most: events that are read of each.

    Raises:
        RequestError: a model without such an LSTM.
        SongError: a song without notes.
    """
    network: Any = dict(encoder.nets.items()).get("network")
    lstm, codec = getattr(network, "lstm", None), encoder.recipe.codec
    # A conditional network's LSTM is wider than its symbols: it expects a condition.
    if lstm is None or lstm.input_size != network.read(torch.tensor([0])).shape[-1]:
        raise RequestError(f"{encoder.name} has no hidden state to describe music with.")
    pieces = [codec.encode(song)[:most].astype(np.int64) for song in songs]
    if any(not len(piece) for piece in pieces):
        raise SongError("A song without notes can't be described.")
    network.eval()
    out = []
    for at in range(0, len(pieces), ROWS):
        some = pieces[at : at + ROWS]
        length = max(map(len, some))
        tokens = np.full((len(some), length), codec.bos)
        mask = np.zeros((len(some), length, 1))
        for row, piece in enumerate(some):
            tokens[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1 / len(piece)
        hidden, _ = lstm(network.read(torch.from_numpy(tokens)))  # [B, T, hidden]
        out.append((hidden.double().numpy() * mask).sum(axis=1))
    return np.concatenate(out)
