"""Recipes as data: every range refused in a sentence, hashes that hold, sizes that exist."""

import dataclasses
import json
from dataclasses import replace

import pytest
from running import python

from symphony.codecs import EventCodec, RollCodec
from symphony.errors import RequestError
from symphony.systems import names, recipe, system
from symphony.systems.char_rnn.network import CharLSTMConfig
from symphony.systems.iwgan.network import WGANConfig
from symphony.typed import from_json

EVERY = [(name, size) for name in names() for size in ("tiny", "small", "full")]
ONE_A_ROOM = (
    *("ngram-2", "char-rnn", "conditional-char-rnn", "rnn-gan", "iwgan", "dcrnn", "pix2pix"),
    *("seqgan", "abc-wgan", "seqae", "duration-net", "velocity-net"),
)


def ranges(chosen):
    """Fields with a range, and values just outside it; a tuple's stand behind one that fits."""
    for each in dataclasses.fields(chosen):
        if "range" in each.metadata:
            low, high, above = each.metadata["range"]
            whole = "int" in each.type
            outside = [low if above else low - (1 if whole else 0.001)]
            outside += [high + 1] if high < 1e300 else []
            outside += [] if whole else [float(word) for word in ("nan", "inf", "-inf")]
            for value in outside:
                fits = getattr(chosen, each.name)
                yield each.name, (*fits[:1], value) if isinstance(fits, tuple) else value


OUTSIDE = [(name, *each) for name in ONE_A_ROOM for each in ranges(recipe(name, "tiny"))]


@pytest.mark.parametrize(("name", "field", "value"), OUTSIDE)
def test_a_value_outside_its_range_is_refused_with_its_field(name, field, value):
    with pytest.raises(RequestError, match=rf"{field} is a finite number (from|above) .*, not"):
        replace(recipe(name, "tiny"), **{field: value})


@pytest.mark.parametrize("name", ONE_A_ROOM[1:])
def test_a_network_too_large_for_any_machine_is_refused(name):
    network = recipe(name, "tiny").network
    for each in dataclasses.fields(network):
        if each.type == "int":
            with pytest.raises(
                ValueError, match=r"No size in network is above 4,096|multiple|keyboard"
            ):
                replace(recipe(name, "tiny"), network=replace(network, **{each.name: 512_000}))


def test_every_number_of_a_recipe_has_a_range():
    for name in ONE_A_ROOM:
        for each in dataclasses.fields(recipe(name, "tiny")):
            if each.type in ("int", "float", "int | None", "float | None"):
                assert "range" in each.metadata, (name, each.name)
    fields = {field for _, field, _ in OUTSIDE}
    assert {"steps", "batch", "subset", "evaluate_every", "seed", "window", "lr", "clip",
            "validation_symbols", "order", "generator_lr", "discriminator_lr", "ema_decay",
            "eval_samples", "kept_samples", "critic_steps", "gp_weight", "r1_weight",
            "replay_batches", "label_flip", "label_smoothing", "adversarial_weight",
            "l1_weight", "bce_weight"} <= fields  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("char-rnn", {"steps": "many"}, "steps is 'many', not int"),
        ("char-rnn", {"window": 8.0}, r"window is '8\.0', not int"),
        ("char-rnn", {"batch": True}, "batch is 'True', not int"),
        ("char-rnn", {"lr": None}, "lr is 'None', not a number"),
        ("char-rnn", {"lr": 10**400}, "lr is"),
        ("char-rnn", {"keep": "worst"}, "keep is 'worst', not 'best' or 'last'"),
        ("char-rnn", {"transpose": ()}, "transpose has at least one value"),
        ("char-rnn", {"transpose": (0, 128)}, "transpose is a finite number from -127 to 127"),
        ("char-rnn", {"snapshots": (0,)}, "snapshots is a finite number from 1"),
        ("char-rnn", {"transpose": (0.5,)}, r"transpose is '0\.5', not int"),
        ("char-rnn", {"transpose": 3}, "transpose is '3', not a list"),
        ("char-rnn", {"network": WGANConfig()}, "network can't be .*WGANConfig"),
        ("char-rnn", {"codec": RollCodec()}, "codec can't be .*RollCodec"),
        ("char-rnn", {"codec": "events"}, "codec can't be .*'events'"),
        ("char-rnn", {"network": {"num_layers": 1}}, "network can't be"),
        ("conditional-char-rnn", {"condition": 32}, "condition can't be .*32"),
        (
            "conditional-char-rnn",
            {"network": CharLSTMConfig()},
            "network can't be .*CharLSTMConfig",
        ),
        ("ngram-2", {"order": 9}, "order is a finite number from -1 to 8, not 9"),
        ("iwgan", {"loss": "least squares"}, "loss is 'least squares', not 'wasserstein' or"),
        ("iwgan", {"discriminator_optimizer": "lion"}, "discriminator_optimizer is 'lion'"),
        ("iwgan", {"spectral_norm": 1}, "spectral_norm is '1', not bool"),
        ("iwgan", {"to_c": "yes"}, "to_c is 'yes', not bool"),
        ("iwgan", {"betas": (0.5, 1.0)}, "betas is a finite number from 0 to below 1"),
        ("iwgan", {"betas": (0.5,)}, "betas is .*, not 2 values"),
        ("iwgan", {"betas": (float("nan"), 0.5)}, "betas is a finite number from 0 to below 1"),
        ("iwgan", {"kept_samples": 9}, "Of 8 samples 9 can't be kept"),
        ("iwgan", {"transpose": ()}, "transpose has at least one value"),
        ("iwgan", {"codec": EventCodec()}, "codec can't be .*EventCodec"),
        ("pix2pix", {"drop": (0.6, 0.2)}, "drop is a smaller and a larger share"),
        ("pix2pix", {"drop": (0.2, 1.0)}, "drop is a finite number from 0 to below 1"),
        ("pix2pix", {"drop": (-0.1, 0.2)}, "drop is a finite number from 0 to below 1"),
        ("pix2pix", {"adversarial_weight": 0.0, "l1_weight": 0.0}, "nothing is learned"),
    ],
)
def test_what_no_run_could_follow_is_refused_with_its_reason(name, change, sentence):
    with pytest.raises(RequestError, match=sentence):
        replace(recipe(name, "tiny"), **change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("char-rnn", {"subset": None, "validation_symbols": None, "lr": 1, "seed": 2**31 - 1}),
        ("ngram-2", {"order": -1}),
        ("iwgan", {"gp_weight": 0.0, "r1_weight": 3, "ema_decay": 0.0}),
        ("rnn-gan", {"replay_batches": 0, "label_flip": 0.999}),
        ("pix2pix", {"drop": (0.0, 0.0), "l1_weight": 0.0}),
        ("duration-net", {"stretch": 0.0, "jitter": 0.0, "drift": 0.0}),
    ],
)
def test_what_lies_at_the_edge_of_a_range_is_taken(name, change):
    made = replace(recipe(name, "tiny"), **change)
    assert all(getattr(made, field) == value for field, value in change.items())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("char-rnn", {"transpose": [0, 3]}),
        ("char-rnn", {"snapshots": [1, 2]}),
        ("iwgan", {"betas": [0.5, 0.9]}),
        ("pix2pix", {"drop": [0.1, 0.2]}),
    ],
)
def test_a_list_does_for_several_values_or_is_refused(name, change):
    try:
        made = replace(recipe(name, "tiny"), **change)
    except RequestError:
        return
    as_tuple = {field: tuple(value) for field, value in change.items()}
    assert made.hash == replace(recipe(name, "tiny"), **as_tuple).hash


@pytest.mark.parametrize(("name", "size"), EVERY)
def test_every_name_comes_in_every_size_and_can_be_built(name, size):
    made = recipe(name, size)
    assert (made.name, made.size) == (name, size)
    assert system(made).recipe is made


@pytest.mark.parametrize(("name", "size"), EVERY)
def test_a_recipe_survives_json_and_keeps_its_hash(name, size):
    made = recipe(name, size)
    back = from_json(type(made), json.loads(json.dumps(made.to_dict())), "recipe")
    assert back == made
    assert back.hash == made.hash


def test_no_two_recipes_have_one_hash():
    hashes = {recipe(name, size).hash for name, size in EVERY}
    assert len(hashes) == len(EVERY)
    assert replace(recipe("char-rnn"), clip=2.0).hash not in hashes


def test_a_hash_is_the_same_in_any_process():
    code = "from symphony.systems import names, recipe; print(*(recipe(n).hash for n in names()))"
    assert python("-c", code).split() == [recipe(name).hash for name in names()]


def test_names_are_unknown_with_a_suggestion():
    with pytest.raises(RequestError, match=r"no recipe 'charrnn'\. Did you mean char-rnn\?"):
        recipe("charrnn")
    with pytest.raises(RequestError, match=r"no recipe 'xxxxxxxx'\. There are: uniform, unigram"):
        recipe("xxxxxxxx")
    with pytest.raises(RequestError, match="in the sizes tiny, small, full, not 'huge'"):
        recipe("char-rnn", "huge")


@pytest.mark.parametrize("name", [n for n in names() if n.startswith("char-rnn")])
def test_the_sizes_of_char_rnns_are_what_the_book_says(name):
    small, full = recipe(name, "small").network, recipe(name, "full").network
    reported = name == "char-rnn-reported"
    assert (small.num_layers, small.hidden_size) == ((2, 256) if reported else (1, 512))
    assert (full.num_layers, full.hidden_size) == (3, 512)


@pytest.mark.parametrize("size", ["small", "full"])
def test_the_copyist_differs_in_what_it_hears_and_when_it_stops_and_in_nothing_else(size):
    model, copyist = recipe("char-rnn", size), recipe("char-rnn-overfit", size)
    assert (copyist.subset, copyist.keep) == (32, "last")
    assert copyist.snapshots[-1] == copyist.steps
    own = ("name", "subset", "keep", "steps", "evaluate_every", "snapshots")
    assert replace(copyist, **{field: getattr(model, field) for field in own}) == model


def test_the_reports_own_settings():
    plain, told = recipe("char-rnn-reported", "full"), recipe("conditional-char-rnn-reported")
    assert (plain.window, plain.lr, plain.keep, plain.network.embedding_dim) == (
        64, 1e-4, "last", 500
    )  # fmt: skip
    assert told.condition.density == "share"
    assert told.network.condition_dropout == 0


def test_the_sizes_of_gans_are_the_originals_where_full():
    assert recipe("rnn-gan", "full").network.hidden_size == 512
    assert recipe("rnn-gan", "full").discriminator_optimizer == "sgd"
    assert recipe("iwgan", "full").critic_steps == 5
    assert recipe("dcrnn", "full").network.repeat == 3
    assert recipe("pix2pix", "full").network.channels == 64


def test_the_full_duration_net_has_the_originals_layers():
    network = recipe("duration-net", "full").network
    assert (network.token_dim, network.duration_dim, network.hidden_size) == (512, 256, 64)
    assert (network.top_size, network.fc_size) == (128, 200)
    assert recipe("duration-net").stretch == 0.2  # 80 to 120 %
