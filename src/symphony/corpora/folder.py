"""Any folder of MIDI and ABC files as a corpus."""

from __future__ import annotations

import hashlib
from pathlib import Path

from symphony.corpora.files import SUFFIXES, read_files
from symphony.corpora.source import Entries, Source
from symphony.errors import SongError
from symphony.files import sentence


def music_files(folder: Path) -> list[Path]:
    """MIDI and ABC files anywhere below a folder, in order.

    Raises:
        SongError: there are none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise SongError(
            f"The folder {folder} holds no music: files ending in {', '.join(SUFFIXES)}."
        )
    return found


def source(folder: Path) -> Source:
    """What is known of a reader's own folder."""
    return Source(
        name=folder.name or "folder",
        title=f"the folder {folder.name}",
        description="A folder of MIDI and ABC files.",
        url="",
        licence="unknown: yours to say",
        citation="",
    )


def stamp(folder: Path) -> str:
    """Changes whenever a file is added, removed, resized or rewritten.

    Raises:
        FileError: a file can't be looked at.
        SongError: there is no music.
    """
    with sentence(f"The folder {folder} can't be read"):
        facts = [
            (p.relative_to(folder).as_posix(), (s := p.stat()).st_size, s.st_mtime_ns)
            for p in music_files(folder)
        ]
    return hashlib.sha256(repr((str(folder.resolve()), facts)).encode()).hexdigest()


def read(folder: Path) -> Entries:
    """The songs of a folder; a broken file is an entry with its reason, never fatal."""
    yield from read_files(music_files(folder), folder)
