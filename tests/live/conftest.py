"""A page that a test module shows, in the browser."""

import pytest


@pytest.fixture(params=[1280, 390])
def playing(browser, shown, request):
    """The module's page, ``shown``, wide and narrow: no errors, no request to another host."""
    page = browser.new_page(viewport={"width": request.param, "height": 800})
    page.errors, page.asked = [], []
    page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("request", lambda r: page.asked.append(r.url))
    page.goto(shown.as_uri())
    yield page
    assert page.errors == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)
    page.close()
