"""Recipes: everything that decides what a training run gives, as data."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from symphony.codecs.conditions import REPORTED, ConditionCodec
from symphony.errors import SymphonyError

LARGEST_SEED = 2**31  # leaves room for the step in the seed of its dropout
EVENTS = {"name": "events", "velocity_bins": 7, "pedal": True}


class RecipeError(SymphonyError):
    """A recipe that doesn't exist or can't be followed."""


@dataclass(frozen=True)
class Recipe:
    """How to train one model.

    Attributes:
        name: as the command line knows it.
        size: tiny (seconds, for tests), small (two CPU cores), full (the original's, a GPU).
        corpus: a corpus by name, or a folder.
        codec: the codec's ``to_dict()``.
        model: the arguments of CharRNNConfig but the vocabulary, which the codec gives.
        steps: optimizer steps.
        batch: windows a step, over all devices together.
        window: symbols the model reads in a window.
        learning_rate: Adam's at the first step; it falls in a line to a tenth at the last.
        clip: largest norm of the gradient.
        transpose: semitones by which each training song is also learned; 0 is the song itself.
        subset: train on so many songs only; None for all.
        keep: "best" keeps the weights of the lowest validation loss, "last" the last.
        evaluate_every: steps between validations; the state to resume from is saved then.
        validation_symbols: symbols of the validation split read at each; None for all.
        snapshots: steps whose weights are kept beside the final ones.
        seed: decides initial weights, windows and dropout.
    """

    name: str
    size: str
    corpus: str
    codec: dict[str, Any] = field(default_factory=lambda: dict(EVENTS))
    model: dict[str, Any] = field(default_factory=dict)
    steps: int = 1500
    batch: int = 32
    window: int = 256
    learning_rate: float = 2e-3
    clip: float = 1.0
    transpose: tuple[int, ...] = (0,)
    subset: int | None = None
    keep: str = "best"
    evaluate_every: int = 100
    validation_symbols: int | None = 65_536
    snapshots: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run could follow."""
        counts = {
            "steps": self.steps,
            "batch": self.batch,
            "window": self.window,
            "evaluate_every": self.evaluate_every,
            "subset": 1 if self.subset is None else self.subset,
            "validation_symbols": self.validation_symbols or 2,
        }
        for what, value in counts.items():
            if value < 1:
                raise RecipeError(f"{what} is at least 1, not {value}.")
        for what, amount in (("learning_rate", self.learning_rate), ("clip", self.clip)):
            if not 0 < amount < math.inf:
                raise RecipeError(f"{what} is a finite number above 0, not {amount}.")
        if not 0 <= self.seed < LARGEST_SEED:
            raise RecipeError(f"A seed is a whole number from 0 to {LARGEST_SEED - 1}.")
        if self.keep not in ("best", "last"):
            raise RecipeError(f"A run keeps its best or its last weights, not {self.keep!r}.")
        if not self.transpose:
            raise RecipeError("With no transposition at all there is nothing to learn: give (0,).")

    @property
    def hash(self) -> str:
        """SHA-256 of the recipe's canonical JSON: a card whose hash differs is out of date."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


SMALL = {"layers": 2, "width": 256, "embedding": 128, "dropout": 0.25}
FULL = {"layers": 3, "width": 512, "embedding": 256, "dropout": 0.3}
TINY = {"layers": 1, "width": 32, "embedding": 16, "dropout": 0.0}

_REPORTED: dict[str, Any] = {
    "steps": 20_000,
    "window": 64,
    "learning_rate": 1e-4,
    "keep": "last",
    "evaluate_every": 500,
}

_BASES = {
    "char-rnn": Recipe("char-rnn", "small", "chorales", transpose=tuple(range(-5, 7))),
    "char-rnn-overfit": Recipe(
        "char-rnn-overfit",
        "small",
        "chorales",
        subset=32,
        steps=3000,
        batch=16,
        window=256,
        learning_rate=3e-3,
        keep="last",
        evaluate_every=50,
        snapshots=(100, 200, 300, 400, 500, 700, 1000, 3000),
    ),
    "char-rnn-performances": Recipe(
        "char-rnn-performances", "small", "asap", steps=1300, evaluate_every=100
    ),
    "conditional-char-rnn": Recipe(
        "conditional-char-rnn",
        "small",
        "asap",
        codec={**EVENTS, "velocity_bins": 32},  # seven classes leave a pianist two or three
        model={"kind": "conditional-char-rnn", "condition": ConditionCodec().to_dict()},
        steps=2400,
        transpose=tuple(range(-5, 7)),
    ),
    # The report's own setting, for whoever has its songs: never shipped, see report_table.
    "char-rnn-reported": Recipe("char-rnn-reported", "full", "chorales", **_REPORTED),
    "conditional-char-rnn-reported": Recipe(
        "conditional-char-rnn-reported",
        "full",
        "chorales",
        model={
            "kind": "conditional-char-rnn",
            "condition": REPORTED.to_dict(),
            "condition_dropout": 0.0,
        },
        **_REPORTED,
    ),
}


def recipe(name: str, size: str = "small") -> Any:
    """A recipe by name and size: a Recipe, or a GanRecipe for an adversarial model.

    Raises:
        RecipeError: there is none of this name or size.
    """
    from symphony.training import gan_recipes

    if name in gan_recipes.gan_names():
        return gan_recipes.gan_recipe(name, size)
    if name not in _BASES:
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise RecipeError(f"There is no recipe {name!r}.{hint} Recipes: {', '.join(names())}.")
    base = _BASES[name]
    dropout = {} if name == "char-rnn" else {"dropout": 0.0}
    model = {**base.model, **dropout}
    if size == "tiny":
        return replace(
            base,
            size=size,
            model={**base.model, **TINY},
            steps=30,
            batch=8,
            window=64,
            evaluate_every=10,
            validation_symbols=2048,
            transpose=(0,),
            subset=8,
            snapshots=tuple(s for s in (10, 20, 30) if base.snapshots),
        )
    if name.endswith("-reported") and size in ("small", "full"):
        shape = {**FULL, "embedding": 500} if size == "full" else SMALL
        quicker: dict[str, Any] = {} if size == "full" else {"steps": 2000, "learning_rate": 1e-3}
        return replace(base, size=size, model={**shape, **model}, **quicker)
    if size == "small":
        return replace(base, model={**SMALL, **model})
    if size == "full":
        longer: dict[str, Any] = {"steps": 20 * base.steps} if base.subset is None else {}
        return replace(
            base, size=size, model={**FULL, **model}, learning_rate=1e-3, batch=64, **longer
        )
    raise RecipeError(f"A recipe comes in the sizes tiny, small and full, not {size!r}.")


def names() -> tuple[str, ...]:
    """Every recipe's name."""
    from symphony.training import gan_recipes

    return tuple(_BASES) + gan_recipes.gan_names()
