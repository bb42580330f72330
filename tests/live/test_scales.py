"""A scale of the player's own: what the network is told, and what a browser and an address keep."""

import json

import numpy as np
import pytest

from symphony.live.browser import page, source, write_model
from symphony.systems import load

PLAYING = "document.querySelector('.symphony-play').playing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("scales")
    write_model(load("conditional-char-rnn"), home / "model.js")
    frame = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'
    (home / "play.html").write_text(frame.format(page("model.js")), "utf-8")
    names = "Model, ownScale, readScales, readState"
    script = f"{source('play.js', 'scales.js')}\nglobalThis.play = {{ {names} }};"
    bare = f'<script src="model.js"></script><script type="module">{script}</script>'
    (home / "bare.html").write_text(frame.format(bare), "utf-8")
    return home


@pytest.fixture
def bare(browser, folder):
    page = browser.new_page()
    page.goto((folder / "bare.html").as_uri())
    page.wait_for_function("globalThis.play")
    yield page
    page.close()


@pytest.fixture(params=[1280, 390])
def board(browser, folder, request):
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    page = context.new_page()
    page.errors = []
    page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto((folder / "play.html").as_uri())
    yield page
    assert page.errors == []
    context.close()


@pytest.mark.parametrize("digits", ["909090090900", "000000000000", "123456789012"])
def test_a_scale_is_shares_of_the_twelve_tones(bare, digits):
    weights = np.array([int(digit) for digit in digits], float)
    expected = weights / weights.sum() if weights.any() else np.full(12, 1 / 12)
    np.testing.assert_allclose(bare.evaluate("s => play.ownScale(s)", digits), expected)
    told = bare.evaluate(
        """scale => {
          const model = new play.Model(symphonyModel), { histogram } = model.header.places;
          const place = { density: 0.5, pitch: 0.5, key: "own", scale };
          return Array.from(model.condition(place)).slice(histogram, histogram + 12);
        }""",
        digits,
    )
    np.testing.assert_allclose(told, expected, atol=1e-6)


def test_what_a_browser_kept_is_not_trusted(bare):
    kept = {"good": "0" * 12, "": "1" * 12, "short": "123", "number": 10**11, "x" * 31: "1" * 12,
            "__proto__": "2" * 12, "nothing": None}  # fmt: skip
    found = bare.evaluate("t => Object.entries(play.readScales(t))", json.dumps(kept))
    assert dict(found) == {"good": "0" * 12, "__proto__": "2" * 12}
    for text in (None, "", "{", "[]", "null", "7", '"abc"'):
        assert bare.evaluate("t => Object.entries(play.readScales(t))", text) == []


@pytest.mark.parametrize(
    ("hash_", "expected"),
    [
        ("#key=own&scale=900000000009", ("own", "900000000009")),
        ("#key=own&scale=%3Cscript%3E", ("own", "909090090900")),
        ("#key=own&scale=9000000000099", ("own", "909090090900")),
    ],
)
def test_an_address_keeps_a_scale(bare, hash_, expected):
    found = bare.evaluate("h => play.readState(h, ['C major'])", hash_)
    assert (found["key"], found["scale"]) == expected


def test_a_scale_is_made_saved_found_again_and_removed_by_keyboard_alone(board):
    page = board
    page.get_by_text("Your own scale", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.play-scale').open")
    page.get_by_label("F♯").focus()
    page.keyboard.press("End")
    assert page.locator(".play-fields select").input_value() == "own"
    page.get_by_label("Name").focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("Give it a name first.").is_visible()
    page.keyboard.type("<b>mine</b>")
    page.keyboard.press("Enter")
    assert page.get_by_text("Saved.").is_visible()
    page.wait_for_function("location.hash.includes('scale=909090990900')")
    page.get_by_label("Begin from").select_option("One tone")
    assert page.get_by_label("F♯").input_value() == "0"
    assert page.get_by_role("button", name="Remove").is_disabled()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    page.wait_for_function("location.hash.includes('scale=900000000000')")
    page.reload()  # the address keeps one scale, the browser all
    page.get_by_text("Your own scale", exact=True).click()
    assert page.get_by_label("Begin from").input_value() == "One tone"
    assert page.locator(".play-fields select").input_value() == "own"
    page.get_by_label("Begin from").select_option("<b>mine</b>")
    assert page.get_by_label("F♯").input_value() == "9"
    page.get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    assert page.get_by_label("Begin from").input_value() == ""
    assert page.evaluate("localStorage.getItem('symphony-scales')") == "{}"
    assert page.evaluate("document.activeElement.tagName") == "SELECT"


def test_it_is_heard(board):
    page = board
    page.evaluate(
        "document.querySelector('.symphony-play').set({ key: 'own', scale: '900000000000' })"
    )
    page.get_by_role("button", name="Start").click()
    page.wait_for_function(f"{PLAYING}?.improviser.report.notes > 3", timeout=60_000)
    told = page.evaluate(f"Array.from({PLAYING}.improviser.under)")
    start = page.evaluate(f"{PLAYING}.improviser.model.header.places.histogram")
    assert told[start : start + 12] == [1.0] + [0.0] * 11
    page.get_by_role("button", name="Stop").click()
