"""Pix2Pix: a roll with holes in, the roll it might have been out (chapter 9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nextafter
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from symphony import codecs
from symphony.codecs import facade_of, to_bipolar
from symphony.errors import RequestError, SongError
from symphony.evaluation.rolls import added_f1, note_f1
from symphony.song import Song
from symphony.systems import gan, rolls
from symphony.systems.pix2pix.network import PatchGAN, Pix2PixConfig, UNet
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, Request, Trained, descend
from symphony.typed import control, share, weight

DROPPED = 0.4  # share of the notes that a facade drops by default


@dataclass(frozen=True, kw_only=True)
class Pix2PixRecipe(rolls.RollRecipe):
    """How to train a Pix2Pix."""

    room: ClassVar[str] = "pix2pix"

    network: Pix2PixConfig = Pix2PixConfig()
    adversarial_weight: float = weight(1.0)  # 0 leaves the other terms alone
    l1_weight: float = weight(100.0)  # of the distance to the real roll
    bce_weight: float = weight(0.0)  # of the cross-entropy of its cells, in place of a distance
    drop: tuple[float, float] = share(
        (0.2, 0.6)
    )  # smallest and largest share of notes a facade drops

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.adversarial_weight + self.l1_weight + self.bce_weight:
            raise RequestError(
                "Without adversarial_weight, l1_weight and bce_weight nothing is learned."
            )
        if self.drop[0] > self.drop[1]:
            raise RequestError(f"drop is a smaller and a larger share, not {self.drop}.")


@dataclass(frozen=True)
class Pix2PixControls:
    """The controls of a Pix2Pix."""

    drop: float = control(
        DROPPED, "share of the notes taken from held-out pieces, to be filled", 0, nextafter(1, 0)
    )


@dataclass(frozen=True)
class Pix2Pix(rolls.RollSystem):
    """A U-Net that fills facades, and a discriminator of patches."""

    recipe: Pix2PixRecipe
    controls: ClassVar[type] = Pix2PixControls

    def build(self, data: Data) -> Nets:
        """Generator and discriminator, untrained."""
        return self.adversaries(data, UNet(self.recipe.network), PatchGAN(self.recipe.network))

    def condition(self, real: Tensor, *key: int) -> tuple[Tensor, ...]:
        """Facades of these rolls."""
        rng = np.random.default_rng([self.recipe.seed, *key, 1])
        facade = codecs.drop_notes(real.numpy() > 0, self.recipe.drop, rng)
        return (torch.from_numpy(to_bipolar(facade)),)

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Discriminator, then generator: deceive it and come near y (Isola et al., 2017, eq. 4)."""
        r, rng = self.recipe, gan.step_rng(self.recipe.seed, step)
        generator, discriminator = nets["generator"], nets["discriminator"]
        real, (facade,) = self.examples(data, step)  # y and x [B, T, 128]
        with torch.no_grad():
            fake = generator(self.noise(data, rng), facade)  # G(x, z)
        on_real, on_fake = discriminator(real, facade), discriminator(fake, facade)  # [B, t, p]
        loss = gan.discriminator_loss("bce", on_real, on_fake)
        norm = descend(loss, opts["discriminator"])
        fake = generator(self.noise(data, rng), facade)
        with gan.frozen(discriminator):
            generator_loss = r.adversarial_weight * gan.bce(discriminator(fake, facade), 1.0)
            generator_loss += r.l1_weight * (fake - real).abs().mean()  # |y - G(x, z)|
            if r.bce_weight:  # each cell's (1 + G(x, z)) / 2 is its probability to sound
                cells = functional.binary_cross_entropy((1 + fake) / 2, (1 + real) / 2)
                generator_loss += r.bce_weight * cells
            generator_norm = descend(generator_loss, opts["generator"])
        nets["ema"].update_parameters(generator)
        logs = {"discriminator_loss": loss.detach(), "generator_loss": generator_loss.detach()}
        logs |= gan.score_logs(on_real, on_fake, "bce")
        return logs | {"discriminator_grad_norm": norm, "generator_grad_norm": generator_norm}

    def more_metrics(self, fakes: np.ndarray, batch: rolls.Batch) -> dict[str, float]:
        """F1 of the notes of filled rolls against the targets, and of the notes that were added."""
        facade, target = batch.condition[0].numpy() > 0, batch.target
        added = added_f1(fakes, facade, target)
        return {"note_f1": note_f1(fakes, target), "added_f1": added}

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """As every GAN's; and the F1 of the facades, left as they are."""
        batch = self.batch(data, "test", rolls.REPORTED, rolls.REPORT)
        facade = note_f1(batch.condition[0].numpy() > 0, batch.target)
        return super().report(nets, data) | {"facade_note_f1": facade}

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """The beginnings of held-out pieces, notes taken out and filled again.

        Raises:
            RequestError: its corpus isn't here.
        """
        from symphony.corpora import is_present, load_corpus

        if not is_present(self.recipe.corpus):
            raise RequestError(
                f"The corpus {self.recipe.corpus} is not here, and with it no held-out piece to "
                "fill: give a song of your own to symphony fill."
            )
        test, songs = load_corpus(self.recipe.corpus, progress=False).test, []
        order = np.random.default_rng(request.seed).permutation(len(test))
        for i in range(request.batch):
            song = test[int(order[i % len(order)])].slice(0.0, request.seconds)
            seed = request.seed + i
            filled = self.fill(trained, facade_of(song, request.controls.drop, seed), seed=seed)
            name = f"{trained.name}, seed {request.seed}: what it made of {song.name or 'a piece'}"
            songs.append(filled.slice(0.0, request.seconds).named(name, trained.name))
        return songs

    def fill(self, trained: Trained, song: Song, *, seed: int = 0) -> Song:
        """A song with its holes filled: every note given stays as it is.

        Raises:
            SongError: a song without notes.
        """
        if not len(song):
            raise SongError("There is nothing to fill: the song has no notes.")
        network, codec = self.recipe.network, self.recipe.codec
        planes = codec.encode(song)
        facade = to_bipolar(codecs.split_repeated(planes))  # [t, 128]
        starts = codecs.tile_starts(len(facade), network.steps)
        length = int(starts[-1]) + network.steps
        facade = np.pad(facade, ((0, length - len(facade)), (0, 0)), constant_values=-1)
        noise = codecs.correlated_noise(len(starts), network.noise, np.random.default_rng(seed))
        tiles = torch.from_numpy(np.stack([facade[s : s + network.steps] for s in starts]))
        filled = rolls.in_batches(trained.nets["generator"], torch.from_numpy(noise), tiles)
        whole = codecs.overlap_add(filled, starts)[: planes.shape[1]]
        found = codecs.merge_repeated(whole) & ~planes[0]
        if not found[0].any():
            return song
        new = codec.decode(found, tempo=60.0)  # a quarter is a second
        onset, end = song.seconds_at(new.onset), song.seconds_at(new.end)
        velocity = np.full(len(new), round(float(song.velocity.mean())))
        new = replace(new, onset=onset, duration=np.maximum(end - onset, 0), velocity=velocity)
        return song.with_notes(new).named(f"{song.name}, filled", trained.name)


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "network": Pix2PixConfig(channels=16, discriminator_channels=16),
        "transpose": tuple(range(-5, 7)),
        **{"steps": 4000, "batch": 4, "evaluate_every": 200, "eval_samples": 32},
        **{"generator_lr": 2e-4, "discriminator_lr": 2e-4, "betas": (0.5, 0.999)},
    },
    "tiny": {"network": Pix2PixConfig(channels=2, discriminator_channels=2), **rolls.TINY},
    "full": {"network": Pix2PixConfig(), "steps": 60_000, "evaluate_every": 500},
}


# The same generator without an opponent: each cell's probability, by likelihood.
LIKELIHOOD: dict[str, Any] = {"adversarial_weight": 0.0, "l1_weight": 0.0, "bce_weight": 100.0}


def recipe(name: str, size: str) -> Pix2PixRecipe:
    """A Pix2Pix's recipe by size, or that of a U-Net by cross-entropy."""
    loss = LIKELIHOOD if name == "unet" else {}
    return Pix2PixRecipe(name=name, size=size, **SIZES["small"] | SIZES[size] | loss)


SYSTEM = Pix2Pix
