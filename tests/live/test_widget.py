"""The pad in a notebook: its traits, and its module in a browser with a model that is a stub."""

import json

import numpy as np
import pytest

from symphony.errors import RequestError
from symphony.live.browser import packed
from symphony.live.widget import PadWidget
from symphony.systems import load

FRAME = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}</body></html>'

# What Jupyter's front end gives a widget: traits, and what was saved of them.
STUB = """
  const traits = JSON.parse(document.querySelector("#traits").textContent), handlers = {};
  const bytes = Uint8Array.from(atob(traits.weights), (c) => c.charCodeAt(0));
  const odd = new Uint8Array(bytes.length + 1); // views of a message begin anywhere
  odd.set(bytes, 1);
  traits.weights = new DataView(odd.buffer, 1);
  globalThis.stub = {
    saved: [], traits, handlers,
    get: (name) => traits[name],
    set(name, value) {
      if (JSON.stringify(traits[name]) === JSON.stringify(value)) return;
      traits[name] = value;
      for (const handler of handlers[`change:${name}`] ?? []) handler();
    },
    save_changes() { this.saved.push(structuredClone({ place: traits.place, key: traits.key })); },
    on: (event, handler) => (handlers[event] ??= []).push(handler),
    off: (event, handler) => { handlers[event] = handlers[event].filter((h) => h !== handler); },
  };
"""


@pytest.fixture(scope="module")
def pianist():
    return load("conditional-char-rnn")


@pytest.fixture
def widget(pianist):
    made = PadWidget(pianist, place=(0.25, 0.75), key="A minor", seed=3)
    yield made
    made.close()


def test_a_hand_on_the_widget_is_a_source(widget):
    reading = widget.pad.read(1.0)
    np.testing.assert_array_equal(reading.values, [0.25, 0.75])
    widget.set_state({"place": [0.9, 0.1]})  # as a message from the browser does
    reading = widget.pad.read(2.0)
    np.testing.assert_array_equal(reading.values, [0.9, 0.1])
    assert (reading.time, reading.ok) == (2.0, True)


def test_what_is_sent_is_what_the_page_loads(widget, pianist):
    state = widget.get_state()
    assert isinstance(widget.weights, bytes)
    assert len(widget.weights) < 2_500_000
    assert state["header"] == packed(pianist)["header"]
    assert {"place", "key", "key_names", "seed", "temperature", "gain", "weights"} <= state.keys()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"key": "H major"}, "no key"),
        ({"place": (0.5, 2.0)}, "from 0 to 1"),
        ({"place": (0.5, float("nan"))}, "from 0 to 1"),
        ({"place": (0.5,)}, "density and height"),
        ({"seed": -1}, "whole number"),
    ],
)
def test_what_there_is_not_is_refused(pianist, what, said):
    with pytest.raises(RequestError, match=said):
        PadWidget(pianist, **what)


def test_another_system_is_refused():
    with pytest.raises(RequestError, match="takes no condition"):
        PadWidget(load("char-rnn"))


@pytest.fixture
def notebook(browser, widget, pianist, tmp_path):
    traits = {
        name: widget.get_state()[name] for name in ("header", "key_names", "place", "key", "seed")
    }
    traits |= {"temperature": 1.0, "gain": 0.8, "weights": packed(pianist)["data"]}
    module = json.dumps(widget._esm).replace("</", "<\\/")
    start = f"""
      {STUB}
      const url = URL.createObjectURL(new Blob([{module}], {{ type: "text/javascript" }}));
      const {{ default: widget }} = await import(url); // as anywidget's own front end does
      globalThis.over = widget.render({{ model: stub, el: document.querySelector("#output") }});
    """
    data = f'<script type="application/json" id="traits">{json.dumps(traits)}</script>'
    body = f'<div id="output"></div>{data}<script type="module">{start}</script>'
    (tmp_path / "notebook.html").write_text(FRAME.format(body), "utf-8")
    page = browser.new_page()
    page.errors = []
    page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto((tmp_path / "notebook.html").as_uri())
    page.wait_for_function("Boolean(globalThis.over)")
    yield page
    assert page.errors == []
    page.close()


def test_the_module_renders_plays_and_tells_the_kernel(notebook):
    page = notebook
    assert page.get_by_label("Density").input_value() == "0.25"
    assert page.locator("select").input_value() == "A minor"
    page.get_by_role("button", name="Start").click()
    root = "document.querySelector('.symphony-play')"
    page.wait_for_function(f"{root}.playing?.improviser.report.notes > 3", timeout=30_000)
    assert page.evaluate(f"{root}.playing.improviser.seed") == 3
    pad = page.locator(".play-pad")
    pad.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("stub.saved.at(-1)?.place[0] > 0.39")
    assert page.evaluate("stub.saved.at(-1)") == {
        "place": [pytest.approx(0.4), pytest.approx(0.75)],
        "key": "A minor",
    }
    assert page.evaluate("location.hash") == ""  # a notebook's address is not the pad's
    page.evaluate("stub.set('place', [0.1, 0.9])")  # the kernel moves the hand
    assert page.get_by_label("Density").input_value() == "0.1"
    assert page.evaluate(f"{root}.playing.state.pitch") == 0.9
    page.evaluate("over()")  # the output is cleared
    page.wait_for_function(f"{root}.playing.piano.notes.size === 0", timeout=10_000)
    assert page.evaluate("Object.values(stub.handlers).every((each) => each.length === 0)")
