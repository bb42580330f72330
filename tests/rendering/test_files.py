import xml.etree.ElementTree as ET

import numpy as np
import pytest
import soundfile

from symphony.rendering import RenderingError, render_file
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
    with pytest.raises(RenderingError, match=r"\.png \(piano roll\).*not to 'x\.pdf'"):
        render_file(BEAT, tmp_path / "x.pdf")


@pytest.mark.parametrize("name", ["x.mp3", "x.png", "x.svg"])
def test_a_place_that_is_not_there(tmp_path, name):
    with pytest.raises(RenderingError, match="can't be written"):
        render_file(BEAT, tmp_path / "missing" / name)


def test_a_failure_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "x.wav"
    render_file(BEAT, path)
    before = path.read_bytes()
    with pytest.raises(RenderingError, match="no notes"):
        render_file(Song([], [], [], []), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
