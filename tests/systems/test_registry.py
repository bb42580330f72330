"""Names to systems and back: what can be loaded, and what is said where nothing can."""

import json
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from making import random_song
from running import Interrupted, Music, press_ctrl_c, run, same_weights

from symphony.errors import FileError, RequestError, SongError
from symphony.files import sha256, workplace
from symphony.systems import (
    controls_of,
    load,
    load_snapshots,
    names,
    recipe,
    shipped,
    system,
    train,
)
from symphony.systems.dcrnn.system import DCRNNControls
from symphony.systems.pix2pix.system import Pix2PixControls
from symphony.systems.sampling import SamplingControls
from symphony.training import Card


@pytest.fixture
def copied(runs, tmp_path):
    """A finished run to spoil, by name; a function that changes its card."""

    def copy(name, change=lambda card: card):
        folder = tmp_path / name
        shutil.copytree(runs.folder(name), folder)
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(change(card)))
        return folder

    return copy


def setting(path, value):
    """A change of a card: a value put at a path such as "recipe.network.steps"."""

    def change(card):
        *places, last = path.split(".")
        at = card
        for place in places:
            at = at[place]
        at[last] = value
        return card

    return change


def test_a_run_is_loaded_from_its_folder_by_path_or_name(runs, monkeypatch):
    folder = runs.folder("iwgan")
    assert load(folder).card == load(str(folder)).card == Card.load(folder)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in ("../" + folder.parent.name + "/iwgan", "~/iwgan", "./iwgan"):
        assert load(name).card == Card.load(folder)


def test_a_shipped_name_comes_before_a_folder_of_that_name(runs, monkeypatch):
    monkeypatch.chdir(runs.folder("iwgan").parent)
    assert load("iwgan").recipe.size == "small"
    assert load("./iwgan").recipe.size == "tiny"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("char-rn", r"no model 'char-rn'.*Did you mean char-rnn\?"),
        ("ngram-9", r"no model 'ngram-9'.*Did you mean ngram-\d\?"),
        ("nobody", "no model 'nobody': neither shipped nor the folder of a finished run"),
        ("~nobody-of-this-name/run", "neither shipped nor"),
        ("", "neither shipped nor"),
        ("/", "neither shipped nor"),
    ],
)
def test_what_is_no_model_is_said_with_the_nearest_that_is(name, sentence):
    with pytest.raises(FileError, match=sentence):
        load(name)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800"])
def test_names_that_no_folder_can_have_are_no_models(name):
    with pytest.raises(FileError, match="neither shipped nor"):
        load(name)


@pytest.mark.parametrize("place", ["card.json", "card.json/deeper", "nowhere"])
def test_what_is_no_folder_of_a_run_is_no_model(place, runs):
    with pytest.raises(FileError, match="neither shipped nor"):
        load(runs.folder("iwgan") / place)


def test_an_unfinished_run_says_how_to_go_on(runs, tmp_path):
    learner = Interrupted(runs.system("iwgan"), 2, press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run(learner, runs.data("iwgan"), tmp_path)
    with pytest.raises(FileError, match=rf"isn't finished: go on with --resume --out {tmp_path}"):
        load(tmp_path)


TAMPERED = [
    ("iwgan", "system", "nobody"),
    ("iwgan", "system", "..os"),
    ("iwgan", "system", "dcrnn"),
    ("iwgan", "system", ["iwgan"]),
    ("iwgan", "unheard-of", 1),
    ("iwgan", "recipe", []),
    ("iwgan", "recipe.steps", "many"),
    ("iwgan", "recipe.steps", 0),
    ("iwgan", "recipe.steps", 10**400),
    ("iwgan", "recipe.unheard-of", 1),
    ("iwgan", "recipe.name", None),
    ("iwgan", "recipe.generator_lr", float("nan")),
    ("iwgan", "recipe.generator_lr", 10**400),
    ("iwgan", "recipe.betas", [10**400, 0.5]),
    ("iwgan", "recipe.betas", {"a": 1}),
    ("iwgan", "recipe.loss", {"deep": [[[]]]}),
    ("iwgan", "recipe.codec", {"name": "events"}),
    ("iwgan", "recipe.codec.steps_per_quarter", 0),
    ("iwgan", "recipe.network", None),
    ("iwgan", "recipe.network.widht", 3),
    ("iwgan", "recipe.network.steps", 17),
    ("iwgan", "recipe.network.steps", 10**30),
    ("iwgan", "recipe.network.channels", 10**12),
    ("iwgan", "recipe.network.channels", -8),
    ("iwgan", "recipe.network.generator", "stylegan"),
    ("iwgan", "recipe.network.recurrent", [1]),
    ("rnn-gan", "recipe.network.hidden_size", 10**9),
    ("rnn-gan", "recipe.network.noise", 2**62),
    ("rnn-gan", "recipe.network.output_bias_init", "quiet"),
    ("rnn-gan", "recipe.replay_batches", 10**15),
    ("char-rnn", "recipe.network.hidden_size", 10**9),
    ("char-rnn", "recipe.network.num_layers", 0),
    ("char-rnn", "recipe.network.dropout", 7.0),
    ("char-rnn", "recipe.codec.velocity_bins", 9),
    ("conditional-char-rnn", "recipe.condition.window", 1),
    ("conditional-char-rnn", "recipe.condition.density", "much"),
    ("conditional-char-rnn", "recipe.condition.pitch_edges", [1, 2]),
    ("conditional-char-rnn", "recipe.condition.pitch_edges", [10**400] * 9),
    ("conditional-char-rnn", "recipe.network.groups", [10, "ten"]),
    ("dcrnn", "recipe.network.phrase", 0),
    ("pix2pix", "recipe.drop", [0.9, 0.1]),
    ("pix2pix", "facts", {"corpus": 3}),
    ("ngram-2", "recipe.order", 99),
    ("ngram-2", "recipe.order", "two"),
]


@pytest.mark.parametrize(("name", "path", "value"), TAMPERED, ids=lambda value: str(value)[:24])
def test_a_card_that_was_tampered_with_is_refused_with_a_sentence(name, path, value, copied):
    folder = copied(name, setting(path, value))
    with pytest.raises(FileError, match=r"The card (in .* )?is broken|can't be built|don't fit"):
        load(folder)


@pytest.mark.parametrize("depth", [3, 100, 900, 960, 980, 100_000])
@pytest.mark.parametrize("place", ["recipe", "steps", "network", "drop"])
def test_however_deep_a_recipe_is_nested_it_is_refused_with_a_sentence(place, depth, copied):
    path = "recipe" if place == "recipe" else f"recipe.{place}"
    folder = copied("pix2pix", setting(path, "here"))
    text = (folder / "card.json").read_text().replace('"here"', "[" * depth + "]" * depth)
    (folder / "card.json").write_text(text)
    before = sys.getrecursionlimit()
    with pytest.raises(FileError, match="is broken"):
        load(folder)
    assert sys.getrecursionlimit() == before


@pytest.mark.parametrize(
    "keys", [None, [], {}, {"major": 3, "minor": 3}, {"major": [1.0], "minor": [1.0]}]
)
def test_a_card_whose_keys_are_spoiled_composes_nothing_but_a_sentence(keys, copied):
    folder = copied("dcrnn", setting("facts.keys", keys))
    with pytest.raises((FileError, RequestError)):
        load(folder).compose(2.0)


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "folder"])
def test_weights_that_are_not_the_cards_are_refused(harm, copied):
    folder = copied("char-rnn")
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    path.unlink()
    if harm == "folder":
        path.mkdir()
    elif harm != "missing":
        path.write_bytes(whole[:-100] if harm == "cut" else whole[:-1] + b"\x7f")
    with pytest.raises(FileError, match="not those its card describes"):
        load(folder)


def test_a_pickle_in_place_of_weights_runs_nothing(copied):
    folder = copied("iwgan")
    mark = folder / "it-ran"

    class Payload:
        def __reduce__(self):
            return open, (str(mark), "w")

    torch.save({"x": Payload()}, folder / "weights.safetensors")
    card = replace(Card.load(folder), weights_sha256=sha256(folder / "weights.safetensors"))
    card.save(folder)
    with pytest.raises(FileError, match="don't fit"):
        load(folder)
    assert not mark.exists()


def test_snapshots_of_another_net_are_refused(copied, runs):
    folder = copied("iwgan")
    shutil.copy(runs.folder("rnn-gan") / "weights.safetensors", folder / "step-000003.safetensors")
    with pytest.raises(FileError, match=r"step-000003\.safetensors don't fit"):
        load_snapshots(folder)


def test_a_run_without_snapshots_has_none(runs):
    assert load_snapshots(runs.folder("iwgan")) == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dcrnn", DCRNNControls),
        ("pix2pix", Pix2PixControls),
        ("char-rnn", SamplingControls),
        ("ngram-4", SamplingControls),
        ("uniform", SamplingControls),
    ],
)
def test_what_a_model_may_be_told_is_known_without_its_weights(name, kind):
    assert type(controls_of(name)) is kind


def test_what_the_model_of_a_run_may_be_told(copied):
    folder = copied("dcrnn")
    (folder / "weights.safetensors").unlink()
    assert type(controls_of(str(folder))) is DCRNNControls
    with pytest.raises(FileError, match="neither shipped nor"):
        controls_of("nobody")


def test_every_shipped_model_has_a_recipe():
    assert len(shipped()) >= 8
    assert set(shipped()) < set(names())


@pytest.fixture
def made_up(monkeypatch):
    """Training finds made-up music, whatever the corpus; what was asked for is remembered."""
    asked, music = [], [Music()]

    def load_corpus(name, progress=True):
        asked.append(name)
        return music[0]

    import symphony.corpora

    monkeypatch.setattr(symphony.corpora, "load_corpus", load_corpus)
    return asked, music


def test_training_by_name_size_corpus_and_seed(made_up, tmp_path):
    card = train(
        "iwgan", tmp_path, size="tiny", corpus="folk", seed=3, device="cpu", progress=False
    )
    expected = replace(recipe("iwgan", "tiny"), corpus="folk", seed=3)
    assert card.recipe == expected.to_dict()
    assert made_up[0] == ["folk"]
    assert load(tmp_path).recipe == expected


def test_training_by_recipe_is_training_by_name(made_up, runs, tmp_path):
    train(runs.recipe("iwgan"), tmp_path, device="cpu", progress=False)
    assert same_weights(tmp_path, runs.folder("iwgan"))


def test_going_on_needs_no_corpus(made_up, runs, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(runs.system("iwgan"), 2, press_ctrl_c), runs.data("iwgan"), tmp_path)
    train(runs.recipe("iwgan"), tmp_path, device="cpu", resume=True, progress=False)
    assert made_up[0] == []
    assert same_weights(tmp_path, runs.folder("iwgan"))


def test_what_cannot_be_trained_writes_nothing(made_up, tmp_path):
    out = tmp_path / "run"
    for change in ({"seed": -1}, {"size": "huge"}, {"device": "abacus"}):
        with pytest.raises(RequestError):
            train("iwgan", out, **{"size": "tiny", "device": "cpu", **change})
    with pytest.raises(RequestError, match="Did you mean iwgan"):
        train("iwgam", out)
    assert not out.exists()


def test_a_place_where_no_run_can_be_kept_is_said_before_music_is_read(made_up, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="A run can't be kept in"):
        train("iwgan", tmp_path / "file", size="tiny", device="cpu", progress=False)
    assert made_up[0] == []


def test_a_corpus_with_too_little_music_is_refused(made_up, tmp_path):
    made_up[1][0] = Music([random_song(1)], [], [])
    with pytest.raises(SongError, match="no music for validation and test"):
        train("char-rnn", tmp_path, size="tiny", device="cpu", progress=False)


def test_an_earlier_run_is_kept_and_that_is_said(made_up, tmp_path, capsys):
    for _ in range(2):
        train("ngram-1", tmp_path, size="tiny", device="cpu")
    assert f"An earlier run in {tmp_path} is kept" in capsys.readouterr().out
    assert load(tmp_path / "earlier").name == "ngram-1"


def test_a_folder_in_which_a_run_is_at_work_is_left_alone(made_up, runs, tmp_path):
    run(runs.system("iwgan"), runs.data("iwgan"), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with workplace(tmp_path):
        for resume in (False, True):
            with pytest.raises(FileError, match="Another run is at work in"):
                train("iwgan", tmp_path, size="tiny", device="cpu", resume=resume)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert made_up[0] == []
    train(runs.recipe("iwgan"), tmp_path, device="cpu", resume=True, progress=False)


def test_of_a_run_that_never_began_nothing_is_left(made_up, tmp_path):
    made_up[1][0] = Music(test=[])
    with pytest.raises(SongError, match="no music for test"):
        train("iwgan", tmp_path / "new" / "run", size="tiny", device="cpu", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't limit a process so")
def test_a_card_cannot_ask_for_more_memory_than_its_weights_fill(copied):
    def grown(card):
        card["recipe"]["network"] |= {"num_layers": 64, "hidden_size": 4096}  # 34 GB
        return card

    folder = copied("char-rnn", grown)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    room = (int(status["VmData"].split()[0]) * 1024 + 200_000_000, limits[1])
    resource.setrlimit(resource.RLIMIT_DATA, room)
    try:
        with pytest.raises(FileError, match="don't fit"):
            load(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def test_a_system_follows_its_recipe():
    for name in names():
        chosen = recipe(name, "tiny")
        assert system(chosen).recipe is chosen
