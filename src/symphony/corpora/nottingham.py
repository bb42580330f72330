"""1,034 folk tunes in ABC with chord symbols."""

from __future__ import annotations

from pathlib import Path

from symphony.corpora.download import fetch_files
from symphony.corpora.files import read_files
from symphony.corpora.source import Entries, Source

COMMIT = "0992bb6cd864f6d4b90d6663e08c0ef53ffaa08f"
SOURCE = Source(
    name="nottingham",
    title="Nottingham Music Database",
    description="1,034 British and American folk tunes in ABC, cleaned by Jukedeck.",
    url=f"https://github.com/jukedeck/nottingham-dataset/archive/{COMMIT}.zip",
    licence="GPL-3.0",
    citation="Seymour Shlien and Eric Foxley, Nottingham Music Database; cleaned by Jukedeck",
    sha256="b24957cc2a659483460bb2d1e17a0b1e3b6b32169b192ceef925fc6bb5fe1936",
    size=2_500_000,
)


def wanted(path: Path) -> bool:
    """Only the cleaned ABC files are used."""
    return path.parts[0] == "ABC_cleaned" and path.suffix == ".abc"


def read() -> Entries:
    """Every tune, melody only."""
    folder = fetch_files(SOURCE, wanted)
    yield from read_files(sorted((folder / "ABC_cleaned").glob("*.abc")), folder)
