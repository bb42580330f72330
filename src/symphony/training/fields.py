"""Fields of recipes with their ranges, and of controls with their help."""

from __future__ import annotations

import sys
from dataclasses import field
from functools import partial
from math import nextafter
from typing import Any

LARGEST = sys.float_info.max  # finite


def ranged(default: Any, low: float, high: float = LARGEST, above: bool = False) -> Any:
    """A field of a recipe with its range; ``above`` leaves ``low`` itself out."""
    return field(default=default, metadata={"range": (low, high, above)})


count = partial(ranged, low=1)  # 1, 2, …
positive = partial(ranged, low=0, above=True)  # above 0
weight = partial(ranged, low=0)  # 0 switches a term off
share = partial(ranged, low=0, high=nextafter(1, 0))  # from 0 to below 1


def control(default: Any, about: str) -> Any:
    """A field of a system's controls: its default, and what ``symphony compose --help`` says."""
    return field(default=default, metadata={"help": about})
