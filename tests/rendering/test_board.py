"""The board of switches: everything in one piece of HTML, and the right window for each code."""

import base64
import re
import zlib

import numpy as np
import pytest

from symphony.errors import RequestError
from symphony.rendering import player, switch_widgets, switchboard
from symphony.song import Song


def windows(digits=3, rows=4):
    rng = np.random.default_rng(0)
    return np.stack(
        [rng.integers(40, 130, (2**digits, rows)), rng.integers(1, 17, (2**digits, rows))], 2
    )


def test_every_codes_window_lies_in_it():
    made = windows()
    board = switchboard(made, start=5, title="A <board>")
    (text,) = re.findall("<template>(.*?)</template>", board.html)
    data = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    np.testing.assert_array_equal(data.reshape(8, 4, 2), made)
    assert 'data-digits="3" data-rows="4" data-start="5" data-tempo="100"' in board.html
    assert "A &lt;board&gt;" in board.html
    assert repr(board).startswith("<Board of 3 switches")


def test_it_asks_no_other_host_for_anything():
    html = switchboard(windows()).html
    assert not re.findall(r"(?:src|href)=|fetch\(|import\(", html)
    assert set(re.findall(r"https?://[^\"']*", html)) <= {"http://www.w3.org/2000/svg"}  # a name


@pytest.mark.parametrize("shape", [(3, 4, 2), (8, 4), (8, 4, 3), (1, 4, 2), (0, 4, 2)])
def test_what_is_no_board_is_refused(shape):
    with pytest.raises(RequestError, match="A board needs windows"):
        switchboard(np.ones(shape))


@pytest.mark.parametrize("start", [-1, 8])
def test_a_code_that_is_not_there_is_refused(start):
    with pytest.raises(RequestError, match="begins with one of them"):
        switchboard(windows(), start=start)


def tune(code):
    """A note a switch, an octave higher where it is on."""
    at = np.arange(len(code)) * 0.2
    return Song(at, np.full(len(code), 0.2), 60 + 12 * code, np.full(len(code), 80))


def test_a_flipped_widget_is_seen_and_heard():
    asked = []

    def hear(code):
        asked.append(code.tolist())
        return player(tune(code))

    board = switch_widgets(np.array([0, 1, 0]), hear)
    switches, heard = board.children
    assert [each.description for each in switches.children] == ["0", "1", "0"]
    assert heard.value == player(tune(np.array([0, 1, 0]))).html
    switches.children[2].value = True
    assert [each.description for each in switches.children] == ["0", "1", "1"]
    assert heard.value == player(tune(np.array([0, 1, 1]))).html
    switches.children[2].value = False  # back again
    assert heard.value == player(tune(np.array([0, 1, 0]))).html
    assert asked == [[0, 1, 0], [0, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize("code", [[0, 2], [], [[0, 1]], [0.5]])
def test_widgets_of_what_is_no_binary_code_are_refused(code):
    with pytest.raises(RequestError, match="Switches are some digits of 0 and 1"):
        switch_widgets(np.array(code), lambda code: player(tune(code)))
