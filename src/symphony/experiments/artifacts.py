"""What is kept beside shipped weights: experiments and evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from symphony.errors import FileError
from symphony.files import sentence, written
from symphony.systems import SHIPPED


def shipped_folder(name: str, home: Path = SHIPPED) -> Path:
    """Where the weights of this name lie, and what is kept beside them."""
    return home / name


def shipped_experiment(name: str, home: Path = SHIPPED) -> dict[str, Any]:
    """What the chapter's comparison over seeds found: see ``book/experiment_*.py``.

    Raises:
        FileError: nothing is kept for it.
    """
    found: dict[str, Any] = _read(shipped_folder(name, home) / "experiment.json")
    return found


def shipped_evaluation(name: str, home: Path = SHIPPED) -> dict[str, Any]:
    """What :func:`symphony.experiments.evaluate` found when the weights of this name were shipped.

    Raises:
        FileError: nothing is kept for it.
    """
    found: dict[str, Any] = _read(shipped_folder(name, home) / "evaluation.json")
    return found


def shipped_search(name: str, home: Path = SHIPPED) -> list[dict[str, Any]]:
    """The settings that were tried before a recipe was fixed: see ``book/search_*.py``.

    Raises:
        FileError: nothing is kept for it.
    """
    rows: list[dict[str, Any]] = _read(shipped_folder(name, home) / "search.json")
    return rows


def shipped_trial(name: str, home: Path = SHIPPED) -> dict[str, Any]:
    """An experiment with fewer seeds than a verdict needs: see ``book/trial_*.py``.

    Raises:
        FileError: nothing is kept for it.
    """
    found: dict[str, Any] = _read(shipped_folder(name, home) / "trial.json")
    return found


def keep_experiment(name: str, found: dict[str, Any], home: Path = SHIPPED) -> None:
    """Keep a comparison beside the weights of this name, for :func:`shipped_experiment`.

    Raises:
        FileError: it can't be written.
    """
    _keep(shipped_folder(name, home) / "experiment.json", found)


def keep_trial(name: str, found: dict[str, Any], home: Path = SHIPPED) -> None:
    """Keep a trial beside the weights of this name, for :func:`shipped_trial`.

    Raises:
        FileError: it can't be written.
    """
    _keep(shipped_folder(name, home) / "trial.json", found)


def _keep(path: Path, found: dict[str, Any]) -> None:
    with sentence(f"{path} can't be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as partial:
        partial.write_text(json.dumps(found) + "\n")
    print(path)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FileError(f"No {path.stem} is kept for the model {path.parent.name}.")
    return json.loads(path.read_text())
