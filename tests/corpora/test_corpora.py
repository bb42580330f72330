import errno
import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import warnings
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import random_song

from symphony.corpora import (
    SOURCES,
    corpora_table,
    corpus,
    download,
    is_present,
    load_corpus,
    read_song,
    splits,
    table,
)  # fmt: skip
from symphony.corpora.abc_tunes import parse_tunes, read_abc, split_tunes
from symphony.corpora.source import Source
from symphony.errors import FileError, RequestError, SongError
from symphony.song import Song


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own, and no mirror."""
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMPHONY_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Twelve good MIDI files, one broken, one text, and an ABC file of two tunes, one bad."""
    home = tmp_path / "music"
    (home / "below").mkdir(parents=True)
    for i in range(12):
        random_song(i).to_midi(home / ("below" if i % 2 else ".") / f"{i:02d}.mid")
    (home / "broken.mid").write_bytes(b"MThd but no more")
    (home / "readme.txt").write_text("not music")
    (home / "tunes.abc").write_text("X:1\nT:Good\nK:C\nCDEF GABc|\n\nX:2\nT:Bad\nK:C\n")
    return home


def test_a_folder_is_a_corpus_and_broken_files_are_named(folder, cache):
    with pytest.warns(UserWarning, match="left out 2: ") as warned:
        found = load_corpus(folder, progress=False)
    assert len(warned) == 1
    assert "broken.mid" in str(warned[0].message)
    assert sorted(song.name for song in found.songs)[:2] == ["00", "02"]
    assert len(found.songs) == 13
    assert {name for name, _ in found.skipped} == {"broken.mid", "tunes.abc: Bad"}
    assert Counter(found.split) == {"train": 9, "validation": 2, "test": 2}
    by_name = {song.name: song for song in found.songs}
    assert by_name["below/03"].equals(random_song(3), tolerance=0.001)
    assert by_name["Good"].pitch.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]


def test_a_second_load_reads_the_cache_until_a_file_changes(folder, cache, monkeypatch):
    with pytest.warns(UserWarning, match="left out"):
        first = load_corpus(folder, progress=False)
    monkeypatch.setattr(corpus.folder, "read", None)  # would fail if it were parsed again
    second = load_corpus(folder, progress=False)
    assert second.fingerprint == first.fingerprint
    assert all(a.equals(b) for a, b in zip(first.songs, second.songs, strict=True))
    monkeypatch.undo()
    monkeypatch.setenv("SYMPHONY_CACHE", str(cache))
    random_song(99).to_midi(folder / "more.mid")
    with pytest.warns(UserWarning, match="left out"):
        assert len(load_corpus(folder, progress=False).songs) == 14


def test_a_damaged_cache_is_made_anew(folder, cache):
    with pytest.warns(UserWarning, match="left out"):
        first = load_corpus(folder, progress=False)
    (kept,) = (cache / "corpora").iterdir()
    notes = kept / "notes.bin"
    notes.write_bytes(notes.read_bytes()[:-5])
    with pytest.warns(UserWarning, match="left out"):
        assert load_corpus(folder, progress=False).fingerprint == first.fingerprint


def test_a_full_disk_leaves_nothing_and_says_so(folder, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(table.json, "dumps", full)
    with pytest.raises(FileError, match=r"No space left on device.*SYMPHONY_CACHE"):
        load_corpus(folder, progress=False)
    assert list((cache / "corpora").iterdir()) == []


def test_folders_without_music_are_refused(tmp_path, cache):
    with pytest.raises(SongError, match="holds no music"):
        load_corpus(tmp_path, progress=False)
    (tmp_path / "bad.mid").write_bytes(b"no")
    with pytest.raises(SongError, match=r"No music could be read.*bad\.mid"):
        load_corpus(tmp_path, progress=False)


def test_one_good_file_among_broken_ones_is_enough(tmp_path, cache):
    random_song().to_midi(tmp_path / "good.mid")
    for i in range(3):
        (tmp_path / f"bad{i}.mid").write_bytes(b"MThd")
    with pytest.warns(UserWarning, match="left out 3"):
        found = load_corpus(tmp_path, progress=False)
    assert found.split == ("train",)


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(RequestError, match="Did you mean chorales"):
        load_corpus("coralles")
    with pytest.raises(RequestError, match="Corpora: chorales, folk"):
        load_corpus("zzz")


def test_the_chorales(chorales):
    # Cards of trained models name the music by this: raise PARSER where it has to change.
    assert chorales.fingerprint.startswith("0d1ef542")
    assert len(chorales.songs) == 350  # 371 numbers, some of them the same piece
    assert all(song.onset_quarters is not None for song in chorales.train[:20])
    assert len(set(chorales.pieces)) < 350  # the same melody harmonized again
    subset = chorales.subset(32)
    assert len({song.name for song in subset}) == 32
    assert [song.name for song in subset] == [song.name for song in chorales.subset(40)[:32]]


def test_a_chorale_has_the_notes_of_its_score(chorales):
    from symphony.corpora import chorales as source

    song = next(song for song in chorales.songs if song.name == "bwv269")
    score = source.score("bwv269").stripTies()
    expected = {(float(n.getOffsetInHierarchy(score)), p.midi)
                for n in score.recurse().notes for p in n.pitches}  # fmt: skip
    assert set(zip(song.onset_quarters, song.pitch, strict=True)) == expected


def test_no_group_is_split(chorales):
    where = {}
    for piece, split in zip(chorales.pieces, chorales.split, strict=True):
        assert where.setdefault(piece, split) == split
    assert {"train", "validation", "test"} == set(where.values())


@given(st.lists(st.integers(0, 15), min_size=3, max_size=60))
def test_groups_stay_whole_and_every_split_has_music(groups):
    names = [f"song {i}" for i in range(len(groups))]
    split = splits.split_by_group(names, groups)
    assert split == splits.split_by_group(names, groups)
    for group in set(groups):
        assert len({s for s, g in zip(split, groups, strict=True) if g == group}) == 1
    assert "train" in split
    sizes = Counter(groups)
    small = [g for g in sizes if sizes[g] <= max(0.2 * len(groups), 1)]
    if len(small) >= 3:
        assert set(split) == {"train", "validation", "test"}


def test_near_duplicates_are_found_in_any_key_and_others_are_not():
    tunes = [random_song(i, 60) for i in range(4)]
    varied = Song.join([tunes[0].slice(0, 6), random_song(50, 30)])
    groups = splits.near_duplicates([*tunes, tunes[1].transposed(5), varied])
    assert groups[4] == groups[1]
    assert groups[5] == groups[0]
    assert len({groups[i] for i in range(4)}) == 4
    opening = [60, 62, 65, 61, 66, 70, 68]  # the same seven notes, then each goes its own way
    one, other = (
        Song(np.arange(12) * 0.5, [0.4] * 12, opening + rest, [80] * 12)
        for rest in ([50, 59, 41, 48, 49], [71, 80, 78, 90, 83])
    )
    assert len(set(splits.near_duplicates([one, other]))) == 2
    assert len(set(splits.near_duplicates([one, other], gram=4))) == 1
    named = splits.near_duplicates(tunes, ["a", "b", "a", ""])
    assert named[0] == named[2] != named[1] != named[3]


def test_groups_are_the_same_whatever_order_hashes_come_in(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from making import random_song\nfrom symphony.corpora.splits import near_duplicates\n"
        "tunes = [random_song(i, 40) for i in range(6)]\n"
        "print(near_duplicates([t.transposed(k) for k in (0, 2, 5) for t in tunes]))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parents[1])],
            env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert printed == {str([0, 1, 2, 3, 4, 5] * 3) + "\n"}


def test_groups_of_one_name_stay_apart(tmp_path, cache):
    for i in range(6):
        home = tmp_path / "music" / f"{i}"
        home.mkdir(parents=True)
        (home / "t.abc").write_text(f"X:1\nT:Same\nK:C\n{'CDEFGABcdefgab'[i : i + 8]}|\n")
    assert len(set(load_corpus(tmp_path / "music", progress=False).pieces)) == 6


def test_the_melody_is_the_top_voice():
    # A held G above a moving line: the line is not the melody until the G is released.
    song = Song([0, 0, 1, 2, 3], [3, 1, 1, 1, 1], [67, 60, 62, 64, 65], [80] * 5)
    assert splits.melody(song).tolist() == [67, 65]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_a_table_gives_its_songs_back(tmp_path_factory, seeds):
    home = tmp_path_factory.mktemp("table") / "t"
    songs = [random_song(seed, 5 + seed % 7).named(f"{seed}") for seed in seeds]
    songs[0] = Song([], [], [], [], name="empty", pedal=[[0, 1]], tempo=[[0, 50], [1, 60]])
    back, document = table.write(home, songs, lambda written: {"count": len(written)})
    assert document["count"] == len(songs)
    for song, other in zip(songs, back, strict=True):
        assert song.equals(other)
        assert song.name == other.name
        assert np.array_equal(song.pedal, other.pedal)
        assert np.array_equal(song.tempo, other.tempo)
    assert len(back[1:]) == len(songs) - 1


def test_two_writers_of_one_table_end_with_one_whole_table(tmp_path):
    songs = [random_song(1, 9)]

    def other_is_first(written):
        if not (tmp_path / "t").exists():
            table.write(tmp_path / "t", songs, lambda _: {"who": "the other"})
        return {"who": "the first"}

    back, document = table.write(tmp_path / "t", songs, other_is_first)
    assert document["who"] == "the other"
    assert back[0].equals(songs[0])
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


TUNE = "X:3\nT:Scale\nM:4/4\nL:1/4\nQ:1/4=60\nK:G\nG A B c|d e f g|]\n"


def test_abc_worked_by_hand():
    song = read_abc(TUNE)
    assert song.name == "Scale"
    assert song.pitch.tolist() == [67, 69, 71, 72, 74, 76, 78, 79]  # f is sharp in G
    assert song.onset.tolist() == pytest.approx(range(8), abs=0.005)
    assert song.onset_quarters.tolist() == pytest.approx(range(8), abs=0.005)
    assert song.duration_quarters.tolist() == pytest.approx([1] * 8, abs=0.005)
    assert song.abc == TUNE


def test_chord_symbols_are_not_played():
    song = read_abc('X:1\nM:4/4\nL:1/4\nK:C\n"C"C "G"D "C"E z|\n')
    assert song.pitch.tolist() == [60, 62, 64]


def test_tunes_are_split_and_bad_ones_have_their_reason():
    tunes = split_tunes("% head\nX:1\nK:C\nCD\n\nX:2\nK:C\n%%@!\nX:3\nK:C\nEF\n")
    assert len(tunes) == 3
    first, second, third = parse_tunes(tunes)
    assert first.pitch.tolist() == [60, 62]
    assert isinstance(second, str)
    assert third.pitch.tolist() == [64, 65]
    with pytest.raises(SongError, match="can't be read"):
        read_abc(tunes[1])


def test_a_tune_that_crashes_the_reader_is_left_out_and_the_rest_go_on(monkeypatch):
    from symphony.corpora import abc_tunes

    original = abc_tunes._Worker.ask

    def ask(self, tune):
        if "T:Crash" in tune:
            self.process.kill()
        return original(self, tune)

    monkeypatch.setattr(abc_tunes._Worker, "ask", ask)
    found = list(parse_tunes([TUNE, TUNE.replace("Scale", "Crash"), TUNE]))
    assert isinstance(found[0], Song)
    assert found[1] == "it crashes or stalls the ABC reader"
    assert isinstance(found[2], Song)
    (long,) = parse_tunes(["X:1\n" + "c" * 60_000])
    assert "longer than" in long


def test_hostile_abc_is_read_or_refused():
    rng = np.random.default_rng(0)
    letters = list("ABCDEFGabcdefgz0123456789/|:[](){}<>\"'^_=-~.,!+%\n \\XKMLQVwW&*$\x00é")
    tunes = ["X:1\nK:C\n" + "".join(rng.choice(letters, 200)) + "\n" for _ in range(60)]
    tunes += ["X:1\nK:C\n" + "[" * 3000, "X:1\nK:C\n" + "(" * 3000, "X:1\nM:1/0\nL:1/0\nK:C\nC|"]
    for song in parse_tunes(tunes):
        assert isinstance(song, Song | str)


def test_files_are_recognised_by_what_they_hold(tmp_path):
    random_song().to_midi(tmp_path / "really.abc")
    assert len(read_song(tmp_path / "really.abc")) == 80
    (tmp_path / "tune.txt").write_text(TUNE)
    assert read_song(tmp_path / "tune.txt").name == "Scale"
    (tmp_path / "empty.abc").write_text("nothing")
    with pytest.raises(SongError, match="no ABC tune"):
        read_song(tmp_path / "empty.abc")
    with pytest.raises(FileError, match="no file"):
        read_song(tmp_path / "none.mid")
    with pytest.raises(FileError, match="is a folder, not a piece"):
        read_song(tmp_path)
    with (tmp_path / "big.abc").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(SongError, match="larger than"):
        read_song(tmp_path / "big.abc")


def packed(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return path


def test_archives_stay_in_their_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    evil = packed(tmp_path / "evil.zip", **{"../../outside.txt": "x"})
    with pytest.raises(FileError, match="outside"):
        download.unpack(evil, home)
    assert not (tmp_path.parent / "outside.txt").exists()
    (tmp_path / "cut.zip").write_bytes(evil.read_bytes()[:30])
    with pytest.raises(FileError, match="not a whole zip"):
        download.unpack(tmp_path / "cut.zip", home)


def served(tmp_path, sha256):
    return Source("served", "Served", "", (tmp_path / "served.zip").as_uri(), "none", "", sha256, 1)


def test_mirrored_files_are_checked(tmp_path, cache, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "served").mkdir(parents=True)
    (mirror / "served" / "a.abc").write_text(TUNE)
    monkeypatch.setenv("SYMPHONY_DATA", str(mirror))
    digest = download.manifest(mirror / "served", is_abc)
    good = served(tmp_path, digest)
    assert download.fetch_files(good, is_abc) == mirror / "served"
    (mirror / "served" / "a.abc").write_text(TUNE + "z")
    with pytest.raises(FileError, match="not the published ones"):
        download.fetch_files(good, is_abc)


def test_a_wrong_hash_keeps_nothing(tmp_path, cache, monkeypatch):
    import pooch

    def retrieve(url, known_hash, fname, path, **_):
        raise ValueError("SHA256 hash does not match")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(FileError, match="Nothing was kept"):
        download.fetch(served(tmp_path, "0" * 64), sha256="0" * 64)


@pytest.fixture
def server(tmp_path):
    """Serves the files of ``tmp_path / "web"`` on this machine; its address."""
    (tmp_path / "web").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_download_is_checked_unpacked_and_kept(tmp_path, cache, server):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.abc").write_text(TUNE)
    tree = {"top__a.abc": TUNE, "top__other.txt": "no music"}
    archive = packed(tmp_path / "web" / "served.zip", **tree)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    url = f"{server}/served.zip"
    file = replace(served(tmp_path, digest), url=url)
    found = download.fetch(file, progress=False, sha256=digest)
    assert found.read_bytes() == archive.read_bytes()
    assert [path.name for path in found.parent.iterdir()] == ["served.zip"]
    archive.unlink()
    assert download.fetch(file, progress=False, sha256=digest) == found  # kept from before
    with pytest.raises(FileError, match="can't be downloaded"):
        download.fetch(file, progress=False, sha256="0" * 64)
    assert found.exists()  # a failed download costs nothing

    found.rename(archive)
    files = replace(file, sha256=download.manifest(tmp_path / "good", is_abc))
    folder = download.fetch_files(files, is_abc, progress=False)
    assert (folder / "a.abc").read_text() == TUNE
    assert [path.name for path in folder.parent.iterdir()] == ["served"]


def is_abc(path):
    return path.suffix == ".abc"


def test_a_full_disk_is_no_missing_network(tmp_path, cache, monkeypatch):
    import pooch

    def retrieve(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(FileError, match=r"served\.zip can't be written: No space left"):
        download.fetch(served(tmp_path, "0" * 64), sha256="0" * 64)
    assert list((cache / "downloads").iterdir()) == []


def test_without_network_and_mirror_the_error_says_what_to_do(tmp_path, cache, monkeypatch):
    import pooch

    def retrieve(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(FileError, match="SYMPHONY_DATA"):
        load_corpus("maestro", progress=False)
    assert not is_present("maestro")
    assert is_present("chorales")
    assert is_present(tmp_path)
    assert not is_present(tmp_path / "none")


def test_maestro_keeps_its_official_split(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("SYMPHONY_DATA", str(tmp_path))
    head = "canonical_composer,canonical_title,split,midi_filename\n"
    rows = [
        f"Bach,Piece {i},{s},2004/{i}.midi" for i, s in enumerate(["train", "test", "validation"])
    ]
    with zipfile.ZipFile(tmp_path / "maestro-v3.0.0-midi.zip", "w") as archive:
        archive.writestr("maestro-v3.0.0/maestro-v3.0.0.csv", head + "\n".join(rows) + "\n")
        for i in range(3):
            archive.writestr(f"maestro-v3.0.0/2004/{i}.midi", random_song(i).to_midi())
    with pytest.raises(FileError, match=r"wrong SHA-256"):
        load_corpus("maestro", progress=False)
    monkeypatch.setattr(
        corpus.maestro, "fetch", lambda *_, **__: tmp_path / "maestro-v3.0.0-midi.zip"
    )
    found = load_corpus("maestro", progress=False)
    assert found.split == ("train", "test", "validation")


def test_published_corpora_parse_whole(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_DATA", str(data_folder))
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what it lacks is the same for everyone, and published
        tunes = load_corpus("nottingham", progress=False)
    assert len(tunes.songs) + len(tunes.skipped) == 1034
    assert tunes.fingerprint.startswith("2c5a8c79")
    played = load_corpus("asap", progress=False)
    assert len(played.songs) == 1067
    pieces = {}
    for piece, split in zip(played.pieces, played.split, strict=True):
        assert pieces.setdefault(piece, split) == split
    assert any(len(song.pedal) for song in played.songs[:10])


def test_the_table_of_corpora():
    rows = {row["name"]: row for row in corpora_table()}
    assert set(rows) == set(SOURCES)
    assert rows["chorales"]["present"] == "yes"
    assert rows["maestro"]["size"] == "58 MB"
    assert json.dumps(rows)
    assert Path(SOURCES["maestro"].url).name == "maestro-v3.0.0-midi.zip"
