"""Spoilt cards, weights and states: a model as it was, or a sentence; never another kind of end."""

import json
import shutil

import numpy as np
import pytest

from symphony import systems
from symphony.errors import SymphonyError

EXTREME = [
    0,
    -1,
    1e308,
    10**30,
    10**6,
    "",
    "\0",
    "../..",
    None,
    [],
    {},
    True,
    [[]] * 9,
    float("nan"),
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished run of the smallest kind, which keeps its state."""
    home = tmp_path_factory.mktemp("runs") / "iwgan"
    systems.train("iwgan", home, size="tiny", device="cpu", progress=False)
    return home


def changed(rng, value, depth=0):
    """JSON with one value somewhere made extreme, taken out, or named otherwise."""
    if isinstance(value, dict) and value and (depth < 1 or rng.random() < 0.9):
        out, key = dict(value), list(value)[rng.integers(len(value))]
        match rng.integers(10):
            case 0:
                del out[key]
            case 1:
                out[f"{key}x"] = out.pop(key)
            case _:
                out[key] = changed(rng, value[key], depth + 1)
        return out
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = int(rng.integers(len(value)))
        return [*value[:at], changed(rng, value[at], depth + 1), *value[at + 1 :]]
    return EXTREME[rng.integers(len(EXTREME))]


def use(folder):
    """What anyone does with the folder of a run; a sentence, or whether it could be used."""
    try:
        trained = systems.load(folder)
    except SymphonyError as error:
        said = str(error)
    else:
        assert all(p.device.type == "cpu" for p in trained.nets.parameters())
        return True
    assert said.endswith((".", "?")), said
    return False


def test_cards_with_a_value_changed(cases, bounded, run_folder, tmp_path):
    home = shutil.copytree(run_folder, tmp_path / "run")
    card = json.loads((home / "card.json").read_text())
    rng = np.random.default_rng(20261124)
    used = 0
    for number in range(cases(600)):
        text = json.dumps(changed(rng, card))
        (home / "card.json").write_text(text)
        with bounded(10):
            try:
                used += use(home)
            except Exception as error:
                raise AssertionError((number, text)) from error
    assert used  # a curve or a date may change and the weights still fit


@pytest.mark.parametrize("name", ["card.json", "weights.safetensors"])
def test_cards_and_weights_with_bytes_changed(cases, spoil, bounded, run_folder, tmp_path, name):
    home = shutil.copytree(run_folder, tmp_path / "run")
    data = (home / name).read_bytes()
    rng = np.random.default_rng(20261125)
    for number in range(cases(200)):
        (home / name).write_bytes(spoil(rng, data))
        with bounded(10):
            try:
                use(home)
            except Exception as error:
                raise AssertionError(number) from error


def test_states_with_bytes_changed(cases, spoil, bounded, run_folder, tmp_path):
    home = shutil.copytree(run_folder, tmp_path / "run")
    data = (home / "state.ckpt").read_bytes()
    rng = np.random.default_rng(20261126)
    refused = 0
    for number in range(cases(60)):
        (home / "state.ckpt").write_bytes(spoil(rng, data))
        before = {path.name: path.stat().st_size for path in home.iterdir()}
        with bounded(30):
            try:
                systems.train("iwgan", home, size="tiny", device="cpu", resume=True, progress=False)
            except SymphonyError:  # a sentence, and nothing lost
                refused += 1
                assert {p.name: p.stat().st_size for p in home.iterdir()} == before, number
    assert refused
