"""1,067 piano performances of 222 pieces, with velocities and pedal."""

from __future__ import annotations

import csv
from pathlib import Path

from symphony.corpora.download import fetch_files
from symphony.corpora.source import Entries, Entry, Skipped, Source
from symphony.errors import SymphonyError
from symphony.files import sentence
from symphony.song import Song

COMMIT = "afc815c75c42e83a79c03feb6da8a35e77d4c6b8"
SOURCE = Source(
    name="asap",
    title="Aligned Scores and Performances (ASAP)",
    description="1,067 performances of 222 classical piano pieces; only the performances are used.",
    url=f"https://github.com/fosfrancesco/asap-dataset/archive/{COMMIT}.zip",
    licence="CC BY-NC-SA 4.0",
    citation="Foscarin et al., ASAP, ISMIR 2020",
    sha256="196136cd8cf2b03586878b17f98ff7940954f226a8e7eafe7e2b1b601729638f",
    size=500_000_000,
)


def wanted(path: Path) -> bool:
    """The performances, and the table that says which piece each plays."""
    if path.as_posix() == "metadata.csv":
        return True
    return len(path.parts) > 2 and path.suffix == ".mid" and path.name != "midi_score.mid"


def read() -> Entries:
    """Every performance; those of one piece belong together."""
    folder = fetch_files(SOURCE, wanted)
    table = folder / "metadata.csv"
    with sentence(f"{table} can't be read"), table.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["midi_performance"])
    for row in rows:
        file_name = row["midi_performance"]
        try:
            song = Song.from_midi(folder / file_name)
        except SymphonyError as error:
            yield Skipped.of(file_name, error)
            continue
        name = file_name.removesuffix(".mid")
        yield Entry(song.named(name, source=SOURCE.name), piece=row["folder"])
