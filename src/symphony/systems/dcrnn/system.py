"""DCRNN: a plan that is repeated, played anew each time, in the key asked for (chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from symphony.codecs import correlated_noise, form_noise, key_profile, parse_form, parse_key
from symphony.errors import RequestError
from symphony.evaluation.rolls import roll_pitch_classes
from symphony.song import TEMPO, Song
from symphony.systems import rolls
from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNCritic, DCRNNGenerator
from symphony.systems.wgan import CriticRecipe, CriticSystem
from symphony.training.data import Data
from symphony.training.system import LONGEST, Nets, Request, Trained
from symphony.typed import check_fields, control


@dataclass(frozen=True, kw_only=True)
class DCRNNRecipe(CriticRecipe):
    """How to train a DCRNN."""

    room: ClassVar[str] = "dcrnn"

    network: DCRNNConfig = DCRNNConfig()


@dataclass(frozen=True)
class DCRNNControls(rolls.NoiseControls):
    """The controls of a DCRNN."""

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
        if controls.key is not None and not network.conditional:
            raise RequestError(f"{trained.name} was trained without keys: it can't be told one.")
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


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        # Bach's voices, in any key, lie within these six octaves from C1.
        "network": DCRNNConfig(critic_channels=8, lowest=24, octaves=6, binary=True),
        "transpose": tuple(range(-5, 7)),
        **{"steps": 3000, "critic_steps": 2, "ema_decay": 0.99, "evaluate_every": 100},
        **{"generator_lr": 2e-3, "discriminator_lr": 3e-4},
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
