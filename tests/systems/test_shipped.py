"""What comes with the library is what today's recipes would give, measured again."""

from dataclasses import replace

import pytest

from symphony.corpora import is_present, load_corpus
from symphony.systems import SHIPPED, load, recipe, shipped, system
from symphony.training import Card

every_shipped = pytest.mark.parametrize("name", shipped())


@every_shipped
def test_shipped_weights_follow_todays_recipe(name):
    card = Card.load(SHIPPED / name)
    assert card.recipe_hash == recipe(name).hash
    assert card.recipe == recipe(name).to_dict()


@every_shipped
def test_a_loaded_recipe_is_todays_recipe(name):
    trained = load(name)
    assert trained.recipe == recipe(name)
    assert trained.recipe.hash == trained.card.recipe_hash


@every_shipped
def test_a_shipped_cards_check_can_be_measured_again(name):
    trained = load(name)
    if not is_present(trained.recipe.corpus):
        pytest.skip(f"the corpus {trained.recipe.corpus} is not here")
    corpus = load_corpus(trained.recipe.corpus, progress=False)
    assert corpus.fingerprint == trained.card.corpus["fingerprint"]
    data = system(replace(trained.recipe, subset=1)).encode(corpus)
    found = trained.system.check(trained.nets, data)
    assert found == pytest.approx(trained.card.metrics["checked"], abs=1e-3)


@every_shipped
def test_a_shipped_card_is_whole(name):
    card = Card.load(SHIPPED / name)
    assert card.curve
    assert card.best_step in [point["step"] for point in card.curve]
    assert card.curve[-1]["step"] == recipe(name).steps
    nets = load(name).nets
    counts = {k: sum(p.numel() for p in net.parameters()) for k, net in nets.items()}
    assert card.parameters == counts
    assert {"torch", "numpy", "deep-symphony"} <= set(card.versions)
    assert set(card.corpus) == {"name", "fingerprint", "licence"}


def test_shipped_weights_stay_small():
    assert sum(p.stat().st_size for p in SHIPPED.rglob("*") if p.is_file()) < 60_000_000
