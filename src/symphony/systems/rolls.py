"""What systems of piano rolls share: encoding, windows, evaluation, composing (chapter 4)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, UInt8
from torch import Tensor, nn

from symphony import codecs
from symphony.codecs import RollCodec, to_bipolar
from symphony.errors import RequestError, SongError
from symphony.evaluation.rolls import roll_metrics
from symphony.song import TEMPO, Song
from symphony.systems.gan import Replay, ema, step_rng
from symphony.training.data import Arrays, Data, encode_splits
from symphony.training.run import load_samples
from symphony.training.system import Evaluation, Nets, Optimizers, Recipe, Request, Trained
from symphony.typed import control, count, positive, ranged, share

if TYPE_CHECKING:
    from symphony.corpora import Corpus

CHECKED = 16  # rolls that a test makes again from the shipped weights
REPORTED = 128  # rolls that the card's metrics are taken from
EVALUATION, REPORT = 2**31, 2**31 + 1  # steps no run reaches: draws for evaluations, for the card
TINY: dict[str, Any] = {
    **{"steps": 6, "batch": 4, "subset": 8},
    **{"evaluate_every": 2, "eval_samples": 8, "kept_samples": 2},
}


@dataclass(frozen=True, kw_only=True)
class RollRecipe(Recipe):
    """How to train a generator against a discriminator, or a critic, on rolls."""

    codec: RollCodec = RollCodec()  # between songs and rolls
    steps: int = count(500)
    generator_lr: float = positive(1e-4)  # Adam's
    discriminator_lr: float = positive(1e-4)  # or the critic's
    discriminator_optimizer: Literal["adam", "sgd"] = "adam"
    betas: tuple[float, float] = share((0.5, 0.9))  # Adam's, of both
    ema_decay: float = share(0.0)  # of the moving average, which composes; 0 is the generator's own
    transpose: tuple[int, ...] = ranged((0,), -127, 127)  # semitones, one drawn for each window
    to_c: bool = False  # first move every piece to C major or A minor
    evaluate_every: int = count(50)
    eval_samples: int = ranged(64, 2)  # rolls made at each evaluation, beside as many real ones
    kept_samples: int = count(6)  # of these

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept_samples > self.eval_samples:
            raise RequestError(f"Of {self.eval_samples} samples {self.kept_samples} can't be kept.")


@dataclass(frozen=True)
class Rolls:
    """The pieces of one split, one after another."""

    packed: UInt8[np.ndarray, "rows 16"]  # eight pitches a byte
    lengths: Int32[np.ndarray, " pieces"]  # rows of each piece

    def windows(
        self, rng: np.random.Generator, count: int, steps: int, grid: int
    ) -> Bool[np.ndarray, "count steps 128"]:
        """So many windows of ``steps`` rows from any beat of any piece, each as likely as another.

        They begin at multiples of ``grid`` rows. A piece shorter than a window begins again.
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
    """All songs as rolls, repeated notes split by a silent row; and what keys sound like.

    Raises:
        SongError: a split holds no music that fits a roll; a single song that doesn't is left out.
    """

    def encode(songs: Iterable[Song]) -> Arrays:
        packed = []
        for song in songs:
            try:
                planes = recipe.codec.encode(codecs.in_c(song) if recipe.to_c else song)
            except SongError as error:  # longer than a roll may be: the others still teach
                warnings.warn(f"{str(error).rstrip('.')}. It is left out.", stacklevel=2)
            else:
                packed.append(np.packbits(codecs.split_repeated(planes), axis=1))
        if not packed:
            raise SongError(f"{corpus.source.title} has no piece that fits a piano roll.")
        lengths = np.array([len(rows) for rows in packed], np.int32)
        return {"packed": np.concatenate(packed), "lengths": lengths}

    training = corpus.train if recipe.subset is None else corpus.subset(recipe.subset)
    return encode_splits(corpus, recipe.subset, encode, keys=codecs.key_profiles(training))


def draw_rolls(
    arrays: Arrays, recipe: Any, step: int, turn: int = 0, count: int | None = None
) -> Float[Tensor, "B T 128"]:
    """The real rolls, of -1 and 1, of a critic's turn in a step: the same whenever drawn.

    The recipe's network says how many rows, its batch how many rolls where ``count`` doesn't.
    """
    rng = np.random.default_rng([recipe.seed, step, turn])
    count = recipe.batch if count is None else count
    grid = recipe.codec.steps_per_quarter
    windows = Rolls(**arrays).windows(rng, count, recipe.network.steps, grid)
    moved = rng.choice(np.array(recipe.transpose), len(windows))
    for window, semitones in zip(windows, moved, strict=True):
        sounding = np.flatnonzero(window.any(0))
        if len(sounding) and 0 <= sounding[0] + semitones <= sounding[-1] + semitones < 128:
            window[:] = np.roll(window, semitones, axis=1)
    return torch.from_numpy(to_bipolar(windows))


def draw_noise(count: int, size: int, rng: torch.Generator) -> Float[Tensor, "count z"]:
    """Noise from U(-1, 1), the same on any device."""
    return torch.rand(count, size, generator=rng) * 2 - 1


@torch.inference_mode()
def in_batches(net: nn.Module, *inputs: Tensor, most: int = 32) -> np.ndarray:
    """What a net answers, so many examples at a time as fit into memory."""
    device = next(net.parameters()).device
    parts = zip(*(x.split(most) for x in inputs), strict=True)
    return np.concatenate([net(*(x.to(device) for x in part)).cpu().numpy() for part in parts])


class Batch(NamedTuple):
    """What to make rolls of, and what to hold them against: the same at every evaluation.

    Fakes made of a facade resemble its target as twins do: metrics are taken beside ``reference``.
    """

    noise: Float[Tensor, "B z"]
    condition: tuple[Tensor, ...]  # what the networks read with it
    target: Bool[np.ndarray, "B T 128"]  # the real rolls from which the condition was taken
    reference: Bool[np.ndarray, "B T 128"]  # other real rolls

    def fakes(self, generator: nn.Module) -> Bool[np.ndarray, "B T 128"]:
        """What a generator makes of it."""
        return in_batches(generator, self.noise, *self.condition) > 0


@dataclass(frozen=True)
class NoiseControls:
    """The controls of a GAN."""

    noise_scale: float = control(1.0, "what the noise is multiplied by: 0 is its mean", 0)


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
        average = ema(generator, self.recipe.ema_decay)
        replay = Replay(examples, self.recipe.network.steps, 128)
        nets = {"generator": generator, "ema": average, "replay": replay}
        return Nets({**nets, self.opponent: opponent})

    def optimizers(self, nets: Nets) -> Optimizers:
        """One for the generator, one for its opponent."""
        r, weights = self.recipe, nets[self.opponent].parameters()
        first = torch.optim.Adam(nets["generator"].parameters(), r.generator_lr, r.betas)
        second: torch.optim.Optimizer = (
            torch.optim.Adam(weights, r.discriminator_lr, r.betas)
            if r.discriminator_optimizer == "adam"
            else torch.optim.SGD(weights, r.discriminator_lr)
        )
        return {"generator": first, self.opponent: second}

    def condition(self, real: Float[Tensor, "B T 128"], *key: int) -> tuple[Tensor, ...]:
        """The condition that both nets read with these rolls; ``key`` seeds what chance it has."""
        return ()

    def examples(
        self, data: Data, step: int, turn: int = 0
    ) -> tuple[Float[Tensor, "B T 128"], tuple[Tensor, ...]]:
        """This process's share of real rolls, and of their condition."""
        real = draw_rolls(data.train, self.recipe, step, turn)
        return data.share(real), tuple(map(data.share, self.condition(real, step, turn)))

    def noise(self, data: Data, rng: torch.Generator) -> Float[Tensor, "B z"]:
        """This process's share of a batch of noise."""
        return data.share(draw_noise(self.recipe.batch, self.recipe.network.noise, rng))

    def kept(self, nets: Nets) -> Nets:
        """The averaged generator, and its opponent for chapters to ask."""
        return Nets({"generator": nets["ema"].module, self.opponent: nets[self.opponent]})

    def batch(self, data: Data, split: str, count: int, step: int) -> Batch:
        """What to evaluate on, drawn by the recipe's seed and this step."""
        r = self.recipe
        real, other = (draw_rolls(data.arrays[split], r, step, turn, count) for turn in (0, 1))
        noise = draw_noise(count, r.network.noise, step_rng(r.seed, step))
        return Batch(noise, self.condition(real, step, 0), real.numpy() > 0, other.numpy() > 0)

    def more_metrics(self, fakes: np.ndarray, batch: Batch) -> dict[str, float]:
        """What this system measures beyond roll metrics; ``added_f1`` would select."""
        return {}

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """Roll metrics beside validation music, and a few rolls to look at."""
        batch = self.batch(data, "validation", self.recipe.eval_samples, EVALUATION)
        fakes = batch.fakes(nets["generator"])
        found = roll_metrics(fakes, batch.reference) | self.more_metrics(fakes, batch)
        summary = (
            f"{found['chords']:.0f} chords, {found['top_chord']:.0%} the same, diversity "
            f"{found['diversity']:.2f}, two-sample accuracy {found['two_sample_1nn']:.0%}"
        )
        samples = np.packbits(fakes[: self.recipe.kept_samples], axis=2)
        return Evaluation(found, selection_score(found), summary, samples)

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Roll metrics of fakes and of real music beside unseen music, and the opponent's scores.

        An opponent that knows its music by heart scores the training split higher.
        """
        batch = self.batch(data, "test", REPORTED, REPORT)
        fakes = batch.fakes(nets["generator"])
        unseen = draw_rolls(data.arrays["validation"], self.recipe, REPORT, 1, REPORTED)
        beside = {"test": fakes, "real": unseen.numpy() > 0}
        metrics = {
            f"{name}_{k}": v
            for name, rolls in beside.items()
            for k, v in roll_metrics(rolls, batch.reference).items()
        }
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
        r, rows = self.recipe, self.recipe.codec.rows(request.seconds, TEMPO)
        starts = codecs.tile_starts(rows, r.network.steps)
        songs = []
        for piece in range(request.batch):
            rng = np.random.default_rng([request.seed, piece])
            noise = codecs.correlated_noise(len(starts), r.network.noise, rng)
            noise *= np.float32(request.controls.noise_scale)
            tiles = in_batches(trained.nets["generator"], torch.from_numpy(noise))
            song = song_of(codecs.overlap_add(tiles, starts)[:rows], trained, request, piece)
            songs.append(song.slice(0.0, request.seconds).named(song.name, trained.name))
        return songs


def selection_score(metrics: Mapping[str, float]) -> float:
    """How good an evaluation is: of two, the higher one's weights are kept.

    Anything that sounds is better than silence. Then counts the F1 of the added notes where there
    was a target; else how near the two-sample accuracy is to a coin's, .5.
    """
    if metrics["chords"] == 0:
        return -math.inf
    return metrics.get("added_f1", -abs(metrics["two_sample_1nn"] - 0.5))


def load_roll_samples(folder: Path) -> tuple[np.ndarray, Bool[np.ndarray, "k n t 128"]]:
    """The steps at which a run was evaluated, and the rolls it made then of the same noise."""
    steps, samples = load_samples(folder)
    return steps, np.unpackbits(samples, axis=3).astype(bool)


def song_of(roll: np.ndarray, trained: Trained, request: Request, piece: int) -> Song:
    """A roll as a song that says where it comes from; refused where nothing sounds."""
    name = f"{trained.name}, seed {request.seed}"
    name += f" ({piece + 1})" if request.batch > 1 else ""
    if not (roll > 0).any():
        raise RequestError(f"{name}: nothing sounds. Take another seed, or train it longer.")
    song = trained.recipe.codec.decode(codecs.merge_repeated(roll), TEMPO, name)
    return replace(song, source=trained.name)
