"""Any folder of MIDI and ABC files as a corpus."""

from __future__ import annotations

import hashlib
import os
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

    @staticmethod
    def of(path: Path) -> MusicFolder:
        """Look through a folder.

        Raises:
            FileError: the folder can't be looked at.
            SongError: there is no music.
        """
        unread: list[Skipped] = []

        def skip(error: OSError) -> None:
            if str(error.filename) == str(path):
                raise FileError(f"The folder {shown(path)} can't be read: {error.strerror}.")
            name = shown(os.path.relpath(error.filename, path))
            unread.append(Skipped(name, f"It can't be read: {error.strerror}.", lasting=False))

        found = []
        for parent, _, names in os.walk(path, onerror=skip):
            for name in names:
                file = Path(parent, name)
                if file.suffix.lower() not in SUFFIXES:
                    continue
                try:
                    facts = file.stat()
                    if file.is_file():
                        found.append((file, facts.st_size, facts.st_mtime_ns))
                except FileNotFoundError:  # a link to nowhere
                    pass
                except OSError as error:
                    skip(error)
        if not found and not unread:
            raise SongError(
                f"The folder {shown(path)} holds no music: files ending in {', '.join(SUFFIXES)}."
            )
        found.sort()
        facts_of_all = [(p.relative_to(path).as_posix(), *facts) for p, *facts in found]
        stamp = hashlib.sha256(repr((str(path.resolve()), facts_of_all)).encode()).hexdigest()
        return MusicFolder(path, tuple(file for file, *_ in found), tuple(unread), stamp)

    @property
    def source(self) -> Source:
        """What is known of a reader's own folder."""
        name = shown(self.path.name)
        return Source(
            name=name or "folder",
            title=f"the folder {name}",
            description="A folder of MIDI and ABC files.",
            url=str(self.path),
            licence="unknown: yours to say",
            citation="",
        )

    def read(self) -> Entries:
        """The songs of the folder; a broken file is an entry with its reason, never fatal."""
        yield from self.unread
        yield from read_files(self.files, self.path)
