"""What systems of piano rolls share: encoding, windows, evaluation, composing (chapter 4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int32, UInt8
from torch import Tensor, nn

from symphony.codecs import (
    RollCodec,
    in_c,
    key_profiles,
    merge_repeated,
    split_repeated,
    to_bipolar,
)
from symphony.codecs.rolls import PITCHES
from symphony.errors import RequestError
from symphony.evaluation.rolls import roll_metrics
from symphony.systems.gan import Replay, ema, step_rng
from symphony.training.data import Data, encode_splits
from symphony.training.run import load_samples
from symphony.training.system import (
    Evaluation,
    Nets,
    Optimizers,
    Recipe,
    Request,
    Trained,
    control,
    count,
    positive,
    ranged,
    share,
)

if TYPE_CHECKING:
    from symphony.corpora import Corpus
    from symphony.song import Song

TEMPO = 90.0  # quarter notes a minute: rolls know none
CHECKED = 16  # rolls that a test makes again from the shipped weights
REPORTED = 128  # rolls that the card's metrics are taken from
EVALUATION, REPORT = 2**31, 2**31 + 1  # steps no run reaches: draws for evaluations, for the card
REDRAWN = 0.25  # share of the noise that changes from one tile of a piece to the next
TINY: dict[str, Any] = {
    "size": "tiny",
    "steps": 6,
    "batch": 4,
    "evaluate_every": 2,
    "eval_samples": 8,
    "kept_samples": 2,
    "subset": 8,
}


@dataclass(frozen=True, kw_only=True)
class RollRecipe(Recipe):
    """How to train a generator against a discriminator on rolls.

    Attributes:
        codec: between songs and rolls.
        generator_lr: Adam's learning rate for the generator.
        discriminator_lr: the discriminator's learning rate, or the critic's.
        discriminator_optimizer: adam or sgd.
        betas: Adam's, of both.
        ema_decay: of the generator's moving average, which is what composes; 0 follows it exactly.
        transpose: semitones of which one is drawn for each window.
        to_c: whether every piece is first moved to C major or A minor.
        eval_samples: rolls made at each evaluation, beside as many real ones.
        kept_samples: how many of them are kept each time.
    """

    codec: RollCodec = RollCodec()
    steps: int = count(500)
    generator_lr: float = positive(1e-4)
    discriminator_lr: float = positive(1e-4)
    discriminator_optimizer: Literal["adam", "sgd"] = "adam"
    betas: tuple[float, float] = (0.5, 0.9)
    ema_decay: float = share(0.0)
    transpose: tuple[int, ...] = (0,)
    to_c: bool = False
    evaluate_every: int = count(50)
    eval_samples: int = ranged(64, 2)
    kept_samples: int = count(6)

    def __post_init__(self) -> None:
        """Refuse what no run could follow."""
        super().__post_init__()
        if self.kept_samples > self.eval_samples:
            raise RequestError(f"Of {self.eval_samples} samples {self.kept_samples} can't be kept.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise RequestError(f"betas are shares below 1, not {self.betas}.")
        if not self.transpose:
            raise RequestError("With no transposition at all there is nothing to learn: give (0,).")


@dataclass(frozen=True)
class Rolls:
    """The pieces of one split, one after another: 16 bytes a row, and each piece's rows."""

    packed: UInt8[np.ndarray, "rows 16"]
    lengths: Int32[np.ndarray, " pieces"]

    def windows(
        self, rng: np.random.Generator, count: int, steps: int, grid: int
    ) -> Bool[np.ndarray, "count steps 128"]:
        """Windows from any beat of any piece, each row of the split as likely as another.

        A piece shorter than a window begins again, as if repeated.

        Args:
            rng: draws them.
            count: how many.
            steps: rows of each.
            grid: they begin at multiples of so many rows in their piece.
        """
        first = np.cumsum(self.lengths) - self.lengths
        places = np.maximum((self.lengths - steps) // grid + 1, 1)  # beats to begin at
        drawn = rng.integers(0, places.sum(), count)
        piece = np.searchsorted(np.cumsum(places), drawn, side="right")
        beat = drawn - (np.cumsum(places) - places)[piece]
        row = beat[:, None] * grid + np.arange(steps)  # [count, steps]
        rows = first[piece][:, None] + row % self.lengths[piece][:, None]
        return np.unpackbits(np.asarray(self.packed[rows]), axis=2).astype(bool)


def encode_rolls(recipe: RollRecipe, corpus: Corpus) -> Data:
    """All songs as rolls, repeated notes split by a silent row; and what keys sound like."""

    def encode(songs: list[Song]) -> dict[str, np.ndarray]:
        moved = map(in_c, songs) if recipe.to_c else songs
        packed = [np.packbits(split_repeated(recipe.codec.encode(s)), axis=1) for s in moved]
        lengths = np.array([len(rows) for rows in packed], np.int32)
        return {"packed": np.concatenate(packed), "lengths": lengths}

    training = corpus.train if recipe.subset is None else corpus.subset(recipe.subset)
    return encode_splits(corpus, recipe.subset, encode, keys=key_profiles(training))


def draw_rolls(
    arrays: Mapping[str, np.ndarray],
    recipe: Any,
    step: int,
    turn: int = 0,
    count: int | None = None,
) -> Float[Tensor, "B T 128"]:
    """The real rolls of a step's turn, of -1 and 1: the same whenever they are drawn.

    Args:
        arrays: the split to draw from.
        recipe: its batch, network's rows, transpositions and seed.
        step: of the run.
        turn: of the critic in this step.
        count: rolls to draw; None for the batch.
    """
    rng = np.random.default_rng([recipe.seed, step, turn])
    count = recipe.batch if count is None else count
    windows = Rolls(arrays["packed"], arrays["lengths"]).windows(
        rng, count, recipe.network.steps, recipe.codec.steps_per_quarter
    )
    moved = rng.choice(np.array(recipe.transpose), len(windows))
    for window, semitones in zip(windows, moved, strict=True):
        sounding = np.flatnonzero(window.any(0))
        if len(sounding) and 0 <= sounding[0] + semitones <= sounding[-1] + semitones < PITCHES:
            window[:] = np.roll(window, semitones, axis=1)
    return torch.from_numpy(to_bipolar(windows))


def draw_noise(count: int, size: int, rng: torch.Generator) -> Float[Tensor, "count z"]:
    """Noise from U(-1, 1), the same on any device."""
    return torch.rand(count, size, generator=rng) * 2 - 1


@torch.inference_mode()
def in_batches(net: nn.Module, *inputs: Tensor, most: int = 32) -> np.ndarray:
    """What a net answers, so many examples at a time as fit into memory."""
    device = next(net.parameters()).device
    return np.concatenate(
        [
            net(*(x[at : at + most].to(device) for x in inputs)).cpu().numpy()
            for at in range(0, len(inputs[0]), most)
        ]
    )


@dataclass(frozen=True)
class Batch:
    """What to make rolls of, and what to hold them against: the same at every evaluation.

    Attributes:
        noise: [B, z].
        condition: what is told with it.
        target: the real rolls from which the condition was taken, [B, T, 128] of booleans.
        reference: other real rolls. Fakes made of a facade resemble its target as twins do:
            their metrics are taken beside these.
    """

    noise: Tensor
    condition: tuple[Tensor, ...]
    target: Bool[np.ndarray, "B T 128"]
    reference: Bool[np.ndarray, "B T 128"]

    def fakes(self, generator: nn.Module) -> Bool[np.ndarray, "B T 128"]:
        """What a generator makes of it."""
        return in_batches(generator, self.noise, *self.condition) > 0


@dataclass(frozen=True)
class NoiseControls:
    """What a GAN may be told."""

    noise_scale: float = control(1.0, "the noise is multiplied by it: below 1 is nearer the mean")

    def __post_init__(self) -> None:
        """Refuse what is no scale."""
        if not 0 <= self.noise_scale < math.inf:
            raise RequestError(f"A noise scale is a finite number from 0, not {self.noise_scale}.")


@dataclass(frozen=True)
class RollSystem:
    """What all GANs on rolls have in common: all but their networks and their step."""

    recipe: Any
    controls: ClassVar[type] = NoiseControls
    opponent: ClassVar[str] = "discriminator"  # or "critic", for Wasserstein losses

    def encode(self, corpus: Corpus) -> Data:
        """Rolls of every song."""
        return encode_rolls(self.recipe, corpus)

    def adversaries(
        self, data: Data, generator: nn.Module, opponent: nn.Module, replay_batches: int = 0
    ) -> Nets:
        """Generator, its moving average, its opponent, and a memory of fakes."""
        examples = replay_batches * self.recipe.batch // data.world
        return Nets(
            {
                "generator": generator,
                self.opponent: opponent,
                "ema": ema(generator, self.recipe.ema_decay),
                "replay": Replay(examples, self.recipe.network.steps, PITCHES),
            }
        )

    def optimizers(self, nets: Nets) -> Optimizers:
        """One for the generator, one for its opponent."""
        r, opponent = self.recipe, nets[self.opponent].parameters()
        second: torch.optim.Optimizer
        if r.discriminator_optimizer == "sgd":
            second = torch.optim.SGD(opponent, lr=r.discriminator_lr)
        else:
            second = torch.optim.Adam(opponent, lr=r.discriminator_lr, betas=r.betas)
        first = torch.optim.Adam(nets["generator"].parameters(), lr=r.generator_lr, betas=r.betas)
        return {"generator": first, self.opponent: second}

    def condition(self, real: Float[Tensor, "B T 128"], *key: int) -> tuple[Tensor, ...]:
        """What both nets are told of these rolls; ``key`` decides what chance there is in it."""
        return ()

    def examples(
        self, data: Data, step: int, turn: int = 0
    ) -> tuple[Float[Tensor, "B T 128"], tuple[Tensor, ...]]:
        """This process's share of real rolls, and of what is told of them."""
        real = draw_rolls(data.train, self.recipe, step, turn)
        return data.share(real), tuple(map(data.share, self.condition(real, step, turn)))

    def noise(self, data: Data, rng: torch.Generator) -> Float[Tensor, "B z"]:
        """This process's share of a batch of noise from U(-1, 1)."""
        return data.share(draw_noise(self.recipe.batch, self.recipe.network.noise, rng))

    def kept(self, nets: Nets) -> Nets:
        """The averaged generator, and its opponent for chapters to ask."""
        return Nets({"generator": nets["ema"].module, self.opponent: nets[self.opponent]})

    def batch(self, data: Data, split: str, count: int, step: int) -> Batch:
        """What to evaluate on, drawn by the recipe's seed and this step."""
        r = self.recipe
        real = draw_rolls(data.arrays[split], r, step, 0, count)
        other = draw_rolls(data.arrays[split], r, step, 1, count)
        noise = draw_noise(count, r.network.noise, step_rng(r.seed, step))
        return Batch(noise, self.condition(real, step, 0), real.numpy() > 0, other.numpy() > 0)

    def more_metrics(self, fakes: np.ndarray, batch: Batch) -> dict[str, float]:
        """What this system measures beyond roll metrics; ``note_f1`` would select."""
        return {}

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """Roll metrics beside validation music, and a few rolls to look at."""
        r = self.recipe
        batch = self.batch(data, "validation", r.eval_samples, EVALUATION)
        fakes = batch.fakes(nets["generator"])
        found = roll_metrics(fakes, batch.reference) | self.more_metrics(fakes, batch)
        summary = (
            f"{found['chords']:.0f} chords, {found['top_chord']:.0%} the same, diversity "
            f"{found['diversity']:.2f}, two-sample accuracy {found['two_sample_1nn']:.0%}"
        )
        samples = np.packbits(fakes[: r.kept_samples], axis=2)
        return Evaluation(found, selection_score(found), summary, samples)

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Roll metrics of fakes and of real music beside unseen music, and the opponent's scores.

        An opponent that knows its music by heart scores the training split higher.
        """
        batch = self.batch(data, "test", REPORTED, REPORT)
        fakes = batch.fakes(nets["generator"])
        unseen = draw_rolls(data.arrays["validation"], self.recipe, REPORT, 1, REPORTED).numpy() > 0
        metrics = {f"test_{k}": v for k, v in roll_metrics(fakes, batch.reference).items()}
        metrics |= {f"real_{k}": v for k, v in roll_metrics(unseen, batch.reference).items()}
        metrics |= {f"filled_{k}": v for k, v in self.more_metrics(fakes, batch).items()}
        for split in ("train", "test"):
            seen = self.batch(data, split, REPORTED, REPORT)
            target = torch.from_numpy(to_bipolar(seen.target))
            scores = in_batches(nets[self.opponent], target, *seen.condition)
            metrics[f"{self.opponent}_{split}"] = float(scores.mean())
        return metrics | {"checked": self.check(nets, data)}

    def check(self, nets: Nets, data: Data) -> float:
        """The mean of some rolls, on the CPU."""
        batch = self.batch(data, "test", CHECKED, REPORT)
        rolls = in_batches(nets["generator"].cpu(), batch.noise, *batch.condition)
        return float(rolls.mean(dtype=np.float64))

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Overlapping tiles, whose noise changes by a quarter from one to the next."""
        r, rows = self.recipe, rows_of(request.seconds, self.recipe.codec)
        starts = tile_starts(rows, r.network.steps)
        songs = []
        for piece in range(request.batch):
            rng = np.random.default_rng([request.seed, piece])
            noise = correlated_noise(len(starts), r.network.noise, rng)
            noise *= np.float32(request.controls.noise_scale)
            tiles = in_batches(trained.nets["generator"], torch.from_numpy(noise))
            song = song_of(overlap_add(tiles, starts)[:rows], trained, request, piece)
            songs.append(song.slice(0.0, request.seconds).named(song.name, trained.name))
        return songs


def selection_score(metrics: Mapping[str, float]) -> float:
    """How good an evaluation is: of two, the higher one's weights are kept.

    Anything that sounds is better than silence. Then counts the note F1 where there was a target;
    else how near the two-sample accuracy is to a coin's, .5.
    """
    if metrics["chords"] == 0:
        return -math.inf
    return metrics.get("note_f1", -abs(metrics["two_sample_1nn"] - 0.5))


def load_roll_samples(folder: Path) -> tuple[np.ndarray, Bool[np.ndarray, "k n t 128"]]:
    """The steps at which a run was evaluated, and the rolls it made then of the same noise."""
    steps, samples = load_samples(folder)
    return steps, np.unpackbits(samples, axis=3).astype(bool)


def correlated_noise(
    tiles: int, size: int, rng: np.random.Generator
) -> Float32[np.ndarray, "tiles z"]:
    """The noise of tile after tile, a quarter of it drawn anew for each: a piece keeps its key."""
    noise = rng.uniform(-1, 1, (tiles, size)).astype(np.float32)
    for before, after in pairwise(noise):
        kept = rng.random(size) >= REDRAWN
        after[kept] = before[kept]
    return noise


def tile_starts(steps: int, window: int) -> np.ndarray:
    """Where windows begin that cover so many rows, each overlapping the next by a quarter."""
    hop = window - window // 4
    return np.arange(0, max(steps - window // 4, 1), hop)


def overlap_add(
    tiles: Float32[np.ndarray, "n T 128"], starts: np.ndarray
) -> Float32[np.ndarray, "t 128"]:
    """Overlapping tiles as one roll, each fading into the next where they overlap."""
    window = tiles.shape[1]
    up = np.arange(1, window + 1)
    weight = np.minimum(np.minimum(up, up[::-1]), window // 4 + 1).astype(np.float32)[:, None]
    whole = np.zeros((int(starts[-1]) + window, tiles.shape[2]), np.float32)
    total = np.zeros((len(whole), 1), np.float32)
    for tile, start in zip(tiles, starts, strict=True):
        whole[start : start + window] += weight * tile
        total[start : start + window] += weight
    return whole / total


def rows_of(seconds: float, codec: RollCodec) -> int:
    """Rows of a roll that lasts so long at :data:`TEMPO`."""
    return int(np.ceil(seconds * TEMPO / 60 * codec.steps_per_quarter))


def song_of(roll: np.ndarray, trained: Trained, request: Request, piece: int) -> Song:
    """A roll as a song that says where it comes from.

    Raises:
        RequestError: nothing sounds.
    """
    name = f"{trained.name}, seed {request.seed}"
    name += f" ({piece + 1})" if request.batch > 1 else ""
    if not (roll > 0).any():
        raise RequestError(f"{name}: nothing sounds. Take another seed, or train it longer.")
    song = trained.recipe.codec.decode(merge_repeated(roll), TEMPO, name)
    return replace(song, source=trained.name)
