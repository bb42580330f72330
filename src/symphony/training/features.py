"""A piece as one vector: what a trained Char-RNN's top layer holds while it reads (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from symphony.models.char_rnn import CharRNN
from symphony.song import Song
from symphony.training.checkpoint import CheckpointError, Trained

ROWS = 32  # pieces read side by side


@torch.inference_mode()
def piece_features(
    encoder: Trained, songs: Sequence[Song], most: int = 512
) -> Float64[np.ndarray, "n width"]:
    """Mean hidden state of the top layer over the first ``most`` events of each song.

    It says about music what the encoder needs to know to predict it: the counterpart of an
    Inception network's last pooling in Heusel et al., 2017.

    Raises:
        CheckpointError: an encoder that is no Char-RNN, or a song without notes.
    """
    model = encoder.model
    if type(model) is not CharRNN:  # a conditional one would be told nothing
        raise CheckpointError(f"{encoder.recipe.name} has no hidden state to describe music with.")
    pieces = [encoder.codec.encode(song)[:most].astype(np.int64) for song in songs]
    if any(not len(piece) for piece in pieces):
        raise CheckpointError("A song without notes can't be described.")
    out = []
    for at in range(0, len(pieces), ROWS):
        some = pieces[at : at + ROWS]
        length = max(map(len, some))
        tokens = np.full((len(some), length), encoder.codec.vocabulary)
        mask = np.zeros((len(some), length, 1))
        for row, piece in enumerate(some):
            tokens[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1 / len(piece)
        hidden, _ = model.eval().lstm(model.read(torch.from_numpy(tokens)))  # [B, T, width]
        out.append((hidden.double().numpy() * mask).sum(axis=1))
    return np.concatenate(out)
