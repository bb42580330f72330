"""SeqGAN: likelihood first, then rewards (chapter 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int16
from torch import Tensor, nn

from symphony import codecs
from symphony.codecs import MelodyCodec
from symphony.errors import RequestError, SongError
from symphony.song import Song
from symphony.systems import gan
from symphony.systems.sampling import SamplingControls, generate
from symphony.systems.seqgan.network import HighwayCNN, Policy, SeqGANConfig, policy_loss
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
from symphony.typed import control, count, positive, ranged, weight

if TYPE_CHECKING:
    from symphony.corpora import Corpus

EVALUATION, CHECKED = 2**31, 64  # a step no run reaches; melodies read by a check


@dataclass(frozen=True, kw_only=True)
class SeqGANRecipe(Recipe):
    """How to train a SeqGAN: by likelihood, then its discriminator alone, then the game."""

    room: ClassVar[str] = "seqgan"

    codec: MelodyCodec = MelodyCodec()
    network: SeqGANConfig = SeqGANConfig()
    pretrain_steps: int = count(1000)  # of the generator, by likelihood
    discriminator_pretrain_steps: int = count(100)  # of the discriminator alone
    lr: float = positive(4e-3)  # Adam's, by likelihood
    policy_lr: float = positive(1e-3)  # by rewards
    discriminator_lr: float = positive(1e-3)
    l2: float = weight(0.01)  # weight decay of the discriminator's last layer
    roll_outs: int = ranged(16, 0)  # of each prefix; 0 rewards every word with the melody's score
    baseline: bool = True  # take off what other melodies of the batch were given
    discriminator_steps: int = count(5)  # batches of the discriminator before each step of the game
    clip: float = positive(5.0)  # largest norm of the generator's gradient
    kept_samples: int = ranged(64, 2)  # melodies drawn at each evaluation

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = (self.pretrain_steps, self.pretrain_steps + self.discriminator_pretrain_steps)
        if any(end % self.evaluate_every for end in ends):
            raise RequestError(
                f"Phases end at an evaluation: {ends} are no multiples of {self.evaluate_every}."
            )


@dataclass(frozen=True)
class SeqGANControls(SamplingControls):
    """What decides a piece."""

    pretrained: bool = control(False, "let the generator compose as likelihood left it")


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Without dropout: a reward shouldn't depend on chance."""
    before = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(before)


@dataclass(frozen=True)
class SeqGAN:
    """A policy that draws melodies, a discriminator that rewards them."""

    recipe: SeqGANRecipe
    controls: ClassVar[type] = SeqGANControls

    def encode(self, corpus: Corpus) -> Data:
        """The melodies of each split end to end as ``words``, and how long each is."""
        codec, steps = self.recipe.codec, self.recipe.network.steps

        def encode(songs: Iterable[Song]) -> Arrays:
            pieces = [codec.encode(codecs.in_c(song)) for song in songs]
            pieces = [words for words in pieces if len(words) >= steps]
            if not pieces:
                raise SongError(f"{corpus.source.title} has no melody of {steps} notes.")
            lengths = np.array([len(words) for words in pieces], np.int32)
            return {"words": np.concatenate(pieces), "lengths": lengths}

        return encode_splits(corpus, self.recipe.subset, encode)

    def build(self, data: Data) -> Nets:
        """Generator, its copy from the end of pretraining, and discriminator."""
        vocab, config = self.recipe.codec.vocab_size, self.recipe.network
        pretrained = Policy(vocab, config).requires_grad_(False)
        nets = {"generator": Policy(vocab, config), "pretrained": pretrained}
        return Nets({**nets, "discriminator": HighwayCNN(vocab, config)})

    def optimizers(self, nets: Nets) -> Optimizers:
        """Adam for each; the discriminator's last layer with weight decay."""
        discriminator = nets["discriminator"]
        last = list(discriminator.score.parameters())
        others = [
            p for name, p in discriminator.named_parameters() if not name.startswith("score.")
        ]
        groups: list[dict[str, Any]] = [
            {"params": others},
            {"params": last, "weight_decay": self.recipe.l2},
        ]
        return {
            "generator": torch.optim.Adam(nets["generator"].parameters(), self.recipe.lr),
            "discriminator": torch.optim.Adam(groups, self.recipe.discriminator_lr),
        }

    def melodies(
        self, arrays: Arrays, step: int, turn: int = 0, count: int | None = None
    ) -> Int[Tensor, "B T"]:
        """Windows of real melodies, none across two pieces: the same whenever they are drawn."""
        r = self.recipe
        rng = np.random.default_rng([r.seed, step, turn])
        return torch.from_numpy(draw_windows(arrays, rng, count or r.batch, r.network.steps))

    def likelihood_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Teacher forcing, as in chapter 2."""
        real = data.share(self.melodies(data.train, step))  # [B, T]
        found = nets["generator"].log_probs(real).gather(2, real[..., None])  # [B, T, 1]
        loss = -found.mean()
        descend(loss, opts["generator"], lr=self.recipe.lr, clip=self.recipe.clip)
        return {"train": loss.detach()}

    def discriminator_step(
        self, nets: Nets, opts: Optimizers, data: Data, step: int, rng: torch.Generator
    ) -> Logs:
        """Binary cross-entropy of real melodies and drawn ones."""
        logs: Logs = {}
        for turn in range(self.recipe.discriminator_steps):
            real = data.share(self.melodies(data.train, step, turn + 1))
            fake, _ = nets["generator"].draw(data.share(self.numbers(rng)))
            scores = nets["discriminator"](torch.cat([real, fake]))  # [2 B]
            on_real, on_fake = scores.split(len(real))
            loss = gan.discriminator_loss("bce", on_real, on_fake)
            descend(loss, opts["discriminator"])
            logs = {"discriminator_loss": loss.detach()} | gan.score_logs(on_real, on_fake, "bce")
        return logs

    def numbers(self, rng: torch.Generator, *more: int) -> Float[Tensor, "B ... T"]:
        """What words are drawn by."""
        return torch.rand(self.recipe.batch, *more, self.recipe.network.steps, generator=rng)

    def rewards(
        self, nets: Nets, words: Int[Tensor, "B T"], states: Any, uniform: Tensor
    ) -> Float[Tensor, "B T"]:
        """What each word is worth: the discriminator's mean verdict over roll-outs from there."""
        steps, discriminator = words.shape[1], nets["discriminator"]
        with evaluating(discriminator), torch.no_grad():
            whole = torch.sigmoid(discriminator(words))  # [B]
            if not self.recipe.roll_outs:
                return whole[:, None].expand(-1, steps)
            ends = nets["generator"].roll_outs(words, states, uniform)  # [T-1, N, B, T]
            scores = torch.cat([discriminator(part) for part in ends.flatten(0, 2).split(1024)])
            on_way = torch.sigmoid(scores).view(ends.shape[:3]).mean(1)  # [T-1, B]
        return torch.cat([on_way, whole[None]]).T  # [B, T]

    def policy_step(self, nets: Nets, opts: Optimizers, data: Data, rng: torch.Generator) -> Logs:
        """Draw melodies, finish each prefix N times, reward each word (algorithm 1)."""
        r, generator = self.recipe, nets["generator"]
        words, states = generator.draw(data.share(self.numbers(rng)))  # [B, T]
        uniform = data.share(self.numbers(rng, r.roll_outs, r.network.steps))  # [B, N, T, T]
        rewards = self.rewards(nets, words, states, uniform)  # Q [B, T]
        log_probs = generator.log_probs(words).gather(2, words[..., None])[..., 0]  # [B, T]
        loss = policy_loss(log_probs, rewards, r.baseline)
        norm = descend(loss, opts["generator"], lr=r.policy_lr, clip=r.clip)
        return {"reward": rewards[:, -1].mean(), "generator_grad_norm": norm}

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Likelihood, then the discriminator alone, then both in turns."""
        r, rng = self.recipe, gan.step_rng(self.recipe.seed, step)
        if step < r.pretrain_steps:
            logs = self.likelihood_step(nets, opts, data, step)
            nets["pretrained"].load_state_dict(nets["generator"].state_dict())
            return logs
        if step < r.pretrain_steps + r.discriminator_pretrain_steps:
            return self.discriminator_step(nets, opts, data, step, rng)
        logs = self.policy_step(nets, opts, data, rng)
        return logs | self.discriminator_step(nets, opts, data, step, rng)

    def kept(self, nets: Nets) -> Nets:
        """All three: chapters ask the discriminator, and what likelihood had made."""
        return nets

    @torch.inference_mode()
    def loss(self, net: Policy, words: Int[Tensor, "B T"]) -> float:
        """Mean cross-entropy in nats a word."""
        device = next(net.parameters()).device
        parts = [part.to(device) for part in words.split(256)]
        found = [net.log_probs(part).gather(2, part[..., None]).flatten() for part in parts]
        return -float(torch.cat(found).double().mean())

    def drawn(self, net: Policy, count: int, seed: int = 0) -> Int[Tensor, "count T"]:
        """So many melodies, drawn by the recipe's seed and this one."""
        rng = gan.step_rng(self.recipe.seed, EVALUATION + seed)
        uniform = torch.rand(count, self.recipe.network.steps, generator=rng)
        return net.draw(uniform.to(next(net.parameters()).device))[0]

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """Held-out loss, what the discriminator thinks, and how varied drawn melodies are."""
        r, generator = self.recipe, nets["generator"]
        held_out = self.melodies(data.arrays["validation"], EVALUATION, 0, 512)
        nats = self.loss(generator, held_out)
        drawn = self.drawn(generator, r.kept_samples)
        with torch.inference_mode():
            reward = float(torch.sigmoid(nets["discriminator"](drawn)).mean())
        metrics = {"validation": nats, "drawn_reward": reward}
        metrics["distinct_4"] = distinct(drawn.cpu().numpy(), 4)
        metrics["own_nats"] = self.loss(generator, drawn)  # its entropy a word, estimated
        summary = f"validation {nats:.3f}, reward {reward:.2f}, 4-grams {metrics['distinct_4']:.2f}"
        return Evaluation(metrics, -nats, summary, drawn.cpu().numpy().astype(np.int16))

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Loss of unseen melodies after the game and before it."""
        metrics = {}
        for split in ("validation", "test"):
            words = self.melodies(data.arrays[split], EVALUATION, 1, 512)
            metrics[f"{split}_nats"] = self.loss(nets["generator"], words)
            metrics[f"{split}_pretrained_nats"] = self.loss(nets["pretrained"], words)
        for name in ("generator", "pretrained"):
            drawn = self.drawn(nets[name], 256, 1).cpu().numpy()
            metrics[f"{name}_distinct_4"] = distinct(drawn, 4)
        real = self.melodies(data.arrays["test"], EVALUATION, 2, 256).numpy()
        return metrics | {"real_distinct_4": distinct(real, 4), "checked": self.check(nets, data)}

    def check(self, nets: Nets, data: Data) -> float:
        """The loss of some unseen melodies, on the CPU."""
        words = self.melodies(data.arrays["test"], EVALUATION, 3, CHECKED)
        return self.loss(nets["generator"].cpu(), words)

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Draw word after word until ``seconds`` have passed."""
        how, codec = request.controls, self.recipe.codec
        net = trained.nets["pretrained" if how.pretrained else "generator"]
        shortest = min(codec.waits) * 0.15  # seconds: sixteenths at 100 a minute
        words = generate(
            net,
            int(request.seconds / shortest) + 1,
            batch=request.batch,
            seed=request.seed,
            temperature=how.temperature,
            top_p=how.top_p,
            greedy=how.greedy,
        )
        songs = []
        for i, row in enumerate(words):
            title = f"{trained.name}, {'greedy' if how.greedy else f'seed {request.seed}'}"
            title += f" ({i + 1})" if request.batch > 1 else ""
            song = codec.decode(row).slice(0.0, request.seconds)
            songs.append(song.named(title, source=trained.name))
        return songs


def draw_windows(
    arrays: Arrays, rng: np.random.Generator, count: int, steps: int
) -> Int[np.ndarray, "count steps"]:
    """Windows from any place of any piece, each as likely as another."""
    lengths = arrays["lengths"].astype(np.int64)
    places = lengths - steps + 1  # to begin at, in each piece
    drawn = rng.integers(0, places.sum(), count)
    piece = np.searchsorted(np.cumsum(places), drawn, side="right")
    first = np.cumsum(lengths) - lengths
    at = first[piece] + drawn - (np.cumsum(places) - places)[piece]
    return np.asarray(arrays["words"][at[:, None] + np.arange(steps)]).astype(np.int64)


def distinct(words: Int16[np.ndarray, "B T"], size: int) -> float:
    """Different runs of ``size`` words as a share of all (Li et al., 2016)."""
    runs = np.lib.stride_tricks.sliding_window_view(words, size, axis=1).reshape(-1, size)
    return len(np.unique(runs, axis=0)) / len(runs)


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "network": SeqGANConfig(steps=24, hidden_size=128, filters=16, widths=8),
        **{"steps": 1200, "pretrain_steps": 1000, "discriminator_pretrain_steps": 100},
        **{"evaluate_every": 20, "batch": 32, "roll_outs": 4, "discriminator_steps": 1},
        **{"policy_lr": 1e-3, "discriminator_lr": 5e-4},
    },
    "tiny": {
        "network": SeqGANConfig(8, 16, 8, 4, 3),
        **{
            "steps": 12,
            "pretrain_steps": 4,
            "discriminator_pretrain_steps": 4,
            "evaluate_every": 4,
        },
        **{"batch": 4, "roll_outs": 2, "discriminator_steps": 2, "subset": 8, "kept_samples": 8},
    },
    "full": {
        "network": SeqGANConfig(),
        **{
            "steps": 22_000,
            "pretrain_steps": 20_000,
            "discriminator_pretrain_steps": 500,
            "evaluate_every": 100,
        },
        **{"batch": 64, "discriminator_steps": 15},
    },
}


def recipe(name: str, size: str) -> SeqGANRecipe:
    """A SeqGAN's recipe by size."""
    base = SeqGANRecipe(name=name, size=size, corpus="folk", keep="last")
    return replace(base, **SIZES[size])


SYSTEM = SeqGAN
