"""The card of some weights: enough to judge them, and to make them again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from symphony.errors import FileError
from symphony.files import sentence, written
from symphony.typed import from_json

CARD = "card.json"


@dataclass(frozen=True)
class Card:
    """What is known of some weights: enough to judge them, and to make them again."""

    system: str  # the room of its system
    recipe: dict[str, Any]  # as JSON
    recipe_hash: str  # see :attr:`Recipe.hash`
    facts: dict[str, Any]  # what the system remembers of its data
    weights_sha256: str = ""  # of the file beside the card
    best_step: int = 0  # the step whose weights these are
    versions: dict[str, str] = field(default_factory=dict)  # of what decides what a run gives
    hardware: str = ""  # where it was trained
    processes: int = 1  # how many trained it together
    minutes: float = 0.0  # how long it took
    parameters: dict[str, int] = field(default_factory=dict)  # weights of each net
    curve: list[dict[str, float]] = field(default_factory=list)  # mean logs and metrics, by step
    metrics: dict[str, float] = field(default_factory=dict)  # on held-out music
    measured: dict[str, Any] = field(default_factory=dict)  # what experiments added afterwards
    defaults: dict[str, Any] = field(default_factory=dict)  # controls, as validation chose them

    @staticmethod
    def of(recipe: Any, facts: dict[str, Any], **found: Any) -> Card:
        """The card of weights that follow a recipe, and what was found of them."""
        return Card(recipe.room, recipe.to_dict(), recipe.hash, facts, **found)

    @property
    def corpus(self) -> dict[str, str]:
        """Name, fingerprint and licence of the music it learned from."""
        found: dict[str, str] = self.facts["corpus"]
        return found

    def save(self, folder: Path) -> None:
        """Write ``card.json``."""
        with written(folder / CARD) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def load(folder: Path) -> Card:
        """Read ``card.json``.

        Raises:
            FileError: it can't be read, or is broken.
        """
        with sentence(f"The card in {folder} can't be read"):
            text = (folder / CARD).read_bytes()
        try:
            card: Card = from_json(Card, json.loads(text), "card")
            from_json(dict[str, str], card.corpus, "facts.corpus")
            return card
        except (ValueError, KeyError, RecursionError) as error:
            raise FileError(f"The card in {folder} is broken: {error}.") from None
