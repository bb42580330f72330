"""From a recipe to a finished run: the music encoded once, then the loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from symphony.training.encoded import encode_corpus
from symphony.training.gan_recipes import GanRecipe
from symphony.training.recipes import Recipe


def train_recipe(
    recipe: Recipe | GanRecipe,
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

    if isinstance(recipe, GanRecipe):
        from symphony.training.adversarial import train_gan
        from symphony.training.gan_models import config_of
        from symphony.training.rolls import encode_rolls, roll_codec

        config_of(recipe)  # what can't be built is refused before the corpus is read

    make_folder(out)  # before the corpus is read, which can take a while
    path = out / "encoded.npz"
    first = int(os.environ.get("RANK", "0")) == 0
    if first and not (resume and path.is_file()):
        from symphony.codecs import codec_from_dict
        from symphony.corpora import load_corpus

        corpus = load_corpus(recipe.corpus, progress=progress)
        encoded: Any
        if isinstance(recipe, GanRecipe):
            encoded = encode_rolls(corpus, roll_codec(recipe), recipe)
        else:
            encoded = encode_corpus(corpus, codec_from_dict(recipe.codec), recipe)
        with writing(out):
            encoded.save(path)
    if isinstance(recipe, GanRecipe):
        return train_gan(recipe, path, out, device=device, resume=resume, progress=progress)
    return train(recipe, path, out, device=device, resume=resume, progress=progress)
