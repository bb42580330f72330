"""What a corpus says of itself: where it comes from, how large it is, who may use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from symphony.errors import SongError, SymphonyError
from symphony.files import shown
from symphony.song import Song


@dataclass(frozen=True)
class Source:
    """A corpus as its publisher describes it.

    Attributes:
        name: what ``load_corpus`` calls it.
        title: the same for people.
        description: one sentence.
        url: where it is published; for a downloaded source, the archive itself; for a folder, its
            absolute path.
        sha256: of the archive, or of the manifest of the files taken from it (see
            :mod:`symphony.corpora.download`); empty where nothing is downloaded.
        size: bytes to download; 0 where nothing is.
        licence: short name.
        citation: whom to cite.
    """

    name: str
    title: str
    description: str
    url: str
    licence: str
    citation: str
    sha256: str = ""
    size: int = 0

    @property
    def embedded(self) -> bool:
        """Whether it comes with a package that is installed anyway."""
        return not self.sha256


@dataclass(frozen=True)
class Entry:
    """One song as a source reads it.

    Attributes:
        song: the notes.
        piece: what it is a rendition of; songs of one piece stay in one split. Empty where the
            source doesn't know, and near-duplicates are found by their notes.
        split: the source's official split, or empty.
    """

    song: Song
    piece: str = ""
    split: str = ""


class Skipped(NamedTuple):
    """A file, or a tune in one, that was left out.

    Attributes:
        file: its name.
        reason: why.
        lasting: whether it will be so until the file changes. What merely couldn't be read today
            may be read tomorrow.
    """

    file: str
    reason: str
    lasting: bool = True

    @staticmethod
    def of(file: str, error: SymphonyError) -> Skipped:
        """A file with the error that reading it ended in."""
        return Skipped(shown(file), str(error), isinstance(error, SongError))


Entries = Iterator[Entry | Skipped]
