"""Devices and processes."""

from __future__ import annotations

import os
from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor

from symphony.errors import RequestError
from symphony.training.system import Logs


def launch(device: str, batch: int) -> Fabric:
    """Fabric on one device, or on all that ``torchrun`` started processes for.

    Each process takes an equal share of the ``batch`` of a step.

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
        strategy = "ddp" if world > 1 else "auto"
        fabric = Fabric(
            accelerator=device, strategy=strategy, devices=here, num_nodes=world // here
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:  # no such device
        raise RequestError(f"The device {device!r} can't be used here: {error}") from None
    fabric.launch()
    return fabric


def reduced(fabric: Fabric, logs: Logs) -> Logs:
    """Numbers as their mean over all processes; themselves where there is one."""
    if fabric.world_size == 1:
        return logs
    together = cast(Tensor, fabric.all_reduce(torch.stack([*logs.values()]), reduce_op="mean"))
    return dict(zip(logs, together, strict=True))
