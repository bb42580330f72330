"""ABC characters: what a plain body leaves out, and how long its bars are."""

from fractions import Fraction

import numpy as np
import pytest

from symphony.codecs import AbcCodec, bar_lengths, readable
from symphony.errors import RequestError, SongError
from symphony.song import Song

JIG = AbcCodec("6/8", "1/8", "G", plain=True)
TUNE = 'X:1\nT:A\nM:6/8\nK:D\n"D"u(dcd) .A2 "D.C."F |{e}T~d>ef [M:3/4] d3\\\n|]\n'


def tune(text=TUNE):
    return Song([0.0], [1.0], [60], [80], abc=text)


def test_a_plain_body_keeps_notes_bars_and_chord_symbols():
    assert JIG.body(JIG.encode(tune())) == '"D"dcdA2F|d>efd3|]'


@pytest.mark.parametrize(
    ("body", "units"),
    [
        ("ABc d2e|", [6]),
        ("|:f|A3/2B/c d/e/f2|z6|", [1, 6, 6]),
        ("(3ABc d2|(2AB c|", [4, 4]),
        ("A>B c<d|A>>B|", [4, 2]),
        ("[CEG]2 [c2e2]|{g}A//B/4|", [4, "1/2"]),
        ('"Am7"A2::^c,_B\'|1 d:|2 e|]f', [2, 2, 1, 1]),
        ("", []),
    ],
)
def test_bars_are_as_long_as_a_reader_counts_them(body, units):
    assert bar_lengths(body) == [Fraction(each) for each in units]


def test_pickups_and_cut_bars_do_not_count():
    assert JIG.bars_full(["d|ABcdef|A3B3|d"]) == 1
    assert JIG.bars_full(["d|ABcdef|A3B2|d"]) == 0.5
    assert np.isnan(JIG.bars_full(["abc", ""]))


def test_any_characters_can_be_counted():
    rng = np.random.default_rng(0)
    for _ in range(300):
        body = JIG.body(rng.integers(0, 96, 60))
        assert all(length > 0 for length in bar_lengths(body))
        assert set(readable(body)) <= set("_^=ABCDEFGabcdefgz|,'123456789")


def test_what_is_readable_keeps_octaves_where_abc_has_them():
    assert readable("C,2 a,3 G'4|b'(=e)%%z10") == "C,2aG|b'=ez1"


def test_headers_say_which_tunes_fit():
    assert JIG.matches(tune())  # 6/8 counts in eighths where nothing is said
    for other in ("M:4/4", "M:6/8\nL:1/4", "M:none", "N:6/8"):
        assert not JIG.matches(tune(TUNE.replace("M:6/8", other)))
    assert AbcCodec("4/4").matches(tune(TUNE.replace("M:6/8", "M:C")))
    assert AbcCodec("2/4", "1/16").matches(tune(TUNE.replace("M:6/8", "M:2/4")))


def test_a_character_outside_the_vocabulary_and_a_song_without_text_are_refused():
    with pytest.raises(RequestError, match="numbers from 0 to 95"):
        JIG.body(np.array([96]))
    with pytest.raises(SongError, match="did not come from ABC"):
        JIG.encode(tune(None))
