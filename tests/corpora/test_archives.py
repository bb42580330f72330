"""Archives that aren't what they should be: a sentence, and nothing left behind."""

import errno
import struct
import zipfile

import pytest

from symphony.corpora import download, load_corpus
from symphony.corpora.source import Source
from symphony.errors import FileError

TUNE = "X:1\nT:Scale\nK:G\nGABc|\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMPHONY_DATA", raising=False)
    return tmp_path / "cache"


def packed(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return path


def patched(path, place, value):
    """The archive with a two-byte field changed in every header, local and central."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", place - 2), (b"PK\x01\x02", place)):
        at = data.find(mark)
        while at >= 0:
            struct.pack_into("<H", data, at + offset, value)
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


def spoilt(data):
    """The archive with the middle of its packed bytes changed."""
    at = data.find(b"a.abc") + len("a.abc") + 4
    return data[:at] + bytes(b ^ 0x55 for b in data[at : at + 8]) + data[at + 8 :]


BAD = {
    "a file where a folder should be": lambda p: packed(p, [("a", "x"), ("a/b.abc", TUNE)]),
    "a folder where a file should be": lambda p: packed(p, [("a/b.abc", TUNE), ("a", "x")]),
    "encrypted": lambda p: patched(packed(p, [("a.abc", TUNE)]), 8, 1),
    "packed in an unknown way": lambda p: patched(packed(p, [("a.abc", TUNE)]), 10, 77),
    "of a version to come": lambda p: patched(packed(p, [("a.abc", TUNE)]), 6, 255),
    "a name too long": lambda p: packed(p, [("a" * 300 + ".abc", TUNE)]),
    "outside": lambda p: packed(p, [("a.abc", TUNE), ("../../outside.abc", TUNE)]),
    "cut short": lambda p: p.write_bytes(packed(p, [("a.abc", TUNE)]).read_bytes()[:60]),
    "damaged": lambda p: p.write_bytes(spoilt(packed(p, [("a.abc", TUNE * 50)]).read_bytes())),
    "no archive": lambda p: p.write_bytes(b"<html>not found</html>"),
    "empty": lambda p: p.write_bytes(b""),
    "missing": lambda p: None,
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_a_bad_archive_is_a_sentence_and_leaves_nothing(tmp_path, cache, monkeypatch, make):
    downloads = cache / "downloads"
    downloads.mkdir(parents=True)
    archive = downloads / "served.zip"
    make(archive)
    monkeypatch.setattr(download, "fetch", lambda *_, **__: archive)
    source = Source("served", "Served", "", "http://127.0.0.1/served.zip", "none", "", "0" * 64, 1)
    with pytest.raises(FileError, match=r"served\.zip .+\."):
        download.fetch_files(source, lambda path: path.suffix == ".abc")
    assert list(downloads.iterdir()) == []
    assert not list(tmp_path.rglob("outside.abc"))


def test_an_archive_that_swells_is_refused_before_it_does(tmp_path):
    archive = packed(tmp_path / "big.zip", [("a.abc", TUNE)])
    data = bytearray(archive.read_bytes())
    struct.pack_into("<I", data, data.find(b"PK\x01\x02") + 24, 2**31)
    archive.write_bytes(data)
    with pytest.raises(FileError, match="more than 2 GB"):
        download.unpack(archive, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, cache, monkeypatch):
    archive = packed(tmp_path / "served.zip", [("a.abc", TUNE)])
    monkeypatch.setattr(download, "fetch", lambda *_, **__: archive)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    source = Source("served", "Served", "", "http://127.0.0.1/served.zip", "none", "", "0" * 64, 1)
    with pytest.raises(FileError, match=r"can't be written: No space left.*SYMPHONY_CACHE"):
        download.fetch_files(source, lambda path: True)
    assert list((cache / "downloads").iterdir()) == []


def test_files_that_are_not_the_published_ones_are_not_kept(tmp_path, cache, monkeypatch):
    archive = packed(tmp_path / "served.zip", [("top/a.abc", TUNE)])
    monkeypatch.setattr(download, "fetch", lambda *_, **__: archive)
    source = Source("served", "Served", "", "http://127.0.0.1/served.zip", "none", "", "0" * 64, 1)
    with pytest.raises(FileError, match="not the published ones"):
        download.fetch_files(source, lambda path: True)
    assert list((cache / "downloads").iterdir()) == []


def test_a_maestro_that_lacks_its_table_is_a_sentence(tmp_path, monkeypatch):
    from symphony.corpora import maestro

    archive = packed(tmp_path / "maestro.zip", [("top/readme.txt", "no table")])
    monkeypatch.setattr(maestro, "fetch", lambda *_, **__: archive)
    with pytest.raises(FileError, match="no table of its performances"):
        load_corpus("maestro", progress=False)
