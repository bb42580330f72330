"""Encoded music: arrays by split in one file, mapped into memory by every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from symphony.errors import FileError, SongError
from symphony.files import written
from symphony.song import Song

if TYPE_CHECKING:
    from symphony.corpora import Corpus

SPLITS = ("train", "validation", "test")
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Data:
    """What a system learns from, and which part of each batch this process takes."""

    arrays: Mapping[str, Arrays]  # for each split, arrays by name
    facts: dict[str, Any]  # JSON that the card remembers: the corpus, and what the system adds
    rank: int = 0  # this process
    world: int = 1  # of so many
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - immutable

    @property
    def train(self) -> Arrays:
        """What is learned from; ``validation`` chooses, ``test`` is only reported."""
        return self.arrays["train"]

    def share(self, batch: Tensor) -> Tensor:
        """This process's rows of a batch that every process drew alike, on its device."""
        return batch[self.rank :: self.world].to(self.device)

    def seen_by(self, rank: int, world: int, device: torch.device) -> Data:
        """The same music for one process of several."""
        return replace(self, rank=rank, world=world, device=device)

    def save(self, path: Path) -> None:
        """Write one file."""
        named = {
            f"{s}.{n}": array for s, arrays in self.arrays.items() for n, array in arrays.items()
        }
        tensors = {k: torch.from_numpy(np.ascontiguousarray(array)) for k, array in named.items()}
        with written(path, (SafetensorError,)) as partial:
            save_file(tensors, partial, {"facts": json.dumps(self.facts)})

    @staticmethod
    def load(path: Path) -> Data:
        """Map what :meth:`save` wrote into memory: only pages that are read cost any.

        Raises:
            FileError: there is none, or it is broken.
        """
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                arrays: dict[str, dict[str, np.ndarray]] = {split: {} for split in SPLITS}
                for key in file.keys():  # noqa: SIM118 - the file is no dict
                    split, name = key.split(".")
                    arrays[split][name] = file.get_tensor(key).numpy()
                    arrays[split][name].flags.writeable = False
            return Data(arrays, dict(facts))
        except Exception as error:  # no such file, or a broken one: a dozen kinds
            raise FileError(
                f"The encoded music {path} is missing or broken ({type(error).__name__}): train "
                "without --resume, and it is made anew."
            ) from None


def encode_splits(
    corpus: Corpus, subset: int | None, encode: Callable[[Iterable[Song]], Arrays], **facts: Any
) -> Data:
    """Each split of a corpus by one function, and what every card says of its music.

    ``encode`` makes arrays of songs, those without notes left out; ``subset`` takes so many
    training songs; ``facts`` are what else the card should remember.

    Raises:
        SongError: a split holds no music, as when a folder has fewer than three pieces.
    """
    songs: dict[str, Sequence[Song]] = {split: corpus.part(split) for split in SPLITS}
    if subset is not None:
        songs["train"] = corpus.subset(subset)
    empty = [split for split, part in songs.items() if not any(map(len, part))]
    if empty:
        raise SongError(
            f"{corpus.source.title} has no music for {' and '.join(empty)}: training needs at "
            "least three different pieces, one of them to learn from."
        )
    about = {"name": corpus.name, "fingerprint": corpus.fingerprint}
    about["licence"] = corpus.source.licence
    arrays = {split: encode(filter(len, part)) for split, part in songs.items()}
    return Data(arrays, {"corpus": about, **facts})
