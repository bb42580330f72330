"""From a recipe to a finished run: the music encoded once, then the loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from symphony.training.encoded import encode_corpus
from symphony.training.recipes import Recipe


def train_recipe(
    recipe: Recipe,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
) -> dict[str, Any] | None:
    """Load and encode the recipe's corpus, train, and leave weights and card in ``out``.

    The encoded music stays in the run's folder, so that going on needs no corpus. Where several
    processes train together, the first encodes and the others wait for its file.
    """
    from symphony.training.folder import make_folder, writing
    from symphony.training.loop import train

    make_folder(out)  # before the corpus is read, which can take a while
    path = out / "encoded.npz"
    first = int(os.environ.get("RANK", "0")) == 0
    if first and not (resume and path.is_file()):
        from symphony.codecs import codec_from_dict
        from symphony.corpora import load_corpus

        corpus = load_corpus(recipe.corpus, progress=progress)
        encoded = encode_corpus(corpus, codec_from_dict(recipe.codec), recipe)
        with writing(out):
            encoded.save(path)
    return train(recipe, path, out, device=device, resume=resume, progress=progress)
