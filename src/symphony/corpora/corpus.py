"""Loading a corpus: parse once, keep the notes, split by piece (chapter 1)."""

from __future__ import annotations

import difflib
import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symphony.corpora import asap, chorales, folder, folk, maestro, nottingham, splits, table
from symphony.corpora.download import cache_folder, mirror
from symphony.corpora.source import Entries, Skipped, Source
from symphony.errors import RequestError, SongError
from symphony.files import sentence
from symphony.song import Song

PARSER = 4  # raise when the same files would give other songs or splits
MODULES = (chorales, folk, nottingham, asap, maestro)
SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in MODULES}
READERS: dict[str, Callable[[], Entries]] = {module.SOURCE.name: module.read for module in MODULES}


@dataclass(frozen=True)
class Corpus:
    """Songs, each in one of three splits.

    Attributes:
        name: of the corpus; for a folder, the folder's.
        source: where it comes from.
        songs: every song, each built when it is accessed.
        pieces: the group of each song: renditions of one piece, and near-duplicates, share one.
        split: "train", "validation" or "test" for each song.
        fingerprint: SHA-256 of all notes, names and splits.
        skipped: files left out, each with its reason.
    """

    name: str
    source: Source
    songs: table.Songs
    pieces: tuple[str, ...]
    split: tuple[str, ...]
    fingerprint: str
    skipped: tuple[Skipped, ...] = ()

    def part(self, split: str) -> table.Songs:
        """The songs of one split."""
        rows = [row for row, at in zip(self.songs.rows, self.split, strict=True) if at == split]
        return table.Songs(self.songs.notes, self.songs.pairs, rows)

    @property
    def train(self) -> table.Songs:
        """What models learn from."""
        return self.part("train")

    @property
    def validation(self) -> table.Songs:
        """What chooses between models."""
        return self.part("validation")

    @property
    def test(self) -> table.Songs:
        """What is only reported."""
        return self.part("test")

    def subset(self, count: int) -> list[Song]:
        """The first ``count`` training songs, in a fixed order: by a hash of their names."""
        train = self.train
        order = sorted(
            range(len(train)), key=lambda i: hashlib.sha256(train.rows[i]["name"].encode()).digest()
        )
        return [train[i] for i in order[:count]]


def load_corpus(name_or_path: str | Path, *, progress: bool = True) -> Corpus:
    """A corpus by name, or any folder of MIDI and ABC files.

    The first call parses (and downloads where needed); later ones take the notes from a cache
    in under a second.

    Args:
        name_or_path: chorales, folk, nottingham, asap, maestro, or a folder.
        progress: show a bar while parsing.

    Raises:
        RequestError: no such corpus or folder.
        SongError: no music in it.
        FileError: a failed download, files that are not the published ones, or a cache that
            can't be written.
    """
    name = str(name_or_path)
    if name in SOURCES:
        key, source, read = f"{name}-{PARSER}", SOURCES[name], READERS[name]
        if name in ("chorales", "folk"):
            from importlib.metadata import version

            key += f"-music21-{version('music21')}"
    elif Path(name).expanduser().is_dir():
        path = Path(name).expanduser()
        source, read = folder.source(path), lambda: folder.read(path)
        key = f"folder-{PARSER}-{folder.stamp(path)[:24]}"
    else:
        near = difflib.get_close_matches(name, SOURCES, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise RequestError(
            f"There is no corpus or folder {name!r}. {hint}Corpora: {', '.join(SOURCES)}."
        )
    kept = cache_folder() / "corpora" / key
    try:
        songs, document = table.read(kept)
    except (OSError, ValueError, KeyError):
        songs, document = _parse(kept, source, read, progress)
    return Corpus(
        name=source.name,
        source=source,
        songs=songs,
        pieces=tuple(document["pieces"]),
        split=tuple(document["split"]),
        fingerprint=document["fingerprint"],
        skipped=tuple((file, reason) for file, reason in document["skipped"]),
    )


def _parse(
    kept: Path, source: Source, read: Callable[[], Entries], progress: bool
) -> tuple[table.Songs, dict[str, Any]]:
    from tqdm.auto import tqdm

    skipped: list[Skipped] = []
    pieces: list[str] = []
    official: list[str] = []

    def songs() -> Iterator[Song]:
        for entry in tqdm(
            read(), desc=f"reading {source.name}", unit=" songs", disable=not progress
        ):
            if isinstance(entry, tuple):
                skipped.append(entry)
                continue
            pieces.append(entry.piece)
            official.append(entry.split)
            yield entry.song

    def finish(written: table.Songs) -> dict[str, Any]:
        if not len(written):
            raise SongError(f"No music could be read from {source.title}{_reasons(skipped)}.")
        names = [row["name"] for row in written.rows]
        groups = splits.near_duplicates(written, pieces)
        split = official if all(official) else splits.split_by_group(names, groups)
        digest = hashlib.sha256(repr((names, split)).encode())
        digest.update(np.ascontiguousarray(written.notes).tobytes())
        return {
            "pieces": [pieces[group] or f"{names[group]} ({group})" for group in groups],
            "split": split,
            "skipped": skipped,
            "fingerprint": digest.hexdigest(),
        }

    with sentence(
        f"The parsed corpus {source.name} can't be kept in {kept.parent}",
        "Nothing was left behind. Make room, or name another folder in SYMPHONY_CACHE.",
    ):
        songs_and_document = table.write(kept, songs(), finish)
    if skipped:
        warnings.warn(f"{source.title}: left out{_reasons(skipped)}.", stacklevel=3)
    return songs_and_document


def _reasons(skipped: Sequence[Skipped], most: int = 5) -> str:
    """How many files were left out, and why the first few; empty for none."""
    if not skipped:
        return ""
    shown = "; ".join(f"{file} ({reason.rstrip('.')})" for file, reason in skipped[:most])
    more = f"; and {len(skipped) - most} more" if len(skipped) > most else ""
    return f" {len(skipped)}: {shown}{more}"


def is_present(name_or_path: str | Path) -> bool:
    """Whether a corpus can be loaded without the network."""
    name = str(name_or_path)
    if name not in SOURCES:
        return Path(name).expanduser().is_dir()
    if SOURCES[name].embedded or (cache_folder() / "corpora" / f"{name}-{PARSER}").is_dir():
        return True
    local, file = mirror(), SOURCES[name].url.rsplit("/", 1)[-1]
    places = [cache_folder() / "downloads"] + ([local] if local else [])
    return any((place / part).exists() for place in places for part in (name, file))


def corpora_table() -> list[dict[str, str]]:
    """One row a corpus: name, title, download size, licence, whether it is present."""
    return [
        {
            "name": source.name,
            "title": source.title,
            "size": f"{source.size / 1e6:,.0f} MB" if source.size else "embedded",
            "licence": source.licence,
            "present": "yes" if is_present(source.name) else "no",
        }
        for source in SOURCES.values()
    ]
