"""Loading a corpus: parse once, keep the notes, split by piece (chapter 1)."""

from __future__ import annotations

import difflib
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from symphony.corpora import asap, chorales, folder, folk, maestro, nottingham, splits, table
from symphony.corpora.download import NAME_ANOTHER, cache_folder, mirror
from symphony.corpora.source import Entries, Skipped, Source
from symphony.errors import FileError, RequestError, SongError
from symphony.files import sentence, shown
from symphony.song import Song
from symphony.typed import from_json

PARSER = 6  # raise when the same files would give other songs or splits
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
    skipped: tuple[tuple[str, str], ...] = ()

    def part(self, split: str) -> table.Songs:
        """The songs of one split."""
        return self.songs.part(at == split for at in self.split)

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
        keys = [hashlib.sha256(name.encode()).digest() for name in train.names]
        order = sorted(range(len(train)), key=keys.__getitem__)
        return [train[i] for i in order[:count]]


@dataclass(frozen=True)
class _Known:
    """What the cache keeps of a corpus beside its songs; :class:`Corpus` explains it."""

    pieces: list[str]
    split: list[Literal["train", "validation", "test"]]
    fingerprint: str
    skipped: list[tuple[str, str]]
    whole: bool  # else some files only couldn't be read that day: look again


def load_corpus(name_or_path: str | Path, *, progress: bool = True) -> Corpus:
    """A corpus by name, or any folder of MIDI and ABC files.

    The first call parses (and downloads where needed); later ones take the notes from a cache
    in under a second. Files of a folder that were left out are named at every load.

    Args:
        name_or_path: chorales, folk, nottingham, asap, maestro, or a folder.
        progress: show a bar while parsing.

    Raises:
        RequestError: no such corpus or folder.
        SongError: no music in it.
        FileError: a failed download, files that are not the published ones, a folder or a cache
            that can't be used, or a reader that can't be run.
    """
    name = str(name_or_path)
    if name in SOURCES:
        key, source, read = f"{name}-{PARSER}", SOURCES[name], READERS[name]
        if name in ("chorales", "folk"):
            from importlib.metadata import version

            key += f"-music21-{version('music21')}"
    else:
        found = folder.look(_folder(name))
        source, read = folder.source(found.path), lambda: folder.read(found)
        key = f"folder-{PARSER}-{found.stamp[:24]}"
    kept = cache_folder() / "corpora" / key
    loaded = _kept(kept, source)
    if loaded is None:
        table.remove(kept)
        loaded = _parse(kept, source, read, progress)
    # What a published corpus lacks is the same for everyone, and nobody's to mend.
    if loaded.skipped and name not in SOURCES:
        reasons = _reasons(loaded.skipped)
        warnings.warn(f"{source.title}: left out{reasons}. All: corpus.skipped.", stacklevel=2)
    return loaded


def resolved(name_or_path: str | Path) -> str:
    """A corpus by a name that holds from any working directory: a folder's is its absolute path.

    Whether it is there is for :func:`load_corpus` to say.
    """
    name = str(name_or_path)
    if _is_folder(name) and name not in SOURCES:
        return str(_folder(name))
    is_path = len(Path(name).parts) > 1  # else it may be a name, misspelt
    return os.path.abspath(os.path.expanduser(name)) if is_path else name  # noqa: PTH100, PTH111


def _folder(name: str) -> Path:
    """A folder's absolute path.

    Raises:
        RequestError: it is none.
    """
    if _is_folder(name):
        return Path(name).expanduser().resolve()
    near = difflib.get_close_matches(name, SOURCES, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise RequestError(
        f"There is no corpus or folder {shown(name)!r}. {hint}Corpora: {', '.join(SOURCES)}."
    )


def _is_folder(name: str) -> bool:
    try:
        return bool(name) and Path(name).expanduser().is_dir()
    except (OSError, RuntimeError):  # too long a name, or an unknown user's home
        return False


def _kept(kept: Path, source: Source) -> Corpus | None:
    """The corpus from the cache; None where it isn't there, or not as it was written."""
    try:
        songs, about = table.read(kept)
        known = from_json(_Known, about)
        "".join([*known.pieces, *(word for pair in known.skipped for word in pair)]).encode()
    except (OSError, ValueError):
        return None
    fits = len(known.pieces) == len(known.split) == len(songs) > 0
    return _corpus(source, songs, known) if fits and known.whole else None


def _corpus(source: Source, songs: table.Songs, known: _Known) -> Corpus:
    return Corpus(
        name=source.name,
        source=source,
        songs=songs,
        pieces=tuple(known.pieces),
        split=tuple(known.split),
        fingerprint=known.fingerprint,
        skipped=tuple(known.skipped),
    )


def _parse(kept: Path, source: Source, read: Callable[[], Entries], progress: bool) -> Corpus:
    """Read a corpus, write it to the cache, and open it."""
    from tqdm.auto import tqdm

    skipped: list[Skipped] = []
    pieces: list[str] = []
    official: list[str] = []

    def songs() -> Iterator[Song]:
        for entry in tqdm(
            read(), desc=f"reading {source.name}", unit=" songs", disable=not progress
        ):
            if isinstance(entry, Skipped):
                skipped.append(entry)
                continue
            pieces.append(entry.piece)
            official.append(entry.split)
            yield entry.song

    def finish(written: table.Songs) -> dict[str, Any]:
        if not len(written):
            reasons = _reasons(_pairs(skipped))
            raise SongError(f"No music could be read from {source.title}{reasons}.")
        names = written.names
        groups = splits.near_duplicates(written, pieces, progress)
        split = official if all(official) else splits.split_by_group(names, groups)
        digest = hashlib.sha256(repr((names, split)).encode())
        for block in written.blocks():
            digest.update(block)
        return {
            "pieces": [pieces[group] or f"{names[group]} ({group})" for group in groups],
            "split": split,
            "fingerprint": digest.hexdigest(),
            "skipped": _pairs(skipped),
            "whole": all(each.lasting for each in skipped),
        }

    with sentence(
        f"The parsed corpus {source.name} can't be kept in {kept.parent}",
        f"Nothing was left behind. {NAME_ANOTHER}",
    ):
        parsed, about = table.write(kept, songs(), finish)
    return _corpus(source, parsed, from_json(_Known, about))


def _pairs(skipped: Sequence[Skipped]) -> list[tuple[str, str]]:
    return [(each.file, each.reason) for each in skipped]


def _reasons(skipped: Sequence[tuple[str, str]], most: int = 3) -> str:
    """How many files were left out, and why the first few; empty for none."""
    if not skipped:
        return ""
    first = "; ".join(f"{file} ({reason.rstrip('.')})" for file, reason in skipped[:most])
    more = f"; and {len(skipped) - most} more" if len(skipped) > most else ""
    return f" {len(skipped)}: {first}{more}"


def is_present(name_or_path: str | Path) -> bool:
    """Whether a corpus can be loaded without the network."""
    name = str(name_or_path)
    if name not in SOURCES:
        return _is_folder(name)
    if SOURCES[name].embedded or (cache_folder() / "corpora" / f"{name}-{PARSER}").is_dir():
        return True
    file, places = SOURCES[name].url.rsplit("/", 1)[-1], [cache_folder() / "downloads"]
    with suppress(FileError):  # a mirror that isn't there holds nothing
        places += filter(None, [mirror()])
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
