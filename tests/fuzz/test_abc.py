"""Spoilt ABC costs itself and no more: no crash, no hang, no other tune, nothing left behind."""

import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from making import random_song

from symphony.codecs import AbcCodec
from symphony.corpora import abc_tunes, load_corpus, read_song
from symphony.corpora.abc_tunes import AbcReader, split_tunes, title
from symphony.errors import SymphonyError
from symphony.song import Song

SLOWEST = 20  # seconds, on a busy machine, for a tune that stalls abc2midi
SNIPPETS = [
    "|:", ":|", "::", "[1", "[2", "(3", "(99:1:1", "Z99999|", "z9999999", "C/////////", "A0",
    "9999999999999999999", "-1", "0/0", "M:0/4\n", "M:7/0\n", "L:1/0\n", "L:9/1\n", "Q:0\n",
    "Q:1/4=-5\n", "Q:1/4=99999999\n", "K:\n", "K:Hb\n", "K:C exp ^^^^^\n", "V:1\n", "V:99\n",
    "P:A(B3)9\n", "P:(((((\n", "w:a-b_*~|\n", "%%MIDI program 999\n", "%%MIDI transpose 99\n",
    "%%MIDI gchord zzzz\n", '"^~"', '"Gm7"', "{cde}", "!p!", "!!!!", "+", "[CEG]", "[K:D]", "[",
    "]", "(" * 50, ")" * 50, "^^^^^", "c''''''''''''''", "C,,,,,,,,,,,,,,", "&", "\\\n", "$", "\0",
    "\ufeff", "\u2028", "\udc80".encode("utf-8", "surrogateescape").decode("latin-1"), "é" * 99,
]  # fmt: skip


@pytest.fixture(scope="module")
def tunes():
    """Real tunes of every rhythm, as printed collections have them."""
    from music21 import corpus

    folder = Path(corpus.__file__).parent / "ryansMammoth"
    files = sorted(folder.glob("*.abc"))[::40]
    return [tune for path in files for tune in split_tunes(path.read_text(errors="replace"))]


@pytest.fixture
def spoil_tune(spoil, tunes):
    """A tune with bytes spoilt, or signs of its own notation where they don't belong."""
    others = tuple(tune.encode() for tune in tunes)

    def spoilt(rng):
        tune = tunes[rng.integers(len(tunes))]
        for _ in range(rng.integers(0, 4)):
            at = int(rng.integers(len(tune)))
            tune = tune[:at] + SNIPPETS[rng.integers(len(SNIPPETS))] + tune[at:]
        if rng.random() < 0.3:
            tune = re.sub(r"\d+", lambda _: str(10 ** int(rng.integers(0, 12))), tune, count=3)
        if rng.random() < 0.7:
            tune = spoil(rng, tune.encode(), others).decode(errors="replace")
        return tune

    return spoilt


def test_spoilt_tunes_are_read_or_left_out(spoil_tune, cases, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rng = np.random.default_rng(20260102)
    scale = "X:1\nT:Scale\nL:1/4\nK:C\nCDEF|\n"
    read = left_out = 0
    with AbcReader() as reader:
        for number in range(cases(700)):
            tune = spoil_tune(rng)
            begun = time.monotonic()
            song = reader.read(tune)
            assert time.monotonic() - begun < SLOWEST, tune
            assert title(tune)
            if isinstance(song, str):
                assert song, tune
                left_out += 1
            else:
                assert len(AbcCodec().encode(song)), tune
                assert len(song)
                read += 1
                try:
                    assert len(Song.from_midi(song.to_midi())) == len(song), tune
                except SymphonyError as error:
                    assert str(error).endswith("."), tune  # noqa: PT017
            if number % 100 == 0:  # the reader still reads
                assert reader.read(scale).pitch.tolist() == [60, 62, 64, 65]
    assert min(read, left_out) > 10
    assert list(tmp_path.iterdir()) == []  # neither symusic's files nor the worker's


@pytest.mark.filterwarnings("ignore:the folder")
def test_a_spoilt_file_costs_no_other(spoil_tune, cases, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(20260103)
    good = [random_song(i) for i in range(3)]
    for number in range(cases(120) // 20):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for i, song in enumerate(good):
            song.to_midi(folder / f"good{i}.mid")
        (folder / "scale.abc").write_text("X:1\nT:Scale\nL:1/4\nK:C\nCDEF|\n")
        for i in range(20):
            text = spoil_tune(rng) + "\n" + spoil_tune(rng)
            encoding = ("utf-8", "utf-8-sig", "utf-16", "latin-1")[rng.integers(4)]
            (folder / f"{i}.abc").write_bytes(text.encode(encoding, errors="replace"))
        for _ in range(2):
            found = load_corpus(folder, progress=False)
            assert {"good0", "good1", "good2", "Scale"} <= set(found.songs.names)
            assert sum(map(len, found.songs)) > 3 * 80
        for path in (folder / "1.abc", folder / "2.abc"):  # each starts a reader
            try:
                read_song(path)
            except SymphonyError as error:
                assert str(error).endswith(".")  # noqa: PT017
    assert not [path for path in (tmp_path / "cache" / "corpora").iterdir() if path.name[0] == "."]


def test_what_is_no_text_at_all(cases, bounded):
    rng = np.random.default_rng(20260104)
    letters = np.array(list("X:TKL \t\n\r%|[]()\"'\\éÿ\ufeff\u2028\0CDE/0123456789"))
    for _ in range(cases(2000)):
        text = "".join(rng.choice(letters, int(2 ** rng.uniform(0, 11))))
        with bounded(2):
            for tune in split_tunes(text):
                assert tune.startswith("X:")
                assert title(tune)
                abc_tunes._plain(tune)
