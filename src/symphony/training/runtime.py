"""Devices, stopping, and the state that lets a run go on: what every loop shares."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from lightning_fabric import Fabric
from torch import Tensor

from symphony.training.folder import writing
from symphony.training.recipes import RecipeError


def launch(device: str, batch: int) -> Fabric:
    """Fabric on one device, or on all that ``torchrun`` started processes for.

    Args:
        device: auto, cpu, cuda or mps.
        batch: windows a step, over all processes together; each takes an equal share.

    Raises:
        RecipeError: the device isn't there, or the batch can't be shared equally.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world:
        raise RecipeError(
            f"A batch of {batch} windows can't be shared equally by {world} processes: start as "
            f"many processes as divide {batch}."
        )
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    try:
        fabric = Fabric(
            accelerator=device,
            devices=here,
            num_nodes=world // here,
            strategy="ddp" if world > 1 else "auto",
        )
    except Exception as error:  # Fabric raises its own kinds for a missing device
        raise RecipeError(f"The device {device!r} can't be used here: {error}") from None
    fabric.launch()
    return fabric


def reduced(fabric: Fabric, value: Tensor, how: str) -> Tensor:
    """A number summed or averaged over all processes; itself where there is one."""
    return cast(Tensor, fabric.all_reduce(value, reduce_op=how)) if fabric.world_size > 1 else value


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event set by Ctrl-C, so that a step is never cut in two; a second Ctrl-C ends at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def save_state(fabric: Fabric, path: Path, state: dict[str, Any]) -> None:
    """Write the state beside the old one, then put it in its place.

    Raises:
        RecipeError: it can't be written, as on a full disk; the state before it is still there.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing(path.parent):
        fabric.save(partial, state)
        if fabric.is_global_zero:
            partial.replace(path)
    fabric.barrier()


def load_state(fabric: Fabric, path: Path, state: dict[str, Any]) -> None:
    """Bring a state back, in place.

    Raises:
        RecipeError: there is none, it is broken, or it belongs to another recipe or other music.
    """
    if not path.is_file():
        raise RecipeError(f"There is nothing to resume in {path.parent}: train without --resume.")
    try:
        saved = fabric.load(path)
        same = saved["recipe"] == state["recipe"]
        offered = state["run"]["corpus"]
        heard = saved["run"].get("corpus", offered)
        rest = fabric.load(path, state) if same else {}
    except Exception as error:  # torch raises many kinds for a broken file
        raise RecipeError(
            f"The state in {path.parent} is broken ({type(error).__name__}): start anew."
        ) from None
    state.update(rest)
    if not same:
        raise RecipeError(
            f"The run in {path.parent} follows another recipe: give the same recipe, size, corpus "
            "and seed as before, or another folder."
        )
    if heard != offered:
        raise RecipeError(
            f"The run in {path.parent} learned from other music than is there now: start anew, or "
            "bring the corpus back as it was."
        )
