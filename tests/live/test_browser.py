"""The module that plays in a browser: the same network, the same rules, and a page that plays."""

import io
import json
import re
from importlib.resources import files

import numpy as np
import pytest
import torch

from symphony.codecs import NoteOffConstraint
from symphony.errors import RequestError
from symphony.live.browser import (
    MODULES,
    dequantized,
    packed,
    page,
    quantize,
    source,
    write_model,
)
from symphony.song import Song
from symphony.systems import load
from symphony.systems.sampling import draw, probabilities


@pytest.fixture(scope="module")
def pianist():
    return load("conditional-char-rnn")


@pytest.fixture(scope="module")
def folder(pianist, tmp_path_factory):
    """A page to play on, as the book has it."""
    home = tmp_path_factory.mktemp("page")
    write_model(pianist, home / "model.js")
    frame = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'
    (home / "play.html").write_text(frame.format(page("model.js")), "utf-8")
    module = files("symphony.live").joinpath("play.js").read_text("utf-8")
    names = "Model, draw, midiFile, uniform, tone, readState, Improviser"
    expose = f'<script type="module">{module}\nglobalThis.play = {{ {names} }};</script>'
    load_model = '<script src="model.js"></script>'
    (home / "bare.html").write_text(frame.format(load_model + expose), "utf-8")
    return home


@pytest.fixture(scope="module")
def shown(folder):
    return folder / "play.html"


@pytest.fixture
def bare(browser, folder):
    page = browser.new_page()
    page.goto((folder / "bare.html").as_uri())
    page.wait_for_function("globalThis.play && globalThis.symphonyModel")
    yield page
    page.close()


def test_eight_bits_are_half_a_step_from_the_truth():
    matrix = np.random.default_rng(0).normal(size=(7, 33)).astype(np.float32)
    small, scales = quantize(matrix)
    assert small.dtype == np.int8
    assert (np.abs(small * scales[:, None] - matrix) <= scales[:, None] / 2 + 1e-7).all()
    assert np.isfinite(quantize(np.zeros((2, 3), np.float32))[1]).all()


def test_what_is_packed_fits_on_a_page(pianist):
    text = json.dumps(packed(pianist))
    assert len(text) < 3_500_000  # of the six million bytes before the first sound
    with pytest.raises(RequestError, match="takes no condition"):
        packed(load("char-rnn"))


def test_the_networks_steps_are_torchs(bare, pianist):
    rng = np.random.default_rng(0)
    network, codec = dequantized(pianist), pianist.recipe.codec
    tokens = [codec.bos, *rng.integers(0, codec.vocab_size, 120).tolist()]
    places = rng.random((len(tokens), 2)).round(2).tolist()
    found = bare.evaluate(
        """([tokens, places]) => {
          const model = new play.Model(symphonyModel);
          let state = model.initial(), logits;
          const out = [];
          tokens.forEach((token, i) => {
            const [density, pitch] = places[i];
            const key = i % 2 ? "A minor" : "any";
            const condition = model.condition({ density, pitch, key });
            [logits, state] = model.step(token, state, condition);
            out.push([Array.from(logits), Array.from(condition)]);
          });
          return out;
        }""",
        [tokens, places],
    )
    leads = [pianist.lead(key=key) for key in (None, "A minor")]
    state, most = network.initial_state(1), 0.0
    with torch.inference_mode():
        for i, (token, place) in enumerate(zip(tokens, places, strict=True)):
            condition = leads[i % 2].inputs(np.array(place))
            np.testing.assert_allclose(found[i][1], condition, atol=1e-6)
            logits, state = network.step(
                torch.tensor([token]), state, torch.from_numpy(condition)[None]
            )
            most = max(most, float(np.abs(logits[0].numpy() - found[i][0]).max()))
    assert most < 1e-3


def test_eight_bits_cost_hardly_anything(pianist):
    network, small = pianist.nets["network"], dequantized(pianist)
    tokens = torch.from_numpy(pianist.recipe.codec.encode(pianist.compose(20, seed=1)[0]))
    tokens = tokens.long()[None]
    with torch.inference_mode():
        losses = [
            torch.nn.functional.cross_entropy(net(tokens[:, :-1])[0][0], tokens[0, 1:]).item()
            for net in (network.float(), small)
        ]
    assert abs(losses[1] - losses[0]) < 0.02


def test_a_symbol_is_drawn_as_python_draws_it(bare, pianist):
    rng, codec = np.random.default_rng(1), pianist.recipe.codec
    cases = []
    for _ in range(60):
        down = rng.choice(128, rng.integers(0, 6), replace=False).tolist()
        logits = rng.normal(0, 3, codec.vocab_size + 1).astype(np.float32).tolist()
        temperature = float(rng.choice([0.0, 0.5, 1.0, 1.4]))
        cases.append([logits, down, temperature, float(rng.random())])
    got = bare.evaluate(
        "([cases, bos]) => cases.map(([l, d, t, u]) => play.draw(l, new Set(d), t, u, bos))",
        [cases, codec.bos],
    )
    for (logits, down, temperature, u), token in zip(cases, got, strict=True):
        constraint = NoteOffConstraint(codec, 1, 1.0)
        constraint.down[0, down] = True
        scores = np.array([logits], float)
        scores[:, codec.bos] = -np.inf
        scores = constraint(scores)
        expected = (
            scores.argmax()
            if temperature == 0
            else draw(probabilities(scores, temperature), np.array([u]))[0]
        )
        assert token == expected


def test_its_numbers_by_chance_are_even_and_repeat(bare):
    x = np.array(bare.evaluate("Array.from({length: 20000}, (_, i) => play.uniform(7, i))"))
    assert ((x >= 0) & (x < 1)).all()
    counts = np.histogram(x, 10, (0, 1))[0]
    assert abs(counts - 2000).max() < 200
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.03
    assert x[5] == bare.evaluate("play.uniform(7, 5)") != bare.evaluate("play.uniform(8, 5)")


def test_its_midi_files_are_songs(bare):
    events = [[0, 60, 80], [0.5, 64, 127], [1.25, 60, 0], [200.0, 64, 0]]
    data = bytes(bare.evaluate("events => Array.from(play.midiFile(events))", events))
    song = Song.from_midi(data)
    np.testing.assert_allclose(song.onset, [0, 0.5], atol=1e-3)
    np.testing.assert_allclose(song.duration, [1.25, 199.5], atol=1e-3)
    assert (song.pitch.tolist(), song.velocity.tolist()) == ([60, 64], [80, 127])


def test_its_tones_have_their_pitch_and_do_not_clip(bare):
    for pitch in (33, 69, 93):
        x = np.array(bare.evaluate(f"Array.from(play.tone({pitch}, 16000, 1))"))
        assert 0.4 < np.abs(x).max() <= 0.5
        spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
        f = 440 * 2 ** ((pitch - 69) / 12)
        near = spectrum[int(f * 0.97) : int(f * 1.04) + 2].max()
        assert near > 0.15 * spectrum.max()


@pytest.mark.parametrize(
    ("hash_", "expected"),
    [
        ("", {"density": 0.5, "key": "A minor"}),
        ("#density=0.9&pitch=2&key=C+major&seed=5", {"density": 0.9, "pitch": 1, "key": "C major"}),
        ("#density=NaN&key=%3Cscript%3E&seed=-1&temperature=1e9", {"density": 0.5, "seed": 0}),
        ("#%%%&&&=", {"gain": 0.8}),
    ],
)
def test_state_in_an_address_is_not_trusted(bare, hash_, expected):
    found = bare.evaluate("h => play.readState(h, ['C major', 'A minor'])", hash_)
    assert expected.items() <= found.items()
    assert found["key"] in ("A minor", "C major")


BRANCH = """() => {
  const model = new play.Model(symphonyModel), taken = [], heard = [];
  let now = 0, made = 0;
  const score = (step) => { made++; return () => taken.push(step); };
  const improviser = new play.Improviser(model, score, { seed: 3 });
  improviser.played = (step) => heard.push(step);
  for (; now < 8; now += 0.012) {
    if (now > 3 && now < 3.02) improviser.lead_by({ density: 0.9, pitch: 0.9, key: "any" }, now);
    if (now > 5 && now < 5.02) now += 0.3; // a stall within the look-ahead
    if (now > 7 && now < 7.02) now += 0.9; // and one beyond it
    improviser.work(now, () => now, 1000);
  }
  return {
    ...improviser.report, made, taken: taken.length, heard: heard.length,
    takenAfter: Math.min(...taken.map((s) => s.due)), queue: improviser.line.steps.length,
    rises: heard.every((s, i) => !i || s.due >= heard[i - 1].due),
  };
}"""


def test_branch_and_swap_in_the_browser(bare):
    found = bare.evaluate(BRANCH)
    assert found["taken"] > 0  # what was ready, and no longer wanted
    assert found["takenAfter"] >= 3.0 + 0.08
    assert found["made"] == found["heard"] + found["queue"] + found["taken"]
    assert found["rises"]
    assert len(found["answers"]) == 1
    assert 0.08 <= found["answers"][0] < 2.0
    assert found["underruns"] == 1


SLOW = """() => {
  const model = new play.Model(symphonyModel);
  let now = 0;
  const improviser = new play.Improviser(model, () => () => {}, { seed: 3 });
  for (let i = 0; i < 400; i++) improviser.work(now, () => (now += 0.06), 1); // 60 ms a look
  return [improviser.report.underruns, improviser.lookAhead];
}"""


def test_a_slow_machine_keeps_more_ready(bare):
    underruns, ahead = bare.evaluate(SLOW)
    assert underruns >= 3
    assert 0.5 < ahead <= 4


def test_a_page_plays_records_and_stops(playing):
    page = playing
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    assert not any("model.js" in url for url in page.asked)  # nothing heavy before Start
    page.get_by_role("button", name="Start").click()
    root = "document.querySelector('.symphony-play')"
    page.wait_for_function(f"{root}.playing?.improviser.report.notes > 3", timeout=30_000)
    page.get_by_role("button", name="Record").click()
    box = page.locator(".play-pad").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"], steps=4)
    page.mouse.up()
    state = page.evaluate(f"{root}.playing.state")
    assert state["density"] == pytest.approx(0.9, abs=0.02)
    assert state["pitch"] == pytest.approx(0.9, abs=0.02)
    page.wait_for_function(f"{root}.playing.improviser.report.answers.length > 0", timeout=30_000)
    page.wait_for_function(f"{root}.querySelector('.on')", timeout=30_000)  # a key lights up
    page.locator(".play-pad").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{root}.playing.state.density") == pytest.approx(0.85, abs=0.02)
    notes = page.evaluate(f"{root}.playing.improviser.report.notes")
    page.wait_for_function(f"{root}.playing.improviser.report.notes > {notes + 5}", timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download MIDI").click()
    song = Song.from_midi(io.BytesIO(waiting.value.path().read_bytes()).read())
    assert len(song) >= 5
    page.wait_for_function(f"{root}.playing.piano.notes.size === 0", timeout=10_000)
    assert page.locator(".symphony-play .on").count() == 0
    page.wait_for_function("location.hash.includes('density=0.85')")


DEVICES = """
  const input = {};
  globalThis.theInput = input;
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([["a", input]]) });
  globalThis.matchMedia = () => ({ matches: true, addEventListener() {} });
"""


TILT = """([beta, gamma]) => {
  dispatchEvent(new DeviceOrientationEvent("deviceorientation", { beta, gamma }));
}"""


def test_a_midi_keyboard_and_a_tilted_phone_lead(browser, folder):
    page = browser.new_page()
    page.add_init_script(DEVICES)
    page.goto((folder / "play.html").as_uri())
    height, density = page.get_by_label("Pitch height"), page.get_by_label("Density")
    page.get_by_role("button", name="MIDI keyboard").click()
    page.wait_for_function("Boolean(theInput.onmidimessage)")
    for data in ([0xB0, 1, 127], [0xB3, 74, 0], [0x90, 1, 5], [0xB0, 7, 9], [0xB0, 1]):
        page.evaluate("data => theInput.onmidimessage({ data })", data)
    assert (density.input_value(), height.input_value()) == ("1", "0")
    tilt = page.get_by_role("button", name="Tilt to lead")
    tilt.click()  # asks for permission first, and that takes the browser a while
    page.wait_for_function("e => e.ariaPressed === 'true'", arg=tilt.element_handle())
    for beta, gamma in ((80, -40), (None, None)):
        page.evaluate(TILT, [beta, gamma])
    assert (density.input_value(), height.input_value()) == ("0", "1")
    tilt.click()
    page.wait_for_function("e => e.ariaPressed === 'false'", arg=tilt.element_handle())
    page.evaluate(TILT, [40, 0])
    assert height.input_value() == "1"
    page.close()


def test_its_modules_put_together_hide_nothing_of_each_other():
    together = source(*MODULES)
    assert not re.search(r"(?m)^import\b", together)
    names = re.findall(r"(?m)^(?:export )?(?:const|async function|function|class) (\w+)", together)
    assert len(names) == len(set(names))


def test_every_control_has_a_name(playing):
    playing.evaluate("document.querySelectorAll('details').forEach(e => (e.open = true))")
    unnamed = playing.evaluate("""
        [...document.querySelectorAll('.symphony-play :is(button, input, select, a)')]
            .filter(e => !(e.innerText || e.closest('label')?.innerText || '').trim() && !e.hidden)
            .map(e => e.outerHTML)
        """)
    assert unnamed == []
