"""Sequential autoencoders: a window becomes a code, and a walk among codes a piece (chapter 10)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from symphony.codecs import StepCodec, join_windows, song_windows, window_sixteenths
from symphony.errors import RequestError, SongError
from symphony.song import TEMPO, Song
from symphony.systems.sampling import one_thread
from symphony.systems.seqae.network import (
    CONTINUITY,
    Decoder,
    SeqAE,
    SeqAEConfig,
    divergence,
    reconstruction,
    squared,
    targets,
)
from symphony.systems.seqae.walks import WalkControls, walk
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
from symphony.typed import count, positive, ranged, weight

if TYPE_CHECKING:
    from symphony.corpora import Corpus

CHECKED = 512  # test windows: enough to tell models apart
AT_ONCE = 4096  # windows read or written together
SIXTEENTHS = 4  # of a quarter note


@dataclass(frozen=True, kw_only=True)
class SeqAERecipe(Recipe):
    """How to train a sequential autoencoder, the report's Continuous SeqAE among them."""

    room: ClassVar[str] = "seqae"

    corpus: str = "folk"
    codec: StepCodec = StepCodec(to_c=True)  # between songs and rows
    network: SeqAEConfig = SeqAEConfig()
    batch: int = count(16)  # runs of neighbouring windows a step
    run: int = ranged(4, 3)  # windows in a run
    gradient: Literal["stopped", "straight-through"] = "stopped"  # at the quantisation
    continuity: Literal["plain", "hinge", "cross"] = "cross"  # which design of the continuous loss
    con_weight: float = weight(0.0)  # of the continuous loss; 0 is the plain autoencoder
    q_weight: float = weight(0.0)  # of the quantisation loss
    margin: float = weight(4.0)  # of the hinge: a digit of two levels, changed, is 4 away
    free_bits: float = weight(16.0)  # of a VAE's divergence, which cost nothing
    lr: float = positive(3e-3)  # Adam's
    clip: float = positive(1.0)  # largest norm of the gradient
    validation_windows: int = count(4096)  # read at each evaluation

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network.window < 2 * self.network.onsets:
            raise RequestError(
                f"A window of {self.network.onsets} onsets has twice as many rows at least, not "
                f"{self.network.window}: each onset has a note and a wait."
            )


def draw_runs(arrays: Arrays, recipe: SeqAERecipe, step: int) -> Int64[np.ndarray, "B R T 2"]:
    """The batch of a step: runs of neighbouring windows, the same whenever drawn.

    Where no song has enough windows, the last one of a run stands again.
    """
    rng, left = np.random.default_rng([recipe.seed, step]), arrays["left"]
    fits = np.flatnonzero(left >= min(recipe.run, left.max()))
    start = fits[rng.integers(0, len(fits), recipe.batch)]
    ahead = np.minimum(np.arange(recipe.run), left[start][:, None] - 1)  # [B, R]
    return np.asarray(arrays["windows"][start[:, None] + ahead]).astype(np.int64)


@dataclass(frozen=True)
class SeqAESystem:
    """An encoder, a code, two decoders; and walks."""

    recipe: SeqAERecipe
    controls: ClassVar[type] = WalkControls

    def encode(self, corpus: Corpus) -> Data:
        """The windows of each split, and how many are left of its song from each one on."""
        r = self.recipe

        def windows(songs: Iterable[Song]) -> Arrays:
            found = []
            for song in songs:
                try:
                    found.append(song_windows(song, r.codec, r.network.onsets, r.network.window))
                except SongError as error:  # too long to be counted: the others still teach
                    warnings.warn(f"{str(error).rstrip('.')}. It is left out.", stacklevel=2)
            if not sum(map(len, found)):
                raise SongError(
                    f"{corpus.source.title} has no piece of {r.network.onsets} onsets or more."
                )
            left = [np.arange(len(each), 0, -1, dtype=np.int32) for each in found]
            return {"windows": np.concatenate(found), "left": np.concatenate(left)}

        return encode_splits(corpus, r.subset, windows)

    def build(self, data: Data) -> Nets:
        """The network, untrained."""
        return Nets({"autoencoder": SeqAE(self.recipe.network)})

    def optimizers(self, nets: Nets) -> Optimizers:
        """Adam."""
        return {"autoencoder": torch.optim.Adam(nets.parameters(), lr=self.recipe.lr)}

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Encode runs of neighbours, and go down the weighted sum of the report's four terms."""
        r, net = self.recipe, nets["autoencoder"]
        runs = data.share(torch.from_numpy(draw_runs(data.train, r, step)))  # [B, R, T, 2]
        code, divergence = self.code(net, runs)  # c' [B, R, m]
        terms = self.objective(net, runs, code)
        loss = terms["rec"] + terms["rec_digits"] + divergence
        loss = loss + r.con_weight * terms["con"] + r.q_weight * terms["quantization"]
        norm = descend(loss, opts["autoencoder"], clip=r.clip)
        return {name: term.detach() for name, term in terms.items()} | {"grad_norm": norm}

    def objective(self, net: SeqAE, runs: Tensor, code: Tensor) -> dict[str, Tensor]:
        """L_rec, L_rec^bin, L_con and L_q of runs [B, R, T, 2] and of their codes c' [B, R, m]."""
        windows = runs.flatten(0, 1)  # [B R, T, 2]
        digits = net.quantize(code)  # c = sign(c'): here every gradient stops
        real, binary = code, digits
        if self.recipe.gradient == "straight-through":  # as if quantising were the identity
            real, binary = code.detach(), code + (digits - code).detach()
        con = CONTINUITY[self.recipe.continuity]
        return {
            "rec": reconstruction(net.decoder(real.flatten(0, 1), windows), windows),
            "rec_digits": reconstruction(net.digit_decoder(binary.flatten(0, 1), windows), windows),
            "con": con(code, digits, self.recipe.margin),
            "quantization": squared(code, digits).mean(),
        }

    def code(self, net: SeqAE, runs: Tensor) -> tuple[Tensor, Tensor]:
        """The codes c' of windows, and what a VAE pays for them beyond its free bits."""
        code = net.encoder(runs)
        if not self.recipe.network.variational:
            return code, code.new_zeros(())
        mean, log_var = code.chunk(2, dim=-1)
        paid = divergence(mean, log_var) - self.recipe.free_bits * np.log(2)
        rows = self.recipe.network.window
        return mean + (log_var / 2).exp() * torch.randn_like(mean), paid.clamp(min=0).mean() / rows

    def kept(self, nets: Nets) -> Nets:
        """The network."""
        return nets

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """How well windows come back from digits, and how far neighbours lie apart."""
        found = code_metrics(nets["autoencoder"], data.arrays["validation"], self.recipe)
        summary = f"{found['rec_digits']:.3f} nats a row, {found['hamming']:.2f} digits a step"
        return Evaluation(found, -found["rec_digits"], summary)

    def check(self, nets: Nets, data: Data) -> float:
        """The loss of some unseen windows, on the CPU."""
        windows = torch.from_numpy(data.arrays["test"]["windows"][:CHECKED].astype(np.int64))
        return losses(nets["autoencoder"].cpu(), windows)[1]

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """Metrics of both unseen splits."""
        metrics: dict[str, float] = {}
        for split in ("validation", "test"):
            found = code_metrics(nets["autoencoder"], data.arrays[split], self.recipe)
            metrics |= {f"{split}_{name}": value for name, value in found.items()}
        return metrics | {"checked": self.check(nets, data)}

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """Walks, decoded window by window until ``seconds`` have passed.

        Raises:
            RequestError: more digits to flip than there are, or a theme that is no music.
            SongError: a theme shorter than a window.
        """
        net, r, how = trained.nets["autoencoder"], self.recipe, request.controls
        if how.flips > r.network.digits:
            raise RequestError(f"A code of {trained.name} has {r.network.digits} digits to flip.")
        theme = None if how.theme is None else self.theme(net, how.theme)
        needed = request.seconds * TEMPO / 60 * SIXTEENTHS
        songs = []
        for piece in range(request.batch):
            rng = np.random.default_rng([request.seed, piece])
            start = rng.integers(0, r.network.levels, r.network.digits)
            codes = walk(start if theme is None else theme, r.network.levels, how, rng)
            windows = np.empty((0, r.network.window, 2), np.int64)
            while window_sixteenths(windows).sum() < needed:  # each lasts a sixteenth at least
                more = np.stack(list(islice(codes, min(int(needed) // SIXTEENTHS + 1, AT_ONCE))))
                windows = np.concatenate([windows, decoded(net, more)])
            name = f"{trained.name}, seed {request.seed}"
            name += f" ({piece + 1})" if request.batch > 1 else ""
            song = r.codec.decode(join_windows(windows), TEMPO).slice(0.0, request.seconds)
            songs.append(song.named(name, trained.name))
        return songs

    def theme(self, net: SeqAE, file: str) -> Int64[np.ndarray, " m"]:
        """The code of a tune's first window."""
        from symphony.corpora import read_song

        return self.codes(net, read_song(file))[0]

    def codes(self, net: SeqAE, song: Song) -> Int64[np.ndarray, "N m"]:
        """A song as its trajectory: the digits of each of its windows.

        Raises:
            SongError: it is shorter than a window.
        """
        r = self.recipe
        windows = song_windows(song, r.codec, r.network.onsets, r.network.window)
        if not len(windows):
            raise SongError(
                f"{song.name or 'This song'} has fewer than {r.network.onsets} onsets, "
                "and a window needs as many."
            )
        return encoded(net, windows)


def encoded(net: SeqAE, windows: np.ndarray) -> Int64[np.ndarray, "N m"]:
    """The digits of windows [N, T, 2].

    Raises:
        RequestError: windows of another length than the model's.
    """
    windows = np.asarray(windows)
    if windows.ndim != 3 or windows.shape[1:] != (net.config.window, 2):
        raise RequestError(
            f"Windows are {net.config.window} rows of a token and its sixteenths: [N, "
            f"{net.config.window}, 2], not {list(windows.shape)}."
        )
    return in_parts(net.encode, windows)


def decoded(net: SeqAE, digits: np.ndarray) -> Int64[np.ndarray, "N T 2"]:
    """The windows that codes of digits stand for.

    Raises:
        RequestError: codes of another length, or with digits that there aren't.
    """
    codes, c = np.asarray(digits), net.config
    if codes.ndim != 2 or codes.shape[1] != c.digits or not np.isin(codes, range(c.levels)).all():
        raise RequestError(
            f"A code is {c.digits} digits from 0 to {c.levels - 1}: [N, {c.digits}], not "
            f"{list(codes.shape)} of {codes.min(initial=0)} to {codes.max(initial=0)}."
        )
    return in_parts(net.decode, codes)


def in_parts(call: Callable[[Tensor], Tensor], rows: np.ndarray) -> Int64[np.ndarray, "N ..."]:
    """What a network's method makes of whole numbers, so many rows at once."""
    with torch.inference_mode(), one_thread():
        parts = torch.from_numpy(rows.astype(np.int64)).split(AT_ONCE)
        return np.concatenate([call(part).numpy() for part in parts])


@torch.inference_mode()
def losses(net: SeqAE, windows: Tensor) -> tuple[float, float]:
    """Reconstruction from c' and from its digits, in nats a row, fed with the truth."""
    code = net.encoder(windows)[..., : net.config.digits]
    pair = (net.decoder, code), (net.digit_decoder, net.quantize(code))
    real, digits = (float(reconstruction(decoder(c, windows), windows)) for decoder, c in pair)
    return real, digits


@torch.inference_mode()
def code_metrics(net: SeqAE, arrays: Arrays, recipe: SeqAERecipe) -> dict[str, float]:
    """What the ablation's table holds, on the first windows of a split.

    ``rec`` and ``rec_digits`` in nats a row; ``hamming``, digits that differ between neighbours,
    and ``random_hamming``, between any two windows; ``entropy`` of the codes in bits and how many
    are ``distinct``, of so many ``windows``; and the share of tokens that come back right, fed with
    the truth (``forced``) and with itself (``free``), from digits.
    """
    device = next(net.parameters()).device
    most = recipe.validation_windows
    windows = torch.from_numpy(np.asarray(arrays["windows"][:most]).astype(np.int64)).to(device)
    code = net.encoder(windows)[..., : net.config.digits]
    digits = net.digits(code)
    rec, rec_digits = losses(net, windows)
    neighbours = np.asarray(arrays["left"][: len(windows) - 1]) > 1  # not across a song's end
    steps = (digits[1:] != digits[:-1]).sum(1).float().cpu().numpy()[neighbours]
    shares = torch.stack([(digits == v).double().mean(0) for v in range(net.config.levels)])
    _, counts = torch.unique(digits, dim=0, return_counts=True)
    p = counts / counts.sum()
    forced, free = (
        float(rows[targets(windows)[0] >= 0].double().mean())
        for rows in right(net.digit_decoder, net.values(digits), windows)
    )
    return {
        "rec": rec,
        "rec_digits": rec_digits,
        "hamming": float(steps.mean()) if len(steps) else 0.0,
        "random_hamming": float((1 - shares.square().sum(0)).sum()),
        "entropy": float(-(p * p.log2()).sum()),
        "distinct": float(len(counts)),
        "windows": float(len(windows)),
        "forced": forced,
        "free": free,
    }


@torch.inference_mode()
def right(decoder: Decoder, codes: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Which tokens [B, T] come back, fed with the true rows before, and with the decoder's own."""
    forced = decoder(codes, windows)[0].argmax(-1)
    free = decoder.decode(codes)[..., 0]
    return forced == windows[..., 0], free == windows[..., 0]


SMALL = SeqAEConfig(embedding_dim=48, hidden_size=96)
CHORALES = replace(SMALL, onsets=2, window=10)  # two chords of four voices
VARIANTS: dict[str, dict[str, Any]] = {
    "seq-autoencoder": {"network": replace(SMALL, digits=96)},
    "seqae": {"network": SMALL, "steps": 5000, "con_weight": 0.004, "q_weight": 0.004},
    "seqae-chorales": {
        **{"corpus": "chorales", "network": CHORALES, "con_weight": 0.004, "q_weight": 0.004}
    },
}
TINY: dict[str, Any] = {
    **{"steps": 30, "batch": 4, "subset": 8, "evaluate_every": 10, "lr": 1e-2},
    "validation_windows": 256,
}


def recipe(name: str, size: str) -> SeqAERecipe:
    """A sequential autoencoder's recipe by name and size."""
    base = SeqAERecipe(
        name=name, size=size, **{"steps": 3000, "evaluate_every": 250} | VARIANTS[name]
    )
    if size == "tiny":
        shape = replace(base.network, embedding_dim=16, hidden_size=32)
        return replace(base, network=shape, **TINY)
    if size == "full":
        shape = replace(base.network, embedding_dim=512, hidden_size=256)
        return replace(base, network=shape, batch=32, lr=1e-3, steps=60_000, evaluate_every=1000)
    return base


SYSTEM = SeqAESystem
