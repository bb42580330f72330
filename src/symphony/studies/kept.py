"""What is kept beside shipped weights: studies, evaluations, films."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from symphony.errors import SymphonyError
from symphony.training.checkpoint import SHIPPED


class KeptError(SymphonyError):
    """Nothing of that kind is kept for this model."""


def shipped_folder(name: str) -> Path:
    """Where the weights of this name lie, and what is kept beside them."""
    return SHIPPED / name


def shipped_study(name: str) -> dict[str, Any]:
    """What the chapter's comparison over seeds found: see ``book/study_*.py``.

    Raises:
        KeptError: nothing is kept for it.
    """
    return _read(name, "study")


def shipped_evaluation(name: str) -> dict[str, Any]:
    """What :func:`symphony.studies.evaluate` found when the weights of this name were shipped.

    Raises:
        KeptError: nothing is kept for it.
    """
    return _read(name, "evaluation")


def keep_study(name: str, study: dict[str, Any]) -> None:
    """Keep a comparison beside the weights of this name, for :func:`shipped_study` to find."""
    path = shipped_folder(name) / "study.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(study) + "\n")
    print(path)


def _read(name: str, what: str) -> dict[str, Any]:
    path = shipped_folder(name) / f"{what}.json"
    if not path.is_file():
        raise KeptError(f"No {what} is kept for the model {name}.")
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept
