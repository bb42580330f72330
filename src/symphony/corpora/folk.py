"""Irish and American dance tunes from two printed collections, inside music21."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from symphony.corpora.files import read_files
from symphony.corpora.source import Entries, Skipped, Source

SOURCE = Source(
    name="folk",
    title="Ryan's Mammoth and O'Neill's collections",
    description="Dance tunes from Ryan's Mammoth Collection (1883) and O'Neill's (1850 tunes).",
    url="https://www.music21.org",
    licence="public domain music; encodings under music21's corpus licences",
    citation="Cuthbert & Ariza, music21, ISMIR 2010",
)
COLLECTIONS = ("ryansMammoth", "oneills1850")


def read() -> Entries:
    """Every tune of both collections, from the ABC files where music21 is installed."""
    from music21 import corpus

    base = Path(corpus.__file__).parent
    files = [p for name in COLLECTIONS for p in sorted((base / name).glob("*.abc"))]
    for entry in read_files(files, base):
        if isinstance(entry, Skipped):
            yield entry
        else:
            yield replace(entry, song=entry.song.named(entry.song.name, source=SOURCE.name))
