"""A corpus as piano rolls: all that training a GAN needs, in one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, UInt8
from torch import Tensor

from symphony.training.encoded import EncodedError
from symphony.training.gan_recipes import GanRecipe

if TYPE_CHECKING:
    from symphony.codecs import RollCodec
    from symphony.corpora import Corpus
    from symphony.song import Song

PARTS = ("train", "validation", "test")
KEYS = 128


@dataclass(frozen=True)
class Rolls:
    """The pieces of one split, one after another: 16 bytes a row, and each piece's rows."""

    packed: UInt8[np.ndarray, "rows 16"]
    lengths: Int32[np.ndarray, " pieces"]

    def check(self, part: str) -> None:
        """Refuse what isn't rolls.

        Raises:
            EncodedError: which split is wrong, and how.
        """
        packed, lengths = self.packed, self.lengths
        if packed.ndim != 2 or packed.shape[1] != KEYS // 8 or packed.dtype != np.uint8:
            raise EncodedError(f"Its {part} split is no rolls.")
        if lengths.ndim != 1 or not len(lengths) or lengths.min() < 1:
            raise EncodedError(f"Its {part} split has no pieces.")
        if lengths.sum() != len(packed):
            raise EncodedError(f"Its {part} split has {len(packed)} rows, not {lengths.sum()}.")

    def windows(
        self, chance: np.random.Generator, count: int, steps: int, grid: int
    ) -> Bool[np.ndarray, "count steps 128"]:
        """Windows from any beat of any piece, each row of the split as likely as another.

        A piece shorter than a window begins again, as if repeated.

        Args:
            chance: draws them.
            count: how many.
            steps: rows of each.
            grid: they begin at multiples of so many rows in their piece.
        """
        first = np.cumsum(self.lengths) - self.lengths
        places = np.maximum((self.lengths - steps) // grid + 1, 1)  # beats to begin at
        drawn = chance.integers(0, places.sum(), count)
        piece = np.searchsorted(np.cumsum(places), drawn, side="right")
        beat = drawn - (np.cumsum(places) - places)[piece]
        row = beat[:, None] * grid + np.arange(steps)  # [count, steps]
        rows = first[piece][:, None] + row % self.lengths[piece][:, None]
        return np.unpackbits(self.packed[rows], axis=2).astype(bool)


@dataclass(frozen=True)
class EncodedRolls:
    """Three splits of rolls, breaths before repeated notes (see ``codecs.with_breaths``).

    Attributes:
        train, validation, test: the pieces.
        keys: the mean pitch-class histograms of the training pieces in major and in minor, moved
            to C: what a key sounds like.
        codec: the codec's ``to_dict()``.
        corpus: name, fingerprint and licence of the corpus.
    """

    train: Rolls
    validation: Rolls
    test: Rolls
    keys: dict[str, list[float]]
    codec: dict[str, Any]
    corpus: dict[str, str]

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, whole or not at all."""
        about = {"keys": self.keys, "codec": self.codec, "corpus": self.corpus}
        arrays = {f"{p}_{k}": v for p in PARTS for k, v in asdict(getattr(self, p)).items()}
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, about=json.dumps(about), **arrays)
        partial.replace(path)

    def check(self) -> None:
        """Refuse rolls that no model could read.

        Raises:
            EncodedError: which split is wrong, and how.
        """
        for part in PARTS:
            getattr(self, part).check(part)

    @staticmethod
    def load(path: Path) -> EncodedRolls:
        """Read what :meth:`save` wrote.

        Raises:
            EncodedError: no such file, or one that is broken.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                parts: dict[str, Any] = {
                    p: Rolls(file[f"{p}_packed"], file[f"{p}_lengths"]) for p in PARTS
                }
            rolls = EncodedRolls(**parts, **about)
            rolls.check()
            return rolls
        except FileNotFoundError:
            raise EncodedError(f"There are no encoded rolls {path}.") from None
        except EncodedError as error:
            raise EncodedError(
                f"The encoded rolls {path} can't be used. {error} Remove them, and they are made "
                "anew."
            ) from None
        except Exception as error:  # a broken zip raises a dozen kinds
            raise EncodedError(
                f"The encoded rolls {path} are broken ({type(error).__name__}): remove them, and "
                "they are made anew."
            ) from None


def roll_codec(recipe: GanRecipe) -> RollCodec:
    """The codec a recipe names.

    Raises:
        EncodedError: another codec than rolls, or settings it doesn't have.
    """
    from symphony.codecs import RollCodec

    settings = {k: v for k, v in recipe.codec.items() if k != "name"}
    if recipe.codec.get("name") != "rolls":
        raise EncodedError(f"A GAN reads rolls, not {recipe.codec.get('name')!r}.")
    try:
        return RollCodec(**settings)
    except TypeError:
        raise EncodedError(f"The codec rolls has no such settings: {settings}.") from None


def encode_rolls(corpus: Corpus, codec: RollCodec, recipe: GanRecipe | None = None) -> EncodedRolls:
    """All songs of a corpus as rolls.

    Args:
        corpus: what to encode.
        codec: how.
        recipe: whose subset applies to the training split, and whose ``to_c`` to all; None for
            neither.

    Raises:
        EncodedError: a split holds no music, as when a folder has fewer than three pieces.
    """
    subset = recipe.subset if recipe else None
    to_c = bool(recipe and recipe.to_c)
    training: list[Song] = list(corpus.train if subset is None else corpus.subset(subset))
    parts = {
        "train": _rolls(training, codec, to_c),
        "validation": _rolls(corpus.validation, codec, to_c),
        "test": _rolls(corpus.test, codec, to_c),
    }
    empty = [part for part, rolls in parts.items() if not len(rolls.lengths)]
    if empty:
        raise EncodedError(
            f"{corpus.source.title} has no music for {' and '.join(empty)}: training needs at "
            "least three different pieces, one of them to learn from."
        )
    about = {"name": corpus.name, "fingerprint": corpus.fingerprint}
    about["licence"] = corpus.source.licence
    return EncodedRolls(**parts, keys=_keys(training), codec=codec.to_dict(), corpus=about)


def in_c(song: Song) -> Song:
    """A song moved to C major or A minor, whichever way is shorter and stays on the keyboard."""
    from symphony.codecs import estimate_key

    tonic, minor = estimate_key(song)
    up = ((9 if minor else 0) - tonic) % 12
    low, high = int(song.pitch.min()), int(song.pitch.max())
    for semitones in sorted((up, up - 12), key=abs):
        if low + semitones >= 0 and high + semitones < KEYS:
            return song.transposed(semitones)
    return song


def _rolls(songs: Iterable[Song], codec: RollCodec, to_c: bool) -> Rolls:
    from symphony.codecs import with_breaths

    packed = [
        np.packbits(with_breaths(codec.encode(in_c(song) if to_c else song)), axis=1)
        for song in songs
        if len(song)
    ]
    rows = np.concatenate(packed) if packed else np.zeros((0, KEYS // 8), np.uint8)
    return Rolls(rows, np.array([len(rows) for rows in packed], np.int32))


def _keys(songs: Iterable[Song]) -> dict[str, list[float]]:
    from symphony.codecs import estimate_key, pitch_class_histogram

    sums = {"major": np.zeros(12), "minor": np.zeros(12)}
    for song in songs:
        tonic, minor = estimate_key(song)
        sums["minor" if minor else "major"] += np.roll(pitch_class_histogram(song), -tonic)
    return {  # a mode that no piece is in is heard as all keys alike
        mode: (s / s.sum() if s.sum() else np.full(12, 1 / 12)).round(5).tolist()
        for mode, s in sums.items()
    }


def draw_rolls(
    rolls: Rolls, recipe: GanRecipe, step: int, turn: int, count: int | None = None
) -> Float[Tensor, "B T 128"]:
    """The real rolls of a step's turn, of -1 and 1: the same whenever they are drawn.

    Args:
        rolls: the split to draw from.
        recipe: its batch, window, transpositions and seed.
        step: of the generator.
        turn: of the critic in this step.
        count: rolls to draw; None for the batch.
    """
    chance = np.random.default_rng([recipe.seed, step, turn])
    grid = int(recipe.codec.get("steps_per_quarter", 4))
    count = recipe.batch if count is None else count
    windows = rolls.windows(chance, count, recipe.window, grid)
    moved = chance.choice(np.array(recipe.transpose), len(windows))
    for window, semitones in zip(windows, moved, strict=True):
        sounding = np.flatnonzero(window.any(0))
        if len(sounding) and 0 <= sounding[0] + semitones <= sounding[-1] + semitones < KEYS:
            window[:] = np.roll(window, semitones, axis=1)
    return torch.from_numpy(np.where(windows, np.float32(1), np.float32(-1)))


def drop_notes(
    rolls: Float[Tensor, "B T 128"], shares: tuple[float, float], chance: np.random.Generator
) -> Float[Tensor, "B T 128"]:
    """Facades: each roll without a share of its notes, the share drawn between the two given.

    A note is a run of rows in which its key sounds; it goes or stays as a whole.
    """
    sounding = rolls.numpy() > 0
    begins = sounding.copy()
    begins[:, 1:] &= ~sounding[:, :-1]
    rows = np.arange(rolls.shape[1])[:, None]
    onset = np.maximum.accumulate(np.where(begins, rows, 0), axis=1)  # of the note, [B, T, 128]
    luck = np.take_along_axis(chance.random(rolls.shape, np.float32), onset, axis=1)
    share = chance.uniform(*shares, (len(rolls), 1, 1))
    return torch.from_numpy(np.where(sounding & (luck >= share), np.float32(1), np.float32(-1)))


def key_histogram(rolls: Float[Tensor, "B T 128"]) -> Float[Tensor, "B 12"]:
    """The share of each pitch class in what sounds; equal shares where nothing does."""
    keys = (rolls > 0).sum(1).float()  # [B, 128]
    classes = torch.nn.functional.pad(keys, (0, 4)).view(-1, 11, 12).sum(1)  # [B, 12]
    total = classes.sum(1, keepdim=True)
    return torch.where(total > 0, classes / total.clamp(min=1), torch.full_like(classes, 1 / 12))
