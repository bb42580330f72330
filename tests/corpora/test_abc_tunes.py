"""The ABC reader: a tune that spoils things costs itself, and nothing else."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import random_song

from symphony.corpora import abc_tunes, files, load_corpus
from symphony.corpora.abc_tunes import (
    AbcReader,
    accompaniment,
    parse_tunes,
    read_abc,
    split_tunes,
    title,
)
from symphony.errors import FileError, SongError
from symphony.song import Song

TUNE = "X:3\nT:Scale\nM:4/4\nL:1/4\nQ:1/4=60\nK:G\nG A B c|d e f g|]\n"
STALLING = "X:1\nT:Stall\nK:C\nZ99999999|\nC|\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("tune", "reason"),
    [
        ("X:1\nT:Bad\nK:C\nC,,,,,,,,,,,,,,|\n", "pitch lies between"),
        ("X:1\nT:Bad\nQ:1/4=9999999999\nK:C\nC|\n", "tempo"),
        ("X:1\nT:Bad\nM:4/4\nL:1/4\nQ:1/4=1\nK:C\nC9999|\n", "more than a day"),
    ],
)
def test_a_tune_out_of_range_is_named_and_the_others_stay(tmp_path, tune, reason):
    home = tmp_path / "music"
    home.mkdir()
    (home / "tunes.abc").write_text(TUNE + "\n" + tune + "\n" + TUNE.replace("G A", "A A"))
    with pytest.warns(UserWarning, match="left out 1: tunes.abc: Bad"):
        corpus = load_corpus(home, progress=False)
    assert [song.name for song in corpus.songs] == ["Scale", "Scale"]
    ((name, why),) = corpus.skipped
    assert name == "tunes.abc: Bad"
    assert reason in why


def test_a_tune_that_gives_no_tempo_goes_at_100_quarters_a_minute():
    tune = "X:1\nM:4/4\nL:1/8\nK:C\nC2 D E/ F/ (3GAB|\n"
    song = read_abc(tune)
    assert song.tempo.tolist() == [[0, 100]]
    np.testing.assert_allclose(song.onset, [0, 0.6, 0.9, 1.05, 1.2, 1.4, 1.6], atol=1e-9)
    assert read_abc(tune.replace("M:4/4", "N:see Q: below")).tempo.tolist() == [[0, 100]]
    given = read_abc(tune.replace("M:4/4", "Q:1/4=60"))
    np.testing.assert_allclose(given.onset * 60, song.onset * 100, atol=1e-9)


def test_a_byte_order_mark_costs_no_tune(tmp_path):
    first, second = TUNE, TUNE.replace("Scale", "Second")
    (tmp_path / "a.abc").write_bytes(b"\xef\xbb\xbf" + first.encode())
    assert files.read_song(tmp_path / "a.abc").name == "Scale"
    # Files put together keep their marks, in the middle now.
    assert split_tunes(f"\ufeff{first}\n\ufeff{second}") == [first, second]


def test_titles_are_found_at_once_whatever_the_text():
    begun = time.perf_counter()
    assert title("X:1\nT:a" + " " * 49_000 + "b\n").startswith("a ")
    assert title("X:1\nT:\nT:  Second \nK:C\n") == "Second"
    assert title("X: 7\nT:\nM:4/4\n") == "X: 7"
    assert time.perf_counter() - begun < 1


def test_directives_and_headers_keep_their_letters():
    tune = "X:1\n%%MIDI vc u_A\nK:C\nuC vD|\n"
    assert abc_tunes._plain(tune) == "X:1\n%%MIDI vc u_A\nK:C\nC D|\n".replace("uC", "C")


HEAD = "X:1\nM:4/4\nL:1/8\nK:D\n"
MARKED = [
    ("(g>a)e>c d4|", "g>ae>c d4|"),  # a slur over a broken rhythm
    ("((3Bcd) A2 |~(fed) z|", "(3Bcd A2 |fed z|"),  # and over a triplet; an ornament
    ('D3 "D.C." E "fine"F2|D S|', "D3 E F2|D|"),  # words that are no chord
    (".d>-.d e2 [|] T(3fga f2|]", "d>-d e2 | (3fga f2|]"),
    ("AB =\nc2|=20\nd4|", "AB c2|\nd4|"),  # as mail programs break lines
    ("AB:|cd|1 e2:|2 f2|]", "AB:||:cd|1 e2:|2 f2|]"),  # repeated from after the last repeat
]


@pytest.mark.parametrize(("marked", "plain"), MARKED)
def test_marks_that_sound_no_note_cost_no_tune(marked, plain):
    song, other = read_abc(HEAD + marked + "\n"), read_abc(HEAD + plain + "\n")
    assert song.pitch.tolist() == other.pitch.tolist()
    np.testing.assert_allclose(song.onset, other.onset)
    np.testing.assert_allclose(song.duration, other.duration)
    assert song.abc == HEAD + marked + "\n"  # the text stays as it was set down


def test_mending_keeps_chords_fields_and_pitches():
    text = HEAD + '"Am7"A2 [K:G]"G/B"_B,2 ^c\'2 z2|'
    assert abc_tunes.mended(text) == text


JIG = """X:1
T:Two bars
M:6/8
L:1/8
K:G
"G"GAB dBG|"C"ege "D7/F#"d2B|"Em"e6|]
"""


def test_chord_symbols_sound_as_a_bass_and_its_chord():
    song = read_abc(JIG)
    chords = accompaniment(song)
    # Worked by hand: in 6/8 a bass on every dotted quarter and its chord an eighth before the next.
    heard = {}
    for onset, pitch in zip(chords.onset_quarters.tolist(), chords.pitch.tolist(), strict=True):
        heard.setdefault(onset, set()).add(pitch % 12)
    g, c, e, d7 = {7, 11, 2}, {0, 4, 7}, {4, 7, 11}, {2, 6, 9, 0}
    assert [heard[beat] for beat in (0, 1.5, 3, 4.5, 6, 7.5)] == [{7}, {7}, {0}, {6}, {4}, {4}]
    assert [heard[beat + 1] for beat in (0, 1.5, 3, 6, 7.5)] == [g, g, c, e, e]
    assert heard[5.5] <= d7
    assert len(heard[5.5]) >= 3
    assert chords.seconds <= song.seconds
    assert chords.name == "Two bars: chords"
    assert song.pitch.tolist() == [67, 69, 71, 74, 71, 67, 76, 79, 76, 74, 71, 76]


def test_an_excerpt_and_a_tempo_are_the_songs():
    song = read_abc(JIG.replace("K:G", "Q:1/4=60\nK:G"))
    assert accompaniment(song).onset[:4].tolist() == pytest.approx([0, 1, 1, 1], abs=1e-6)
    cut = replace(song.slice(0.0, 2.0), abc=song.abc)
    assert accompaniment(cut).seconds <= 2.0


@pytest.mark.parametrize(
    "tune",
    [
        TUNE,  # no chord symbols
        re.sub('"[^"]*"', '"slowly"', JIG),  # words that are no chord
        JIG.replace("K:G\n", "K:G\nV:1\n") + "V:2\nG,6|G,6|E,6|]\n",  # two voices
    ],
)
def test_a_tune_without_chord_symbols_of_its_own_has_no_accompaniment(tune):
    assert accompaniment(read_abc(tune)) is None


def test_a_song_without_text_or_with_an_unreadable_one_has_no_accompaniment():
    song = random_song(1)
    assert accompaniment(song) is None
    assert accompaniment(replace(song, abc=JIG.replace("GAB", "(A>B/)c"))) is None
    assert accompaniment(replace(song, abc='"G"')) is None


def test_a_tune_that_cannot_be_mended_is_left_out_for_what_it_says_itself():
    with AbcReader() as reader:
        assert "broken rhythm" in reader.read(HEAD + "(A>B/)c d|\n")


def test_a_stalling_tune_is_left_out_within_its_time():
    with AbcReader() as reader:
        assert isinstance(reader.read(TUNE), Song)
        begun = time.perf_counter()
        assert reader.read(STALLING) == "it takes more than 2 s or 1 GB to read"
        assert time.perf_counter() - begun < 8  # on a busy machine; it took 43 s without a limit
        assert isinstance(reader.read(TUNE), Song)
        assert reader.seconds > 0.5


def test_a_file_of_stalling_tunes_has_a_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FILE_LIMIT", 0.3)  # less than one that stalls takes anywhere
    (tmp_path / "a.abc").write_text(TUNE + (STALLING + "\n") * 50)
    (tmp_path / "b.abc").write_text(TUNE)
    found = list(files.read_files([tmp_path / "a.abc", tmp_path / "b.abc"], tmp_path))
    good, stall, rest, other = found
    assert (good.song.name, other.song.name) == ("Scale", "Scale")
    assert (stall.file, stall.reason) == ("a.abc: Stall", "it takes more than 2 s or 1 GB to read")
    assert (rest.file, rest.reason[:31]) == ("a.abc", "its last 49 tunes are not read:")


def lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stopped_reader_leaves_no_process_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(abc_tunes.tempfile, "tempdir", str(tmp_path))
    with AbcReader() as reader:
        reader._worker = abc_tunes._Worker()
        monkeypatch.setattr(abc_tunes, "PATIENCE", 0.2)
        group = reader._worker.process.pid
        assert [path.name[:13] for path in tmp_path.iterdir()] == ["symphony-abc-"]
        assert reader.read(STALLING) == "it crashes or stalls the ABC reader"
    deadline = time.monotonic() + 20
    while lives(group) and time.monotonic() < deadline:  # until the system has buried the killed
        time.sleep(0.05)
    assert not lives(group)  # neither the worker nor abc2midi below it
    assert list(tmp_path.iterdir()) == []


def test_two_readers_at_once_keep_their_tunes_apart():
    # symusic numbers its files alike in every process: of two, each read the other's tunes
    def read(letter):
        tune = f"X:1\nT:{letter}\nL:1/4\nK:C\n{letter * 9}|\n"
        return [
            song if isinstance(song, str) else song.pitch[0] for song in parse_tunes([tune] * 400)
        ]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, "CG")) == [[60] * 400, [67] * 400]


def run(code, **settings):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_missing_tmpdir_costs_no_tune(tmp_path):
    code = (
        "from symphony.corpora.abc_tunes import read_abc\n"
        f"print(len(read_abc({TUNE!r})))\n"
    )  # fmt: skip
    done = run(code, TMPDIR=str(tmp_path / "missing"))
    assert (done.stdout, done.returncode) == ("8\n", 0), done.stderr


@pytest.mark.parametrize("kind", ["starts not", "reads nothing", "stops reading"])
def test_a_reader_that_fails_is_no_fault_of_any_file(tmp_path, cache, monkeypatch, kind):
    home = tmp_path / "music"
    home.mkdir()
    (home / "tunes.abc").write_text(TUNE)
    random_song().to_midi(home / "good.mid")
    if kind == "starts not":
        monkeypatch.setattr(abc_tunes.sys, "executable", str(tmp_path / "no-python"))
        match = "ABC reader can't be started: No such file"
    elif kind == "reads nothing":
        monkeypatch.setattr(abc_tunes.sys, "executable", "/bin/false")
        match = "ABC reader can't be started: it ended with exit code 1"
    else:
        monkeypatch.setattr(abc_tunes._Worker, "_answer", lambda _: {"broken": "no room"})
        match = "can't read even a plain scale: no room"
    with pytest.raises(FileError, match=match):
        load_corpus(home, progress=False)
    assert list((cache / "corpora").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("SYMPHONY_CACHE", str(cache))
    assert len(load_corpus(home, progress=False).songs) == 2


def test_the_worker_notices_that_it_can_not_write():
    # A full disk below abc2midi: every tune fails, and so does a plain scale.
    code = (
        "from symphony.corpora import abc_tunes\n"
        "abc_tunes.LARGEST_OUTPUT = 0\n"
        "abc_tunes._set_limits()\n"
        "print(bool(abc_tunes._broken()))\n"
    )
    done = run(code)
    assert done.stdout.endswith("True\n"), done.stderr


def test_chorales_that_can_not_be_read_are_a_sentence(cache, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from symphony.corpora import chorales

    class Broken:
        def __init__(self, *_):
            raise BrokenProcessPool("a process was killed")

    monkeypatch.setattr(chorales, "ProcessPoolExecutor", Broken)
    with pytest.raises(FileError, match=r"chorales can't be read: a process was killed\. Try"):
        load_corpus("chorales", progress=False)
    assert list((cache / "corpora").iterdir()) == []


def test_what_can_not_be_read_is_said_with_the_tune():
    with pytest.raises(SongError, match="The tune 'Bad' can't be read: A pitch lies"):
        read_abc("X:1\nT:Bad\nK:C\nC,,,,,,,,,,,,,,|\n")
    assert all(isinstance(song, str) for song in parse_tunes(["", "X:1\n", "K:C\nC|\n"]))
    assert not list(Path().glob("symusic_temp*"))
