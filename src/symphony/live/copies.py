"""The training music as a browser's copy meter needs it: a small number an onset, and no notes.

The meter finds the longest run that the piece now playing shares with the training music, as
:mod:`symphony.evaluation.originality` does. For that it needs no pitch and no time: ten bits of
each onset's token. Music gives the same length with ten as with all 64; notes drawn at random,
which share two onsets or so, may seem to share one or two more.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64, UInt16

from symphony.errors import FileError
from symphony.evaluation.index import OriginalityIndex
from symphony.evaluation.onsets import HASHES, beginning
from symphony.files import sentence, written

if TYPE_CHECKING:
    from symphony.corpora import Corpus

KEPT = "copies.npz"  # beside a model's weights
BITS = 10  # of a token's hash; with eight, one piece in twenty-five seems to share an onset more
BOUNDARY = 2**16 - 1  # what stands between two pieces, and is no token
LENGTHS = tuple(round(2 ** (k / 2)) for k in range(6, 25))  # in onsets, as Originality rounds them


@dataclass(frozen=True)
class CopyIndex:
    """The tokens of the training music, shortened, and what unseen music shares with it.

    Attributes:
        symbols: the last ten bits of each token, one piece after another.
        begins: where each piece begins among them, and their number at the end.
        names: what the pieces are called.
        lengths: onsets to which unseen pieces were cut, from their beginnings.
        median: the longest run that half of the unseen pieces, so cut, share.
        p95: the same for 95 % of them.
        fingerprint: the corpus's.
    """

    symbols: UInt16[np.ndarray, " n"]
    begins: Int64[np.ndarray, " pieces+1"]
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    median: tuple[float, ...]
    p95: tuple[float, ...]
    fingerprint: str

    @staticmethod
    def of_corpus(corpus: Corpus, lengths: Sequence[int] = LENGTHS) -> CopyIndex:
        """From a corpus's training pieces, beside its validation and test pieces."""
        index = OriginalityIndex(list(corpus.train))
        unseen = [*corpus.validation, *corpus.test]
        runs = [[index.longest_run(beginning(song, n)) for song in unseen] for n in lengths]
        return CopyIndex(
            (index.tokens & np.uint64(2**BITS - 1)).astype(np.uint16),
            index.begins,
            tuple(song.name for song in corpus.train),
            tuple(lengths),
            tuple(float(np.median(row)) for row in runs),
            tuple(float(np.percentile(row, 95)) for row in runs),
            corpus.fingerprint,
        )

    def save(self, path: Path) -> None:
        """Write it as one file."""
        words = json.dumps(
            {name: getattr(self, name) for name in ("names", "lengths", "median", "p95")}
            | {"fingerprint": self.fingerprint}
        )
        with written(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                symbols=self.symbols,
                begins=self.begins,
                words=np.frombuffer(words.encode(), np.uint8),
            )

    @staticmethod
    def load(path: Path) -> CopyIndex:
        """From what :meth:`save` wrote.

        Raises:
            FileError: no such file, or another kind of file.
        """
        with sentence(f"{path} can't be read"):
            file = path.open("rb")
        try:
            with file, np.load(file, allow_pickle=False) as kept:
                words = json.loads(kept["words"].tobytes())
                lists = {k: tuple(v) for k, v in words.items() if k != "fingerprint"}
                return CopyIndex(
                    kept["symbols"], kept["begins"], fingerprint=words["fingerprint"], **lists
                )
        except Exception:  # zipfile's, NumPy's, JSON's, or a field that isn't there
            raise FileError(f"{path} holds no index of copies.") from None

    def packed(self) -> dict[str, Any]:
        """What ``copies.js`` calls a packed index: a header, and the symbols as text."""
        pieces = np.insert(self.symbols, self.begins[1:-1], BOUNDARY)
        return {
            "header": {
                "bits": BITS,
                "hashes": (HASHES & np.uint64(2**BITS - 1)).tolist(),
                "boundary": BOUNDARY,
                "names": self.names,
                "lengths": self.lengths,
                "median": self.median,
                "p95": self.p95,
            },
            "data": base64.b64encode(zlib.compress(pieces.astype("<u2").tobytes(), 9)).decode(),
        }

    def write_script(self, path: Path) -> None:
        """The script that pages load: it leaves the packed index in ``symphonyCopies``."""
        path.write_text(f"globalThis.symphonyCopies={json.dumps(self.packed())};\n", "utf-8")
