"""The page as a reader meets it: in a browser, wide and narrow, by day and by night, offline."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "_build" / "page" / "_build" / "html"
PAGES = sorted(
    p.relative_to(PAGE).as_posix() for p in PAGE.glob("*/*.html") if p.parent.name[0] != "_"
)
PAGES += [name for name in ("search.html", "genindex.html") if PAGES]
CHAPTERS = [name for name in PAGES if name.startswith("notebooks/")]


pytestmark = pytest.mark.skipif(not PAGES, reason="the page is not built: run make book")


@pytest.fixture
def open_page(browser):
    """Opens a page and keeps what it asked for elsewhere and what it complained of."""
    contexts = []

    def opened(name, width=1280, theme="light", first_visit=False):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda r: page.asked.append(r.url))
        page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        if not first_visit:
            page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
        file, _, question = name.partition("?")
        page.goto((PAGE / file).as_uri() + (f"?{question}" if question else ""))
        page.wait_for_load_state("load")
        return page

    yield opened
    for context in contexts:
        context.close()


# What a reader sees of an element's color and of the paper behind it, as WCAG's contrast ratio.
CONTRAST = """
e => {
  const luminance = rgb => {
    const [r, g, b] = rgb.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const ink = luminance(numbers(getComputedStyle(e).color).slice(0, 3));
  let paper = e;
  while (paper && (numbers(getComputedStyle(paper).backgroundColor)[3] ?? 1) === 0)
    paper = paper.parentElement;
  const color = getComputedStyle(paper ?? document.body).backgroundColor;
  const back = luminance(numbers(color).slice(0, 3));
  return (Math.max(ink, back) + .05) / (Math.min(ink, back) + .05);
}
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_offline_and_fits(open_page, name, width, theme):
    page = open_page(name, width, theme)
    elsewhere = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]
    assert elsewhere == []
    assert page.errors == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    # what looks like text must be readable as text, in the article and on its badge
    seen = ("article p", "article a.colab-badge", "article h1", "article .cell_output td",
            "article figcaption", "article details summary")  # fmt: skip
    for kind in seen:
        for element in page.query_selector_all(kind)[:3]:
            assert element.evaluate(CONTRAST) >= 4.5, kind


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_first_visit_is_quiet_and_follows_the_readers_system(open_page, theme):
    page = open_page("book/intro.html", theme=theme, first_visit=True)
    assert page.errors == []
    assert page.evaluate("document.documentElement.dataset.theme") == theme


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_can_be_read_aloud(open_page, name):
    page = open_page(name)
    blind = page.evaluate("""
        [...document.querySelectorAll('img')]
            .filter(i => !i.alt.trim() || /\\.(png|svg|jpe?g)$/.test(i.alt))
            .map(i => i.outerHTML.slice(0, 120))
        """)
    assert blind == []
    nameless = page.evaluate("""
        [...document.querySelectorAll('article svg')]
            .filter(s => !s.parentElement.closest('svg') && !s.closest('[aria-hidden=true]')
                         && !s.getAttribute('aria-label') && !s.querySelector('title'))
            .map(s => s.outerHTML.slice(0, 120))
        """)
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_warning_and_no_error_is_printed_among_a_chapters_outputs(open_page, name):
    page = open_page(name)
    assert page.locator(".output.stderr, .output.traceback").all_inner_texts() == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_has_a_caption(open_page, name):
    bare = open_page(name).evaluate("""
        [...document.querySelectorAll('.cell_output img')]
            .filter(i => !(i.closest('figure')?.querySelector('figcaption')?.textContent.trim()))
            .map(i => i.alt || i.src.slice(-40))
        """)
    assert bare == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_folded_cell_says_what_it_holds(open_page, name):
    page = open_page(name, 390)
    labels = page.locator("details.hide > summary")
    said = {label.strip() for label in labels.all_inner_texts()}
    assert "Solution" in said
    assert not [label for label in said if "Show code" in label or not label]
    assert labels.evaluate_all("all => all.filter(s => s.ariaLabel).length") == 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_written_in_a_figure_keeps_its_size_on_a_phone(open_page, name):
    shrunk = open_page(name, 390).evaluate("""
        [...document.querySelectorAll('.symphony-figure > img')]
            .filter(i => i.clientWidth < .75 * i.naturalWidth)
            .map(i => i.alt)
        """)
    assert shrunk == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_scrolls_sideways_scrolls_by_keyboard(open_page, name):
    stuck = open_page(name, 390).evaluate("""
        [...document.querySelectorAll('article :is(table, div.math, figure.symphony-figure)')]
            .filter(part => part.scrollWidth > part.clientWidth + 2 && part.tabIndex < 0)
            .map(part => part.textContent.slice(0, 60))
        """)
    assert stuck == []


def test_players_on_the_title_page_play_and_their_cursor_moves(open_page):
    page = open_page("book/intro.html")
    assert page.locator("figure.symphony-player").count() >= 1
    assert page.locator("figure.symphony-player").first.bounding_box()["y"] < 900  # at the top
    audio, cursor = page.locator("audio").first, page.locator(".sp-seek i").first
    begun = cursor.evaluate("c => c.style.left")
    audio.evaluate("a => a.play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
    page.wait_for_function(
        "left => document.querySelector('.sp-seek i').style.left !== left", arg=begun
    )
    assert audio.evaluate("a => a.duration") > 10


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapters_players_load_and_only_one_plays(open_page, name):
    page = open_page(name)
    page.wait_for_function(
        "[...document.querySelectorAll('figure.symphony-player audio')].every(a => a.duration > 1)"
    )
    page.evaluate("document.querySelectorAll('audio')[0].play()")
    page.wait_for_function("!document.querySelectorAll('audio')[0].paused")
    page.evaluate("document.querySelectorAll('audio')[1].play()")
    page.wait_for_function("document.querySelectorAll('audio')[0].paused")


def test_before_and_after_stand_in_one_row_with_one_clock(open_page):
    page = open_page("notebooks/11_refine_nets.html")
    grids = page.locator("[data-one-clock]")
    assert grids.count() >= 1
    for grid in grids.all():
        tops = "g => [...g.querySelectorAll('figure')].map(f => f.getBoundingClientRect().top)"
        found = grid.evaluate(tops)
        assert len(found) == 3
        assert len(set(found)) == 1


def test_the_board_of_switches_works_without_a_kernel(open_page):
    page = open_page("notebooks/10_continuous_seqae.html", 390)
    page.wait_for_selector(".sb-play:not([disabled])")
    words, switch = page.locator(".sb-words"), page.locator(".symphony-board [role=switch]")
    assert switch.count() == 16
    before, was = words.inner_text(), switch.nth(4).get_attribute("aria-checked")
    switch.nth(4).press("Space")
    assert switch.nth(4).get_attribute("aria-checked") != was
    switch.nth(4).press("Space")
    assert words.inner_text() == before
    heard = {before}
    for i in range(16):
        switch.nth(i).click()
        heard.add(words.inner_text())
    assert len(heard) > 4
    page.click(".sb-walk")
    assert page.inner_text(".sb-walk") == "Stop"
    page.click(".sb-walk")
    assert page.errors == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_opens_on_colab(open_page, name):
    page = open_page(name)
    repository = re.search(
        r"(?m)^ *symphony_repository: (\S+)", (ROOT / "_config.yml").read_text()
    )[1]
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/"
    assert page.locator("a.colab-badge").first.get_attribute("href") == (
        colab + name.replace(".html", ".ipynb")
    )
    links = page.evaluate("[...document.links].map(a => a.href).filter(a => a.includes('colab'))")
    assert len(set(links)) == 1  # the badge and the launch button agree


@pytest.mark.skipif("book/play.html" not in PAGES, reason="the page to play on is not built")
def test_the_page_to_play_on_plays_and_is_small(open_page):
    page = open_page("book/play.html", 390)
    page.get_by_role("button", name="Start").first.click()
    playing = "document.querySelector('.symphony-play').playing"
    page.wait_for_function(f"{playing}?.improviser.report.notes > 3", timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    assert page.errors == []
    asked = [url.partition("#")[0].partition("?")[0] for url in page.asked if "file:" in url]
    listed = (PAGE / "_static/live/piano/keys.js").read_text().partition("=")[2].rstrip(";\n")
    piano = json.loads(listed) or {"keys": [], "first": 0}
    strings = [f"/piano/{key}.js" for key in piano["keys"]]
    at_once, later = strings[: piano["first"]], (*strings[piano["first"] :], "-copies.js")
    places = [i for i, url in enumerate(asked) if url.endswith(later)]
    before = asked[: places[0]] if places else asked
    assert all(any(url.endswith(key) for url in before) for key in at_once)
    sizes = [Path(url.removeprefix("file://")).stat().st_size for url in set(before)]
    assert sum(sizes) < 6_000_000  # before the first sound
    said = page.locator(".play-status").first
    assert page.locator(".play-copies").first.is_visible()
    assert said.inner_text() == "Stopped."


@pytest.mark.skipif("book/play.html" not in PAGES, reason="the page to play on is not built")
@pytest.mark.parametrize("which", [1, 2])
def test_pads_and_switches_play_on_the_same_page(open_page, which):
    page = open_page("book/play.html", 390)
    board = page.locator(".symphony-play").nth(which)
    board.get_by_role("button", name="Start").click()
    board.locator(".on").first.wait_for(timeout=60_000)  # a key lights up
    board.get_by_role("button", name="Stop").click()
    assert page.errors == []


def test_formulas_are_drawn_without_a_script(open_page):
    page = open_page("book/glossary.html")
    formula = page.locator("math").first
    assert formula.bounding_box()["width"] > 50
    assert formula.locator("mfrac").count() == 1
    assert page.evaluate("typeof MathJax") == "undefined"


@pytest.mark.parametrize("name", PAGES)
def test_no_formula_holds_what_could_not_be_set(name):
    formulas = re.findall(r"<math.*?</math>", (PAGE / name).read_text("utf-8"), re.DOTALL)
    spoilt = [formula for formula in formulas if re.search(r"&#x0005C;\w|\\\w|hint", formula)]
    assert spoilt == []


def test_the_search_finds_a_word_without_a_server(open_page):
    page = open_page("search.html?q=velocity")
    page.wait_for_selector("#search-results li a:has-text('Glossary')")  # they come one by one


@pytest.mark.parametrize("name", PAGES)
def test_every_sound_is_heard_and_not_clipped(name):
    text = (PAGE / name).read_text()
    for data in re.findall(r"data:audio/mpeg;base64,([A-Za-z0-9+/=]+)", text):
        sound, _ = soundfile.read(io.BytesIO(base64.b64decode(data)))
        assert np.sqrt((sound**2).mean()) > 0.005
        assert 0.1 < np.abs(sound).max() <= 1.0


class Loads(HTMLParser):
    """Addresses that a page loads by itself, as links don't."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found += [given[a] for a in ("src", "srcset", "poster", "data") if given.get(a)]
        if tag == "link" and given.get("rel") not in ("canonical", "author", "license"):
            self.found.append(given.get("href", ""))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_other_host_to_load_from(name):
    reader = Loads()
    reader.feed((PAGE / name).read_text())
    assert reader.found
    assert [u for u in reader.found if re.match(r"(https?:)?//", u)] == []
    # no style pulls in a font or an image from elsewhere either
    for sheet in PAGE.glob("_static/**/*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", sheet.read_text()), sheet.name


@pytest.mark.parametrize("name", PAGES)
def test_links_inside_the_book_lead_somewhere(name):
    for link in re.findall(r'<a [^>]*href="([^"#?]+)[^"]*"', (PAGE / name).read_text()):
        if not re.match(r"(\w+:|//)", link):
            assert ((PAGE / name).parent / link).exists(), link


def test_pages_hold_no_path_of_this_machine():
    for name in PAGES:
        assert str(ROOT) not in (PAGE / name).read_text(), name


def test_a_term_says_what_it_means_to_the_pointer_and_to_the_keyboard(open_page):
    page = open_page("notebooks/02_char_rnn.html", 390)
    term = page.locator(".hint-term").first
    said = page.locator(".hint-said").first
    assert not said.is_visible()
    for reach in (term.focus, term.hover):
        reach()
        assert said.is_visible()
        assert said.evaluate(CONTRAST) >= 4.5
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
        page.keyboard.press("Escape")
        assert not said.is_visible()
        term.blur()
        page.mouse.move(0, 0)
    term.hover()
    said.hover()  # the way to it leads past the line between, and it stays
    assert said.is_visible()


@pytest.mark.parametrize("name", CHAPTERS)
def test_terms_are_explained_once_by_their_own_entry(open_page, name):
    page = open_page(name)
    hints = page.evaluate("""
        [...document.querySelectorAll('.hint-term')]
            .map(a => [new URL(a.href).hash.slice(1), a.getAttribute('aria-describedby')])
        """)
    assert len(hints) >= 3
    assert len({anchor for anchor, _ in hints}) == len(hints)
    ids = page.evaluate("[...document.querySelectorAll('.hint-said')].map(s => s.id)")
    assert ids == [described for _, described in hints]
    glossary = open_page("book/glossary.html")
    for anchor, _ in hints:
        assert glossary.locator(f"dt#{anchor}").count() == 1


def test_a_chapter_that_is_named_is_a_link(open_page):
    links = open_page("notebooks/02_char_rnn.html").locator("article a", has_text="chapter 1")
    assert links.first.get_attribute("href") == "01_music_as_data.html"
