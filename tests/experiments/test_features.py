import numpy as np
import pytest
import torch
from making import random_song

from symphony import load
from symphony.errors import RequestError, SongError
from symphony.experiments import piece_features
from symphony.song import Song


def test_a_piece_is_the_mean_of_what_the_network_holds():
    encoder = load("char-rnn")
    songs = [random_song(1, notes=20), random_song(2, notes=60)]
    together = piece_features(encoder, songs)  # side by side, the shorter one padded
    assert together.shape == (2, encoder.recipe.network.hidden_size)
    network = encoder.nets["network"]
    for song, row in zip(songs, together, strict=True):
        tokens = torch.from_numpy(encoder.recipe.codec.encode(song).astype(np.int64))[None]
        with torch.no_grad():
            hidden, _ = network.lstm(network.read(tokens))
        assert row == pytest.approx(hidden[0].mean(0).numpy(), abs=1e-5)
    start = piece_features(encoder, songs, most=5)
    assert not np.allclose(start, together)


@pytest.mark.parametrize("name", ["conditional-char-rnn", "iwgan", "ngram-1"])
def test_only_what_reads_symbols_alone_has_features(name):
    with pytest.raises(RequestError, match=f"{name} has no hidden state"):
        piece_features(load(name), [random_song()])


def test_silence_has_no_features():
    none = np.empty(0)
    with pytest.raises(SongError, match="without notes"):
        piece_features(load("char-rnn"), [Song(none, none, none, none)])
