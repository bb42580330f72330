import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import soundfile

from symphony.errors import FileError, RequestError, SongError
from symphony.rendering import render_file
from symphony.song import Song

BEAT = Song(
    np.arange(4) * 0.5,
    np.full(4, 0.5),
    [60, 64, 67, 72],
    [64] * 4,
    onset_quarters=np.arange(4.0),
    duration_quarters=np.ones(4),
)


def test_each_suffix_gives_its_kind_of_file(tmp_path):
    for name in ("x.mp3", "x.wav", "x.png", "x.svg"):
        render_file(BEAT, tmp_path / name)
    assert soundfile.info(tmp_path / "x.mp3").duration == pytest.approx(3.0, abs=0.1)
    assert soundfile.info(tmp_path / "x.wav").frames == 3 * 44_100
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list(ET.parse(tmp_path / "x.svg").iter())) > 50
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".mp3", ".png", ".svg", ".wav"]


def test_other_suffixes_are_explained(tmp_path):
    with pytest.raises(RequestError, match=r"\.png \(piano roll\).*not to 'x\.pdf'"):
        render_file(BEAT, tmp_path / "x.pdf")


@pytest.mark.parametrize("name", ["x.mp3", "x.wav", "x.png", "x.svg"])
def test_a_place_that_is_not_there(tmp_path, name):
    with pytest.raises(FileError, match="can't be written"):
        render_file(BEAT, tmp_path / "missing" / name)


def test_a_failure_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "x.wav"
    render_file(BEAT, path)
    before = path.read_bytes()
    with pytest.raises(SongError, match="no notes"):
        render_file(Song([], [], [], []), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from symphony.errors import FileError
from symphony.rendering import render_file
from symphony.song import Song

beats = np.arange(4.0)
song = Song(beats / 2, beats * 0 + 0.5, [60, 64, 67, 72], [64] * 4, beats, beats * 0 + 1)
names = ("x.mid", "x.svg", "x.png", "x.wav", "x.mp3")
write = {"x.mid": song.to_midi}
whole = {}
for name in names:  # before, for what is imported on first use
    write.setdefault(name, lambda path: render_file(song, path))(Path(name))
    whole[name] = Path(name).read_bytes()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name in names:
    for room in (0, 64, len(whole[name]) // 2, len(whole[name]) - 1):  # bytes a file may have
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            write[name](Path(name))
        except FileError as error:
            assert str(error).startswith(f"{name} can't be written: "), error
        else:
            raise AssertionError(f"{name} was written into {room} bytes")
        assert Path(name).read_bytes() == whole[name], name
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
assert sorted(path.name for path in Path().iterdir()) == sorted(names)
"""


def test_a_full_disk_keeps_the_earlier_file_and_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["x.mp3", "x.wav"])
def test_ctrl_c_while_sound_is_written_keeps_the_earlier_file(tmp_path, name, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"earlier")
    opened = []

    class Interrupted(soundfile.SoundFile):
        def __init__(self, file, *args, **more):
            opened.append(file)
            super().__init__(file, *args, **more)

        def write(self, data):
            super().write(data)
            raise KeyboardInterrupt

    monkeypatch.setattr(soundfile, "SoundFile", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        render_file(BEAT, path)
    # A Python file object would be called back from C, where Ctrl-C is lost.
    assert [type(file) for file in opened] == [str]
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["$\\frac$", "a\x01b\nc", "caf\udce9", "{}%_&#~", "𝄞 ♯"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_name_can_be_drawn(tmp_path, name):
    song = BEAT.named(name)
    for kind in ("x.png", "x.svg"):
        render_file(song, tmp_path / kind)
    ET.parse(tmp_path / "x.svg")


def test_a_piece_of_any_length_has_a_picture(tmp_path):
    # 280,000 ticks an hour apart took matplotlib for ever
    render_file(Song([0, 1e9], [1, 1], [60, 64], [64, 64]), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000
