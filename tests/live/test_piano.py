"""A recorded piano in the browser, from recordings made here."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile

from symphony.live.browser import page, source, write_model
from symphony.systems import load

RATE = 44_100
PLAYING = "document.querySelector('.symphony-play').playing"


def string(pitch, seconds=1.0, silence=0.2):
    """A sine with the frequency of a key, after a silence: an MP3 as base64 text."""
    t = np.arange(round(seconds * RATE)) / RATE
    sound = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)
    sound = np.concatenate([np.zeros(round(silence * RATE)), sound])
    out = io.BytesIO()
    soundfile.write(out, np.column_stack([sound, 0.5 * sound]), RATE, format="MP3")
    return base64.b64encode(out.getvalue()).decode()


@pytest.fixture
def bare(browser, tmp_path):
    script = f"{source('piano.js')}\nglobalThis.play = {{ Recordings, recordings, trimmed }};"
    (tmp_path / "bare.html").write_text(f'<script type="module">{script}</script>', "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "bare.html").as_uri())
    page.wait_for_function("globalThis.play")
    yield page
    page.close()


RECORDINGS = """async (strings) => {
  const context = new OfflineAudioContext(2, 44100, 44100), asked = [];
  const load = async (name) => {
    asked.push(name);
    if (name === "keys") return { keys: [57, 81, 69, 93], first: 2, credit: "x" };
    if (!strings[name]) throw new Error("no such file");
    return strings[name];
  };
  const piano = await play.recordings(context, load), before = [...asked];
  const early = piano.near(70);
  await piano.rest();
  const late = piano.near(70), source = context.createBufferSource();
  source.buffer = late[0];
  source.playbackRate.value = late[1];
  source.connect(context.destination);
  source.start();
  const heard = Array.from((await context.startRendering()).getChannelData(0));
  return { before, asked, early: early[1], late: late[1], heard, keys: [...piano.buffers.keys()] };
}"""


def test_few_recordings_come_first_and_each_key_takes_the_nearest(bare):
    found = bare.evaluate(RECORDINGS, {str(p): string(p) for p in (57, 81, 69)})
    assert found["before"] == ["keys", 57, 81]
    assert found["asked"] == ["keys", 57, 81, 69, 93]
    assert found["keys"] == [57, 81, 69]  # the last one failed to come
    assert found["early"] == pytest.approx(2 ** (-11 / 12))
    assert found["late"] == pytest.approx(2 ** (1 / 12))
    heard = np.array(found["heard"])
    assert np.abs(heard[: round(0.02 * RATE)]).max() > 0.3  # its silence is gone
    part = heard[2000 : 2000 + RATE // 4]
    peak = np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * RATE / len(part)
    assert peak == pytest.approx(440 * 2 ** (1 / 12), abs=4)


def test_a_long_string_is_cut_and_fades(bare):
    length, left = bare.evaluate(
        """async (text) => {
          const context = new OfflineAudioContext(2, 44100, 44100);
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const cut = play.trimmed(context, await context.decodeAudioData(bytes.buffer));
          return [cut.duration, Array.from(cut.getChannelData(0).slice(-22050))];
        }""",
        string(60, 9.0),
    )
    assert length == pytest.approx(7.0, abs=0.01)
    left = np.abs(left)
    assert left[:2000].max() > 0.5
    assert left[-200:].max() < 0.01


@pytest.mark.parametrize("keys", ["null", "throw new Error()"])
def test_without_recordings_there_is_none(bare, keys):
    found = bare.evaluate(
        f"play.recordings(null, async () => {{ {keys if 'throw' in keys else f'return {keys}'} }})"
    )
    assert found is None


@pytest.mark.parametrize("recorded", [True, False])
def test_a_page_says_which_piano_it_plays(browser, tmp_path, recorded):
    write_model(load("conditional-char-rnn"), tmp_path / "model.js")
    listed = {"keys": [36, 60, 84, 72], "first": 3, "credit": "A piano by a friend"}
    (tmp_path / "piano").mkdir()
    scripts = {"keys": listed if recorded else None}
    scripts |= {str(pitch): string(pitch) for pitch in listed["keys"]}
    for name, value in scripts.items():
        text = f"globalThis.symphonyPiano={json.dumps(value)};"
        (tmp_path / "piano" / f"{name}.js").write_text(text)
    frame = f'<!doctype html><meta charset="utf-8"><body>{page("model.js", piano="piano")}'
    (tmp_path / "play.html").write_text(frame, "utf-8")
    opened = browser.new_page()
    errors, asked = [], []
    opened.on("console", lambda m: m.type == "error" and errors.append(m.text))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda r: asked.append(r.url.rpartition("/")[2]))
    opened.goto((tmp_path / "play.html").as_uri())
    assert asked == ["play.html"]
    opened.get_by_role("button", name="Start").click()
    opened.wait_for_function(f"{PLAYING}?.improviser.report.notes > 3", timeout=60_000)
    said = opened.locator(".play-status").inner_text()
    if recorded:
        assert "A piano by a friend" in said
        opened.wait_for_function(f"{PLAYING}.piano.recordings.buffers.size === 4")
        assert asked[2:] == ["keys.js", "36.js", "60.js", "84.js", "72.js"]
        assert opened.evaluate(f"{PLAYING}.piano.tones.size") == 0
    else:
        assert "computed, not recorded" in said
        assert asked[2:] == ["keys.js"]
    assert opened.locator("head script").count() == 0  # what they brought is not kept twice
    assert errors == []
    opened.close()
