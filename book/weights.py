"""Train the models that ship with the library, where their recipe has changed.

``python book/weights.py`` sees to all of them, ``python book/weights.py NAME …`` to some.

A finished run in runs/NAME-small that follows today's recipe is taken as it is; an unfinished one
is resumed, and a run of an older recipe is set aside. Recipes that keep snapshots also get their
copying measured step by step, and models of a corpus that can't be shipped are measured beside
its unseen music, for the card to keep. Every shipped model's evaluation is kept as well.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from symphony.corpora import SOURCES, is_present, load_corpus
from symphony.evaluation import Originality
from symphony.studies import beside_real, copying_by_step, evaluate
from symphony.training import GanRecipe, RecipeError, load_model, recipe, train_recipe
from symphony.training.checkpoint import SHIPPED, write_card
from symphony.training.recipes import names

RUNS = Path(__file__).resolve().parents[1] / "runs"


def follows(folder: Path, wanted: str) -> bool:
    """Whether a folder's card belongs to the recipe of this hash."""
    card = folder / "card.json"
    return card.is_file() and json.loads(card.read_text())["recipe_hash"] == wanted


def keep_evaluation(name: str) -> None:
    """Measure a shipped model beside its anchors, where that was not done for these weights."""
    trained, path = load_model(name), SHIPPED / name / "evaluation.json"
    sha256 = trained.card["weights_sha256"]
    if path.is_file() and json.loads(path.read_text())["weights_sha256"] == sha256:
        return
    if not is_present(trained.recipe.corpus):
        print(f"{name}: not evaluated, for the corpus {trained.recipe.corpus} is not here")
        return
    found = evaluate(trained, load_corpus(trained.recipe.corpus)) | {"weights_sha256": sha256}
    path.write_text(json.dumps(found) + "\n")
    print(f"{name}: evaluated")


def main() -> None:
    """See the module's docstring."""
    for name in sys.argv[1:] or names():
        if name.endswith("-reported"):  # the report's own setting, for its own songs
            continue
        plan, home, run = recipe(name), SHIPPED / name, RUNS / f"{name}-small"
        if follows(home, plan.hash):
            print(f"{name}: shipped weights follow today's recipe")
            keep_evaluation(name)
            continue
        if not is_present(plan.corpus):
            print(f"{name}: left alone, for the corpus {plan.corpus} is not here")
            continue
        if not follows(run, plan.hash):
            try:
                train_recipe(plan, run, resume=(run / "state.ckpt").is_file())
            except RecipeError as error:  # what is there follows another recipe
                print(f"{name}: {error} Starting anew.")
                train_recipe(plan, run)
        card = json.loads((run / "card.json").read_text())
        if plan.snapshots and not isinstance(plan, GanRecipe):
            judge = Originality.of_corpus(load_corpus(plan.corpus))
            card["copying"] = copying_by_step(run, judge)
        if not SOURCES[plan.corpus].embedded:
            card["beside_real"] = beside_real(load_model(run), load_corpus(plan.corpus))
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / "weights.safetensors", home)
        if (run / "film.npz").is_file():  # the rolls a GAN made on its way
            shutil.copy(run / "film.npz", home)
        write_card(home, card)
        print(f"{name}: shipped")
        keep_evaluation(name)


if __name__ == "__main__":
    main()
