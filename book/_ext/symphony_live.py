"""Instruments in a page: what a hand plays on, and the network's weights as a script beside it.

``{play} MODEL``, ``{pads} MODEL`` and ``{switches} MODEL`` put one where they stand. The weights
are taken from the shipped ones when the book is built, and nothing of them is loaded before a
reader presses Start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from symphony_piano import package, write_piano

PLACE = "_static/live"


class PlayDirective(SphinxDirective):
    """``{play} MODEL``: a shipped model that a hand can lead."""

    required_arguments = 1
    kind: ClassVar[str] = "play"

    def run(self) -> list[nodes.Node]:
        """The instrument, and a note which model's weights to write."""
        name = self.arguments[0]
        played = self.env.metadata[self.env.docname].setdefault("symphony_live", {})
        played[name] = self.kind
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", self.html(name, f"{up}{PLACE}/{name}.js"), format="html")]

    def html(self, name: str, model: str) -> str:
        """The instrument for a model, whose weights are the script ``model``."""
        from symphony.live.browser import page

        copies = f"{model.removesuffix('.js')}-copies.js"
        return page(model, copies, folder_of(model))


def folder_of(model: str) -> str:
    """Where the scripts of the recorded piano stand, beside a model."""
    return f"{model.rpartition('/')[0]}/piano"


class PadsDirective(PlayDirective):
    """``{pads} MODEL``: a shipped DCRNN, and four of its noises."""

    kind = "pads"

    def html(self, name: str, model: str) -> str:
        """A pad between four noises."""
        from symphony import load
        from symphony.live.boards import pads

        return pads(load(name), model, folder_of(model))


class SwitchesDirective(PlayDirective):
    """``{switches} MODEL``: a shipped sequential autoencoder, and the switches of its code."""

    kind = "switches"

    def html(self, name: str, model: str) -> str:
        """A switch for each digit."""
        from symphony import load
        from symphony.live.boards import switches

        return switches(load(name), model, folder_of(model))


def write_weights(app: Sphinx, error: Exception | None) -> None:
    """The weights of every model that a page plays with."""
    from symphony import load
    from symphony.experiments import shipped_folder
    from symphony.live.boards import packed_codes, packed_rows
    from symphony.live.browser import packed, write_script
    from symphony.live.copies import KEPT, CopyIndex

    pack = {"play": packed, "pads": packed_rows, "switches": packed_codes}
    played: dict[str, str] = {}
    for found in app.env.metadata.values():
        played |= found.get("symphony_live", {})
    if error is None and app.builder.format == "html":
        folder = Path(app.outdir) / PLACE
        folder.mkdir(parents=True, exist_ok=True)
        for name, kind in sorted(played.items()):
            write_script(pack[kind](load(name)), folder / f"{name}.js")
            if kind == "play":
                CopyIndex.load(shipped_folder(name) / KEPT).write_script(
                    folder / f"{name}-copies.js"
                )
        write_piano(folder / "piano", package())


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for directive in (PlayDirective, PadsDirective, SwitchesDirective):
        app.add_directive(directive.kind, directive)
    app.connect("build-finished", write_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
