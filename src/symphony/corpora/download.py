"""Fetching a corpus once, by SHA-256, or taking it from the folder named by SYMPHONY_DATA."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from symphony.corpora.source import Source
from symphony.errors import FileError
from symphony.files import sentence, shown, written

LARGEST_UNPACKED = 2_000_000_000  # bytes
NAME_ANOTHER = "Name a folder with room, to which you may write, in SYMPHONY_CACHE."
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


def cache_folder() -> Path:
    """Where parsed and downloaded corpora are kept: SYMPHONY_CACHE, or the user's cache.

    Raises:
        FileError: SYMPHONY_CACHE names a file.
    """
    import platformdirs

    named = os.environ.get("SYMPHONY_CACHE")
    folder = Path(named or platformdirs.user_cache_dir("symphony")).absolute()
    with sentence(f"The cache {folder} can't be used", NAME_ANOTHER):
        if folder.exists() and not folder.is_dir():
            raise FileError(f"The cache {shown(folder)} is a file, not a folder. {NAME_ANOTHER}")
    return folder


def mirror() -> Path | None:
    """The folder named by SYMPHONY_DATA; None where none is named.

    Raises:
        FileError: there is no such folder.
    """
    named = os.environ.get("SYMPHONY_DATA")
    if not named:
        return None
    with sentence(f"The folder {named}, named by SYMPHONY_DATA, can't be read"):
        if not Path(named).is_dir():
            raise FileError(
                f"SYMPHONY_DATA names {shown(named)!r}, and there is no such folder: name the one "
                "that holds the corpora, or unset it to download them."
            )
    return Path(named).absolute()


def manifest(folder: Path, wanted: Callable[[Path], bool]) -> str:
    """SHA-256 over the sorted lines "sha256  path" of a folder's wanted files.

    An archive that a server packs on demand has no stable hash; its files have.
    """
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    lines = [
        f"{hashlib.sha256((folder / p).read_bytes()).hexdigest()}  {p.as_posix()}\n"
        for p in files
        if wanted(p)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fetch_files(source: Source, wanted: Callable[[Path], bool], progress: bool = True) -> Path:
    """The folder that holds a source's files: mirrored, kept from before, or downloaded.

    Args:
        source: what to fetch; ``source.sha256`` is the manifest of the wanted files.
        wanted: which paths, relative to the archive's single top folder, belong to it.
        progress: show a bar.

    Raises:
        FileError: no mirror and no network, files that are not the published ones, or a cache
            that can't be written.
    """
    local = mirror()
    if local is not None and (local / source.name).is_dir():
        return _checked(local / source.name, source, wanted)
    kept = cache_folder() / "downloads" / source.name
    if kept.is_dir():
        return _checked(kept, source, wanted)
    archive = fetch(source, progress, sha256=None)
    with sentence(f"{kept} can't be written", NAME_ANOTHER):
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{source.name}-", dir=kept.parent))
        try:
            unpack(archive, partial)
            tops = list(partial.iterdir())
            inside = tops[0] if len(tops) == 1 and tops[0].is_dir() else partial
            _checked(inside, source, wanted).rename(kept)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            archive.unlink(missing_ok=True)
    return kept


def fetch(source: Source, progress: bool = True, *, sha256: str | None) -> Path:
    """One file by its URL, or of the same name and hash from the mirror or an earlier download.

    Raises:
        FileError: neither is to be had, the hash is wrong (the file is not kept), or the cache
            can't be written.
    """
    name = source.url.rsplit("/", 1)[-1]
    local = mirror()
    if local is not None and (local / name).is_file():
        if not _has_hash(local / name, sha256):
            raise FileError(f"{name} in SYMPHONY_DATA is not the published file: wrong SHA-256.")
        return local / name
    kept = cache_folder() / "downloads" / name
    if kept.is_file() and _has_hash(kept, sha256):
        return kept
    with sentence(f"{kept.parent} can't be written", NAME_ANOTHER):
        kept.parent.mkdir(parents=True, exist_ok=True)
    with written(kept) as partial:
        _download(source, partial, sha256, progress)
    return kept


def _download(source: Source, path: Path, sha256: str | None, progress: bool) -> None:
    import pooch

    path.unlink(missing_ok=True)  # pooch takes a file that is there for the one it is to fetch
    try:
        pooch.retrieve(
            source.url,
            known_hash=sha256,
            fname=path.name,
            path=path.parent,
            progressbar=progress,
        )
    except ValueError:
        raise FileError(
            f"What came from {source.url} is not the published {source.name}: its SHA-256 is "
            "wrong. Nothing was kept; try again later."
        ) from None
    except Exception as error:  # requests raises many kinds; each means: no download
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        raise FileError(
            f"The corpus {source.name} ({source.size / 1e6:.0f} MB) can't be downloaded "
            f"({type(error).__name__}). Put its files in a folder and name that folder in "
            f"SYMPHONY_DATA, or use an embedded corpus: chorales or folk."
        ) from None


def _has_hash(path: Path, sha256: str | None) -> bool:
    """Whether a file is the published one; any file is where no hash is known."""
    with sentence(f"{path} can't be read"):
        return sha256 is None or hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file into a folder of its own, so that nothing lands outside.

    Raises:
        FileError: not a zip file, one that is damaged, encrypted, packed in an unknown way, points
            outside, or swells past 2 GB. The folder is removed.
        OSError: no room.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            if sum(info.file_size for info in packed.infolist()) > LARGEST_UNPACKED:
                raise FileError(f"{archive.name} would unpack to more than 2 GB.")
            for info in packed.infolist():
                target = (folder / info.filename).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise FileError(f"{archive.name} tries to write outside its folder.")
                packed.extract(info, folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        disk = isinstance(error, OSError) and error.errno in DISK_ERRORS
        if isinstance(error, FileError) or disk or not isinstance(error, Exception):
            raise
        if isinstance(error, zipfile.BadZipFile):
            raise FileError(f"{archive.name} is not a whole zip file ({error}).") from None
        # zipfile raises many kinds where it meets what it doesn't know
        reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
        raise FileError(f"{archive.name} can't be unpacked ({reason}).") from None


def _checked(folder: Path, source: Source, wanted: Callable[[Path], bool]) -> Path:
    with sentence(f"{folder} can't be read"):
        published = manifest(folder, wanted) == source.sha256
    if not published:
        raise FileError(
            f"The files for {source.name} in {folder} are not the published ones: their SHA-256 "
            "is wrong. Remove them and try again."
        )
    return folder
