"""1,276 performances from a piano competition, with their official split."""

from __future__ import annotations

import csv
import io
import zipfile

from symphony.corpora.download import fetch
from symphony.corpora.source import Entries, Entry, Skipped, Source
from symphony.errors import FileError, SymphonyError
from symphony.song import Song

SOURCE = Source(
    name="maestro",
    title="MAESTRO v3",
    description="1,276 competition performances recorded by a player piano.",
    url="https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
    licence="CC BY-NC-SA 4.0",
    citation="Hawthorne et al., Enabling factorized piano music modeling, ICLR 2019",
    sha256="70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
    size=58_416_533,
)


def read() -> Entries:
    """Every performance with the published split; read straight from the archive."""
    archive = fetch(SOURCE, sha256=SOURCE.sha256)
    with zipfile.ZipFile(archive) as packed:
        table = next((n for n in packed.namelist() if n.endswith("maestro-v3.0.0.csv")), None)
        if table is None:
            raise FileError("MAESTRO's archive holds no table of its performances.")
        top = table.rsplit("/", 1)[0] + "/" if "/" in table else ""
        text = io.TextIOWrapper(packed.open(table), encoding="utf-8", newline="")
        for row in sorted(csv.DictReader(text), key=lambda row: row["midi_filename"]):
            name = row["midi_filename"].rsplit(".", 1)[0]
            try:
                song = Song.from_midi(packed.read(top + row["midi_filename"]), name=name)
            except SymphonyError as error:
                yield Skipped.of(row["midi_filename"], error)
                continue
            yield Entry(
                song.named(name, source=SOURCE.name),
                piece=f"{row['canonical_composer']}: {row['canonical_title']}",
                split=row["split"],
            )
