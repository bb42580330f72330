"""Cards from strangers: whatever is in them, it ends in a sentence."""

import json
from contextlib import suppress

import pytest

from symphony.errors import FileError
from symphony.training import Card


@pytest.fixture
def written(finished, tmp_path):
    """Write a card's text; returns its folder."""

    def write(text):
        (tmp_path / "card.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return write


def spoiled(finished, name, value):
    card = json.loads((finished / "card.json").read_text())
    return json.dumps(card | {name: value})


def test_a_card_comes_back_from_its_file(finished, tmp_path):
    card = Card.load(finished)
    card.save(tmp_path)
    assert Card.load(tmp_path) == card
    assert card.corpus == {"name": "numbers", "fingerprint": "0", "licence": "none"}


def test_a_card_of_the_few_things_that_must_be_known(written):
    few = {"system": "line", "recipe": {}, "recipe_hash": "x", "facts": {"corpus": {}}}
    card = Card.load(written(json.dumps(few)))
    assert (card.curve, card.metrics, card.processes) == ([], {}, 1)


def test_a_card_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(FileError, match=r"card in .* can't be read: No such file"):
        Card.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("system", 3),
        ("system", None),
        ("recipe", "char-rnn"),
        ("recipe", []),
        ("recipe_hash", 12),
        ("facts", []),
        ("facts", {}),
        ("facts", {"corpus": "chorales"}),
        ("facts", {"corpus": {"name": 3}}),
        ("weights_sha256", None),
        ("best_step", 1.5),
        ("best_step", True),
        ("versions", {"torch": 2}),
        ("hardware", ["a CPU"]),
        ("processes", "2"),
        ("minutes", "long"),
        ("minutes", [[[[]]]]),
        ("parameters", {"network": 1.5}),
        ("curve", {"step": 1}),
        ("curve", [1, 2]),
        ("curve", [{"step": "first"}]),
        ("curve", [{"step": {"deep": [{}]}}]),
        ("metrics", [0.5]),
        ("metrics", {"test_nats": None}),
        ("measured", "nothing"),
        ("unheard-of", 1),
        ("__class__", "Card"),
    ],
)
def test_a_card_with_something_else_in_a_field_is_refused(name, value, finished, written):
    with pytest.raises(FileError, match=r"The card in .* is broken"):
        Card.load(written(spoiled(finished, name, value)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "3", '"card"', "{}", b"\xff\xfe\x00\x01", b"\x80abc", "[" * 100_000,
     '{"system": ' * 50_000, '{"minutes": ' + "9" * 5000 + "}", "nan", "{'system': 'line'}"],
)  # fmt: skip
def test_what_is_no_card_at_all_is_refused(text, written):
    with pytest.raises(FileError, match=r"The card in .* is broken"):
        Card.load(written(text))


@pytest.mark.parametrize("name", ["minutes", "curve", "recipe", "facts", "measured"])
@pytest.mark.parametrize("depth", [5, 900, 990, 5000])
def test_however_deep_a_card_is_nested_it_is_read_or_refused(depth, name, finished, written):
    text = spoiled(finished, name, "here").replace('"here"', "[" * depth + "]" * depth)
    with pytest.raises(FileError, match=r"The card in .* is broken"):
        Card.load(written(text))


LARGE = 10**400  # a whole number in JSON, and too large for a fraction


@pytest.mark.parametrize("name", ["minutes", "curve", "metrics"])
def test_a_number_too_large_for_a_card_is_no_overflow_error(name, finished, written):
    value = {"minutes": LARGE, "curve": [{"step": LARGE}], "metrics": {"a": -LARGE}}[name]
    with suppress(FileError):  # or it is read
        Card.load(written(spoiled(finished, name, value)))
