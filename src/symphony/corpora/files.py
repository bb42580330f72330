"""Music files in a folder or by name: MIDI and ABC, recognised by what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from symphony.corpora.abc_tunes import parse_tunes, read_abc, split_tunes, title
from symphony.corpora.source import Entries, Entry
from symphony.errors import FileError, SongError, SymphonyError
from symphony.files import sentence
from symphony.midi import LARGEST_FILE
from symphony.song import Song

SUFFIXES = (".mid", ".midi", ".abc")


def read_song(path: str | Path) -> Song:
    """A MIDI file, or the first tune of an ABC file.

    Raises:
        FileError: there is no such file, or it can't be read.
        SongError: not music, broken, or too large.
    """
    path = Path(path)
    tunes = _abc(path)
    return read_abc(tunes[0]) if tunes else Song.from_midi(path)


def read_files(paths: Sequence[Path], base: Path) -> Entries:
    """Every song in many files, named by their path below ``base``; broken ones with the reason.

    MIDI comes first, then all ABC tunes in one batch, for the ABC reader takes time to start.
    """
    waiting: list[tuple[str, str]] = []  # (file, tune)
    for path in paths:
        name = path.relative_to(base).as_posix()
        try:
            tunes = _abc(path)
            waiting += [(name, tune) for tune in tunes]
            if not tunes:
                yield Entry(Song.from_midi(path, name=str(Path(name).with_suffix(""))))
        except SymphonyError as error:
            yield name, str(error)
    songs = parse_tunes([tune for _, tune in waiting])
    for (name, tune), song in zip(waiting, songs, strict=True):
        if isinstance(song, str):
            yield f"{name}: {title(tune)}", song
        else:
            yield Entry(song.named(song.name, source=name))


def _abc(path: Path) -> list[str]:
    """The tunes of an ABC file; empty when it is not one."""
    with sentence(f"{path} can't be read"):
        if not path.exists():
            raise FileError(f"There is no file {path}.")
        if not path.is_file():
            raise FileError(f"{path} is not a file.")
        if path.stat().st_size > LARGEST_FILE:
            raise SongError(f"{path.name} is larger than {LARGEST_FILE / 1e6:.0f} MB: not a piece.")
        with path.open("rb") as file:
            if file.read(4) == b"MThd":
                return []
        tunes = split_tunes(path.read_text(encoding="utf-8", errors="replace"))
    if not tunes and path.suffix.lower() == ".abc":
        raise SongError(f"{path.name} holds no ABC tune: none begins with X:.")
    return tunes
