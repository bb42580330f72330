"""What a corpus says of its files at every load, and what it takes from its cache."""

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from making import random_song

from symphony.corpora import (  # fmt: skip
    corpora_table,
    corpus,
    download,
    folder,
    is_present,
    load_corpus,
    read_song,
    resolved,
    splits,
    table,
)
from symphony.errors import FileError, RequestError, SongError
from symphony.song import Song


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMPHONY_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def home(tmp_path):
    """Four good MIDI files."""
    path = tmp_path / "music"
    path.mkdir()
    for i in range(4):
        random_song(i).to_midi(path / f"{i}.mid")
    return path


def test_what_was_left_out_is_named_at_every_load(home):
    for i in range(9):
        (home / f"bad{i}.mid").write_bytes(b"MThd")
    said = []
    for _ in range(3):
        with pytest.warns(UserWarning, match="left out") as warned:
            found = load_corpus(home, progress=False)
        said += [str(each.message) for each in warned]
        assert len(found.skipped) == 9
    assert len(said) == 3
    assert len(set(said)) == 1
    assert "left out 9: bad0.mid (" in said[0]
    assert said[0].endswith("; and 6 more. All: corpus.skipped.")
    assert "\n" not in said[0]


def test_a_whole_folder_is_loaded_without_a_word(home):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert load_corpus(home, progress=False).skipped == ()


def test_a_file_that_can_not_be_read_today_is_tried_again(home, cache, monkeypatch):
    read = Song.from_midi

    def fails(file, name=None):
        if Path(file).name == "2.mid":
            raise FileError("2.mid can't be read: Input/output error.")
        return read(file, name)

    monkeypatch.setattr(Song, "from_midi", fails)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"left out 1: 2\.mid \(2\.mid can't be read"):
            assert len(load_corpus(home, progress=False).songs) == 3
    monkeypatch.setattr(Song, "from_midi", read)
    assert len(load_corpus(home, progress=False).songs) == 4
    monkeypatch.setattr(corpus.folder, "read", None)  # would fail if it were parsed again
    assert len(load_corpus(home, progress=False).songs) == 4
    assert len(list((cache / "corpora").iterdir())) == 1


def test_a_folder_below_that_can_not_be_opened_is_named(home, monkeypatch):
    (home / "below").mkdir()
    scandir = os.scandir

    def closed(path):
        if Path(path).name == "below":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.warns(UserWarning, match=r"left out 1: below \(It can't be read: Permission"):
        assert len(load_corpus(home, progress=False).songs) == 4
    with pytest.raises(FileError, match="music/below can't be read: Permission denied"):
        folder.look(home / "below")


NOT_UTF8 = os.fsdecode(b"caf\xe9")


def test_a_name_that_is_not_utf_8_costs_nothing(home, capsys):
    random_song(7).to_midi(home / f"{NOT_UTF8}.mid")
    (home / f"{NOT_UTF8}.abc").write_text("X:1\nT:Tune\nK:C\nCDEF|\n")
    (home / f"{NOT_UTF8}2.mid").write_bytes(b"MThd")
    for _ in range(2):
        with pytest.warns(UserWarning, match="left out 1: caf\ufffd2.mid") as warned:
            found = load_corpus(home, progress=False)
        assert "caf\ufffd" in found.songs.names
        assert {song.source for song in found.songs} >= {"caf\ufffd.abc"}
        assert len(found.subset(9)) == len(found.train)
    print(warned[0].message, found.songs.names)  # would raise for half a character
    assert json.loads(json.dumps(found.songs.names)) == found.songs.names
    song = read_song(home / f"{NOT_UTF8}.mid")
    assert song.name == "caf\ufffd"
    with pytest.raises(FileError, match=r"no file .*caf\ufffd3"):
        read_song(home / f"{NOT_UTF8}3.mid")
    assert capsys.readouterr().out


# The cache


def entry(cache):
    (path,) = (cache / "corpora").iterdir()
    return path


def change(**columns):
    def edit(document):
        document["songs"] |= columns

    return edit


def of_about(**values):
    def edit(document):
        document["about"] |= values

    return edit


EDITS = {
    "a name that is a number": change(name=[1, "b", "c", "d"]),
    "half a character": change(name=["\udcff", "b", "c", "d"]),
    "a name too few": change(name=["a", "b", "c"]),
    "no names": lambda document: document["songs"].pop("name"),
    "another column": change(colour=["red"] * 4),
    "notes that are fractions": change(notes=[80.0, 80, 80, 80]),
    "notes that are true": change(notes=[True, 80, 80, 80]),
    "fewer notes than none": change(notes=[-80, 160, 160, 80]),
    "notes that are not there": change(notes=[80, 80, 80, 81]),
    "more notes than any number": change(notes=[10**400, 80, 80, 80]),
    "a song without a tempo": change(tempo=[0, 2, 1, 1]),
    "pedal from nowhere": change(pedal=[0, 0, 0, 1]),
    "quarters as a word": change(quarters=["no"] * 4),
    "another split": of_about(split=["train", "train", "train", "tset"]),
    "a split too few": of_about(split=["train"] * 3),
    "pieces that are none": of_about(pieces=None),
    "skipped as words": of_about(skipped=["a"]),
    "skipped with half a character": of_about(skipped=[["\udcff", "why"]]),
    "a fingerprint of numbers": of_about(fingerprint=[1, 2]),
    "nothing about it": lambda document: document.pop("about"),
    "no songs": lambda document: document.pop("songs"),
    "songs as a list": lambda document: document.update(songs=[]),
    "something else beside": lambda document: document.update(more=3),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edited_entry_is_made_anew(home, cache, edit):
    first = load_corpus(home, progress=False)
    path = entry(cache) / "songs.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    again = load_corpus(home, progress=False)
    assert again.fingerprint == first.fingerprint
    assert again.songs.names == first.songs.names
    assert all(a.equals(b) for a, b in zip(again.songs, first.songs, strict=True))
    assert json.loads(path.read_text())["songs"]["name"] == first.songs.names


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{", "[" * 100_000, '{"songs": {}, "about": {}}', "\udcff", "1" * 9999]
)
def test_an_entry_that_is_no_json_of_ours_is_made_anew(home, cache, text):
    first = load_corpus(home, progress=False)
    (entry(cache) / "songs.json").write_text(text, errors="surrogateescape")
    assert load_corpus(home, progress=False).fingerprint == first.fingerprint


@pytest.mark.parametrize("name", ["songs.json", "notes.bin", "pairs.bin", ""])
@pytest.mark.parametrize("kind", ["missing", "folder", "file", "pipe"])
def test_something_else_in_the_place_of_a_file(home, cache, name, kind):
    first = load_corpus(home, progress=False)
    path = entry(cache) / name
    table.remove(path)
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_bytes(b"\0" * 33)
    elif kind == "pipe":
        os.mkfifo(path)
    assert load_corpus(home, progress=False).fingerprint == first.fingerprint
    assert sorted(child.name for child in entry(cache).iterdir()) == [
        "notes.bin",
        "pairs.bin",
        "songs.json",
    ]


def test_notes_that_no_piano_has_are_a_sentence_with_the_cure(home, cache):
    found = load_corpus(home, progress=False)
    notes = np.memmap(entry(cache) / "notes.bin", table.NOTE, mode="r+")
    notes["pitch"][:] = 200
    notes.flush()
    with pytest.raises(FileError, match=r"damaged \(A pitch lies .*\): remove that folder"):
        list(load_corpus(home, progress=False).songs)
    assert len(found.songs) == 4


def test_what_a_kill_left_behind_goes_after_a_day(home, cache):
    for name, age in ((".folder-4-old", 25 * 3600), (".folder-4-young", 3600)):
        left = cache / "corpora" / name
        left.mkdir(parents=True)
        (left / "notes.bin").write_bytes(b"x")
        os.utime(left, (time.time() - age,) * 2)
    load_corpus(home, progress=False)
    hidden = [path.name for path in (cache / "corpora").iterdir() if path.name[0] == "."]
    assert hidden == [".folder-4-young"]


# Places that can't be used


def test_a_cache_that_is_a_file_is_said_to_be_one(home, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(home / "0.mid"))
    for asked in (lambda: load_corpus(home), corpora_table):
        with pytest.raises(FileError, match=r"0\.mid is a file, not a folder\. Name .*SYMPHONY_C"):
            asked()
    monkeypatch.setenv("SYMPHONY_CACHE", str(home / "0.mid" / "below"))
    with pytest.raises(FileError, match=r"can't be kept in .*: Not a directory.*SYMPHONY_C"):
        load_corpus(home, progress=False)


@pytest.mark.parametrize("named", ["/proc/none", "/dev/null/cache"])
def test_a_home_that_can_not_be_used(home, monkeypatch, named):
    monkeypatch.delenv("SYMPHONY_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", named)
    with pytest.raises(FileError, match=r"can't be kept in .*\. Name .* in SYMPHONY_CACHE\."):
        load_corpus(home, progress=False)


@pytest.mark.parametrize(
    "name", ["", "x" * 300, "~nobody-of-this-name/music", "a\0b", "readme.txt", NOT_UTF8]
)
def test_what_is_no_folder_is_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.txt").write_text("no music")
    (tmp_path / "a.mid").write_bytes(random_song().to_midi())
    with pytest.raises(RequestError, match="no corpus or folder"):
        load_corpus(name)
    assert not is_present(name)
    assert Path(name).name == Path(resolved(name)).name


def test_a_relative_folder_is_the_same_from_anywhere(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = load_corpus("music", progress=False)
    assert (found.source.url, found.name) == (str(home), "music")
    assert resolved("music") == resolved(Path("music")) == str(home)
    assert resolved("chorales") == "chorales"
    assert resolved("none/below") == str(tmp_path / "none" / "below")
    monkeypatch.chdir("/")
    assert load_corpus(found.source.url, progress=False).fingerprint == found.fingerprint
    monkeypatch.chdir(home)
    assert load_corpus(".", progress=False).name == "music"  # and not "", the name of a dot


def test_a_mirror_that_is_not_there_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_DATA", str(tmp_path / "none"))
    with pytest.raises(FileError, match=r"SYMPHONY_DATA names '.*none', and there is no such"):
        load_corpus("nottingham", progress=False)
    assert not is_present("nottingham")  # asking costs nothing
    assert {row["present"] for row in corpora_table()} == {"yes", "no"}


def test_downloaded_files_are_checked_at_every_parse(tmp_path, cache, monkeypatch):
    kept = cache / "downloads" / "asap"
    kept.mkdir(parents=True)
    (kept / "metadata.csv").write_text("no,such,table\n1,2,3\n")
    with pytest.raises(FileError, match=r"asap are not the published ones.*Remove them"):
        load_corpus("asap", progress=False)


@pytest.mark.parametrize("make", ["folder", "pipe", "device", "empty name", "nul", "long"])
def test_what_is_no_piece_is_said_to_be_what_it_is(tmp_path, make):
    path, why = {
        "folder": (tmp_path, "is a folder, not a piece"),
        "pipe": (tmp_path / "pipe", "is a pipe, not a piece"),
        "device": ("/dev/null", "/dev/null is a device, not a piece"),
        "empty name": ("", "'' is no name that a file can have"),
        "nul": ("a\0b", "is no name that a file can have"),
        "long": ("x" * 300, "can't be read: File name too long"),
    }[make]
    if make == "pipe":
        os.mkfifo(path)
    with pytest.raises(FileError, match=why):
        read_song(path)
    if make not in ("pipe", "device"):
        with pytest.raises(FileError, match=why):
            Song.from_midi(path)


# Duplicates


def test_copies_are_merged_before_anything_is_compared(home, monkeypatch):
    heard = []
    melody = splits.melody
    monkeypatch.setattr(splits, "melody", lambda song: heard.append(song) or melody(song))
    song = random_song(1, 200)
    copies = [song, song.transposed(3), random_song(2, 200)] * 200
    begun = time.perf_counter()
    assert splits.near_duplicates(copies) == [0, 0, 2] * 200
    assert len(heard) == 3
    assert time.perf_counter() - begun < 5
    short = Song([0, 1], [1, 1], [60, 64], [80, 80])
    assert splits.near_duplicates([short, random_song(3), short]) == [0, 1, 0]  # no melody at all


def test_memory_grows_with_the_music_and_not_with_its_pairs():
    import tracemalloc

    def variant(seed):
        rng = np.random.default_rng(seed)
        pitch = np.tile(np.arange(40, 80), 5)
        pitch[rng.integers(0, len(pitch), 4)] += 1
        return Song(np.arange(200) * 0.25, np.full(200, 0.2), pitch, np.full(200, 80))

    variants = [variant(seed) for seed in range(400)]
    tracemalloc.start()
    groups = splits.near_duplicates(variants)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(groups) == {0}
    assert peak < 6e6  # 80,000 pairs took 14 MB as a table


def test_groups_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    parts = [random_song(i, 30) for i in range(12)]
    songs = [
        Song.join([parts[i] for i in rng.integers(0, 12, rng.integers(1, 5))]) for _ in range(60)
    ]
    grams = []
    for song in songs:
        steps = np.diff(splits.melody(song)).astype(np.int8)
        runs = range(len(steps) - splits.GRAM + 1)
        grams.append({steps[i : i + splits.GRAM].tobytes() for i in runs})
    group = list(range(len(songs)))
    for i, mine in enumerate(grams):
        for j, other in enumerate(grams[:i]):
            shared = len(mine & other)
            same = np.array_equal(songs[i].onset, songs[j].onset) and shared
            if same or (shared and shared >= splits.SHARE * min(len(mine), len(other))):
                group = [group[j] if g == group[i] else g for g in group]
    first = {}
    assert splits.near_duplicates(songs) == [first.setdefault(g, i) for i, g in enumerate(group)]


def test_grouping_shows_a_bar_to_those_who_wait(home, capsys, monkeypatch):
    import tqdm.auto

    asked = []
    bar = tqdm.auto.tqdm

    def counting(*args, **more):
        asked.append((more["desc"], more.get("delay", 0), more["disable"]))
        return bar(*args, **more)

    monkeypatch.setattr(tqdm.auto, "tqdm", counting)
    load_corpus(home)
    assert asked == [
        ("reading music", 0, False),
        ("listening for melodies", 2, False),
        ("comparing melodies", 2, False),
    ]


def test_a_few_hundred_files_cost_little_memory(tmp_path):
    path = tmp_path / "many"
    path.mkdir()
    for i in range(300):
        random_song(i, 100).to_midi(path / f"{i}.mid")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(load_corpus(path, progress=False).songs) == 300
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1024 if sys.platform == "linux" else 1) < 50e6


def test_no_music_at_all_is_a_sentence_with_reasons(tmp_path):
    path = tmp_path / "none"
    path.mkdir()
    with pytest.raises(SongError, match="holds no music"):
        load_corpus(path, progress=False)
    assert download.cache_folder() == tmp_path / "cache"
