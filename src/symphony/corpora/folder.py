"""Any folder of MIDI and ABC files as a corpus."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from symphony.corpora.files import SUFFIXES, read_files
from symphony.corpora.source import Entries, Skipped, Source
from symphony.errors import FileError, SongError
from symphony.files import shown


@dataclass(frozen=True)
class MusicFolder:
    """What a folder holds, as far as it can be looked at.

    Attributes:
        path: absolute.
        files: MIDI and ABC files anywhere below it, in order.
        unread: folders and files that can't be looked at.
        stamp: changes whenever a file is added, removed, resized or rewritten.
    """

    path: Path
    files: tuple[Path, ...]
    unread: tuple[Skipped, ...]
    stamp: str


def look(path: Path) -> MusicFolder:
    """Look through a folder, given by its absolute path.

    Raises:
        FileError: the folder can't be looked at.
        SongError: there is no music.
    """
    unread: list[Skipped] = []

    def skip(error: OSError) -> None:
        if Path(error.filename) == path:
            raise FileError(f"The folder {shown(path)} can't be read: {error.strerror}.")
        name = shown(os.path.relpath(error.filename, path))
        unread.append(Skipped(name, f"It can't be read: {error.strerror}.", lasting=False))

    found = []
    for parent, _, names in os.walk(path, onerror=skip):
        for file in (Path(parent, name) for name in names):
            if file.suffix.lower() in SUFFIXES:
                try:
                    facts = file.stat()
                except FileNotFoundError:  # a link to nowhere
                    continue
                except OSError as error:
                    skip(error)
                    continue
                if stat.S_ISREG(facts.st_mode):
                    found.append((file, facts.st_size, facts.st_mtime_ns))
    if not found and not unread:
        raise SongError(
            f"The folder {shown(path)} holds no music: files ending in {', '.join(SUFFIXES)}."
        )
    found.sort()
    known = [(file.relative_to(path).as_posix(), size, time) for file, size, time in found]
    stamp = hashlib.sha256(repr((str(path.resolve()), known)).encode()).hexdigest()
    return MusicFolder(path, tuple(file for file, *_ in found), tuple(unread), stamp)


def source(path: Path) -> Source:
    """What is known of a reader's own folder, given by its absolute path."""
    name = shown(path.name) or "folder"
    return Source(
        name=name,
        title=f"the folder {name}",
        description="A folder of MIDI and ABC files.",
        url=str(path),
        licence="unknown: yours to say",
        citation="",
    )


def read(found: MusicFolder) -> Entries:
    """The songs of a folder; a broken file is an entry with its reason, never fatal."""
    yield from found.unread
    yield from read_files(found.files, found.path)
