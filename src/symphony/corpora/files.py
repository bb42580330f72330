"""Music files in a folder or by name: MIDI and ABC, recognised by what they hold."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from symphony.corpora.abc_tunes import FILE_LIMIT, AbcReader, read_abc, split_tunes, title
from symphony.corpora.source import Entries, Entry, Skipped
from symphony.errors import FileError, SongError, SymphonyError
from symphony.files import check_name, kind_of, sentence, shown
from symphony.midi import LARGEST_FILE
from symphony.song import Song

SUFFIXES = (".mid", ".midi", ".abc")


def read_song(path: str | Path) -> Song:
    """A MIDI file, or the first tune of an ABC file.

    Raises:
        FileError: there is no such file, it can't be read, or it is a folder, a pipe, a device.
        SongError: not music, broken, or too large.
    """
    check_name(path)
    path = Path(path)
    tunes = [] if _is_midi(path) else _tunes(path)
    return read_abc(tunes[0]) if tunes else Song.from_midi(path)


def read_files(paths: Iterable[Path], base: Path) -> Entries:
    """Every song in many files, named by their path below ``base``; broken ones with the reason.

    MIDI comes first, then all ABC tunes, for the ABC reader takes time to start.

    Raises:
        FileError: the ABC reader itself can't be run: no file is to blame.
    """
    others = []
    for path in paths:
        name = _name(path, base)
        try:
            if _is_midi(path):
                yield Entry(Song.from_midi(path, name=str(Path(name).with_suffix(""))))
            else:
                others.append(path)
        except SymphonyError as error:
            yield Skipped.of(name, error)
    with AbcReader() as reader:
        for path in others:
            name = _name(path, base)
            try:
                tunes = _tunes(path)
                if not tunes:
                    Song.from_midi(path)  # says what it is not
            except SymphonyError as error:
                yield Skipped.of(name, error)
            else:
                yield from _read_tunes(reader, tunes, name)


def _read_tunes(reader: AbcReader, tunes: list[str], name: str) -> Entries:
    """The tunes of one file, for as long as its budget lasts."""
    limit = reader.seconds + FILE_LIMIT
    for number, tune in enumerate(tunes):
        if reader.seconds > limit:
            left = f"its last {len(tunes) - number:,} tunes are not read"
            yield Skipped(name, f"{left}: those before took longer than {FILE_LIMIT} s")
            return
        song = reader.read(tune)
        if isinstance(song, str):
            yield Skipped(f"{name}: {title(tune)[:200]}", song)
        else:
            yield Entry(song.named(song.name, source=name))


def _name(path: Path, base: Path) -> str:
    return shown(path.relative_to(base).as_posix())


def _is_midi(path: Path) -> bool:
    """Whether a file begins as MIDI does.

    Raises:
        FileError, SongError: as :func:`read_song`.
    """
    with sentence(f"{path} can't be read"):
        try:
            found = path.stat()
        except FileNotFoundError:
            raise FileError(f"There is no file {shown(path)}.") from None
        if not stat.S_ISREG(found.st_mode):
            raise FileError(f"{shown(path)} is {kind_of(found.st_mode)}, not a piece.")
        if found.st_size > LARGEST_FILE:
            limit = f"{LARGEST_FILE / 1e6:.0f} MB"
            raise SongError(f"{shown(path.name)} is larger than {limit}: not a piece.")
        with path.open("rb") as file:
            return file.read(4) in (b"MThd", b"RIFF")


def _tunes(path: Path) -> list[str]:
    """The tunes of an ABC file; empty when it is not one.

    Raises:
        FileError: it can't be read.
        SongError: it says that it is ABC, and holds none.
    """
    with sentence(f"{path} can't be read"):
        tunes = split_tunes(path.read_text(encoding="utf-8", errors="replace"))
    if not tunes and path.suffix.lower() == ".abc":
        raise SongError(f"{shown(path.name)} holds no ABC tune: none begins with X:.")
    return tunes
