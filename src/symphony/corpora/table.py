"""Parsed corpora on disk: one flat table of notes, mapped into memory, songs cut from it.

A folder holds ``notes.bin`` (rows of NOTE), ``pairs.bin`` (tempo and pedal rows of two
doubles) and ``songs.json``. It is written under another name and renamed when whole.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from symphony.song import Song

NOTE = np.dtype(
    [
        ("onset", "<f8"),
        ("duration", "<f8"),
        ("onset_quarters", "<f8"),  # NaN where unknown
        ("duration_quarters", "<f8"),
        ("pitch", "u1"),
        ("velocity", "u1"),
    ]
)


@dataclass(frozen=True)
class Songs(Sequence[Song]):
    """Songs of a table, each built when it is accessed: a corpus of any size costs no memory."""

    notes: np.ndarray
    pairs: np.ndarray
    rows: Sequence[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Song: ...
    @overload
    def __getitem__(self, at: slice) -> Songs: ...
    def __getitem__(self, at: int | slice) -> Song | Songs:
        if isinstance(at, slice):
            return Songs(self.notes, self.pairs, self.rows[at])
        row = self.rows[at]
        notes = self.notes[row["notes"][0] : row["notes"][1]]
        known = bool(row["quarters"])
        return Song(
            onset=notes["onset"],
            duration=notes["duration"],
            pitch=notes["pitch"],
            velocity=notes["velocity"],
            onset_quarters=notes["onset_quarters"] if known else None,
            duration_quarters=notes["duration_quarters"] if known else None,
            tempo=self.pairs[row["tempo"][0] : row["tempo"][1]],
            pedal=self.pairs[row["pedal"][0] : row["pedal"][1]],
            name=row["name"],
            source=row["source"],
            abc=row["abc"],
        )


def write(
    folder: Path, songs: Iterable[Song], finish: Callable[[Songs], dict[str, Any]]
) -> tuple[Songs, dict[str, Any]]:
    """Write songs one by one into ``folder``, then open it.

    ``finish`` sees the songs once all are written; what it returns joins the JSON document.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        rows: list[dict[str, Any]] = []
        with (
            (partial / "notes.bin").open("wb") as notes,
            (partial / "pairs.bin").open("wb") as pairs,
        ):
            for song in songs:
                table = np.zeros(len(song), NOTE)
                for field in NOTE.names or ():
                    values = getattr(song, field)
                    table[field] = np.nan if values is None else values
                row: dict[str, Any] = {
                    "name": song.name,
                    "source": song.source,
                    "abc": song.abc,
                    "quarters": song.onset_quarters is not None,
                }
                for key, file, values in (
                    ("notes", notes, table),
                    ("tempo", pairs, song.tempo),
                    ("pedal", pairs, song.pedal),
                ):
                    begin = file.tell() // values.dtype.itemsize // (1 if key == "notes" else 2)
                    file.write(np.ascontiguousarray(values).tobytes())
                    row[key] = [begin, begin + len(values)]
                rows.append(row)
        document: dict[str, Any] = {"rows": rows}
        (partial / "songs.json").write_text(json.dumps(document))
        document |= finish(read(partial)[0])
        (partial / "songs.json").write_text(json.dumps(document))
        _put(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return read(folder)


def _put(partial: Path, folder: Path) -> None:
    """Give a finished folder its name; another process may have been first, with the same."""
    try:
        partial.rename(folder)
    except OSError:
        try:
            read(folder)
            shutil.rmtree(partial)
        except (OSError, ValueError, KeyError):  # what stands there is broken, or there is nothing
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)


def read(folder: Path) -> tuple[Songs, dict[str, Any]]:
    """The songs in a folder of :func:`write`, and its JSON document.

    Raises:
        OSError, ValueError, KeyError: not such a folder, or cut short.
    """
    document = json.loads((folder / "songs.json").read_text())
    rows = document["rows"]
    count = rows[-1]["notes"][1] if rows else 0
    pair_count = rows[-1]["pedal"][1] if rows else 0
    notes = _map(folder / "notes.bin", NOTE, (count,))
    return Songs(
        notes, _map(folder / "pairs.bin", np.dtype("<f8"), (pair_count, 2)), rows
    ), document


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if path.stat().st_size != int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(f"{path.name} is cut short")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, mode="r", shape=shape)
