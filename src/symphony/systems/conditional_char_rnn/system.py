"""Conditional Char-RNN: predict the next symbol under a condition (chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from symphony.codecs import PRESETS, ConditionCodec, ConditionRows, Plan
from symphony.codecs.conditions import LEVELS
from symphony.codecs.conditions import REPORTED as REPORTED_CONDITION
from symphony.codecs.plans import scale_histogram
from symphony.errors import RequestError
from symphony.song import Song
from symphony.systems import streams
from symphony.systems.char_rnn.system import PERFORMANCES, REPORTED, WIDE, sized
from symphony.systems.conditional_char_rnn import network as lstm
from symphony.systems.sampling import SamplingControls
from symphony.training.data import Data
from symphony.training.system import Led, Logs, Nets, Optimizers, Request, Trained, descend
from symphony.typed import check_fields, control

RATE = 20  # times a second that a plan is read
SHAPE = lstm.ConditionalCharLSTMConfig(WIDE.num_layers, WIDE.hidden_size, WIDE.embedding_dim)


@dataclass(frozen=True, kw_only=True)
class ConditionalCharRNNRecipe(streams.StreamRecipe):
    """How to train a conditional Char-RNN."""

    room: ClassVar[str] = "conditional_char_rnn"

    network: lstm.ConditionalCharLSTMConfig = SHAPE
    condition: ConditionCodec = ConditionCodec()  # measured on the music


@dataclass(frozen=True)
class ConditionalControls(SamplingControls):
    """The controls of a conditional model: how to draw, and what to play."""

    by_hand: ClassVar[tuple[str, ...]] = ("pitch", "density", "preset", "plan")

    key: str | None = control(None, 'such as "A minor", or several in turn: "C major:G major"')
    pitch: str | None = control(None, 'register, 0 (low) to 9: "5" holds, "8:2" falls, "2:8:2"')
    density: str | None = control(None, "notes a second, 0 (few) to 9, likewise")
    preset: str | None = control(None, f"a plan by name; what else is said comes first: "
                                       f"{'; '.join(PRESETS)}")  # fmt: skip
    plan: Plan | Sequence[Plan] | None = field(default=None)  # in place of words; one, or one each

    def __post_init__(self) -> None:
        check_fields(self)
        self.plans(1, 1.0)

    def plans(self, batch: int, seconds: float) -> list[Plan] | None:
        """The plan of each piece; None to leave the model free."""
        words = (self.key, self.pitch, self.density)
        if self.plan is None and (*words, self.preset) == (None,) * 4:
            return None
        if self.plan is None:
            return [Plan.of(*words, seconds, self.preset)] * batch
        return [self.plan] * batch if isinstance(self.plan, Plan) else list(self.plan)


@dataclass(frozen=True)
class ConditionalCharRNN(streams.StreamSystem):
    """A Char-RNN with a condition at every step."""

    recipe: ConditionalCharRNNRecipe
    controls: ClassVar[type] = ConditionalControls

    def build(self, data: Data) -> Nets:
        """The network, untrained."""
        codec = self.recipe.codec
        return Nets({"network": lstm.ConditionalCharLSTM(codec.vocab_size, self.recipe.network)})

    def conditions(self, stream: np.ndarray) -> ConditionRows:
        """The truth about a stream."""
        return ConditionRows(stream, self.recipe.condition, self.recipe.codec.bos)

    def windows(self, data: Data, step: int) -> tuple[Tensor, Tensor]:
        """Symbols [B, T + 1], and conditions [B, T, K] for the last T of them."""
        reach = self.recipe.condition.window  # a condition looks beyond the window
        symbols = streams.draw_windows(data.train["symbols"], self.recipe, step, margin=reach)
        rows = self.recipe.condition.rows(symbols, self.recipe.codec.bos)[:, reach + 1 : -reach]
        tokens = torch.from_numpy(symbols[:, reach:-reach])
        return data.share(tokens), data.share(torch.from_numpy(rows))

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Teacher forcing, the condition beside each symbol and now and then left out."""
        network = nets["network"]
        tokens, condition = self.windows(data, step)  # [B, T + 1], [B, T, K]
        logits, _ = network(tokens[:, :-1], None, network.dropped(condition))  # [B, T, V + 1]
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        descend(loss, opts["network"], lr=self.lr(step), clip=self.recipe.clip)
        return {"train": loss.detach()}

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Draw symbol after symbol, each under the plan's condition at its time."""
        network, batch = trained.nets["network"], request.batch
        plans = request.controls.plans(batch, request.seconds)
        if plans is None:
            return streams.compose_events(network, self.recipe, request)
        if len(plans) != batch:
            raise RequestError(f"{batch} pieces need one plan or {batch}, not {len(plans)}.")
        times = np.arange(0.0, request.seconds + 1 / RATE, 1 / RATE)
        table = np.stack([replace(plan, seconds=request.seconds)(times) for plan in plans])

        def condition(elapsed: np.ndarray) -> np.ndarray:
            return table[np.arange(batch), np.minimum((elapsed * RATE).astype(int), len(times) - 1)]

        return streams.compose_events(network, self.recipe, request, condition)

    def lead(self, trained: Trained, seed: int, controls: ConditionalControls) -> Led:
        """Density and register from the hand, left and low being 0; the key as requested."""
        shares = () if controls.key is None else (tuple(scale_histogram(controls.key)),)

        def inputs(values: np.ndarray) -> np.ndarray:
            density, pitch = values * (LEVELS - 1)
            return Plan((pitch,), (density,), shares)(np.zeros(1))[0]

        network, axes = trained.nets["network"], ("density", "pitch")
        return streams.LedEvents(network, self.recipe, seed, controls, axes, LEVELS, inputs)


VARIANTS = {
    "conditional-char-rnn": {**PERFORMANCES, "network": SHAPE},
    "conditional-char-rnn-reported": {
        "network": replace(SHAPE, condition_dropout=0.0),
        **{"condition": REPORTED_CONDITION, **REPORTED},
    },
}


def recipe(name: str, size: str) -> Any:
    """A conditional Char-RNN's recipe by name and size."""
    return sized(ConditionalCharRNNRecipe(name=name, size="small", **VARIANTS[name]), size)


SYSTEM = ConditionalCharRNN
