import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from symphony.errors import RequestError, SongError
from symphony.rendering import notation
from symphony.song import Song

TUNE = """X:1
T:Three Bars
M:3/4
L:1/4
K:G
"G"GAB|"D7"d2A|"G"G3|]
"""


def written(n=16, **more):
    onset = np.arange(n, dtype=float)
    pitch = np.resize([60, 64, 67, 72, 48, 52], n)
    return Song(
        onset * 0.5,
        np.full(n, 0.5),
        pitch,
        np.full(n, 64),
        onset_quarters=onset,
        duration_quarters=np.ones(n),
        **more,
    )


def count(svg, kind):
    return len(re.findall(rf'class="{kind}"', svg))


def test_a_song_becomes_two_staves():
    found = notation(written(name="Arpeggio"), measures=4)
    ET.fromstring(found.svg)
    assert count(found.svg, "measure") == 4
    assert count(found.svg, "note") == 16
    assert count(found.svg, "clef") >= 2
    assert found.label == "Notation of Arpeggio: the first 4 measures."
    assert f'aria-label="{found.label}"' in found.svg


def test_measures_limit_what_is_shown():
    assert count(notation(written(40), measures=2).svg, "note") == 8
    assert notation(written(40), measures=None).measures == 10


def test_an_abc_tune_is_engraved_as_written():
    tune = Song([0.0], [0.5], [67], [64], abc=TUNE, name="Three Bars")
    found = notation(tune)
    ET.fromstring(found.svg)
    assert (count(found.svg, "measure"), count(found.svg, "note")) == (3, 6)
    assert count(found.svg, "harm") == 3
    assert found.svg.count('class="keyAccid"') == 1  # G major


def test_a_music21_score_is_engraved():
    from music21 import corpus

    found = notation(corpus.parse("bwv66.6"), measures=4)
    assert found.measures == 4
    assert found.label == "Notation of bwv66.6: the first 4 measures."
    assert count(found.svg, "staff") == 16
    assert len(found.svg) < 120_000


def test_the_drawing_takes_the_color_around_it_and_asks_no_other_host():
    svg = notation(written()).svg
    assert "black" not in svg
    assert 'fill="currentColor"' in svg
    assert set(re.findall(r"https?://[^\"' )]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert all(f'id="{target}"' in svg for target in re.findall(r'href="#([^"]+)"', svg))


def test_the_same_music_gives_the_same_drawing_and_another_other_ids():
    one, same, other = notation(written()), notation(written()), notation(written(20))
    assert one.svg == same.svg
    ids = [set(re.findall(r'\sid="([^"]+)"', n.svg)) for n in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_what_cannot_be_engraved(tmp_path):
    with pytest.raises(SongError, match="no notes"):
        notation(Song([], [], [], []))
    with pytest.raises(RequestError, match="from str"):
        notation("C D E")
    with pytest.raises(RequestError, match="at least one measure"):
        notation(written(), measures=0)
    with pytest.raises(SongError, match="performance"):
        notation(Song([0.0], [1.0], [60], [64]))


def test_save(tmp_path):
    found = notation(written(), measures=1)
    found.save(tmp_path / "x.svg")
    assert ET.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    assert found.svg in found._repr_html_()


@pytest.mark.parametrize("pickup", [0.0, 1.0])
def test_marked_notes_are_colored_and_no_others(pickup):
    song = written()
    marked = np.zeros(len(song), bool)
    marked[[1, 2, 5]] = True
    found = notation(song, None, pickup=pickup, marked=marked)
    assert len(re.findall(r'<g class="note" [^>]*color="#[cC]4512[dD]"', found.svg)) == 3
    assert "c4512d" not in notation(song, None, pickup=pickup).svg.lower()
