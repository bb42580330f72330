import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import soundfile

from symphony.errors import RequestError, SongError
from symphony.evaluation.index import Match
from symphony.evaluation.originality import OriginalityReport
from symphony.rendering import player, players
from symphony.rendering.audio import TAIL
from symphony.song import Song

rng = np.random.default_rng(7)
N = 600
LONG = Song(
    np.sort(rng.uniform(0, 40, N)),
    rng.uniform(0.1, 1.0, N),
    rng.integers(36, 90, N),
    rng.integers(20, 110, N),
    name="Long & <wide>",
)


def report(run, notes=(), unseen=(3, 4, 5, 9)):
    """A report as evaluation makes it: the longest shared run, and runs of unseen pieces."""
    match = Match("Old tune", 0, run, run, (6.0, 8.0), (1.0, 3.0), 0, 0, 0, 0, notes, notes)
    below = [(n < run) + (n == run) / 2 for n in unseen]
    return OriginalityReport(
        nearest=(match,) if run else (),
        values={"run": float(run)},
        percentile={"run": 100 * float(np.mean(below)) if unseen else float("nan")},
        reference={"run": np.array(unseen)},
    )


def audio(html):
    (data,) = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', html)
    return soundfile.read(io.BytesIO(base64.b64decode(data)))


def roll(html):
    return ET.fromstring(re.search(r"<svg.*?</svg>", html, flags=re.S)[0])


def strokes(html, kind):
    found = [p.get("d") for p in roll(html).iter("path") if p.get("class") == kind]
    return re.findall(r"M(\d+) (\d+)h(\d+)", "".join(found))


def test_the_sound_inside_is_the_excerpt():
    shown = player(LONG, seconds=10)
    sound, rate = audio(shown.html)
    assert len(sound) / rate == pytest.approx(10 + TAIL, abs=0.2)
    assert shown.seconds == pytest.approx(10 + TAIL, abs=0.1)
    assert np.sqrt(np.mean(sound**2)) > 0.02
    assert np.abs(sound).max() < 1


def test_the_roll_has_every_note_of_the_excerpt_in_its_place():
    found = strokes(player(LONG, seconds=10, start=5).html, "sp-notes")
    inside = (LONG.onset >= 5) & (LONG.onset < 15)
    assert len(found) == inside.sum()
    x = sorted(int(a) for a, _, _ in found)
    wanted = (LONG.onset[inside] - 5) / (10 + TAIL) * 2000
    np.testing.assert_allclose(x, np.sort(wanted), atol=2)
    top = LONG.pitch[inside].max() + 1
    assert sorted(int(b) for _, b, _ in found) == sorted(
        int(top - p) * 2 + 1 for p in LONG.pitch[inside].astype(int)
    )


def test_an_accompaniment_is_heard_drawn_and_said():
    chords = LONG.select(LONG.pitch < 48).transposed(-12)
    inside = (chords.end > 5) & (chords.onset < 15)
    shown = player(LONG, seconds=10, start=5, accompaniment=chords).html
    alone = player(LONG, seconds=10, start=5).html
    assert len(strokes(shown, "sp-chords")) == inside.sum()
    assert len(strokes(shown, "sp-notes")) == len(strokes(alone, "sp-notes"))
    assert not strokes(alone, "sp-chords")
    label = roll(shown).get("aria-label")
    assert f"A guitar accompanies it with {inside.sum()} notes" in label
    heights = [int(roll(html).get("viewBox").split()[3]) for html in (shown, alone)]
    assert all(int(y) < heights[0] for _, y, _ in strokes(shown, "sp-chords"))
    one, other = audio(shown)[0], audio(alone)[0]
    assert np.abs(one[: len(other)] - other[: len(one)]).max() > 0.1


def test_sizes_hold():
    shown = player(LONG, seconds=20)
    assert len(shown.html) < 140_000
    assert len(re.search(r"<svg.*?</svg>", shown.html, flags=re.S)[0]) < 12_000
    assert len(shown.html) - len(shown.figure) < 8_000


def test_nothing_is_asked_of_another_host_and_ids_repeat():
    one, same, other = (player(LONG, seconds=s, originality="all mine") for s in (3, 3, 4))
    assert not re.search(r"(https?:)?//\w", re.sub(r"base64,[^\"]+", "", one.html))
    assert one.html == same.html
    ids = [re.search(r'id="([^"]+)"', shown.html)[1] for shown in (one, other)]
    assert ids[0] != ids[1]


def test_text_is_escaped_and_the_roll_described():
    html = player(LONG, seconds=3, originality="<b>me</b>").html
    assert "Long &amp; &lt;wide&gt;" in html
    assert "<wide>" not in html
    assert "&lt;b&gt;me" in html
    svg = roll(html)
    assert svg.get("role") == "img"
    assert svg.get("aria-label").startswith("Piano roll of Long & <wide>: ")


def test_without_scripts_the_sound_has_its_own_controls():
    figure = player(LONG, seconds=3).figure
    assert re.search(r"<audio controls", figure)
    assert "<script" not in figure


def test_a_copy_is_said_in_words_and_marked_in_the_roll():
    notes = np.flatnonzero((LONG.onset > 6) & (LONG.onset < 8))
    html = player(LONG, seconds=5, start=5, originality=report(59, notes)).html
    assert '<b class="sp-warn">copied</b>Longest shared run: 59 onsets' in html
    assert len(strokes(html, "sp-copied")) == len(notes)
    assert len(strokes(html, "sp-notes")) == np.sum((LONG.onset >= 5) & (LONG.onset < 10)) - len(
        notes
    )
    assert "copied passage is marked from 0:06 to" in roll(html).get("aria-label")


def test_notes_that_a_model_added_are_marked_and_counted():
    facade = LONG.slice(0.0, 5.0)
    shown = player(LONG, seconds=10, condition=facade, originality=report(9, notes=(0, 1))).html
    excerpt = LONG.sustained().slice(0.0, 10.0)
    assert len(strokes(shown, "sp-notes")) == len(facade)
    assert len(strokes(shown, "sp-copied")) == len(excerpt) - len(facade)
    assert f"{len(excerpt) - len(facade)} notes, in another color, were added" in shown
    assert "Orange: added by the model." in shown
    assert "Orange" not in player(LONG, seconds=10).html


@pytest.mark.parametrize(
    ("report", "sign"),
    [
        (report(5, range(20)), "nothing copied"),
        (report(9, range(20), unseen=[3] * 19 + [9]), "much shared"),
        (report(0), "nothing shared"),
    ],
)
def test_the_sign_follows_the_report(report, sign):
    html = player(LONG, seconds=5, originality=report).html
    assert re.search(r"<b class=.sp-\w+.>([^<]+)</b>", html)[1] == sign
    assert bool(strokes(html, "sp-copied")) == (sign == "much shared")


def test_without_unseen_music_there_is_a_line_but_no_sign():
    html = player(LONG, seconds=5, originality=report(12, range(20), unseen=())).html
    assert "no unseen music to compare with" in html
    assert not re.search(r"<b class=.sp-", html)


def test_the_axis_counts_in_the_songs_own_time():
    html = player(LONG, seconds=8, start=21).html
    marks = re.findall(r'left:([\d.]+)%">(\d+:\d\d)<', html)
    assert [m[1] for m in marks] == ["0:22", "0:24", "0:26", "0:28"]
    assert float(marks[0][0]) == pytest.approx(100 / (8 + TAIL), abs=0.3)


def test_the_whole_song_plays_without_seconds():
    short = LONG.slice(0, 6)
    shown = player(short, title="Short")
    assert shown.seconds == pytest.approx(short.seconds + TAIL)
    assert len(strokes(shown.html, "sp-notes")) == len(short)


def test_a_grid_shares_one_script():
    grid = players([player(LONG, seconds=2), player(LONG, seconds=3)])
    assert grid.html.count("<figure") == 2
    assert grid.html.count("<script") == grid.html.count("<style") == 1
    with pytest.raises(RequestError, match="at least one"):
        players([])


def test_versions_of_one_piece_share_a_clock_where_asked():
    two = [player(LONG, seconds=2), player(LONG, seconds=3)]
    assert 'class="symphony-players" data-one-clock>' in players(two, one_clock=True).html
    assert "data-one-clock>" not in players(two).html


@pytest.fixture
def versions(browser, tmp_path):
    """Opens three versions of one piece in one grid, as chapter 11 has them."""
    pages = []

    def opened(width=1000, one_clock=True):
        titles = ("before", "durations", "both")
        grid = players([player(LONG, seconds=8, title=t) for t in titles], one_clock=one_clock)
        frame = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'
        (tmp_path / "page.html").write_text(frame.format(grid.html), "utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function("[...document.querySelectorAll('audio')].every(a => a.duration > 1)")
        return page

    yield opened
    for page in pages:
        page.close()


SWITCH = """async (to) => {  // how long a switch takes is no part of where it goes
  const all = [...document.querySelectorAll("audio")];
  const from = all.find((audio) => !audio.paused), begun = performance.now();
  const left = from.currentTime;
  await all[to].play();
  const found = { left, came: all[to].currentTime, took: (performance.now() - begun) / 1000 };
  return { ...found, sounding: all.map((audio) => !audio.paused) };
}"""


def test_switching_between_versions_keeps_the_place_and_only_one_sounds(versions):
    page = versions()
    page.evaluate("document.querySelector('audio').play()")
    for to, beyond in ((1, 0.6), (2, 1.2), (0, 1.8)):
        page.wait_for_function(
            "least => [...document.querySelectorAll('audio')].some("
            "a => !a.paused && a.currentTime > least)",
            arg=beyond,
        )
        found = page.evaluate(SWITCH, to)
        assert found["sounding"] == [i == to for i in range(3)]
        assert -0.02 < found["came"] - found["left"] < found["took"] + 0.1


def test_the_place_is_where_a_reader_put_it_last(versions):
    page = versions()
    seek, audio = page.locator(".sp-seek"), page.locator("audio")
    for _ in range(4):
        seek.nth(1).press("ArrowRight")  # 4 s, of a player that is not playing
    audio.nth(2).evaluate("a => a.play()")
    assert 4 <= audio.nth(2).evaluate("a => a.currentTime") < 8
    audio.nth(2).evaluate("a => a.pause()")
    seek.nth(0).press("Home")  # and one that is moved itself stays there
    audio.nth(0).evaluate("a => a.play()")
    assert audio.nth(0).evaluate("a => a.currentTime") < 2


def test_after_the_end_another_version_begins_anew(versions):
    page = versions()
    page.locator(".sp-seek").nth(0).press("End")
    page.evaluate("document.querySelector('audio').play()")
    page.wait_for_function("document.querySelector('audio').ended")
    second = page.locator("audio").nth(1)
    second.evaluate("a => a.play()")
    assert second.evaluate("a => a.currentTime") < 4


def test_players_of_different_pieces_have_clocks_of_their_own(versions):
    page = versions(one_clock=False)
    page.evaluate("document.querySelector('audio').play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 1")
    found = page.evaluate(SWITCH, 1)
    assert found["sounding"] == [False, True, False]
    assert found["came"] < found["took"] + 0.1


@pytest.mark.parametrize(("width", "rows"), [(1000, 1), (390, 3)])
def test_three_versions_stand_in_one_row_where_there_is_room(versions, width, rows):
    boxes = versions(width).evaluate(
        "[...document.querySelectorAll('figure')].map(f => f.getBoundingClientRect().top)"
    )
    assert len(set(boxes)) == rows


@pytest.mark.parametrize(
    "times", [{"seconds": 0}, {"seconds": -1}, {"start": -1}, {"seconds": float("nan")}]
)
def test_times_that_make_no_excerpt(times):
    with pytest.raises(RequestError, match="excerpt"):
        player(LONG, **times)


def test_an_excerpt_without_notes():
    with pytest.raises(RequestError, match="no notes between 1:40 and 1:45"):
        player(LONG, start=100, seconds=5)
    with pytest.raises(SongError, match="nothing to hear"):
        player(Song([], [], [], []))
