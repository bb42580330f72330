"""Recipes of the adversarial models: everything that decides what a run gives, as data."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from symphony.training.recipes import LARGEST_SEED, RecipeError

LOSSES = ("classical", "wasserstein", "hinge")
GIVEN = {"rnn-gan": "nothing", "iwgan": "nothing", "dcrnn": "key", "pix2pix": "facade"}


@dataclass(frozen=True)
class GanRecipe:
    """How to train a generator and its critic on rolls.

    Attributes:
        name: as the command line knows it.
        size: tiny (seconds, for tests), small (two CPU cores), full (the original's, a GPU).
        model: its ``kind``, and the arguments of that kind's config but steps.
        corpus: a corpus by name, or a folder.
        codec: the roll codec's ``to_dict()``.
        loss: classical (binary cross-entropy), wasserstein or hinge.
        steps: generator steps.
        batch: rolls a step.
        window: rows of a roll.
        critic_steps: critic steps before each generator step.
        generator_rate: Adam's learning rate for the generator.
        critic_rate: the critic's learning rate.
        critic_optimizer: adam or sgd.
        betas: Adam's, of both.
        penalty: weight of the gradient penalty (WGAN-GP); 0 for none.
        r1: weight of R1, the squared slope at real rolls; 0 for none.
        spectral: hold every convolution and linear layer of the critic to a slope of 1.
        fool: weight of deceiving the critic in the generator's loss; 0 leaves l1 alone.
        l1: weight of the distance to the real roll, where a facade of it is given.
        history: batches of earlier rolls, of which each critic step sees half a batch; 0 for none.
        flip: share of the critic's labels turned round.
        smooth: how far the label of real rolls lies below 1.
        average: decay of the generator's exponential moving average, which is what composes; 0
            keeps the generator itself.
        transpose: semitones of which one is drawn for each window.
        to_c: whether every piece is first moved to C major or A minor.
        drop: smallest and largest share of the notes that a facade drops.
        subset: train on so many songs only; None for all.
        evaluate_every: generator steps between looks at the rolls; the state to resume from is
            saved then.
        judged: rolls made at each look, to be judged beside as many real ones.
        film: how many of them are kept at each look.
        snapshots: steps whose weights are kept beside the final ones.
        seed: decides initial weights, windows and noise.
    """

    name: str
    size: str
    model: dict[str, Any]
    corpus: str = "chorales"
    codec: dict[str, Any] = field(default_factory=lambda: {"name": "rolls", "steps_per_quarter": 4})
    loss: str = "wasserstein"
    steps: int = 500
    batch: int = 32
    window: int = 96
    critic_steps: int = 1
    generator_rate: float = 1e-4
    critic_rate: float = 1e-4
    critic_optimizer: str = "adam"
    betas: tuple[float, float] = (0.5, 0.9)
    penalty: float = 0.0
    r1: float = 0.0
    spectral: bool = False
    fool: float = 1.0
    l1: float = 0.0
    history: int = 0
    flip: float = 0.0
    smooth: float = 0.0
    average: float = 0.0
    transpose: tuple[int, ...] = (0,)
    to_c: bool = False
    drop: tuple[float, float] = (0.2, 0.6)
    subset: int | None = None
    evaluate_every: int = 50
    judged: int = 64
    film: int = 6
    snapshots: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run could follow."""
        counts = {
            "steps": self.steps,
            "batch": self.batch,
            "window": self.window,
            "critic_steps": self.critic_steps,
            "evaluate_every": self.evaluate_every,
            "film": self.film,
            "subset": 1 if self.subset is None else self.subset,
        }
        for what, value in counts.items():
            if value < 1:
                raise RecipeError(f"{what} is at least 1, not {value}.")
        if self.judged < max(self.film, 2):
            raise RecipeError(
                f"judged is at least 2 and as many as film keeps ({self.film}), not {self.judged}."
            )
        for what, amount in (
            ("generator_rate", self.generator_rate),
            ("critic_rate", self.critic_rate),
        ):
            if not 0 < amount < math.inf:
                raise RecipeError(f"{what} is a finite number above 0, not {amount}.")
        for what, amount in (
            ("penalty", self.penalty),
            ("r1", self.r1),
            ("fool", self.fool),
            ("l1", self.l1),
            ("history", self.history),
        ):
            if not 0 <= amount < math.inf:
                raise RecipeError(f"{what} is a finite number from 0, not {amount}.")
        shares = {"flip": self.flip, "smooth": self.smooth, "average": self.average}
        for what, share in (*shares.items(), *(("betas", beta) for beta in self.betas)):
            if not 0 <= share < 1:
                raise RecipeError(f"{what} is a share from 0 to below 1, not {share}.")
        if self.loss not in LOSSES:
            raise RecipeError(f"A loss is {', '.join(LOSSES)}, not {self.loss!r}.")
        if self.critic_optimizer not in ("adam", "sgd"):
            raise RecipeError(f"critic_optimizer is adam or sgd, not {self.critic_optimizer!r}.")
        if (self.flip or self.smooth) and self.loss != "classical":
            raise RecipeError(f"Only the classical loss has labels to confuse, not {self.loss}.")
        if self.history and self.given != "nothing":
            raise RecipeError(f"History forgets the {self.given} its rolls were made for: give 0.")
        if self.l1 and self.given != "facade":
            raise RecipeError("l1 needs a facade, and with it the roll that was meant.")
        if not self.fool and not self.l1:
            raise RecipeError("With neither fool nor l1 the generator has nothing to learn.")
        if len(self.drop) != 2 or not 0 <= self.drop[0] <= self.drop[1] < 1:
            raise RecipeError(f"drop is a smaller and a larger share below 1, not {self.drop}.")
        if not 0 <= self.seed < LARGEST_SEED:
            raise RecipeError(f"A seed is a whole number from 0 to {LARGEST_SEED - 1}.")
        if not self.transpose:
            raise RecipeError("With no transposition at all there is nothing to learn: give (0,).")

    @property
    def kind(self) -> str:
        """Which of the four models."""
        return str(self.model.get("kind", ""))

    @property
    def given(self) -> str:
        """What the networks are told beside noise: nothing, key or facade."""
        if self.kind == "dcrnn" and not self.model.get("conditional", True):
            return "nothing"
        return GIVEN.get(self.kind, "nothing")

    @property
    def hash(self) -> str:
        """SHA-256 of the recipe's canonical JSON: a card whose hash differs is out of date."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


ALL_KEYS = tuple(range(-5, 7))

_SMALL = {
    "rnn-gan": GanRecipe(
        "rnn-gan",
        "small",
        {"kind": "rnn-gan", "width": 128},
        window=64,
        loss="classical",
        steps=1500,
        generator_rate=5e-4,
        critic_rate=5e-4,
        critic_optimizer="adam",  # in so few steps the original's SGD tells nothing apart
        history=2,
        flip=0.05,
        smooth=0.1,
        to_c=True,
    ),
    "iwgan": GanRecipe(
        "iwgan",
        "small",
        {"kind": "iwgan", "width": 128, "critic": 12},
        window=64,
        steps=1200,
        critic_steps=3,
        penalty=10.0,
        average=0.99,
        generator_rate=2e-4,
        critic_rate=2e-4,
        to_c=True,
    ),
    "dcrnn": GanRecipe(
        "dcrnn",
        "small",
        {"kind": "dcrnn", "critic": 8},
        steps=850,
        critic_steps=2,
        penalty=10.0,
        average=0.95,
        generator_rate=2e-3,
        critic_rate=3e-4,
        transpose=ALL_KEYS,
    ),
    "pix2pix": GanRecipe(
        "pix2pix",
        "small",
        {"kind": "pix2pix", "width": 16, "critic": 16},
        window=128,
        loss="classical",
        steps=4000,
        batch=4,
        generator_rate=2e-4,
        critic_rate=2e-4,
        betas=(0.5, 0.999),
        l1=100.0,
        judged=32,
        evaluate_every=200,
        transpose=ALL_KEYS,
    ),
}
_TINY: dict[str, tuple[int, dict[str, Any]]] = {  # rows of a roll, and the networks
    "rnn-gan": (16, {"width": 12, "noise": 8, "quiet": -0.07}),
    "iwgan": (16, {"width": 16, "critic": 2, "noise": 8}),
    "dcrnn": (
        24,
        {
            "phrase": 4,
            "planner": 8,
            "player": 8,
            "hands": 4,
            "critic": 2,
            "noise": 16,
            "quiet": -0.2,
        },
    ),
    "pix2pix": (128, {"width": 2, "critic": 2}),
}
_FULL: dict[str, dict[str, Any]] = {
    "rnn-gan": {
        "model": {"kind": "rnn-gan"},
        "window": 96,
        "steps": 20_000,
        "critic_optimizer": "sgd",
    },
    "iwgan": {
        "model": {"kind": "iwgan", "width": 512, "critic": 64},
        "steps": 40_000,
        "critic_steps": 5,
        "batch": 64,
        "generator_rate": 1e-4,
        "critic_rate": 1e-4,
        "average": 0.999,
    },
    "dcrnn": {
        "model": {"kind": "dcrnn"},
        "steps": 40_000,
        "critic_steps": 5,
        "generator_rate": 1e-4,
        "critic_rate": 1e-4,
        "average": 0.999,
    },
    "pix2pix": {"model": {"kind": "pix2pix"}, "steps": 60_000},
}


def gan_recipe(name: str, size: str = "small") -> GanRecipe:
    """A recipe by name and size.

    Raises:
        RecipeError: there is none of this name or size.
    """
    if name not in _SMALL:
        raise RecipeError(f"There is no recipe {name!r}. Recipes: {', '.join(_SMALL)}.")
    base = _SMALL[name]
    if size == "small":
        return base
    if size == "full":
        return replace(base, size=size, evaluate_every=500, **_FULL[name])
    if size == "tiny":
        less: dict[str, Any] = {
            "steps": 6,
            "batch": 4,
            "evaluate_every": 2,
            "judged": 8,
            "film": 2,
            "subset": 8,
        }
        window, networks = _TINY[name]
        return replace(
            base, size=size, window=window, model={"kind": base.kind, **networks}, **less
        )
    raise RecipeError(f"A recipe comes in the sizes tiny, small and full, not {size!r}.")


def gan_names() -> tuple[str, ...]:
    """Every adversarial recipe's name."""
    return tuple(_SMALL)
