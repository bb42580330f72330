"""The page as a reader meets it: in a browser, wide and narrow, by day and by night, offline."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

PAGE = Path(__file__).parents[2] / "_build" / "page" / "_build" / "html"
PAGES = sorted(p.relative_to(PAGE).as_posix() for d in ("book", "notebooks")
               for p in (PAGE / d).glob("*.html"))  # fmt: skip
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--mute-audio",
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip

pytestmark = pytest.mark.skipif(not PAGES, reason="the page is not built: run make book")


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium here: the pages were not looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Opens a page and keeps what it asked for elsewhere and what it complained of."""
    contexts = []

    def opened(name, width=1280, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda r: page.asked.append(r.url))
        page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
        page.goto((PAGE / name).as_uri())
        page.wait_for_load_state("load")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_offline_and_fits(open_page, name, width, theme):
    page = open_page(name, width, theme)
    elsewhere = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]
    assert elsewhere == []
    assert page.errors == []
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 1
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    blind = page.evaluate(
        "[...document.querySelectorAll('main img')].filter(i => !i.alt.trim()).map(i => i.src)"
    )
    assert blind == []


def test_the_title_page_plays(open_page):
    page = open_page("book/intro.html")
    audio = page.locator("audio").first
    audio.evaluate("a => a.play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
    assert audio.evaluate("a => a.duration") > 10


def test_formulas_and_badges_are_there(open_page):
    page = open_page("notebooks/02_char_rnn.html")
    link = page.locator("a.colab-badge").first
    assert link.get_attribute("href").endswith("/blob/main/notebooks/02_char_rnn.ipynb")
    assert page.locator("figure audio").count() >= 8


@pytest.mark.parametrize("name", PAGES)
def test_every_sound_is_heard_and_not_clipped(name):
    text = (PAGE / name).read_text()
    for data in re.findall(r"data:audio/mpeg;base64,([A-Za-z0-9+/=]+)", text):
        sound, _ = soundfile.read(io.BytesIO(base64.b64decode(data)))
        assert np.sqrt((sound**2).mean()) > 0.005
        assert 0.1 < np.abs(sound).max() <= 1.0
