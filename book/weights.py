"""Train the models that ship with the library, where their recipe has changed.

``python book/weights.py`` sees to all of them, ``python book/weights.py NAME …`` to some.

A finished run in runs/NAME-small that follows today's recipe is taken as it is; an unfinished one
is resumed, and a run of an older recipe is set aside. Recipes that keep snapshots also get their
copying measured step by step, and models of a corpus that can't be shipped are measured against
its unseen music, for the card to keep. Every shipped model's evaluation is kept as well.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from symphony import load, load_corpus, train
from symphony.corpora import SOURCES, is_present
from symphony.errors import FileError, RequestError
from symphony.evaluation import Originality
from symphony.experiments import (
    against_real,
    choose_drawing,
    copying_by_step,
    encoder_of,
    evaluate,
    refining,
    shipped_evaluation,
    shipped_folder,
)
from symphony.files import written
from symphony.live.copies import KEPT, CopyIndex
from symphony.systems import recipe
from symphony.training import Card, Recipe
from symphony.training.card import CARD
from symphony.training.run import SAMPLES, STATE, WEIGHTS

RUNS = Path(__file__).resolve().parents[1] / "runs"
SHIPPED_RECIPES = (
    "char-rnn",
    "char-rnn-overfit",
    "char-rnn-performances",
    "conditional-char-rnn",
    "rnn-gan",
    "iwgan",
    "dcrnn",
    "pix2pix",
    "unet",
    "seq-autoencoder",
    "seqae",
    "seqae-chorales",
    "duration-net",
    "velocity-net",
    "seqgan",
    "abc-wgan",
)
# Nets that refine compose nothing of their own: what they do to held-out music is measured.
REFINED = {
    "duration-net": refining.duration_results,
    "velocity-net": refining.velocity_results,
}
PLAYED = ("conditional-char-rnn",)  # on a page, in the reader's browser
# Models whose temperature and top-p validation chose; the copyist draws as it has learned to.
DRAWN_AS_CHOSEN = ("char-rnn", "char-rnn-performances", "conditional-char-rnn")


def follows(folder: Path, chosen: Recipe) -> bool:
    """Whether a folder's card belongs to this recipe."""
    return (folder / CARD).is_file() and Card.load(folder).recipe_hash == chosen.hash


def train_or_resume(chosen: Recipe, run: Path) -> None:
    """Go on with an unfinished run where it follows this recipe; else train anew."""
    resume = (run / STATE).is_file()
    try:
        train(chosen, run, resume=resume)
    except RequestError as error:
        if not resume:
            raise
        print(f"{chosen.name}: {error} Starting anew.")
        train(chosen, run)


def measured(chosen: Recipe, run: Path) -> dict[str, Any]:
    """What experiments add to the card of a run."""
    found: dict[str, Any] = {}
    if chosen.name in DRAWN_AS_CHOSEN:
        found["drawing"] = choose_drawing(load(run), load_corpus(chosen.corpus))
    if chosen.snapshots:
        found["copying"] = copying_by_step(run, Originality.of_corpus(load_corpus(chosen.corpus)))
    if chosen.name in REFINED:
        found["refined"] = REFINED[chosen.name](load(run), load_corpus(chosen.corpus))
    elif not SOURCES[chosen.corpus].embedded:
        found["against_real"] = against_real(load(run), load_corpus(chosen.corpus))
    return found


def ship(chosen: Recipe, run: Path) -> None:
    """Put weights, samples and card where the library looks for them; the card last."""
    home = shipped_folder(chosen.name)
    found = measured(chosen, run)
    defaults = found.get("drawing", {}).get("defaults", {})
    card = replace(Card.load(run), measured=found, defaults=defaults)
    home.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, SAMPLES):
        if (run / name).is_file():
            shutil.copy(run / name, home)
    card.save(home)
    print(f"{chosen.name}: shipped")


def keep_evaluation(name: str) -> None:
    """Evaluate a shipped model beside its anchors, where that was not done for these weights.

    It is done anew, too, where the encoder was trained anew, by which all models are compared.
    """
    trained = load(name)
    corpus, sha256 = trained.recipe.corpus, trained.card.weights_sha256
    try:
        kept = shipped_evaluation(name)
        today = sha256, encoder_of(corpus).card.weights_sha256
        if (kept["weights_sha256"], kept.get("encoder")) == today:
            return
    except FileError:  # none is kept yet
        pass
    if not is_present(corpus):
        print(f"{name}: not evaluated, for the corpus {corpus} is not here")
        return
    found = evaluate(trained, load_corpus(corpus)) | {"weights_sha256": sha256}
    with written(shipped_folder(name) / "evaluation.json") as partial:
        partial.write_text(json.dumps(found) + "\n")
    print(f"{name}: evaluated")


def keep_copies(name: str) -> None:
    """Keep what the copy meter of the page to play on needs, where it is not kept yet."""
    kept, corpus = shipped_folder(name) / KEPT, recipe(name).corpus
    if not is_present(corpus):
        return
    found = load_corpus(corpus)
    if not kept.is_file() or CopyIndex.load(kept).fingerprint != found.fingerprint:
        CopyIndex.of_corpus(found).save(kept)
        print(f"{name}: copy meter's index kept")


def main() -> None:
    """See the module's docstring."""
    for name in sys.argv[1:] or SHIPPED_RECIPES:
        chosen, run = recipe(name), RUNS / f"{name}-small"
        if follows(shipped_folder(name), chosen):
            print(f"{name}: shipped weights follow today's recipe")
        elif not is_present(chosen.corpus):
            print(f"{name}: left alone, for the corpus {chosen.corpus} is not here")
            continue
        else:
            if not follows(run, chosen):
                train_or_resume(chosen, run)
            ship(chosen, run)
        if name not in REFINED:
            keep_evaluation(name)
        if name in PLAYED:
            keep_copies(name)


if __name__ == "__main__":
    main()
