"""What systems of symbols share: streams, windows, held-out loss, composing (chapter 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int16, Int64
from torch import nn
from torch.nn import functional

from symphony.codecs import ConditionRows, EventCodec, NoteOffConstraint
from symphony.codecs.events import NOTE_OFF, SHIFT, SHIFTS, STEP, VELOCITY
from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.systems.sampling import (
    SamplingControls,
    StepModel,
    draw,
    generate,
    one_thread,
    probabilities,
)
from symphony.training.data import Data, encode_splits
from symphony.training.system import (
    Evaluation,
    Moment,
    Nets,
    Optimizers,
    Recipe,
    Request,
    Trained,
)
from symphony.typed import count, positive, ranged

if TYPE_CHECKING:
    from symphony.corpora import Corpus

CHECKED_SYMBOLS = 16_384  # of the test split: enough to tell models apart, seconds to measure
ALL_KEYS = tuple(range(-5, 7))  # semitones: every key once
ROWS, CHUNK = 16, 256  # of a stream, read side by side
BITS = float(np.log(2))  # nats in a bit
TINY: dict[str, Any] = {
    **{"steps": 30, "warmup": 0, "batch": 8, "window": 64, "transpose": (0,), "subset": 8},
    **{"evaluate_every": 10, "validation_symbols": 2048},
}


@dataclass(frozen=True, kw_only=True)
class SymbolRecipe(Recipe):
    """A recipe whose music is symbols."""

    codec: EventCodec = EventCodec()  # between songs and symbols


@dataclass(frozen=True, kw_only=True)
class StreamRecipe(SymbolRecipe):
    """How to train a network that predicts the next symbol."""

    steps: int = count(1500)
    window: int = count(256)  # symbols the network reads in a window
    lr: float = positive(2e-3)  # Adam's, at its highest
    schedule: Literal["linear", "cosine"] = "linear"  # how it falls: to a tenth, or to nothing
    warmup: int = ranged(0, 0)  # steps in which it rises first
    clip: float = positive(1.0)  # largest norm of the gradient
    transpose: tuple[int, ...] = ranged((0,), -127, 127)  # semitones, one drawn for each window
    validation_symbols: int | None = count(65_536)  # read at each evaluation; None for all


def encode_songs(songs: Iterable[Song], codec: EventCodec) -> Int16[np.ndarray, " t"]:
    """Songs as one stream, the start symbol before each and at the end; empty songs left out."""
    bos = np.array([codec.bos], np.int16)
    ended = (np.concatenate([codec.encode(song), bos]) for song in songs if len(song))
    return np.concatenate([bos, *ended])


def draw_windows(
    stream: Int16[np.ndarray, " t"], recipe: StreamRecipe, step: int, margin: int = 0
) -> Int64[np.ndarray, "B w"]:
    """The batch of a step, w = window + 1 + 2 margin symbols: the same whenever it is drawn.

    Only the pages that the windows lie on are read from a stream on disk. A transposition that
    would leave the keyboard leaves its window as it is. The stream has the start symbol at both
    ends, so that repeating them in a margin adds no music.
    """
    rng = np.random.default_rng([recipe.seed, step])
    window = min(recipe.window, len(stream) - 1)  # a little music makes a short window
    starts = rng.integers(0, len(stream) - window, recipe.batch)
    at = starts[:, None] + np.arange(-margin, window + 1 + margin)  # [B, w]
    symbols = np.asarray(stream[np.clip(at, 0, len(stream) - 1)]).astype(np.int64)
    if recipe.transpose == (0,):
        return symbols
    return recipe.codec.transposed(symbols, rng.choice(np.array(recipe.transpose), recipe.batch))


@torch.inference_mode()
def symbol_losses(
    network: nn.Module, stream: np.ndarray, conditions: np.ndarray | ConditionRows | None = None
) -> Float32[np.ndarray, " n"]:
    """Cross-entropy of each symbol after the first, in nats.

    The stream is cut into 16 rows read side by side, the state carried along each. What doesn't
    fill a row is left out: fewer than 16 symbols. A conditional network reads row i of
    ``conditions`` [len(stream), K] for symbol i.
    """
    rows = max(min(ROWS, (len(stream) - 1) // 32), 1)
    length = (len(stream) - 1) // rows
    device = next(network.parameters()).device
    losses = np.empty((rows, length), np.float32)
    training, state = network.training, None
    network.eval()
    for begin in range(0, length, CHUNK):
        end = min(begin + CHUNK, length)
        at = np.arange(rows)[:, None] * length + np.arange(begin, end)  # [rows, chunk]
        inputs, targets = (np.asarray(stream[at + ahead]).astype(np.int64) for ahead in (0, 1))
        read = [inputs] if conditions is None else [inputs, np.asarray(conditions[at + 1])]
        tokens, *condition = (torch.from_numpy(each).to(device) for each in read)
        logits, state = network(tokens, state, *condition)
        wanted = torch.from_numpy(targets).to(device)
        found = functional.cross_entropy(logits.mT, wanted, reduction="none")
        losses[:, begin:end] = found.cpu().numpy()
    network.train(training)
    return losses.reshape(-1)


def held_out_loss(
    network: nn.Module, stream: np.ndarray, conditions: np.ndarray | ConditionRows | None = None
) -> float:
    """Mean cross-entropy of a stream in nats a symbol; divide by ln 2 for bits."""
    return float(symbol_losses(network, stream, conditions).mean(dtype=np.float64))


@dataclass(frozen=True)
class StreamSystem:
    """What all networks that predict the next symbol have in common: all but their step."""

    recipe: Any
    controls: ClassVar[type] = SamplingControls

    def encode(self, corpus: Corpus) -> Data:
        """A stream a split, as ``symbols``."""
        r = self.recipe
        return encode_splits(corpus, r.subset, lambda s: {"symbols": encode_songs(s, r.codec)})

    def optimizers(self, nets: Nets) -> Optimizers:
        """Adam."""
        return {"network": torch.optim.Adam(nets.parameters(), lr=self.recipe.lr)}

    def lr(self, step: int) -> float:
        """The learning rate of a step: a rise, then a line to a tenth or half a cosine to nothing.

        Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without
        the restarts.
        """
        r, done = self.recipe, step / self.recipe.steps
        rise = min(1.0, (step + 1) / max(r.warmup, 1))
        fall = 1 - 0.9 * done if r.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return float(r.lr * rise * fall)

    def kept(self, nets: Nets) -> Nets:
        """The network."""
        return nets

    def conditions(self, stream: np.ndarray) -> ConditionRows | None:
        """The conditions of a stream; None without."""
        return None

    def loss(self, nets: Nets, stream: np.ndarray) -> float:
        """Held-out loss in nats a symbol, with the true conditions where there are any."""
        return held_out_loss(nets["network"], stream, self.conditions(stream))

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """The validation loss, lower the better."""
        stream = data.arrays["validation"]["symbols"]
        nats = self.loss(nets, stream[: self.recipe.validation_symbols])
        return Evaluation({"validation": nats}, -nats, f"validation loss {nats:.3f}")

    def check(self, nets: Nets, data: Data) -> float:
        """The loss of some unseen symbols, on the CPU."""
        return self.loss(nets.cpu(), data.arrays["test"]["symbols"][:CHECKED_SYMBOLS])

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Nats and bits of the validation and test splits, whole."""
        metrics: dict[str, float] = {}
        for split in ("validation", "test"):
            stream = data.arrays[split]["symbols"]
            nats, notes = self.loss(nets, stream), max(int((np.asarray(stream) < 128).sum()), 1)
            bits = {"event": nats / BITS, "note": nats / BITS * (len(stream) - 1) / notes}
            metrics[f"{split}_nats"] = nats
            metrics |= {f"{split}_bits_per_{what}": value for what, value in bits.items()}
        return metrics | {"checked": self.check(nets, data)}

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Draw symbol after symbol until ``seconds`` have passed."""
        return compose_events(trained.nets["network"], self.recipe, request)


class EventState(NamedTuple):
    """Where a led stream of symbols stands."""

    drawn: int  # symbols so far
    token: int  # the last of them
    network: Any
    down: Bool[np.ndarray, " 128"]  # keys that are down
    velocity: int  # of the notes to come


class LedEvents:
    """A network of symbols that is led: symbol after symbol, as :func:`compose_events` draws them.

    Args:
        model: predicts the next symbol under a condition.
        recipe, seed, how: as for composing; the same condition throughout gives the same piece.
        axes, levels: see :class:`symphony.training.Led`.
        inputs: from values of the axes to the condition [K].
    """

    def __init__(
        self,
        model: StepModel,
        recipe: SymbolRecipe,
        seed: int,
        how: SamplingControls,
        axes: tuple[str, ...],
        levels: int,
        inputs: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.axes, self.levels, self.inputs = axes, levels, inputs
        self._model, self._codec, self._how = model, recipe.codec, how
        self._seconds = recipe.codec.symbol_seconds()
        self._constraint = NoteOffConstraint(recipe.codec, 1, math.inf)
        self._rng, self._uniform = np.random.default_rng((seed, 0)), np.empty(0)

    def begin(self) -> EventState:
        """No symbol drawn, no key down."""
        (default,) = self._codec.velocity_class(np.array([80]))
        velocity = int(self._codec.class_velocity(default))
        state = self._model.initial_state(1)
        return EventState(0, self._model.bos, state, np.zeros(128, bool), velocity)

    @torch.inference_mode()
    def step(self, state: EventState, inputs: np.ndarray) -> tuple[Moment, EventState]:
        """One symbol: keys that move, or time that passes, or neither for a velocity."""
        logits, network = self._forward(state, inputs)
        scores = logits.double().numpy()
        scores[:, self._model.bos] = -np.inf
        self._constraint.down = state.down[None]
        scores = self._constraint(scores)
        if self._how.greedy or self._how.temperature == 0:
            token = int(scores.argmax())
        else:
            p = probabilities(scores, self._how.temperature, self._how.top_p)
            token = int(draw(p, self._random(state.drawn))[0])
        return self._played(state, token, network)

    @torch.inference_mode()
    def cut(
        self, state: EventState, inputs: np.ndarray, seconds: float
    ) -> tuple[Moment, EventState]:
        """A shift of so many seconds, up to one: the network reads that it waited no longer."""
        steps = min(max(math.ceil(seconds / STEP - 1e-6), 1), SHIFTS)
        return self._played(state, SHIFT + steps - 1, self._forward(state, inputs)[1])

    def _forward(self, state: EventState, inputs: np.ndarray) -> tuple[torch.Tensor, Any]:
        """Logits of what follows the last symbol, and the network's state."""
        with one_thread():
            condition = torch.from_numpy(inputs)[None]
            found: tuple[torch.Tensor, Any] = self._model.step(
                torch.tensor([state.token]), state.network, condition
            )
        return found

    def _random(self, at: int) -> Float64[np.ndarray, " 1"]:
        """A number in [0, 1) for each place, whichever branch draws it: branches can repeat."""
        while at >= len(self._uniform):
            self._uniform = np.append(self._uniform, self._rng.random(1024))
        return self._uniform[at : at + 1]

    def _played(self, state: EventState, token: int, network: Any) -> tuple[Moment, EventState]:
        down, velocity, pitch = state.down, state.velocity, token % NOTE_OFF
        notes: list[tuple[int, int]] = []
        if token < SHIFT:
            down = down.copy()
            notes += [(pitch, 0)] if down[pitch] else []  # struck again, it is first released
            notes += [(pitch, velocity)] if token < NOTE_OFF else []
            down[pitch] = token < NOTE_OFF
        elif token >= VELOCITY:
            velocity = int(self._codec.class_velocity(np.array(token - VELOCITY)))
        after = EventState(state.drawn + 1, token, network, down, velocity)
        return Moment(tuple(notes), float(self._seconds[token])), after


def compose_events(
    model: StepModel,
    recipe: SymbolRecipe,
    request: Request,
    plan: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Song]:
    """Pieces of symbols, releases kept legal; ``plan`` gives conditions [B, K] at seconds [B]."""
    codec, seconds, how = recipe.codec, request.seconds, request.controls
    constraint = NoteOffConstraint(codec, request.batch, seconds)
    most = int(400 * seconds) + 4096  # events; the busiest real music has 150 a second
    sampling: dict[str, Any] = {"batch": request.batch, "seed": request.seed}
    sampling |= {"temperature": how.temperature, "top_p": how.top_p, "greedy": how.greedy}
    condition = None if plan is None else lambda: plan(constraint.elapsed)
    tokens = generate(model, most, processor=constraint, condition=condition, **sampling)
    lasted = constraint.elapsed.min()
    if lasted < seconds:
        raise RequestError(
            f"{recipe.name} hardly moves on: {most} events last {lasted:.1f} s. Try a higher "
            "temperature, or train it longer."
        )
    songs, clock = [], codec.symbol_seconds()
    for i, row in enumerate(tokens):
        ends = np.searchsorted(np.cumsum(clock[row]), seconds)  # the same in any batch
        title = f"{recipe.name}, {'greedy' if how.greedy else f'seed {request.seed}'}"
        title += f" ({i + 1})" if request.batch > 1 else ""
        try:
            song = codec.decode(row[: ends + 1]).slice(0.0, seconds)
        except SongError:
            raise RequestError(f"{title}: nothing sounds. Take another seed.") from None
        songs.append(song.named(title, source=recipe.name))
    return songs
