"""Devices, processes and Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from symphony.errors import RequestError
from symphony.machine import processor
from symphony.training.system import Logs


def launch(device: str, batch: int) -> Fabric:
    """Fabric on one device, or on all that ``torchrun`` started processes for.

    Args:
        device: auto, cpu, cuda or mps.
        batch: examples a step, over all processes together; each takes an equal share.

    Raises:
        RequestError: the device isn't there, or the batch can't be shared equally.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world:
        raise RequestError(
            f"A batch of {batch} can't be shared equally by {world} processes: start as many "
            f"processes as divide {batch}."
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
        raise RequestError(f"The device {device!r} can't be used here: {error}") from None
    fabric.launch()
    return fabric


def reduced(fabric: Fabric, logs: Logs) -> Logs:
    """Numbers as their mean over all processes; themselves where there is one."""
    if fabric.world_size == 1:
        return logs
    together = cast(Tensor, fabric.all_reduce(torch.stack([*logs.values()]), reduce_op="mean"))
    return dict(zip(logs, together, strict=True))


def hardware(fabric: Fabric) -> str:
    """What a run computed on."""
    return torch.cuda.get_device_name() if fabric.device.type == "cuda" else processor()


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
