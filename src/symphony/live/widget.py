"""The pad of the book's page in a notebook: it plays in the browser, and Python reads the hand."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from symphony.errors import RequestError
from symphony.live.browser import KEYS, parts, source
from symphony.live.sources import Pad
from symphony.training.system import Trained


class PadWidget(anywidget.AnyWidget):
    """A pad that plays a conditional Char-RNN, in Jupyter and on Colab.

    Pad and sound are one widget, since a notebook may show each output in a frame of its own. The
    network runs in the browser, by the module of the book's page; a kernel that is busy, or far
    away, delays no note. What the hand does is also a source: ``pad`` can lead any model here.

    Args:
        trained: a conditional Char-RNN.
        place: where the hand begins: density and height, from 0 to 1.
        key: one of ``KEYS``, or "any".
        seed: of what is drawn.

    Raises:
        RequestError: another system, or a place, key or seed that there isn't.
    """

    _esm = source("play.js", "widget.js")
    _css = source("play.css")

    header = traitlets.Dict().tag(sync=True)  # what the weights mean
    weights = traitlets.Bytes().tag(sync=True)
    key_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    place = traitlets.Tuple(traitlets.Float(), traitlets.Float()).tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    gain = traitlets.Float(0.8).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        trained: Trained,
        place: tuple[float, float] = (0.5, 0.5),
        key: str = "any",
        seed: int = 0,
        **traits: Any,
    ) -> None:
        if key not in (*KEYS, "any"):
            raise RequestError(f'There is no key {key!r}: take one such as "{KEYS[0]}", or "any".')
        if len(place) != 2 or not all(0 <= v <= 1 for v in place):
            raise RequestError(f"A place is density and height, from 0 to 1 each, not {place}.")
        if not 0 <= seed < 2**31:
            raise RequestError(f"A seed is a whole number from 0, below 2^31, not {seed}.")
        header, weights = parts(trained)
        self.pad = Pad(2)  # the hand as a source; its values are kept under a lock
        self.observe(self._moved, "place")
        super().__init__(
            header=header, weights=weights, key_names=list(KEYS), place=place, key=key, seed=seed,
            **traits,
        )  # fmt: skip

    def _moved(self, change: dict[str, Any]) -> None:
        """A message may come on another thread, while a cell runs: keep the values, no more."""
        self.pad.move(*change["new"])
