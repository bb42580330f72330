"""Diagrams of networks as SVG: boxes, arrows and the shapes on them, in the color of the text.

A drawing is 360 units wide and grows downwards, so that its words are as large as the text
around them on a telephone, too. Used from chapter 3 on.
"""

from __future__ import annotations

import html
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from symphony.errors import RequestError

WIDTH, ROW, LINE, FONT, LETTER = 360, 74, 17, 13.5, 7.3  # units; a letter's width is a mean


class Node(NamedTuple):
    """What stands in a diagram.

    Attributes:
        text: one or more lines.
        x: its middle, as a share of the width.
        row: 0 at the top; halves are allowed.
        framed: a frame for what computes, none for data.
    """

    text: str
    x: float
    row: float
    framed: bool = True


class Arrow(NamedTuple):
    """A way from one node to another.

    Attributes:
        start: the key of a node.
        end: the key of another.
        text: what travels, such as a shape; it stands to the right of the arrow's middle.
        dashed: for gradients, and for ways taken in training only.
    """

    start: str
    end: str
    text: str = ""
    dashed: bool = False


def diagram(nodes: Mapping[str, Node], arrows: Sequence[Arrow], label: str) -> str:
    """An SVG document of nodes and arrows.

    Args:
        nodes: what stands where, by a key of your choice.
        arrows: straight ways between them, by these keys.
        label: the same in words, for those who can't see it.

    Raises:
        RequestError: no nodes, no label, or an arrow to a node that isn't there.
    """
    if not nodes or not label:
        raise RequestError("A diagram needs at least one node, and a label in words.")
    for arrow in arrows:
        if missing := {arrow.start, arrow.end} - set(nodes):
            raise RequestError(f"An arrow can't meet {missing.pop()!r}: no node has that name.")
    boxes = {key: _box(node) for key, node in nodes.items()}
    height = max(bottom for *_, bottom in boxes.values()) + 8
    mark = f"tip{zlib.crc32(label.encode()):08x}"  # two diagrams of a page don't share it
    lines = [_line(boxes, arrow, mark) for arrow in arrows]
    drawn = [_drawn(node, boxes[key]) for key, node in nodes.items()]
    return (
        f'<svg class="symphony-diagram" role="img" aria-label="{html.escape(label)}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="sans-serif" font-size="{FONT}" fill="currentColor">'
        f'<defs><marker id="{mark}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0l8 4-8 4z"/></marker></defs>'
        f"{''.join(lines + drawn)}</svg>"
    )


def _box(node: Node) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a node."""
    texts = node.text.split("\n")
    wide = max(map(len, texts)) * LETTER / 2 + (9 if node.framed else 3)
    x, middle = node.x * WIDTH, 30 + node.row * ROW
    tall = len(texts) * LINE / 2 + (6 if node.framed else 1)
    return x - wide, middle - tall, x + wide, middle + tall


def _drawn(node: Node, box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = box
    frame = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" rx="6" fill="none" stroke="currentColor" '
        'stroke-width="1.4"/>'
        if node.framed
        else ""
    )
    texts = node.text.split("\n")
    first = (top + bottom) / 2 - (len(texts) - 1) * LINE / 2 + FONT / 3
    spans = "".join(
        f'<text x="{(left + right) / 2:.1f}" y="{first + k * LINE:.1f}" text-anchor="middle">'
        f"{html.escape(text)}</text>"
        for k, text in enumerate(texts)
    )
    return frame + spans


def _line(boxes: Mapping[str, tuple[float, float, float, float]], arrow: Arrow, mark: str) -> str:
    """From edge to edge: downwards or upwards between rows, sideways within one."""
    a, b = boxes[arrow.start], boxes[arrow.end]
    (ax, ay), (bx, by) = (((p + r) / 2, (q + s) / 2) for p, q, r, s in (a, b))
    if a[3] < b[1]:
        (ay, by) = (a[3] + 1, b[1] - 1)
    elif b[3] < a[1]:
        (ay, by) = (a[1] - 1, b[3] + 1)
    else:
        (ax, bx) = (a[2] + 1, b[0] - 1) if ax < bx else (a[0] - 1, b[2] + 1)
    dash = ' stroke-dasharray="4 4"' if arrow.dashed else ""
    way = (
        f'<path d="M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}" fill="none" stroke="currentColor" '
        f'stroke-width="1.4"{dash} marker-end="url(#{mark})"/>'
    )
    if not arrow.text:
        return way
    level = ay == by
    x, y = (ax + bx) / 2 + (0 if level else 7), (ay + by) / 2 + (-6 if level else FONT / 3)
    anchor = "middle" if level else "start"
    return (
        f'{way}<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12.5">'
        f"{html.escape(arrow.text)}</text>"
    )
