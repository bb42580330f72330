"""DCRNN's pads and chapter 10's switches in a browser: torch's numbers, and pages that play."""

import json
import re
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from symphony.codecs import key_profile
from symphony.errors import RequestError
from symphony.live.boards import halves, packed_codes, packed_rows, pads, row_keys, switches
from symphony.live.browser import source, write_script
from symphony.systems import load
from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNGenerator, PlanState

FRAME = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'
PROFILES = {"major": [1 / 12] * 12, "minor": [0.5, 0.5, *[0.0] * 10]}


@pytest.fixture(scope="module")
def band():
    return load("dcrnn")


@pytest.fixture(scope="module")
def coder():
    return load("seqae")


@pytest.fixture(scope="module")
def folder(band, coder, tmp_path_factory):
    """Both boards, as the book has them, and a page with nothing but the modules."""
    home = tmp_path_factory.mktemp("boards")
    write_script(packed_rows(band), home / "dcrnn.js")
    write_script(packed_codes(coder), home / "seqae.js")
    both = pads(band, "dcrnn.js") + switches(coder, "seqae.js")
    (home / "boards.html").write_text(FRAME.format(both), "utf-8")
    module = source("play.js", "stage.js", "rows.js", "codes.js")
    names = "half, RowModel, RowImproviser, readPads, CodeModel, windowOf, Rounds, readCode"
    expose = f'<script type="module">{module}\nglobalThis.boards = {{ {names} }};</script>'
    (home / "bare.html").write_text(FRAME.format(expose), "utf-8")
    return home


@pytest.fixture(scope="module")
def shown(folder):
    return folder / "boards.html"


@pytest.fixture(scope="module")
def bare(browser, folder):
    page = browser.new_page()
    page.goto((folder / "bare.html").as_uri())
    page.wait_for_function("globalThis.boards")
    yield page
    page.close()


def halved(module):
    """The module with its weights as a browser has them."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(weight.half().float())
    return module.eval()


def test_halves_are_read_exactly(bare):
    bits = np.arange(0, 2**16, 7, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))]
    got = bare.evaluate("bits => bits.map(boards.half)", bits.tolist())
    np.testing.assert_array_equal(np.array(got, np.float32), bits.view(np.float16))


def test_weights_that_no_half_can_hold_are_refused():
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.bias[0] = 1e6
    with pytest.raises(RequestError, match="bias isn't finite"):
        halves(layer)


@dataclass(frozen=True)
class Small:
    """A DCRNN of any shape, as far as a browser is concerned."""

    config: DCRNNConfig

    @property
    def trained(self):
        torch.manual_seed(0)
        generator = DCRNNGenerator(self.config)
        with torch.no_grad():  # untrained strips are all silent or all loud
            generator.strip.bias.zero_()
            generator.fc.weight.mul_(8)
        codec = SimpleNamespace(steps_per_quarter=4)
        card = SimpleNamespace(
            weights_sha256="0", corpus={"licence": "none"}, facts={"keys": PROFILES}
        )
        recipe = SimpleNamespace(network=self.config, codec=codec)
        return SimpleNamespace(
            name="small", recipe=recipe, nets={"generator": generator}, card=card
        )


SHAPES = {
    "shipped": None,
    "report": DCRNNConfig(24, 10, 4, 3, 8, 6, 5, 2, lowest=24, octaves=6, binary=True),
    "no keys": DCRNNConfig(24, 9, 5, 2, 7, 6, 3, 2, conditional=False, lowest=0, octaves=3),
    "no repeats": DCRNNConfig(24, 9, 4, 1, 7, 6, 3, 2, lowest=4, octaves=10),
}


@pytest.mark.parametrize("name", SHAPES)
def test_rows_are_torchs(bare, band, name):
    trained = band if SHAPES[name] is None else Small(SHAPES[name]).trained
    packed, config = packed_rows(trained), trained.recipe.network
    generator = DCRNNGenerator(config)
    generator.load_state_dict(trained.nets["generator"].state_dict())
    halved(generator)
    generator.double()  # else torch's own rounding, over 130 rows, is larger than the page's
    rng = np.random.default_rng(1)
    noise = rng.uniform(-1, 1, (130, config.noise)).round(3).astype(np.float32)
    histogram = next(iter(row_keys(trained).values()), [])
    again = [40, 77]  # rows at which a new plan begins
    got = bare.evaluate(
        """([packed, noises, histogram, again]) => {
          const model = new boards.RowModel(packed);
          let state = model.initial(), row;
          return noises.map((noise, i) => {
            if (again.includes(i)) state = { ...state, at: 0 };
            [row, state] = model.step(Float32Array.from([...noise, ...histogram]), state);
            return Array.from(row);
          });
        }""",
        [packed, noise.tolist(), histogram, again],
    )
    key = torch.tensor([histogram]).double() / 12 + 1 / 12 if histogram else None
    state, rows = PlanState(0, (), None, None), []
    with torch.inference_mode():
        for i, drawn in enumerate(noise):
            if i in again:
                state = state._replace(at=0)
            row, state = generator.step(torch.from_numpy(drawn).double()[None], key, state)
            rows.append(row[0].numpy())
    expected = np.array(rows)
    assert expected.shape == (130, 128)
    if config.binary:  # a sign may turn only where the sum is all but 0: none of these is
        np.testing.assert_array_equal(np.array(got), expected)
        assert 0 < (expected > 0).mean() < 1
    else:
        np.testing.assert_allclose(np.array(got), expected, atol=1e-5)


def test_keys_are_heard_as_the_system_hears_them(band):
    keys = row_keys(band)
    assert len(keys) == 24
    profile = key_profile(band.card.facts["keys"], "F# minor")
    np.testing.assert_allclose(keys["F# minor"], 12 * profile - 1, atol=1e-6)
    assert row_keys(Small(SHAPES["no keys"]).trained) == {}


def test_corners_are_their_noises_and_between_them_lie_mixtures(bare, band):
    at = """([packed, places]) => {
      const model = new boards.RowModel(packed);
      const corners = model.corners.map((corner) => Array.from(corner));
      const found = places.map(([x, y]) => Array.from(model.condition({ x, y, key: "A minor" })));
      return [corners, found];
    }"""
    places = [[0, 1], [1, 1], [0, 0], [1, 0], [0.25, 0.5]]
    corners, found = bare.evaluate(at, [packed_rows(band), places])
    corners, found = np.array(corners), np.array(found)
    assert corners.shape == (4, band.recipe.network.noise)
    assert (np.abs(corners) <= 1).all()
    assert abs(corners.mean()) < 0.1
    np.testing.assert_allclose(found[:4, :-12], corners, atol=1e-6)
    mixture = 0.125 * (3 * corners[0] + corners[1] + 3 * corners[2] + corners[3])
    np.testing.assert_allclose(found[4, :-12], mixture, atol=1e-6)
    np.testing.assert_allclose(found[:, -12:], [row_keys(band)["A minor"]] * 5, atol=1e-6)


LED = """(packed) => {
  const model = new boards.RowModel(packed), taken = [], heard = [];
  let now = 0, made = 0;
  const score = () => { const step = made++; return () => taken.push(step); };
  const improviser = new boards.RowImproviser(model, score);
  improviser.played = (step) => heard.push(step);
  for (; now < 6; now += 0.012) {
    if (now > 3 && now < 3.02) improviser.lead_by({ x: 1, y: 0, key: "C major" }, now);
    improviser.work(now, () => now, 1000);
  }
  const { answers, underruns } = improviser.report;
  const begun = heard.findIndex((s) => s.control === 1);
  return {
    answers, underruns, taken: taken.length, made, heard: heard.length,
    queue: improviser.line.steps.length, rows: heard.map((s) => s.due), first: heard[begun].due,
    plans: heard.slice(begun, begun + 3).map((s) => s.before.network.at),
    spent: improviser.report.spent, steps: improviser.report.steps,
  };
}"""


def test_a_moved_hand_begins_a_new_plan_soon(bare, band):
    found = bare.evaluate(LED, packed_rows(band))
    assert found["underruns"] == 0
    assert found["made"] == found["heard"] + found["queue"] + found["taken"]
    assert found["taken"] > 0
    np.testing.assert_allclose(np.diff(found["rows"]), 0.15)  # sixteenths at 100 a minute
    assert 3.08 <= found["first"] < 3.3
    assert found["plans"][1:] == [1, 2]  # the row before was the first of a new plan
    assert found["spent"] / found["steps"] < 5  # ms a row, on a busy machine


@pytest.mark.parametrize(
    ("hash_", "expected"),
    [
        ("", {"x": 0.5, "key": "A minor", "seeds": "0.1.2.3"}),
        ("#pad-x=7&pad-y=0.25&pad-key=C+major&pad-seeds=9.8.7.6",
         {"x": 1, "y": 0.25, "key": "C major", "seeds": "9.8.7.6"}),
        ("#pad-x=NaN&pad-key=%3Cb%3E&pad-seeds=1.2.3&pad-tempo=1e99",
         {"x": 0.5, "key": "A minor", "seeds": "0.1.2.3", "tempo": 200}),
    ],
)  # fmt: skip
def test_pads_in_an_address_are_not_trusted(bare, hash_, expected):
    found = bare.evaluate("h => boards.readPads(h, ['C major', 'A minor'])", hash_)
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("hash_", "expected"),
    [("", "0110"), ("#code=1111", "1111"), ("#code=11111", "0110"), ("#code=1<b>", "0110")],
)
def test_a_code_in_an_address_is_not_trusted(bare, hash_, expected):
    found = bare.evaluate("h => boards.readCode(h, 4, '0110')", hash_)
    assert "".join(map(str, found)) == expected


def test_logits_of_forced_windows_are_torchs(bare, coder):
    net = halved(coder.nets["autoencoder"].digit_decoder)
    rng = np.random.default_rng(2)
    shape = coder.recipe.network
    codes = rng.integers(0, 2, (40, shape.digits))
    rows = np.stack(
        [rng.integers(0, 130, (40, shape.window)), rng.integers(1, 17, (40, shape.window))], 2
    )
    got = bare.evaluate(
        """([packed, codes, windows]) => {
          const model = new boards.CodeModel(packed);
          return codes.map((code, i) => {
            let state = model.begin(code), row = [130, 1], what, length;
            return windows[i].map((next) => {
              [what, length, state] = model.step(row, state);
              row = next;
              return [...what, ...length];
            });
          });
        }""",
        [packed_codes(coder), codes.tolist(), rows.tolist()],
    )
    with torch.inference_mode():
        what, length = net(torch.from_numpy(2.0 * codes - 1).float(), torch.from_numpy(rows))
    expected = torch.cat([what, length], 2).numpy()
    np.testing.assert_allclose(np.array(got), expected, atol=2e-4)


def test_codes_are_decoded_as_in_chapter_ten(bare, coder):
    net = coder.nets["autoencoder"]
    codes = np.random.default_rng(3).integers(0, 2, (400, coder.recipe.network.digits))
    got = bare.evaluate(
        """([packed, codes]) => {
          const model = new boards.CodeModel(packed);
          return codes.map((code) => model.decode(code));
        }""",
        [packed_codes(coder), codes.tolist()],
    )
    expected = net.decode(torch.from_numpy(codes)).numpy()
    for rows, window in zip(got, expected, strict=True):
        assert rows == window[: len(rows)].tolist()
        assert (window[len(rows) :, 0] == 129).all()  # what was not decoded is over


ROUND = """() => {
  const rows = { low: [[60, 2], [128, 2], [60, 4], [128, 4]], high: [[72, 4], [128, 4]] };
  const model = { decode: (name) => rows[name] }, scored = [], lit = [];
  let now = 0, code = "low";
  const rounds = new boards.Rounds(model, () => code, (...move) => scored.push(move));
  rounds.moved = (pitch, on) => lit.push([pitch, on]);
  for (; now < 2; now += 0.012) {
    if (now > 0.3) code = "high";
    rounds.work(now);
  }
  return { scored, lit };
}"""


def test_a_flipped_switch_is_heard_from_the_next_round_on(bare):
    found = bare.evaluate(ROUND)
    scored = found["scored"]
    begun = [[pitch, time] for pitch, velocity, time in scored if velocity]
    assert [pitch for pitch, _ in begun[:3]] == [60, 60, 72]
    first, second, flipped = (time for _, time in begun[:3])
    assert second - first == pytest.approx(0.3)  # two sixteenths at 100 a minute
    assert flipped - first == pytest.approx(0.9)  # flipped at 0.3 s: heard when the round is over
    for pitch in (60, 72):  # a key that is struck again went up before
        down = [bool(velocity) for p, velocity, _ in scored if p == pitch]
        assert down == [True, False] * (len(down) // 2)
    assert found["lit"][:4] == [[60, True], [60, False], [60, True], [60, False]]


def test_modules_put_together_import_nothing():
    together = source("play.js", "piano.js", "stage.js", "rows.js", "codes.js")
    assert not re.search(r"(?m)^import\b", together)
    names = re.findall(r"(?m)^(?:export )?(?:const|function|class) (\w+)", together)
    assert len(names) == len(set(names))  # none hides another


def test_what_is_packed_fits_on_a_page(band, coder):
    assert len(json.dumps(packed_rows(band))) < 500_000
    assert len(json.dumps(packed_codes(coder))) < 500_000
    with pytest.raises(RequestError, match="no pads"):
        packed_rows(coder)
    with pytest.raises(RequestError, match="no switches"):
        packed_codes(band)
    bare = SimpleNamespace(network=DCRNNConfig(strip_channels=0))  # every key by itself
    alone = SimpleNamespace(name="alone", recipe=bare)
    with pytest.raises(RequestError, match="alone has no pads"):
        packed_rows(alone)


def test_pads_play_and_morph(playing):
    page = playing
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    assert not any("dcrnn.js" in url for url in page.asked)  # nothing heavy before Start
    board = page.locator(".symphony-play").first
    root = "document.querySelectorAll('.symphony-play')[0]"
    board.get_by_role("button", name="Start").click()
    page.wait_for_function(f"{root}.playing?.running.improviser.report.notes > 3", timeout=30_000)
    page.wait_for_function(f"{root}.querySelector('.on')", timeout=30_000)  # a key lights up
    board.get_by_role("button", name="Go to B").click()
    page.wait_for_function(
        f"{root}.playing.running.improviser.report.answers.length > 0", timeout=30_000
    )
    running = f"{root}.playing.running"
    kept = page.evaluate(f"Array.from({running}.improviser.under).slice(0, 5)")
    np.testing.assert_allclose(
        kept, page.evaluate(f"Array.from({running}.model.corners[1]).slice(0, 5)"), atol=1e-6
    )
    pad = board.locator(".play-pad")
    pad.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{running}.state.x") == pytest.approx(1 - 1 / 8)
    heard = page.evaluate(f"Array.from({running}.improviser.under).slice(0, 5)")
    board.get_by_role("button", name="Keep as C").click()
    corner = page.evaluate(f"Array.from({running}.model.corners[2]).slice(0, 5)")
    np.testing.assert_allclose(corner, heard, atol=1e-6)
    board.get_by_role("button", name="New D").click()
    page.wait_for_function("location.hash.includes('pad-seeds=0.1.2.4')")
    board.get_by_role("button", name="Stop").click()
    page.wait_for_function(f"{root}.playing.piano.notes.size === 0", timeout=10_000)
    assert board.locator(".on").count() == 0


def test_switches_play_and_stop_the_other_instrument(playing):
    page = playing
    first, second = page.locator(".symphony-play").all()
    first.get_by_role("button", name="Start").click()
    page.wait_for_function("document.querySelector('.symphony-play').playing", timeout=30_000)
    second.get_by_role("button", name="Start").click()
    root = "document.querySelectorAll('.symphony-play')[1]"
    page.wait_for_function(f"{root}.querySelector('.on')", timeout=30_000)
    assert first.get_by_role("button", name="Start").count() == 1  # it stopped
    switch = second.get_by_role("switch").first
    assert switch.get_attribute("aria-checked") == "false"
    switch.focus()
    page.keyboard.press("Space")
    assert switch.get_attribute("aria-checked") == "true"
    page.wait_for_function("location.hash.includes('code=1000000000000000')")
    page.wait_for_function(f"!{root}.querySelector('.waiting')", timeout=30_000)  # it is heard
    second.get_by_role("button", name="Flip two at random").click()
    second.get_by_role("button", name="Walk").click()
    second.get_by_role("button", name="Stop").click()
    page.wait_for_function(f"{root}.playing.piano.notes.size === 0", timeout=10_000)


def test_every_control_has_a_name(playing):
    unnamed = playing.evaluate("""
        [...document.querySelectorAll('.symphony-play :is(button, input, select, [tabindex])')]
            .filter(e => !(e.innerText || e.ariaLabel || e.closest('label')?.innerText)?.trim())
            .map(e => e.outerHTML)
    """)
    assert unnamed == []
