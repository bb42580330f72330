from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from making import random_song

from symphony.codecs import EventCodec
from symphony.song import Song
from symphony.training import EncodedCorpus, encode_corpus, recipe
from symphony.training.encoded import EncodedError

CODEC = EventCodec()
START = CODEC.vocabulary


@dataclass
class Source:
    title: str = "Made-up music"
    licence: str = "none"


class Music:
    """What encode_corpus needs of a corpus."""

    name, fingerprint, source = "made up", "f", Source()

    def __init__(self, train, validation=None, test=None):
        self.train = train
        self.validation = [random_song(7)] if validation is None else validation
        self.test = [random_song(9)] if test is None else test

    def subset(self, count):
        return self.train[:count]


def songs_in(stream):
    """The songs between start symbols."""
    assert stream[0] == stream[-1] == START
    marks = np.flatnonzero(stream == START)
    return [stream[a + 1 : b] for a, b in pairwise(marks)]


def plan(**change):
    return replace(recipe("char-rnn", "tiny"), **change)


def test_songs_stand_between_start_symbols_in_their_order():
    songs = [random_song(i) for i in range(3)]
    encoded = encode_corpus(Music(songs), CODEC)
    found = songs_in(encoded.train)
    assert encoded.train.dtype == np.int16
    for song, tokens in zip(songs, found, strict=True):
        assert np.array_equal(tokens, CODEC.encode(song))
    assert encoded.corpus == {"name": "made up", "fingerprint": "f", "licence": "none"}


def test_transpositions_and_the_subset_touch_the_training_split_only():
    songs = [random_song(i) for i in range(5)]
    encoded = encode_corpus(Music(songs), CODEC, plan(subset=2, transpose=(-1, 0, 3)))
    expected = [song.transposed(by) for song in songs[:2] for by in (-1, 0, 3)]
    found = songs_in(encoded.train)
    for song, tokens in zip(expected, found, strict=True):
        assert np.array_equal(tokens, CODEC.encode(song))
    assert len(songs_in(encoded.validation)) == len(songs_in(encoded.test)) == 1


def test_a_transposition_beyond_the_keys_is_left_out():
    high = Song([0.0, 1.0], [0.5, 0.5], [60, 126], [80, 80])
    encoded = encode_corpus(Music([high]), CODEC, plan(subset=None, transpose=(0, 1, 2)))
    assert len(songs_in(encoded.train)) == 2  # 126 + 2 is no MIDI pitch


def test_a_song_without_notes_is_left_out():
    silent = Song([], [], [], [])
    encoded = encode_corpus(Music([silent, random_song(1)]), CODEC)
    assert len(songs_in(encoded.train)) == 1


def test_a_split_without_music_is_named():
    with pytest.raises(EncodedError, match="no music for validation and test"):
        encode_corpus(Music([random_song(0)], [], []), CODEC)


@pytest.mark.parametrize(
    "stream",
    [
        np.full(50, START + 1, np.int16),
        np.full(50, -1, np.int16),
        np.zeros(50),
        np.zeros((5, 5), np.int16),
        np.zeros(0, np.int16),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_by_name(stream, tmp_path):
    path = tmp_path / "encoded.npz"
    good = encode_corpus(Music([random_song(0)]), CODEC)
    replace(good, test=stream).save(path)
    with pytest.raises(EncodedError, match=r"encoded\.npz can't be used\. Its test split"):
        EncodedCorpus.load(path)


def test_objects_hidden_in_a_file_are_not_unpickled(tmp_path):
    path = tmp_path / "encoded.npz"
    np.savez(path, about=np.array([{"vocabulary": 363}], dtype=object))
    with pytest.raises(EncodedError, match="broken"):
        EncodedCorpus.load(path)
