"""What the engine asks of a system, and what every trained system can do (chapter 2)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.training.data import Data
from symphony.typed import check_fields, count, ranged

if TYPE_CHECKING:
    from symphony.corpora import Corpus
    from symphony.training.card import Card

LARGEST_SEED = 2**31 - 1  # leaves room for the step in the seed of its dropout
LONGEST = 3600  # seconds of a piece


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run gives, as data. Each system adds its own."""

    room: ClassVar[str]  # the package under ``symphony.systems`` whose recipe this is

    name: str  # as the command line knows it
    size: str  # tiny (seconds, for tests), small (two CPU cores), full (the original's, a GPU)
    corpus: str = "chorales"  # by name, or a folder
    steps: int = count(1000)  # calls of ``train_step``
    batch: int = count(32)  # examples a step, over all devices together
    subset: int | None = count(None)  # train on so many songs only
    keep: Literal["best", "last"] = "best"  # the weights of the highest selection score, or last
    evaluate_every: int = count(100)  # steps; the state to resume from is saved then
    snapshots: tuple[int, ...] = count(())  # steps whose weights are kept beside the final ones
    seed: int = ranged(0, 0, LARGEST_SEED)  # of weights, examples, noise and dropout

    def __post_init__(self) -> None:
        check_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON, for a card."""
        return dict(json.loads(json.dumps(asdict(self))))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: a card whose hash differs is out of date."""
        content = json.dumps({"system": self.room, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class Nets(nn.ModuleDict):
    """All that learns, and all that must survive a stop (averages, memories), by name."""

    def __getitem__(self, name: str) -> Any:
        """A module; its methods are its system's to know."""
        return super().__getitem__(name)


Optimizers = dict[str, torch.optim.Optimizer]
Logs = dict[str, Tensor]  # numbers that a step reports, by name


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found."""

    metrics: dict[str, float]  # for the learning curve
    score: float  # the selection score: of two evaluations the higher one's weights are kept
    summary: str  # for the progress bar
    samples: np.ndarray | None = None  # what the system makes now, for ``samples.npz``


@dataclass(frozen=True)
class Request:
    """What a piece should be: ``seconds`` long, ``batch`` of them, drawn by ``seed``."""

    seconds: float
    seed: int
    batch: int
    controls: Any  # the system's


def check_request(seconds: float, seed: int, batch: int = 1) -> None:
    """Refuse what no system could compose.

    Raises:
        RequestError: no positive length, or more than an hour; a negative seed; no piece.
    """
    if not 0 < seconds <= LONGEST:
        raise RequestError(f"A piece lasts more than 0 s and at most an hour: not {seconds} s.")
    if batch < 1 or seed < 0:
        raise RequestError("Compose at least one piece, with a seed of 0 or more.")


@dataclass(frozen=True)
class Moment:
    """What is played next: keys that go up or down at once, and then time that passes."""

    notes: tuple[tuple[int, int], ...]  # (pitch, velocity); a velocity of 0 releases the key
    seconds: float


class Led(Protocol):
    """Music that comes into being a moment at a time, led while it does (chapter 12).

    States are values: a step gives a new one and leaves the old, so that to keep a state is to
    be able to go back to it.
    """

    axes: tuple[str, ...]  # what each value of a hand decides, from 0 to 1
    levels: int  # steps on each axis that can be told apart

    def inputs(self, values: Float[np.ndarray, " axes"]) -> Float32[np.ndarray, " K"]:
        """The numbers that the network reads under these values: a condition, or noise."""

    def begin(self) -> Any:
        """The state before the first moment."""

    def step(self, state: Any, inputs: Float32[np.ndarray, " K"]) -> tuple[Moment, Any]:
        """The next moment, and the state after it."""

    def cut(
        self, state: Any, inputs: Float32[np.ndarray, " K"], seconds: float
    ) -> tuple[Moment, Any] | None:
        """A moment in which only time passes, about so much, instead of the one drawn there.

        None for a system whose moments all last alike.
        """


class System(Protocol):
    """One model of the report: its data, its networks, its step, its music.

    ``kept`` picks the nets that ship and compose; the methods after it get these.
    """

    controls: ClassVar[type]  # a dataclass: what decides a piece beside its seed

    @property
    def recipe(self) -> Any:
        """What to do."""

    def encode(self, corpus: Corpus) -> Data:
        """Arrays of each split, and facts that the card remembers."""

    def build(self, data: Data) -> Nets:
        """Untrained nets; from the facts alone, since loading weights has no arrays."""

    def optimizers(self, nets: Nets) -> Optimizers:
        """By name."""

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """One step of learning: the paper's algorithm box."""

    def kept(self, nets: Nets) -> Nets:
        """The nets that ship and compose."""

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """How good it is now, on the validation split."""

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Held-out metrics for the card, :meth:`check` among them as ``checked``."""

    def check(self, nets: Nets, data: Data) -> float:
        """A number of seconds' work that tells these weights from any others."""

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Pieces, as many as requested."""


@dataclass(frozen=True)
class Trained:
    """A system with weights that have learned, and the card that says how."""

    system: System
    nets: Nets
    card: Card

    @property
    def recipe(self) -> Any:
        """The system's; its ``codec`` is between songs and arrays."""
        return self.system.recipe

    @property
    def name(self) -> str:
        """The recipe's."""
        return str(self.recipe.name)

    def compose(
        self, seconds: float, *, seed: int = 0, batch: int = 1, **controls: Any
    ) -> list[Song]:
        """So many pieces of ``seconds`` each, an hour at most, drawn by the seed.

        The same seed gives the same pieces on one machine. A system's own controls
        are the fields of its ``controls``; the card's ``defaults`` hold where none is given.

        Raises:
            RequestError: no positive length, or a control that this system hasn't.
        """
        check_request(seconds, seed, batch)
        return self.system.compose(self, Request(seconds, seed, batch, self._controls(controls)))

    def lead(self, *, seed: int = 0, **controls: Any) -> Led:
        """A piece of this seed that is led while it is played; see :class:`Led`.

        The controls are those of :meth:`compose`, but for what the hand decides, which a system
        names in the ``by_hand`` of its ``controls``.

        Raises:
            RequestError: a system that can't be led, or a control that it hasn't.
        """
        check_request(LONGEST, seed)
        for name in getattr(self.system.controls, "by_hand", ()):
            if controls.get(name) is not None:
                raise RequestError(f"The hand decides {name}: it can't be given before.")
        led: Led = self._capable("lead", "be led")(self, seed, self._controls(controls))
        return led

    def _controls(self, controls: dict[str, Any]) -> Any:
        """The system's controls: those said, the card's defaults for the rest."""
        known = [each.name for each in dataclasses.fields(self.system.controls)]
        for name in controls:
            if name not in known:
                only = ", ".join(known) or "seconds and a seed"
                raise RequestError(f"{self.name} has no control {name}, only {only}.")
        chosen = self.system.controls(**(self.card.defaults | controls))
        check_fields(chosen)
        return chosen

    def fill(self, song: Song, *, seed: int = 0) -> Song:
        """A song with its holes filled; every note that is there stays as it is.

        Raises:
            RequestError: a system that can't fill.
            SongError: a song without notes.
        """
        if seed < 0:
            raise RequestError(f"A seed is a whole number from 0, not {seed}.")
        filled: Song = self._capable("fill", "fill a song")(self, song, seed=seed)
        return filled

    def refine(self, song: Song) -> Song:
        """A song with its durations or its velocities refined; no pitch changes, no note is lost.

        Raises:
            RequestError: a system that can't refine.
            SongError: a song without notes.
        """
        refine = self._capable("refine", "refine a song")
        if not len(song):
            raise SongError("There is nothing to refine: the song has no notes.")
        refined: Song = refine(self, song)
        return refined

    def _capable(self, method_name: str, what: str) -> Any:
        """The system's method of this name, which it has or hasn't."""
        method = getattr(self.system, method_name, None)
        if method is None:
            raise RequestError(f"{self.name} can't {what}: it only composes.")
        return method


def descend(
    loss: Float[Tensor, ""],
    optimizer: torch.optim.Optimizer,
    lr: float | None = None,
    clip: float = math.inf,
) -> Float[Tensor, ""]:
    """One step downhill; returns the norm of the gradient before it was clipped.

    Under ``torchrun`` every process sees its share of the batch, and the mean of their gradients
    is that of the whole. This is all that data parallelism asks for; unlike a wrapped module it
    also serves losses that differentiate twice, as a gradient penalty does. ``lr`` is this step's
    learning rate, the optimizer's own where not given; ``clip`` the largest norm of the gradient.
    """
    optimizer.zero_grad()
    loss.backward()
    weights = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        flat = torch.cat([p.grad.flatten() for p in weights])  # one message, not one a weight
        torch.distributed.all_reduce(flat)
        flat /= torch.distributed.get_world_size()
        for p, mean in zip(weights, flat.split([p.numel() for p in weights]), strict=True):
            p.grad.copy_(mean.view_as(p))
    for group in optimizer.param_groups if lr is not None else ():
        group["lr"] = lr
    norm = nn.utils.clip_grad_norm_(weights, clip)
    optimizer.step()
    return norm.detach()
