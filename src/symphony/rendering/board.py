"""A board of switches on which a reader flips a code's bits and hears what it stands for.

Like the player it is one piece of HTML that asks no other host for anything, and it needs no
kernel: what every code plays is packed into it. Where there is a kernel, :func:`switch_widgets`
asks the model itself. See chapter 10.
"""

from __future__ import annotations

import base64
import html
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from symphony.errors import RequestError
from symphony.song import TEMPO

if TYPE_CHECKING:
    from ipywidgets import VBox

    from symphony.rendering.player import Player


@dataclass(frozen=True, repr=False)
class Board:
    """What :func:`switchboard` makes; display it, or take its ``html``."""

    html: str
    digits: int

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<Board of {self.digits} switches, {len(self.html):,} characters>"


def switchboard(
    windows: Int[np.ndarray, "n T 2"], start: int = 0, title: str = "", tempo: float = TEMPO
) -> Board:
    """A board for the windows of all binary codes, code i's digits the bits of i.

    Args:
        windows: rows of a token and its sixteenths, for every code.
        start: the code to begin with.
        title: what the board is called.
        tempo: quarter notes a minute.

    Raises:
        RequestError: not as many windows as some number of switches has codes.
    """
    windows = np.asarray(windows)
    count = len(windows)
    if windows.ndim != 3 or windows.shape[2] != 2 or count < 2 or count & (count - 1):
        raise RequestError(
            f"A board needs windows [2^m, T, 2], one for each code of m switches, not "
            f"{list(windows.shape)}."
        )
    if not 0 <= start < count:
        raise RequestError(f"A board of {count:,} codes begins with one of them, not {start}.")
    text = base64.b64encode(packed(windows)).decode()
    here = files("symphony.rendering")
    style = here.joinpath("board.css").read_text("utf-8")
    script = re.sub(r"(?m)(^|\s)//.*$", "", here.joinpath("board.js").read_text("utf-8"))
    digits = count.bit_length() - 1
    name = html.escape(title, quote=True)
    return Board(
        f'<figure class="symphony-board" data-digits="{digits}" data-rows="{windows.shape[1]}" '
        f'data-start="{start}" data-tempo="{tempo:g}" role="group" aria-label="{name}">'
        f"<figcaption>{name}</figcaption>"
        '<div class="sb-switches"></div>'
        '<svg class="sb-roll" preserveAspectRatio="none" role="img" '
        'aria-label="Piano roll of the window that the switches stand for"></svg>'
        '<p class="sb-words" aria-live="polite">The switches need JavaScript.</p>'
        '<div class="sb-buttons">'
        '<button type="button" class="sb-play" disabled>Play</button>'
        '<button type="button" class="sb-two" disabled>Flip two at random</button>'
        '<button type="button" class="sb-walk" disabled>Walk</button></div>'
        f"<template>{text}</template></figure><style>{style}</style><script>{script}</script>",
        digits,
    )


def switch_widgets(start: Int[np.ndarray, " m"], hear: Callable[[np.ndarray], Player]) -> VBox:
    """The same with a kernel: buttons of ipywidgets, and a player that follows them.

    Args:
        start: the binary code to begin with.
        hear: what a code plays; it is called anew at every flip.

    Returns:
        The row of buttons, and below it the player's HTML.

    Raises:
        RequestError: a code that isn't binary.
    """
    from ipywidgets import HTML, HBox, ToggleButton, VBox

    start = np.asarray(start)
    if start.ndim != 1 or not len(start) or not np.isin(start, (0, 1)).all():
        raise RequestError(f"Switches are some digits of 0 and 1: [m], not {list(start.shape)}.")
    buttons = [
        ToggleButton(bool(bit), tooltip=f"Bit {i}", layout={"width": "3em"})
        for i, bit in enumerate(start, 1)
    ]
    heard = HTML()

    def flipped(_: object = None) -> None:
        for button in buttons:
            button.description = str(int(button.value))
        heard.value = hear(np.array([button.value for button in buttons], np.int64)).html

    for button in buttons:
        button.observe(flipped, "value")
    flipped()
    return VBox([HBox(buttons, layout={"flex_flow": "wrap"}), heard])


def packed(windows: Int[np.ndarray, "n T 2"]) -> bytes:
    """Token and length of each row of each code, one byte each, deflated.

    Neighbouring numbers share most of their switches, so that what they play repeats.
    """
    return zlib.compress(np.asarray(windows).astype(np.uint8).tobytes(), 9)
