"""DCRNN: a plan that is repeated, played anew each time, in the key asked for (chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from symphony.codecs import correlated_noise, form_noise, key_profile, parse_form, parse_key
from symphony.errors import RequestError
from symphony.evaluation.rolls import roll_pitch_classes
from symphony.song import TEMPO, Song
from symphony.systems import rolls
from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNCritic, DCRNNGenerator, PlanState
from symphony.systems.sampling import one_thread
from symphony.systems.wgan import CriticRecipe, CriticSystem
from symphony.training.data import Data
from symphony.training.system import LONGEST, Led, Moment, Nets, Request, Trained
from symphony.typed import check_fields, control

LED = 8  # numbers of the noise that a hand decides: the armband of the original has eight sensors
VELOCITY = 80  # of every note, as where rolls are decoded


@dataclass(frozen=True, kw_only=True)
class DCRNNRecipe(CriticRecipe):
    """How to train a DCRNN."""

    room: ClassVar[str] = "dcrnn"

    network: DCRNNConfig = DCRNNConfig()


@dataclass(frozen=True)
class DCRNNControls(rolls.NoiseControls):
    """The controls of a DCRNN."""

    by_hand: ClassVar[tuple[str, ...]] = ("form",)

    form: str | None = control(None, 'sections by letter, as "A B C A B", or a walk, as "A>B"')
    key: str | None = control(None, 'a key such as "A minor"; drawn by the seed where not given')

    def __post_init__(self) -> None:
        check_fields(self)
        if self.form is not None:
            parse_form(self.form)
        if self.key is not None:
            parse_key(self.key)


@dataclass(frozen=True)
class DCRNN(CriticSystem):
    """Two LSTMs one above the other, and a critic of rolls, of their form and of their key."""

    recipe: DCRNNRecipe
    controls: ClassVar[type] = DCRNNControls

    def build(self, data: Data) -> Nets:
        """Generator and critic, untrained."""
        network = self.recipe.network
        return self.adversaries(data, DCRNNGenerator(network), DCRNNCritic(network))

    def condition(self, real: Tensor, *key: int) -> tuple[Tensor, ...]:
        """The pitch classes of these rolls, where the networks read them."""
        if not self.recipe.network.conditional:
            return ()
        return (torch.from_numpy(roll_pitch_classes(real.numpy() > 0)),)

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Pieces in one go, their noise changing as they go.

        Sections of a form last whole plans, so that a piece may be somewhat shorter or longer
        than ``seconds``.
        """
        controls, network = request.controls, self.recipe.network
        self._check_key(trained, controls)
        songs = []
        for piece in range(request.batch):
            rows = self.recipe.codec.rows(request.seconds, TEMPO)
            drawn = self._noise(rows, request.seed, piece, controls.form)
            noise = torch.from_numpy(drawn * np.float32(controls.noise_scale))[None]
            profile = key_profile(trained.card.facts["keys"], controls.key, request.seed + piece)
            condition = (torch.from_numpy(profile)[None],) if network.conditional else ()
            roll = rolls.in_batches(trained.nets["generator"], noise, *condition)[0]
            song = rolls.song_of(roll, trained, request, piece)
            if controls.form is None:
                song = song.slice(0.0, request.seconds).named(song.name, trained.name)
            songs.append(song)
        return songs

    def lead(self, trained: Trained, seed: int, controls: DCRNNControls) -> Led:
        """Eight of the noise's numbers from the hand, the others drawn by the seed."""
        if self.recipe.network.noise < LED:
            raise RequestError(f"{trained.name} has less noise than the {LED} numbers of a hand.")
        self._check_key(trained, controls)
        profile = key_profile(trained.card.facts["keys"], controls.key, seed)
        noise = self._noise(1, seed, 0, None)[0]
        return LedRows(trained, noise, profile, controls.noise_scale)

    def _check_key(self, trained: Trained, controls: DCRNNControls) -> None:
        if controls.key is not None and not self.recipe.network.conditional:
            raise RequestError(f"{trained.name} was trained without keys: it takes none.")

    def _noise(
        self, rows: int, seed: int, piece: int, form: str | None
    ) -> Float32[np.ndarray, "T z"]:
        """Noise for each row: a form's letters, or tiles that change by a quarter."""
        network = self.recipe.network
        if form is not None:
            sections = len(parse_form(form))
            plans = max(round(rows / sections / network.section), 1)
            if sections * plans * network.section > self.recipe.codec.rows(LONGEST, TEMPO):
                raise RequestError(
                    f"{sections:,} sections last longer than an hour, for each takes a whole plan."
                )
            return form_noise(form, network.noise, network.section * plans, seed, piece)
        tiles = correlated_noise(
            -(-rows // network.steps), network.noise, np.random.default_rng([seed, piece])
        )
        return np.repeat(tiles, network.steps, axis=0)[:rows]


class RowState(NamedTuple):
    """Where a led piece stands."""

    plan: PlanState | None
    noise: Float32[np.ndarray, " z"] | None  # that the plan was begun with
    down: Bool[np.ndarray, " 128"]  # keys that sound


class LedRows:
    """A generator that is led row by row: whenever its noise changes, a new plan begins."""

    axes = tuple(f"noise {i + 1}" for i in range(LED))
    levels = 5

    def __init__(
        self,
        trained: Trained,
        noise: Float32[np.ndarray, " z"],
        profile: Float32[np.ndarray, " 12"],
        scale: float,
    ) -> None:
        self._generator, self._rest, self._scale = trained.nets["generator"].eval(), noise, scale
        conditional = trained.recipe.network.conditional
        self._key = torch.from_numpy(profile)[None] if conditional else None
        self._seconds = 60 / TEMPO / trained.recipe.codec.steps_per_quarter

    def inputs(self, values: np.ndarray) -> Float32[np.ndarray, " z"]:
        """The noise with its first eight numbers from 0-1 to U(-1, 1)'s range."""
        led = np.concatenate([2 * np.asarray(values, np.float32) - 1, self._rest[LED:]])
        return led * np.float32(self._scale)

    def begin(self) -> RowState:
        """No plan, no key down."""
        return RowState(None, None, np.zeros(128, bool))

    @torch.inference_mode()
    def step(self, state: RowState, inputs: np.ndarray) -> tuple[Moment, RowState]:
        """One row: the keys that begin or cease to sound in it."""
        plan = state.plan
        if plan is not None and (state.noise is None or (inputs != state.noise).any()):
            plan = plan._replace(at=0)
        with one_thread():
            row, plan = self._generator.step(torch.from_numpy(inputs)[None], self._key, plan)
        sounding = row[0].numpy() > 0
        moved = np.flatnonzero(sounding != state.down)
        notes = tuple((int(p), VELOCITY if sounding[p] else 0) for p in moved)
        return Moment(notes, self._seconds), RowState(plan, inputs, sounding)

    def cut(self, state: RowState, inputs: np.ndarray, seconds: float) -> None:
        """None: a row lasts as long as any other."""


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        # Six octaves from C1 on hold Bach's voices in all twelve keys.
        "network": DCRNNConfig(critic_channels=8, lowest=24, octaves=6),
        "transpose": tuple(range(-5, 7)),
        **{"steps": 7000, "critic_steps": 2, "ema_decay": 0.99, "evaluate_every": 100},
        **{"generator_lr": 1e-3, "discriminator_lr": 3e-4},
    },
    "tiny": {"network": DCRNNConfig(24, 16, 4, 3, 8, 8, 4, 2, output_bias_init=-0.2), **rolls.TINY},
    "full": {
        "network": DCRNNConfig(),
        **{"steps": 40_000, "critic_steps": 5, "ema_decay": 0.999},
        **{"generator_lr": 1e-4, "discriminator_lr": 1e-4, "evaluate_every": 500},
    },
}


def recipe(name: str, size: str) -> DCRNNRecipe:
    """A DCRNN's recipe by size."""
    return DCRNNRecipe(name=name, size=size, **SIZES["small"] | SIZES[size])


SYSTEM = DCRNN
