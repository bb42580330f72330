"""A corpus as streams of symbols: all that training needs, in one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int16

from symphony.errors import SymphonyError

if TYPE_CHECKING:
    from symphony.codecs import ConditionCodec, EventCodec
    from symphony.corpora import Corpus
    from symphony.song import Song
    from symphony.training.recipes import Recipe

PARTS = ("train", "validation", "test")


class EncodedError(SymphonyError):
    """An encoded corpus that can't be made or read."""


@dataclass(frozen=True)
class EncodedCorpus:
    """Three streams of symbols; the start symbol begins every song and closes the stream.

    Attributes:
        train, validation, test: symbols, the start symbol being ``vocabulary``.
        vocabulary: the codec's number of symbols.
        codec: the codec's ``to_dict()``.
        corpus: name, fingerprint and licence of the corpus.
    """

    train: Int16[np.ndarray, " t"]
    validation: Int16[np.ndarray, " t"]
    test: Int16[np.ndarray, " t"]
    vocabulary: int
    codec: dict[str, Any]
    corpus: dict[str, str]

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, whole or not at all."""
        about = {"vocabulary": self.vocabulary, "codec": self.codec, "corpus": self.corpus}
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(file, about=json.dumps(about), **{p: getattr(self, p) for p in PARTS})
        partial.replace(path)

    def check(self) -> None:
        """Refuse streams that no model of this vocabulary could read.

        Raises:
            EncodedError: which split is wrong, and how.
        """
        for part in PARTS:
            stream = getattr(self, part)
            if stream.ndim != 1 or stream.dtype != np.int16 or len(stream) < 2:
                raise EncodedError(f"Its {part} split is no stream of symbols.")
            if stream.min() < 0 or stream.max() > self.vocabulary:
                raise EncodedError(
                    f"Its {part} split has symbols outside 0 to {self.vocabulary}, where the "
                    "start symbol stands."
                )

    @staticmethod
    def load(path: Path) -> EncodedCorpus:
        """Read what :meth:`save` wrote.

        Raises:
            EncodedError: no such file, or one that is broken.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                encoded = EncodedCorpus(**{p: file[p] for p in PARTS}, **about)
            encoded.check()
            return encoded
        except FileNotFoundError:
            raise EncodedError(f"There is no encoded corpus {path}.") from None
        except EncodedError as error:
            raise EncodedError(
                f"The encoded corpus {path} can't be used. {error} Remove it, and it is made anew."
            ) from None
        except Exception as error:  # a broken zip raises a dozen kinds
            raise EncodedError(
                f"The encoded corpus {path} is broken ({type(error).__name__}): remove it, and it "
                "is made anew."
            ) from None


def encode_corpus(corpus: Corpus, codec: EventCodec, recipe: Recipe | None = None) -> EncodedCorpus:
    """All songs of a corpus as streams.

    Args:
        corpus: what to encode.
        codec: how.
        recipe: whose subset and transpositions apply to the training split; None for neither.

    Raises:
        EncodedError: a split holds no music, as when a folder has fewer than three pieces.
    """
    subset = recipe.subset if recipe else None
    training: Iterable[Song] = corpus.train if subset is None else corpus.subset(subset)
    streams = {
        "train": encode_songs(training, codec, recipe.transpose if recipe else (0,)),
        "validation": encode_songs(corpus.validation, codec),
        "test": encode_songs(corpus.test, codec),
    }
    empty = [part for part, stream in streams.items() if len(stream) < 2]
    if empty:
        raise EncodedError(
            f"{corpus.source.title} has no music for {' and '.join(empty)}: training needs at "
            "least three different pieces, one of them to learn from."
        )
    about = {"name": corpus.name, "fingerprint": corpus.fingerprint}
    about["licence"] = corpus.source.licence
    return EncodedCorpus(
        **streams, vocabulary=codec.vocabulary, codec=codec.to_dict(), corpus=about
    )


def condition_codec(recipe: Recipe) -> ConditionCodec | None:
    """What the recipe's model is told beside the symbols; None for nothing.

    Raises:
        EncodedError: settings that no condition has.
    """
    from symphony.codecs import ConditionCodec

    about = recipe.model.get("condition")
    if about is None:
        return None
    try:
        return ConditionCodec(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in about.items()}
        )
    except TypeError:
        raise EncodedError(f"A condition has no such settings: {about}.") from None


def encode_songs(
    songs: Iterable[Song], codec: EventCodec, transpose: tuple[int, ...] = (0,)
) -> Int16[np.ndarray, " t"]:
    """Songs as one stream, the start symbol before each and at the end.

    Args:
        songs: what to encode; songs without notes are left out.
        codec: how.
        transpose: semitones by which each song is written, one after the other.
    """
    start = np.array([codec.vocabulary], np.int16)
    parts = [start]
    for song in songs:
        if not len(song):
            continue
        low, high = int(song.pitch.min()), int(song.pitch.max())
        for semitones in transpose:
            if low + semitones >= 0 and high + semitones <= 127:
                parts += [codec.encode(song.transposed(semitones)), start]
    return np.concatenate(parts)
