"""The folder of a run: what lies in it, and writing there without losing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from symphony.training.recipes import RecipeError

STATE = "state.ckpt"  # everything needed to go on; read back only from one's own run
OURS = (
    STATE,
    "card.json",
    "weights.safetensors",
    "step-[0-9]*.safetensors",
    "encoded.npz",
    "film.npz",  # what a GAN made on its way
)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a disk that is full, or a folder that can't be written, into a sentence."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch's writer: RuntimeError
        for name in OURS:
            for partial in folder.glob(f".{name}.partial") if folder.is_dir() else ():
                partial.unlink(missing_ok=True)
        why = str(error).splitlines()[0]
        raise RecipeError(
            f"The run can't be written to {folder} ({why}). What it saved before is still there: "
            "make room, then go on with --resume."
        ) from None


def make_folder(folder: Path) -> None:
    """Make the run's folder if there is none.

    Raises:
        RecipeError: there can't be a folder of this name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.is_file() else error.strerror
        raise RecipeError(f"A run needs a folder, and {folder} can't be one: {why}.") from None


def set_aside(folder: Path) -> bool:
    """Move an earlier run in this folder to its folder ``earlier``; whether there was one.

    Left where it is, its snapshots would pass for those of the new run; deleted, a finished
    model would be lost to a command given twice.
    """
    found = [path for name in OURS for path in folder.glob(name) if name != "encoded.npz"]
    if not found:
        return False
    earlier = folder / "earlier"
    with writing(folder):
        earlier.mkdir(exist_ok=True)
        for name in OURS:
            for path in earlier.glob(name):
                path.unlink()
        for path in found:
            path.rename(earlier / path.name)
    return True
