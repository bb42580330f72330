"""The Duration Net: learns to undo a distortion of every note's and every wait's length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import nextafter
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from symphony.codecs import distort, distorted, to_elements, with_lengths
from symphony.codecs.steps import LONGEST, NEXT
from symphony.song import Song
from symphony.systems.duration_net.network import DurationNet, DurationNetConfig
from symphony.systems.refining import (
    TINY,
    RefineRecipe,
    RefineSystem,
    draw_windows,
    in_windows,
)
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, Trained, descend
from symphony.typed import control, share, weight

BEYOND = 20.0  # sixteenths as heard: longer than any class, at the report's distortion


@dataclass(frozen=True, kw_only=True)
class DurationNetRecipe(RefineRecipe):
    """How to train a Duration Net. Each passage is distorted up to the three figures."""

    room: ClassVar[str] = "duration_net"

    network: DurationNetConfig = DurationNetConfig()
    stretch: float = share(0.2)  # see :func:`symphony.codecs.distort`
    jitter: float = weight(0.2)  # sixteenths
    drift: float = weight(0.1)


@dataclass(frozen=True)
class DurationNetControls:
    """The controls of a Duration Net."""

    stretch: float = control(
        0.2,
        "how far held-out pieces are distorted, to be refined; .2 is 80 to 120 %",
        0,
        nextafter(1, 0),
    )


def element_arrays(songs: Iterable[Song]) -> dict[str, np.ndarray]:
    """The elements of songs one after another, a bar of rest between: token, length 1 to 16.

    Songs whose beat isn't known are read at their estimated tempo.
    """
    tokens, lengths = [], []
    for song in songs:
        elements = to_elements(song)
        tokens.append(np.append(elements.token, NEXT))
        lengths.append(np.append(elements.length.round().clip(1, LONGEST), LONGEST))
    length = np.concatenate(lengths).astype(np.uint8)
    return {"token": np.concatenate(tokens).astype(np.uint8), "length": length}


def loss(net: DurationNet, tokens: Tensor, heard: Tensor, written: Tensor) -> Tensor:
    """Cross-entropy of the 16 classes, or the squared error in sixteenths.

    Args:
        net: a Duration Net.
        tokens, heard: what it reads [B, T]; ``heard`` is ``written``, distorted.
        written: sixteenths from 1 to 16 [B, T].
    """
    out = net(tokens, heard)  # [B, T, 16], or [B, T, 1]
    if net.config.classes:
        return functional.cross_entropy(out.mT, written - 1)
    return functional.mse_loss(out[..., 0], written.float())


@dataclass(frozen=True)
class DurationSystem(RefineSystem):
    """Notes and distorted durations in, clean durations out."""

    recipe: DurationNetRecipe
    controls: ClassVar[type] = DurationNetControls
    arrays = staticmethod(element_arrays)

    def build(self, data: Data) -> Nets:
        """An untrained network."""
        return Nets({"network": DurationNet(self.recipe.network)})

    def batch(
        self, data: Data, split: str, at: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, distorted lengths and true ones of the passages at steps ``at`` [B, T]."""
        r, arrays = self.recipe, data.arrays[split]
        tokens, written = (arrays[name][at].astype(np.int64) for name in ("token", "length"))
        up = rng.choice(np.array(r.transpose), (len(at), 1))
        tokens = np.where(tokens == NEXT, tokens, (tokens + up).clip(0, NEXT - 1))
        level = rng.uniform(0, 1, (3, len(at), 1))  # of each kind of noise, one a passage
        noise = dict(zip(("stretch", "jitter", "drift"), level, strict=True))
        noise = {name: value * getattr(r, name) for name, value in noise.items()}
        heard = distort(tokens, written.astype(float), rng, **noise).astype(np.float32)
        return torch.from_numpy(tokens), torch.from_numpy(heard), torch.from_numpy(written)

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Distort passages of the score; learn to give the score back."""
        r, rng = self.recipe, np.random.default_rng([self.recipe.seed, step])
        at = draw_windows(len(data.train["token"]), r, rng)
        tokens, heard, written = map(data.share, self.batch(data, "train", at, rng))
        found = loss(nets["network"], tokens, heard, written)
        descend(found, opts["network"], self.lr(step), r.clip)
        return {"train": found.detach()}

    @torch.inference_mode()
    def metrics(self, nets: Nets, data: Data, split: str, windows: int) -> dict[str, float]:
        """Loss, and the share of lengths given back exactly; the noise is always the same."""
        net, device = nets["network"], next(nets.parameters()).device
        length = len(data.arrays[split]["token"])
        window = min(self.recipe.window, length)
        starts = np.unique(np.linspace(0, length - window, windows).astype(int))
        at = starts[:, None] + np.arange(window)
        batch = self.batch(data, split, at, np.random.default_rng(0))
        tokens, heard, written = (each.to(device) for each in batch)
        exact = (net.sixteenths(tokens, heard) == written).float().mean()
        return {"loss": float(loss(net, tokens, heard, written)), "exact": float(exact)}

    def spoilt(self, song: Song, seed: int, controls: DurationNetControls) -> Song:
        """The song, every length distorted."""
        return distorted(song, seed, stretch=controls.stretch)

    def refine(self, trained: Trained, song: Song) -> Song:
        """A song whose notes and waits last whole sixteenths, as the net reads them.

        Music on a grid of sixteenths, triplets or thirty-seconds comes back as it is. What
        lasts longer than the longest class is rounded.
        """
        elements = to_elements(song)
        if elements.on_grid:
            return song
        length = self.lengths(trained, elements.token, elements.length)
        refined = with_lengths(song, elements, length, first=round(elements.first))
        return refined.named(f"{song.name}, durations refined", trained.name)

    def lengths(self, trained: Trained, token: np.ndarray, heard: np.ndarray) -> np.ndarray:
        """Whole sixteenths for elements that were heard to last ``heard`` [t]."""
        net = trained.nets["network"].eval()
        device = next(net.parameters()).device

        def read(at: np.ndarray) -> tuple[Tensor, ...]:
            pair = token[at].astype(np.int64), heard[at].astype(np.float32)
            return tuple(torch.from_numpy(each).to(device) for each in pair)

        parts = [made for _, _, made in in_windows(net.sixteenths, read, len(token))]
        return np.where(heard > BEYOND, heard.round(), np.concatenate(parts))


SMALL = DurationNetConfig(token_dim=64, duration_dim=64)
SIZES: dict[str, dict[str, Any]] = {
    "small": {"network": SMALL, "steps": 1500, "batch": 16, "transpose": tuple(range(-5, 7))},
    "tiny": {"network": DurationNetConfig(8, 8, 8, 8, 8), **TINY},
    "full": {"network": DurationNetConfig(), "steps": 20_000, "evaluate_every": 500},
}


def recipe(name: str, size: str) -> DurationNetRecipe:
    """A Duration Net's recipe by size."""
    return DurationNetRecipe(name=name, size=size, **SIZES["small"] | SIZES[size])


SYSTEM = DurationSystem
