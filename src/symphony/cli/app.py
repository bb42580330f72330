"""What the commands share."""

from __future__ import annotations

from tyro.extras import SubcommandApp

app = SubcommandApp()


def print_table(cells: list[list[str]]) -> None:
    """Rows in columns; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        words = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(words).rstrip())
