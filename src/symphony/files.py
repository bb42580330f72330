"""The one place where files are written, and where the system's errors become sentences."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from symphony.errors import FileError


@contextmanager
def sentence(
    doing: str, advice: str = "", also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what the operating system refuses into a sentence.

    Args:
        doing: what fails, as the sentence's beginning: "x.mid can't be written".
        advice: a second sentence that says what to do, where the first doesn't.
        also: what else means a refusal, in a library that has errors of its own.

    Raises:
        FileError: ``doing``, the system's reason, and the advice.
    """
    try:
        yield
    except (OSError, *also) as error:  # type: ignore[misc]
        reason = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        raise FileError(f"{shown(doing)}: {reason}. {advice}".rstrip()) from None


def shown(name: str | Path) -> str:
    """A name as text that can be printed, kept as JSON and drawn.

    The bytes of a file name need not be UTF-8; Python smuggles such bytes through as half a
    character each, which no output takes. They show as replacement characters.
    """
    name = str(name)
    return name if name.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", name)


def kind_of(mode: int) -> str:
    """What stands under a name, by the mode that ``stat`` tells: "a file", "a folder" …"""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_name(path: str | Path) -> None:
    """Refuse what can't name a file at all; the operating system's words for it help nobody.

    Raises:
        FileError: an empty name, or a NUL in it.
    """
    if not str(path) or "\0" in str(path):
        raise FileError(f"{shown(path)!r} is no name that a file can have.")


def check_writable(path: str | Path) -> Path:
    """Refuse before the work what :func:`written` would refuse after it; the file behind links.

    Raises:
        FileError: no name for a file, a folder, a write-protected file, or no folder to be in.
    """
    check_name(path)
    path = Path(path)
    with sentence(f"{path} can't be written"):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        target = path if path.exists() and not path.is_file() else Path(os.path.realpath(path))
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is write-protected")
        if not target.exists():
            target.parent.stat()  # says what is missing
            if not target.parent.is_dir():
                raise NotADirectoryError(None, "it is to lie in a file")
            if not os.access(target.parent, os.W_OK | os.X_OK):
                raise PermissionError(None, "its folder is write-protected")
    return target


@contextmanager
def written(path: str | Path, also: tuple[type[Exception], ...] = ()) -> Iterator[Path]:
    """A temporary path beside ``path``; when the block ends well it takes that name.

    Until then the old file stays as it was. Whatever goes wrong, Ctrl-C included, leaves it so
    and nothing beside it. The temporary name keeps the suffix, from which libraries tell the
    format. A link stays a link, and a file keeps its permissions. A device or a pipe, such as
    ``/dev/stdout``, can't be replaced: it gets the bytes at the end.

    Raises:
        FileError: no name for a file, the folder is missing or not writable, the old file is
            write-protected, or the disk is full.
    """
    target = check_writable(path)
    path = Path(path)
    with sentence(f"{path} can't be written", also=also):
        device = path.exists() and not path.is_file()
        mode = target.stat().st_mode & 0o777 if target.is_file() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(
            prefix=".partial-", suffix=path.suffix, dir=None if device else target.parent
        )
        os.close(handle)
        partial = Path(name)
        try:
            yield partial
            if device:
                path.write_bytes(partial.read_bytes())
                return
            partial.chmod(mode)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def workplace(folder: Path) -> Iterator[None]:
    """A folder that is ours alone for the block; if that fails, an empty one goes again.

    Raises:
        FileError: no folder can be made or written there, or somebody else works in it.
    """
    check_name(folder)
    if shown(folder) != str(folder):
        raise FileError(f"A run can't be kept in {shown(folder)}: its name is not UTF-8.")
    lock = FileLock(folder / ".lock", timeout=0)
    with sentence(f"A run can't be kept in {folder}"):
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise FileError(f"Another run is at work in {shown(folder)}.") from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):  # not empty, as it should be
            Path(lock.lock_file).unlink(missing_ok=True)
            for each in made:
                each.rmdir()


def _umask() -> int:
    """The permissions that new files don't get; mkstemp's files are the owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
