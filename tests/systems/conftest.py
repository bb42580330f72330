"""One finished run of each system, on made-up music, for all tests of systems."""

from dataclasses import replace
from functools import cache

import pytest
from making import random_tune
from running import Music, run

from symphony.systems import recipe, system
from symphony.systems.char_rnn.network import CharLSTMConfig


def tiny(name):
    """The smallest recipe of a name; a Char-RNN with dropout, so that its chance is tested too."""
    base = recipe(name, "tiny")
    if name == "char-rnn":
        shape = CharLSTMConfig(num_layers=2, hidden_size=16, embedding_dim=8, dropout=0.4)
        return replace(base, network=shape, steps=12, evaluate_every=4, window=32)
    if name == "conditional-char-rnn":
        return replace(base, steps=12, evaluate_every=4, window=32)
    return base


def music(name):
    """Notes drawn at random; tunes with a beat and a text where a system needs them."""
    if name not in ("seqgan", "abc-wgan"):
        return Music()
    tunes = list(map(random_tune, range(14)))
    return Music(tunes[:10], tunes[10:12], tunes[12:])


class Runs:
    """Recipes, music and finished runs by name, each made when it is first asked for."""

    def __init__(self, home):
        self.home = home
        self.recipe, self.data, self.folder = map(cache, (tiny, self._data, self._folder))

    def system(self, name):
        return system(self.recipe(name))

    def _data(self, name):
        return self.system(name).encode(music(name))

    def _folder(self, name):
        folder = self.home / name
        run(self.system(name), self.data(name), folder)
        return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))
