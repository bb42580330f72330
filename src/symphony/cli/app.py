"""What the commands share: where they are registered, how a table is printed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.extras import SubcommandApp

from symphony.errors import RequestError, SymphonyError
from symphony.files import check_writable

app = SubcommandApp()


def check_places(out: Path, mp3: Path | None) -> None:
    """Refuse, before a model works for minutes, places where nothing can be written.

    Raises:
        FileError, RequestError: which, and why.
    """
    from symphony.rendering import check_sound_name

    check_writable(out)
    device = out.exists() and not out.is_file()
    if out.suffix.lower() not in (".mid", ".midi") and not device:
        raise RequestError(f"MIDI goes to a file named .mid, not {out.name!r}.")
    if mp3 is not None:
        check_sound_name(mp3)
        check_writable(mp3)


def print_table(cells: list[list[str]]) -> None:
    """Rows in columns; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        words = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(words).rstrip())


def flags_of(controls: Any, without: tuple[str, ...] = ()) -> Any:
    """A model's controls as flags of a command, without a prefix: a dataclass for tyro.

    Only what has a help text becomes a flag; the rest is for Python alone. ``without`` names
    controls that aren't this command's.
    """
    hints = get_type_hints(type(controls))
    flags = [
        (each.name, Annotated[hints[each.name], tyro.conf.arg(help=each.metadata["help"])],
         dataclasses.field(default=getattr(controls, each.name)))
        for each in dataclasses.fields(controls)
        if "help" in each.metadata and each.name not in without
    ]  # fmt: skip
    return dataclasses.make_dataclass("Flags", flags, frozen=True)


def controls_in(words: list[str]) -> Any:
    """The controls of the model that a command line names; None where it names none.

    Raises:
        SymphonyError: the only word that could be a model isn't one.
    """
    from symphony.systems import controls_of

    first = None
    for word in (word for word in words if not word.startswith("-")):
        try:
            return controls_of(word)
        except SymphonyError as error:  # a number after a flag, say
            first = first or error
    if first is not None and not words[0].startswith("-"):
        raise first
    return None


def refuse_others(words: list[str], known: set[str], model: str) -> None:
    """Refuse flags that this model hasn't, which another may have.

    Raises:
        RequestError: which, and what there is.
    """
    for word in words:
        flag = word.split("=")[0].removeprefix("--").replace("_", "-")
        if word.startswith("--") and flag.removeprefix("no-") not in known | {"help"}:
            raise RequestError(f"{model} has no --{flag}; it knows {', '.join(sorted(known))}.")
