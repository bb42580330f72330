"""Spoilt cache entries: the corpus is made anew or a sentence says what to remove."""

import copy
import json
import os
import shutil

import numpy as np
import pytest
from making import random_song

from symphony.corpora import load_corpus, table
from symphony.errors import FileError, SongError

STRANGE = [
    None, True, False, 0, 1, -1, 3.5, 10**30, -(10**30), 10**400, float("nan"), float("inf"), "",
    "train", "\udcff", "\0", "x" * 10_000, [], {}, [[]], [None], {"a": 1}, [1, 2, 3], "[]", 2**31,
    2**63, -(2**63),
]  # fmt: skip


def strange(rng):
    return copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])


def edit(rng, value):
    """Something else somewhere in a JSON value: put in, left out, doubled, exchanged."""
    while isinstance(value, dict | list) and value and rng.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[rng.integers(len(keys))]
        if isinstance(value[key], dict | list) and rng.random() < 0.7:
            value = value[key]
            continue
        match rng.integers(4):
            case 0:
                del value[key]
            case 1 if isinstance(value, list):
                value.insert(key, copy.deepcopy(value[key]))
            case 2 if isinstance(value, list):
                other = rng.integers(len(value))
                value[key], value[other] = value[other], value[key]
            case _:
                value[key] = strange(rng)
        return
    if isinstance(value, dict):
        value["more"] = strange(rng)
    elif isinstance(value, list):
        value.append(strange(rng))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder, the cache of it as it was written, and the corpus."""
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(4):
        random_song(i, 8).to_midi(folder / f"{i}.mid")
    (folder / "bad.mid").write_bytes(b"MThd")
    with pytest.warns(UserWarning, match="left out 1"):
        corpus = load_corpus(folder, progress=False)
    (entry,) = (tmp_path / "cache" / "corpora").iterdir()
    shutil.copytree(entry, tmp_path / "whole")
    return folder, entry, corpus


def use(corpus):
    """All that is done with a corpus."""
    for part in ("train", "validation", "test"):
        for song in corpus.part(part):
            assert song.to_midi()
            assert json.dumps(song.name)
    corpus.subset(2)
    print(corpus.pieces, corpus.skipped, corpus.fingerprint)


@pytest.mark.filterwarnings("ignore:the folder music")
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_spoilt_entries(kept, cases, spoil, bounded, tmp_path):
    folder, entry, corpus = kept
    rng = np.random.default_rng(20260105)
    anew = 0
    for number in range(cases(700)):
        table.remove(entry)
        shutil.copytree(tmp_path / "whole", entry)
        if rng.random() < 0.5:
            path, document = entry / "songs.json", json.loads((entry / "songs.json").read_text())
            for _ in range(rng.integers(1, 4)):
                edit(rng, document)
            path.write_text(json.dumps(document))
        else:
            path = entry / ("songs.json", "notes.bin", "pairs.bin")[rng.integers(3)]
            path.write_bytes(spoil(rng, path.read_bytes()))
        what = path.read_bytes()
        with bounded(20):
            try:
                use(load_corpus(folder, progress=False))
            except FileError as error:  # notes are looked at when they are used
                assert "remove that folder" in str(error), (number, error, what)  # noqa: PT017
                table.remove(entry)
            except SongError as error:  # numbers in range, and yet no music: a tempo of 10 ** 21
                assert "MIDI" in str(error), (number, error, what)  # noqa: PT017
                table.remove(entry)
            again = load_corpus(folder, progress=False)
        anew += path.read_bytes() != what
        assert len(again.songs) == len(again.split) == len(again.pieces) >= 1
        assert os.listdir(entry.parent) == [entry.name], number  # noqa: PTH208
        assert sorted(os.listdir(entry)) == ["notes.bin", "pairs.bin", "songs.json"]  # noqa: PTH208
    assert anew > 20
    table.remove(entry)
    assert load_corpus(folder, progress=False).fingerprint == corpus.fingerprint
