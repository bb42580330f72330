"""Spoilt archives: unpacked or refused, nothing outside, nothing left behind, no swelling."""

import io
import shutil
import zipfile

import numpy as np
import pytest

from symphony.corpora import download
from symphony.corpora.source import Source
from symphony.errors import FileError

NAMES = [
    "a.abc", "top/a.abc", "top/below/b.abc", "top", "top/", "../out.abc", "/tmp/out.abc", "..", ".",
    "a/../../out.abc", "C:\\out.abc", "..\\out.abc", "\\\\server\\out.abc", "x" * 300,
    "a\0b.abc", "a/" * 200 + "b.abc", "con", " ", "caf\u00e9.abc", "a.abc/b.abc", "\udcff.abc",
]  # fmt: skip
WAYS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def archive(rng):
    """A zip file of some members, with names that may be anything."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for _ in range(rng.integers(1, 5)):
            name = NAMES[rng.integers(len(NAMES))]
            info = zipfile.ZipInfo(name.encode(errors="replace").decode())
            info.compress_type = WAYS[rng.integers(len(WAYS))]
            info.external_attr = int(rng.choice([0o644, 0o120777, 0o010644, 0])) << 16
            packed.writestr(info, rng.bytes(20) * int(rng.integers(1, 100)))
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_spoilt_archives(cases, spoil, bounded, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMPHONY_DATA", raising=False)
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    path = downloads / "served.zip"
    monkeypatch.setattr(download, "fetch", lambda *_, **__: path)
    source = Source("served", "", "", "http://127.0.0.1/served.zip", "", "", "0" * 64, 1)
    rng = np.random.default_rng(20260106)
    for number in range(cases(500)):
        data = archive(rng)
        if rng.random() < 0.8:
            data = spoil(rng, data)
        path.write_bytes(data)
        with bounded(10), pytest.raises(FileError, match=r"\.$"):  # none is the published one
            download.fetch_files(source, lambda path: path.suffix == ".abc", progress=False)
        assert list(downloads.iterdir()) == [], (number, data)
        assert sorted(child.name for child in tmp_path.iterdir()) == ["cache"], (number, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_unpacked_stays_in_its_folder(cases, spoil, bounded, tmp_path):
    rng = np.random.default_rng(20260107)
    unpacked = 0
    for number in range(cases(500)):
        data = archive(rng)
        if rng.random() < 0.5:
            data = spoil(rng, data)
        path, home = tmp_path / "x.zip", tmp_path / "home"
        path.write_bytes(data)
        home.mkdir()
        with bounded(10):
            try:
                download.unpack(path, home)
            except FileError:
                assert not home.exists(), (number, data)
        assert sorted(child.name for child in tmp_path.iterdir() if child != home) == ["x.zip"]
        if home.exists():
            unpacked += 1
            assert not any(child.is_symlink() for child in home.rglob("*"))
            shutil.rmtree(home)
    assert unpacked > 30
