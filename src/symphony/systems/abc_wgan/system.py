"""ABC WGAN: characters without likelihood, and the three tricks that help (chapter 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Int16
from torch import Tensor
from torch.nn import functional

from symphony.codecs import AbcCodec, readable
from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.systems import gan
from symphony.systems.abc_wgan.network import (
    AbcGANConfig,
    GRUCritic,
    Multiplier,
    SoftGenerator,
    fisher_loss,
)
from symphony.training.data import Arrays, Data, encode_splits
from symphony.training.system import (
    Evaluation,
    Logs,
    Nets,
    Optimizers,
    Recipe,
    Request,
    Trained,
    descend,
)
from symphony.typed import control, count, positive, share, weight

if TYPE_CHECKING:
    from symphony.corpora import Corpus

EVALUATION, MOST_LINES = 2**31, 2000  # a step no run reaches; lines of a piece
TIDY = {"meter": "6/8", "length": "1/8", "key": "G", "plain": True}


@dataclass(frozen=True, kw_only=True)
class AbcWGANRecipe(Recipe):
    """How to train a generator of ABC characters."""

    room: ClassVar[str] = "abc_wgan"

    codec: AbcCodec = AbcCodec(**TIDY)  # tunes of its meter and note length are learned from
    network: AbcGANConfig = AbcGANConfig()
    loss: Literal["wasserstein", "fisher", "likelihood"] = "wasserstein"
    curriculum: bool = True  # lines grow from 1 character to all
    variable_length: bool = True  # each batch has a length of its own, up to the longest yet
    teacher_helping: bool = True  # all but the last character are real
    curriculum_share: float = share(0.8)  # of the steps, in which the length grows
    critic_steps: int = count(10)  # batches of the critic, then
    generator_steps: int = count(50)  # so many of the generator
    gp_weight: float = weight(10.0)  # of the gradient penalty; Fisher GAN has none
    rho: float = positive(1e-6)  # Fisher GAN's, of the multiplier and its penalty
    lr: float = positive(1e-4)  # Adam's, of both
    betas: tuple[float, float] = share((0.5, 0.9))
    clip: float = positive(100.0)  # largest norm of a gradient
    kept_samples: int = count(64)  # lines written at each evaluation


@dataclass(frozen=True)
class AbcControls:
    """What decides a tune."""

    temperature: float | None = control(
        None, "1 draws from its probabilities, 0 takes the likeliest; as trained if left out", 0
    )


@dataclass(frozen=True)
class AbcWGAN:
    """A generator of characters, judged by a critic that reads what it would have drawn from."""

    recipe: AbcWGANRecipe
    controls: ClassVar[type] = AbcControls

    def encode(self, corpus: Corpus) -> Data:
        """The ``characters`` of each split, and the bars where a whole line may begin.

        A recipe's subset counts tunes of its meter.

        Raises:
            SongError: no tunes of this meter that are long enough.
        """
        codec, steps = self.recipe.codec, self.recipe.network.steps

        def encode(songs: Iterable[Song]) -> Arrays:
            bodies = [codec.encode(song) for song in songs if codec.matches(song)]
            starts, at = [], 0
            for body in bodies:
                bars = np.flatnonzero(body[:-1] == ord("|") - 31) + 1
                begins = np.append(0, bars)
                starts.append(at + begins[begins + steps <= len(body)])
                at += len(body)
            if not sum(map(len, starts)):
                raise SongError(
                    f"{corpus.source.title} has no tunes in ABC of meter {codec.meter} and note "
                    f"length {codec.length} with {steps} characters: use folk or nottingham."
                )
            found = {"starts": np.concatenate(starts).astype(np.int64)}
            return found | {"characters": np.concatenate(bodies)}

        data = encode_splits(corpus, None, encode)
        if self.recipe.subset is None:
            return data
        fitting = [song for song in corpus.subset(len(corpus.train)) if codec.matches(song)]
        return replace(data, arrays={**data.arrays, "train": encode(fitting[: self.recipe.subset])})

    def build(self, data: Data) -> Nets:
        """Generator, critic, and Fisher GAN's multiplier."""
        vocab, config = self.recipe.codec.vocab_size, self.recipe.network
        nets = {"generator": SoftGenerator(vocab, config), "critic": GRUCritic(vocab, config)}
        return Nets({**nets, "multiplier": Multiplier()})

    def optimizers(self, nets: Nets) -> Optimizers:
        """Adam for each."""
        r = self.recipe
        names = ("generator", "critic")
        return {n: torch.optim.Adam(nets[n].parameters(), r.lr, r.betas) for n in names}

    def lines(
        self, arrays: Arrays, length: int, count: int, *key: int
    ) -> Int[Tensor, "count length"]:
        """Real lines from the beginning of any bar: the same whenever they are drawn."""
        rng = np.random.default_rng([self.recipe.seed, *key])
        at = rng.choice(arrays["starts"], count)[:, None] + np.arange(length)
        return torch.from_numpy(np.asarray(arrays["characters"][at]).astype(np.int64))

    def length(self, step: int, rng: np.random.Generator) -> int:
        """How many characters the lines of a batch have."""
        r, longest = self.recipe, self.recipe.network.steps
        if r.curriculum:
            grown = int(step / max(r.curriculum_share * r.steps, 1) * longest)
            longest = min(1 + grown, longest)
        return int(rng.integers(1, longest + 1)) if r.variable_length else longest

    def fake(
        self, nets: Nets, data: Data, length: int, rng: torch.Generator, *key: int
    ) -> Float[Tensor, "B L V"]:
        """A batch of lines from noise; with a teacher's help, only their last character."""
        r = self.recipe
        prefix = None
        if r.teacher_helping:
            prefix = data.share(self.lines(data.train, length - 1, r.batch, *key))
        return nets["generator"](self.noise(data, rng), length, prefix)

    def noise(self, data: Data, rng: torch.Generator) -> Float[Tensor, "B z"]:
        """This process's share of a batch of noise."""
        return data.share(torch.randn(self.recipe.batch, self.recipe.network.noise, generator=rng))

    def critic_loss(
        self, nets: Nets, real: Tensor, fake: Tensor, epsilon: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What the critic minimises, its gradient penalty, and the scores."""
        r, critic = self.recipe, nets["critic"]
        scores = critic(real), critic(fake)  # each [B]
        if r.loss == "fisher":
            return fisher_loss(*scores, nets["multiplier"], r.rho), real.new_zeros(()), scores
        gp = gan.gradient_penalty(critic, real, fake, epsilon)
        loss = gan.discriminator_loss("wasserstein", *scores) + r.gp_weight * gp
        return loss, gp.detach(), scores

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Some batches of the critic, then some of the generator, each of a length of its own."""
        r, rng = self.recipe, gan.step_rng(self.recipe.seed, step)
        if r.loss == "likelihood":
            return self.likelihood_step(nets, opts, data, step, rng)
        lengths = np.random.default_rng([r.seed, step, 7])
        for turn in range(r.critic_steps):
            length = self.length(step, lengths)
            real = data.share(self.lines(data.train, length, r.batch, step, turn, 0))
            real = nets["generator"].one_hot(real)  # x [B, L, V]
            with torch.no_grad():
                fake = self.fake(nets, data, length, rng, step, turn, 1)  # x~ [B, L, V]
            epsilon = data.share(torch.rand(r.batch, 1, 1, generator=rng))
            loss, gp, scores = self.critic_loss(nets, real, fake, epsilon)
            descend(loss, opts["critic"], clip=r.clip)
        with gan.frozen(nets["critic"]) as critic:
            for turn in range(r.generator_steps):
                length = self.length(step, lengths)
                written = self.fake(nets, data, length, rng, step, turn, 2)
                fooled = -critic(written).mean()  # -E D(G(z))
                norm = descend(fooled, opts["generator"], clip=r.clip)
        logs = {"critic_loss": loss.detach(), "gradient_penalty": gp}
        logs |= {"generator_loss": fooled.detach(), "generator_grad_norm": norm}
        return logs | gan.score_logs(*scores, "wasserstein")

    def likelihood_step(
        self, nets: Nets, opts: Optimizers, data: Data, step: int, rng: torch.Generator
    ) -> Logs:
        """The same generator by teacher forcing, as in chapter 2: what the game is measured by."""
        r = self.recipe
        real = data.share(self.lines(data.train, r.network.steps, r.batch, step))
        logits = nets["generator"].logits(self.noise(data, rng), real[:, :-1])  # [B, T, V]
        loss = functional.cross_entropy(logits.flatten(0, 1), real.flatten())
        descend(loss, opts["generator"], clip=r.clip)
        return {"train": loss.detach()}

    def kept(self, nets: Nets) -> Nets:
        """Generator and critic."""
        return Nets({name: nets[name] for name in ("generator", "critic")})

    def written(
        self, generator: SoftGenerator, count: int, seed: int = 0
    ) -> Int16[np.ndarray, "count T"]:
        """So many lines of the recipe's length, as this model writes them."""
        r = self.recipe
        rng = gan.step_rng(r.seed, EVALUATION + seed)
        noise = torch.randn(count, r.network.noise, generator=rng)
        uniform = torch.rand(count, r.network.steps, generator=rng)
        return self.write(generator, noise, uniform, None).astype(np.int16)

    def write(
        self, generator: SoftGenerator, noise: Tensor, uniform: Tensor, temperature: float | None
    ) -> np.ndarray:
        """Lines of noise, written as the model was trained.

        One that always read its own distributions goes on reading them, and the likeliest
        characters stand for them. One that read real characters reads the ones it draws.
        """
        r, device = self.recipe, next(generator.parameters()).device
        soft = r.loss != "likelihood" and not r.teacher_helping
        if temperature is None:
            temperature = 0.0 if soft else 1.0
        by = uniform.to(device) if temperature else None
        made = generator.write(noise.to(device), r.network.steps, soft, by, temperature)
        return made.cpu().numpy()

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """How many of its 4-grams real tunes have, how varied they are, how sure it was."""
        lines = self.written(nets["generator"], 256)
        real = known_grams(data.arrays["validation"]["characters"])
        metrics = {"real_4": shared(lines, real), "distinct_4": distinct(lines, 4)}
        metrics["distinct_lines"] = len(np.unique(lines, axis=0)) / len(lines)
        summary = f"4-grams {metrics['real_4']:.0%} real, {metrics['distinct_4']:.0%} distinct"
        kept = lines[: self.recipe.kept_samples]
        return Evaluation(metrics, metrics["real_4"], summary, kept)

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """The same beside unseen tunes, and real lines beside them."""
        unseen = known_grams(data.arrays["test"]["characters"])
        lines = self.written(nets["generator"], 512, 1)
        beside = self.lines(data.arrays["validation"], self.recipe.network.steps, 512, 0, 5)
        both = {"test": lines, "real": beside.numpy()}
        metrics = {f"{name}_real_4": shared(each, unseen) for name, each in both.items()}
        metrics |= {f"{name}_distinct_4": distinct(each, 4) for name, each in both.items()}
        metrics["test_distinct_lines"] = len(np.unique(lines, axis=0)) / len(lines)
        return metrics | {"checked": self.check(nets, data)}

    @torch.inference_mode()
    def check(self, nets: Nets, data: Data) -> float:
        """What both nets say of some unseen lines, on the CPU."""
        lines = self.lines(data.arrays["test"], self.recipe.network.steps, 32, 0, 6)
        generator, critic = nets["generator"].cpu(), nets["critic"].cpu()
        logits = generator.logits(torch.zeros(32, self.recipe.network.noise), lines[:, :-1])
        nats = functional.cross_entropy(logits.flatten(0, 1), lines.flatten())
        return float(nats.double() + critic(generator.one_hot(lines)).double().mean())

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Line after line, each of its own noise, until ``seconds`` have passed."""
        return [self.tune(trained, request, piece) for piece in range(request.batch)]

    def tune(self, trained: Trained, request: Request, piece: int) -> Song:
        """One piece, whose ``abc`` is what the model wrote, headers put back.

        Raises:
            RequestError: it wrote no note.
        """
        from symphony.corpora import read_abc

        r, codec = self.recipe, self.recipe.codec
        name = f"{trained.name}, seed {request.seed}"
        name += f" ({piece + 1})" if request.batch > 1 else ""
        # A line of notes lasts some seconds; at most so many characters sound for an eighth each.
        lines = min(int(request.seconds / 0.3 / r.network.steps * 2) + 2, MOST_LINES)
        rng = np.random.default_rng([request.seed, piece])
        noise, uniform = (
            torch.from_numpy(draw((lines, size)).astype(np.float32))
            for draw, size in (
                (rng.standard_normal, r.network.noise),
                (rng.random, r.network.steps),
            )
        )
        rows = self.write(trained.nets["generator"], noise, uniform, request.controls.temperature)
        text = codec.head(name) + "\n".join(codec.body(row) for row in rows) + "\n"
        try:
            song = read_abc(text)
        except SongError:  # the grammar is the model's own affair: what can be read is played
            kept = "\n".join(filter(None, (readable(codec.body(row)) for row in rows)))
            try:
                song = read_abc(codec.head(name) + kept + "\n")
            except SongError:
                raise RequestError(f"{name}: nothing sounds. Take another seed.") from None
        song = song.slice(0.0, request.seconds)
        return replace(song.named(name, source=trained.name), abc=text)


def known_grams(characters: np.ndarray, size: int = 4) -> Int[np.ndarray, " n"]:
    """All runs of so many characters, each as one number, sorted."""
    return np.unique(_grams(np.asarray(characters)[None], size))


def shared(lines: Int16[np.ndarray, "B T"], known: np.ndarray, size: int = 4) -> float:
    """The share of the lines' runs that are among the known ones."""
    return float(np.isin(_grams(lines, size), known).mean())


def distinct(lines: Int16[np.ndarray, "B T"], size: int) -> float:
    """Different runs as a share of all (Li et al., 2016)."""
    runs = _grams(lines, size)
    return len(np.unique(runs)) / len(runs)


def _grams(lines: np.ndarray, size: int) -> np.ndarray:
    size = min(size, lines.shape[1])
    runs = np.lib.stride_tricks.sliding_window_view(lines.astype(np.int64), size, axis=1)
    return (runs.reshape(-1, size) * 128 ** np.arange(size)).sum(1)


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "network": AbcGANConfig(steps=32, noise=32, hidden_size=128, embedding_dim=32),
        **{"steps": 600, "batch": 32, "critic_steps": 5, "generator_steps": 1, "lr": 1e-3},
        **{"evaluate_every": 50},
    },
    "tiny": {
        "network": AbcGANConfig(8, 4, 16, 8),
        **{"steps": 6, "batch": 4, "critic_steps": 2, "generator_steps": 2, "subset": 8},
        **{"evaluate_every": 2, "kept_samples": 4, "lr": 1e-3},
    },
    "full": {"steps": 4000, "batch": 64},
}


def recipe(name: str, size: str) -> AbcWGANRecipe:
    """An ABC WGAN's recipe by size; at full the sizes of Press et al."""
    base = AbcWGANRecipe(name=name, size=size, corpus="folk", keep="last")
    return replace(base, **SIZES[size])


SYSTEM = AbcWGAN
