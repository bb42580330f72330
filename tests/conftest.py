"""Shared by all tests: real music where it is at hand."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=40)
settings.load_profile("suite")

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--mute-audio",
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip


# A shell starts what runs in its background deaf to Ctrl-C; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_folder():
    """Published corpora as raw files, for machines that can't download them."""
    named = os.environ.get("SYMPHONY_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no raw corpora here: name their folder in SYMPHONY_DATA")
    return folder


@pytest.fixture(scope="session")
def chorales():
    """The embedded corpus."""
    from symphony.corpora import load_corpus

    return load_corpus("chorales", progress=False)


@pytest.fixture(scope="module")
def browser():
    """For pages, and for the modules that run in one."""
    if BROWSER is None:
        pytest.skip("no Chromium here: nothing was looked at or played")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()
