"""Any words after ``symphony``: exit code 0 or 2, no traceback, no file lost."""

import sys

import numpy as np
import pytest
from making import random_song

from symphony import cli

COMMANDS = ["corpora", "train", "compose", "fill", "render", "evaluate", "originality", "nothing"]
FLAGS = [
    "--help", "--out", "--mp3", "--seconds", "--seed", "--samples", "--corpus", "--size",
    "--resume", "--json", "--temperature", "--top-p", "--form", "--key", "--drop", "--model",
    "--device", "--noise-scale", "--nothing", "-x", "--", "--no-json", "--pitch=9:0:9",
]  # fmt: skip
WORDS = [
    "x.mid", "bad.mid", ".", "..", "", " ", "nowhere/x.mid", "char-rnn", "dcrnn",
    "ngram-1", "uniform", "pix2pix", "iwgan", "tiny", "music", "0", "-1", "3", "nan", "inf",
    "1e309", "99999999999999999999", "A B A", "C major", "\u266b", "\udcff", "a" * 300, "x.mp3",
    "~nobody/x", "None", "cpu",
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of music and of files that no command may touch."""
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    (home / "music").mkdir(parents=True)
    for i in range(4):
        random_song(i).to_midi(home / "music" / f"{i}.mid")
    random_song(9).to_midi(home / "x.mid")
    (home / "bad.mid").write_bytes(b"no music")
    (home / "kept.txt").write_text("kept")
    monkeypatch.chdir(home)
    return home


@pytest.mark.filterwarnings("ignore")
def test_any_words(cases, bounded, place, monkeypatch, capsys):
    rng = np.random.default_rng(20261127)
    codes = []
    for number in range(cases(250)):
        words = [COMMANDS[rng.integers(len(COMMANDS))]]
        for _ in range(rng.integers(0, 6)):
            pool = FLAGS if rng.random() < 0.5 else WORDS
            words.append(pool[rng.integers(len(pool))])
        if words[0] == "train":  # what is well formed would train for minutes
            words += ["--size", "tiny", "--corpus", "nowhere"]
        if words[0] == "evaluate":
            words += ["--corpus", "nowhere"]
        monkeypatch.setattr(sys, "argv", ["symphony", *words])
        with bounded(60):
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code or 0
            except Exception as error:
                raise AssertionError((number, words)) from error
        said = capsys.readouterr()
        assert code in (0, 2), (number, words, said)
        assert "Traceback" not in said.err
        if code == 2:
            assert (said.err + said.out).strip(), (number, words)
        assert (place / "kept.txt").read_text() == "kept", (number, words)
        assert not list(place.rglob(".partial*")), (number, words)
        codes.append(code)
    assert set(codes) == {0, 2}
