"""A page to play on: the pad in the page, and the network's weights as a script beside it.

``{play} MODEL`` puts the pad where it stands. The weights are taken from the shipped ones when the
book is built, and nothing of them is loaded before a reader presses Start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLACE = "_static/live"


class PlayDirective(SphinxDirective):
    """``{play} MODEL``: a shipped model that a hand can lead."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The pad, and a note which model's weights to write."""
        from symphony.live.browser import page

        name = self.arguments[0]
        metadata = self.env.metadata[self.env.docname]
        metadata["symphony_live"] = name
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", page(f"{up}{PLACE}/{name}.js"), format="html")]


def write_weights(app: Sphinx, error: Exception | None) -> None:
    """The weights of every model that a page plays with."""
    from symphony import load
    from symphony.live.browser import write_model

    pages = app.env.metadata.values()
    played = {found["symphony_live"] for found in pages if "symphony_live" in found}
    if error is None and app.builder.format == "html":
        folder = Path(app.outdir) / PLACE
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(played):
            write_model(load(name), folder / f"{name}.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("play", PlayDirective)
    app.connect("build-finished", write_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
