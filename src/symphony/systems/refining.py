"""What nets that refine a song share: windows with overlap, held-out loss, how they compose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from symphony.song import Song
from symphony.training.data import Data, encode_splits
from symphony.training.system import Evaluation, Nets, Optimizers, Recipe, Request, Trained
from symphony.typed import count, positive, ranged

if TYPE_CHECKING:
    from symphony.corpora import Corpus

WINDOW, MARGIN = 256, 32  # steps read at once; of these, only context at either end
ROWS = 16  # windows read side by side
CHECKED = 256  # windows of the test split: enough to tell models apart
EMBEDDED = "chorales"  # what is refined where a net's own corpus isn't here
TINY: dict[str, Any] = {
    **{"steps": 6, "batch": 4, "window": 16, "transpose": (0,), "subset": 8},
    **{"evaluate_every": 2, "validation_windows": 16},
}


@dataclass(frozen=True, kw_only=True)
class RefineRecipe(Recipe):
    """How to train a net that reads a whole passage and answers at each step of it."""

    window: int = count(128)  # steps of a passage
    lr: float = positive(2e-3)  # Adam's, at first; it falls on a line to a tenth
    clip: float = positive(1.0)  # largest norm of the gradient
    transpose: tuple[int, ...] = ranged((0,), -127, 127)  # semitones, one drawn for each window
    validation_windows: int = count(128)  # read at each evaluation


def draw_windows(
    length: int, recipe: RefineRecipe, rng: np.random.Generator
) -> Int64[np.ndarray, "B T"]:
    """The steps of a batch of passages, of a split of ``length`` steps."""
    window = min(recipe.window, length)
    starts = rng.integers(0, length - window + 1, recipe.batch)
    return starts[:, None] + np.arange(window)


def in_windows(
    network: Callable[..., Tensor],
    read: Callable[[np.ndarray], tuple[Tensor, ...]],
    length: int,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """What a net answers at each of ``length`` steps, however many: memory stays the same.

    Windows overlap: each is read with ``MARGIN`` steps of context at either end, and only what
    lies between is kept.

    Args:
        network: takes what ``read`` gives, answers [B, T, ...].
        read: the inputs at steps [B, T].
        length: steps of the whole.

    Yields:
        first step, the step after the last, and the answers between [t, ...], in order.
    """
    size, hop = min(WINDOW, length), WINDOW - 2 * MARGIN
    starts = np.arange(0, length, hop)
    for chunk in range(0, len(starts), ROWS):
        some = starts[chunk : chunk + ROWS]
        begins = np.clip(some - MARGIN, 0, length - size)  # whole windows, at the ends too
        with torch.inference_mode():
            made = network(*read(begins[:, None] + np.arange(size))).cpu().numpy()
        for row, start, begin in zip(made, some, begins, strict=True):
            end = min(start + hop, length)
            yield int(start), int(end), row[start - begin : end - begin]


def held_out(corpus: str, request: Request) -> Iterator[tuple[int, Song]]:
    """A seed, and the beginning of a held-out piece of ``corpus``, for each piece requested.

    Where the corpus isn't here the embedded chorales stand in.
    """
    from symphony.corpora import is_present, load_corpus

    test = load_corpus(corpus if is_present(corpus) else EMBEDDED, progress=False).test
    order = np.random.default_rng(request.seed).permutation(len(test))
    for i in range(request.batch):
        song = test[int(order[i % len(order)])]
        yield request.seed + i, song.slice(song.onset[0], song.onset[0] + request.seconds)


@dataclass(frozen=True)
class RefineSystem:
    """What both refine nets have in common: all but what they read and how they are judged."""

    recipe: Any
    arrays: ClassVar[Callable[..., Any]]  # songs -> the arrays of a split

    def encode(self, corpus: Corpus) -> Data:
        """The steps of each split, song after song."""
        return encode_splits(corpus, self.recipe.subset, type(self).arrays)

    def optimizers(self, nets: Nets) -> Optimizers:
        """Adam."""
        return {"network": torch.optim.Adam(nets.parameters(), lr=self.recipe.lr)}

    def lr(self, step: int) -> float:
        """The learning rate of a step."""
        return float(self.recipe.lr * (1 - 0.9 * step / self.recipe.steps))

    def kept(self, nets: Nets) -> Nets:
        """The network."""
        return nets

    def metrics(self, nets: Nets, data: Data, split: str, windows: int) -> dict[str, float]:
        """The loss and what else tells how good the answers are; see the rooms."""
        raise NotImplementedError

    def evaluate(self, nets: Nets, data: Data) -> Evaluation:
        """The validation loss, lower the better."""
        found = self.metrics(nets, data, "validation", self.recipe.validation_windows)
        loss = found.pop("loss")
        return Evaluation({"validation": loss} | found, -loss, f"validation loss {loss:.3g}")

    def report(self, nets: Nets, data: Data) -> dict[str, float]:
        """The metrics of the test split."""
        found = self.metrics(nets, data, "test", CHECKED)
        return {f"test_{k}": v for k, v in found.items()} | {"checked": self.check(nets, data)}

    def check(self, nets: Nets, data: Data) -> float:
        """The loss of some unseen passages, on the CPU."""
        return self.metrics(nets.cpu(), data, "test", CHECKED)["loss"]

    def spoilt(self, song: Song, seed: int, controls: Any) -> Song:
        """A song with what this net refines taken away; see the rooms."""
        raise NotImplementedError

    def compose(self, trained: Trained, request: Request) -> list[Song]:
        """The beginnings of held-out pieces, spoilt and refined again."""
        songs = []
        for seed, song in held_out(self.recipe.corpus, request):
            refined = trained.refine(self.spoilt(song, seed, request.controls))
            name = f"{trained.name}, seed {request.seed}"
            name += f" ({seed - request.seed + 1})" if request.batch > 1 else ""
            name += f": what it made of {song.name or 'a piece'}"
            songs.append(refined.slice(0.0, request.seconds).named(name, trained.name))
        return songs
