"""Parsed corpora on disk: one flat table of notes, mapped into memory, songs cut from it.

A folder holds ``notes.bin`` (rows of NOTE), ``pairs.bin`` (tempo and pedal rows of two
doubles) and ``songs.json``. It is written under another name and renamed when whole. What is read
is checked by type and bound before it is used, for a cache may be edited or damaged.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Int64

from symphony.errors import FileError, SongError
from symphony.song import Song
from symphony.typed import from_json

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


UNFINISHED = 24 * 3600  # seconds after which a table under its other name is nobody's work
WORDS = ("name", "source", "abc")  # what of a song is text


@dataclass(frozen=True)
class Index:
    """What ``songs.json`` says of the songs, in columns of one value a song.

    Attributes:
        name, source, abc: of the song.
        quarters: whether its beat is known.
        notes: rows in ``notes.bin``.
        tempo, pedal: rows in ``pairs.bin``, where each song's tempo stands before its pedal.
    """

    name: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    abc: list[str | None] = field(default_factory=list)
    quarters: list[bool] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    tempo: list[int] = field(default_factory=list)
    pedal: list[int] = field(default_factory=list)

    def check(self, note_count: int, pair_count: int) -> None:
        """Refuse columns that don't fit each other or the tables.

        Raises:
            ValueError: which.
        """
        columns = vars(self)
        if len({len(columns[name]) for name in self.__dataclass_fields__}) != 1:
            raise ValueError("columns of different lengths")
        if min([*self.notes, *self.pedal], default=0) < 0 or min(self.tempo, default=1) < 1:
            raise ValueError("rows of which there are fewer than none")
        if (sum(self.notes), sum(self.tempo) + sum(self.pedal)) != (note_count, pair_count):
            raise ValueError("rows that are not there")
        for name in WORDS:
            "".join(filter(None, columns[name])).encode()  # half a character is a ValueError

    @cached_property
    def spans(self) -> Int64[np.ndarray, "n 3 2"]:
        """Where the notes, the tempo and the pedal of each song begin and end."""
        end = np.cumsum(self.notes, dtype=np.int64)
        pairs = np.column_stack([self.tempo, self.pedal]).astype(np.int64).reshape(-1)
        pair_end = np.cumsum(pairs).reshape(-1, 2)
        ends = np.column_stack([end, pair_end])
        counts = np.column_stack([self.notes, self.tempo, self.pedal]).astype(np.int64)
        return np.stack([ends - counts, ends], axis=2)


@dataclass(frozen=True)
class Songs(Sequence[Song]):
    """Songs of a table, each built when it is accessed: a corpus of any size costs no memory."""

    folder: Path
    notes: np.ndarray
    pairs: np.ndarray
    table: Index
    rows: Sequence[int]  # of its columns

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """What each song is called, without building it."""
        return [self.table.name[row] for row in self.rows]

    @overload
    def __getitem__(self, at: int) -> Song: ...
    @overload
    def __getitem__(self, at: slice) -> Songs: ...
    def __getitem__(self, at: int | slice) -> Song | Songs:
        if isinstance(at, slice):
            return Songs(self.folder, self.notes, self.pairs, self.table, self.rows[at])
        row = self.rows[at]
        (a, b), (c, d), (e, f) = self.table.spans[row]
        notes, known = self.notes[a:b], self.table.quarters[row]
        try:
            return Song(
                onset=notes["onset"],
                duration=notes["duration"],
                pitch=notes["pitch"],
                velocity=notes["velocity"],
                onset_quarters=notes["onset_quarters"] if known else None,
                duration_quarters=notes["duration_quarters"] if known else None,
                tempo=self.pairs[c:d],
                pedal=self.pairs[e:f],
                name=self.table.name[row],
                source=self.table.source[row],
                abc=self.table.abc[row],
            )
        except SongError as error:
            raise FileError(
                f"The parsed corpus in {self.folder} is damaged ({str(error).rstrip('.')}): remove "
                "that folder, and it is made anew."
            ) from None

    def part(self, keep: Iterable[bool]) -> Songs:
        """The songs for which ``keep`` is true."""
        rows = [row for row, kept in zip(self.rows, keep, strict=True) if kept]
        return Songs(self.folder, self.notes, self.pairs, self.table, rows)

    def blocks(self, size: int = 1 << 16) -> Iterator[bytes]:
        """The whole table of notes as bytes, a block at a time."""
        for at in range(0, len(self.notes), size):
            yield self.notes[at : at + size].tobytes()


def write(
    folder: Path, songs: Iterable[Song], finish: Callable[[Songs], dict[str, Any]]
) -> tuple[Songs, dict[str, Any]]:
    """Write songs one by one into ``folder``, then open it.

    ``finish`` sees the songs once all are written; what it returns is kept beside them.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(folder.parent)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        index = Index()
        with (
            (partial / "notes.bin").open("wb") as notes,
            (partial / "pairs.bin").open("wb") as pairs,
        ):
            for song in songs:
                table = np.zeros(len(song), NOTE)
                for column in NOTE.names or ():
                    values = getattr(song, column)
                    table[column] = np.nan if values is None else values
                notes.write(table.tobytes())
                pairs.write(np.vstack([song.tempo, song.pedal]).astype("<f8").tobytes())
                for name in WORDS:
                    getattr(index, name).append(getattr(song, name))
                index.quarters.append(song.onset_quarters is not None)
                index.notes.append(len(song))
                index.tempo.append(len(song.tempo))
                index.pedal.append(len(song.pedal))
        document: dict[str, Any] = {"songs": asdict(index), "about": {}}
        (partial / "songs.json").write_text(json.dumps(document))
        document["about"] = finish(read(partial)[0])
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
        except (OSError, ValueError):  # what stands there is broken, or there is nothing
            remove(folder)
            partial.rename(folder)


def remove(folder: Path) -> None:
    """Remove a table, or whatever stands in its place, as far as that can be done."""
    with suppress(OSError):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:  # rmtree would wait for someone to write into a pipe
            folder.unlink()


def _remove_unfinished(parent: Path) -> None:
    """Remove what a kill left behind; a younger one may be another process's work."""
    for left in parent.glob(".*-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > UNFINISHED:
                shutil.rmtree(left)


def read(folder: Path) -> tuple[Songs, dict[str, Any]]:
    """The songs in a folder of :func:`write`, and what ``finish`` returned.

    Raises:
        OSError, ValueError: not such a folder, cut short, or changed since.
    """
    path = folder / "songs.json"
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        document = from_json(dict[str, dict[str, Any]], json.loads(path.read_text()))
        index = from_json(Index, document["songs"])
        about: dict[str, Any] = document["about"]
    except (KeyError, RecursionError) as error:
        raise ValueError(f"{path} is no list of songs") from error
    notes = _map(folder / "notes.bin", NOTE)
    pairs = _map(folder / "pairs.bin", np.dtype(("<f8", 2)))
    index.check(len(notes), len(pairs))
    return Songs(folder, notes, pairs, index, range(len(index.name))), about


def _map(path: Path, dtype: np.dtype) -> np.ndarray:
    count, rest = divmod(path.stat().st_size, dtype.itemsize)
    if rest:
        raise ValueError(f"{path.name} is cut short")
    if not count:
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r", shape=(count,))
