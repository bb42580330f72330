"""Form, key and filled holes of a GAN's rolls, of generators made for the purpose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from symphony.experiments import filling, form_and_key, pulse_and_scale, songs_of
from symphony.systems import recipe, system
from symphony.training import Card, Data, Nets, Trained

STEPS, ROLLS = 128, 12
ABOUT = {"corpus": {"name": "made up", "fingerprint": "0", "licence": "none"}}


def piece(seed):
    """Eight bars of crotchets in C major."""
    rng = np.random.default_rng(seed)
    roll = np.zeros((STEPS, 128), bool)
    for beat in range(0, STEPS, 4):
        roll[beat : beat + 3, rng.choice([60, 62, 64, 65, 67, 69, 71], 2, replace=False)] = True
    return roll


def split(*seeds):
    rolls = np.concatenate([piece(s) for s in seeds])
    return {"packed": np.packbits(rolls, axis=1), "lengths": np.full(len(seeds), STEPS, np.int32)}


@pytest.fixture(scope="module")
def music():
    return Data({"train": split(0, 1, 2), "validation": split(3, 4), "test": split(5, 6)}, ABOUT)


class Fixed(nn.Module):
    """A generator that answers by a function."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.none = answer, nn.Parameter(torch.zeros(()))

    def forward(self, noise, *condition):
        return self.answer(noise, *condition)


def trained(name, answer):
    base = recipe(name, "tiny")
    chosen = replace(base, network=replace(base.network, steps=STEPS), transpose=(0,))
    nets = Nets({"generator": Fixed(answer)})
    return Trained(system(chosen), nets, Card.of(chosen, ABOUT))


def test_copying_the_facade_finds_nothing(music):
    found = filling(trained("pix2pix", lambda noise, facade: facade), music, ROLLS)
    assert [row["drop"] for row in found["drops"]] == [0.2, 0.4, 0.6]
    for row in found["drops"]:
        assert row["filled"] == row["facade"] < 1
        assert row["precision"] == row["recall"] == 0
        # Of n notes (1 - p) n are left: F1 is 2 (1 - p) / (2 - p), about.
        kept = 1 - row["drop"]
        assert row["facade"] == pytest.approx(2 * kept / (1 + kept), abs=0.02)
    assert found["ngrams"]["filled"] == found["ngrams"]["facade"]
    assert found["ngrams"]["facade"]["2"] > found["ngrams"]["other music"]["2"]


def test_silence_finds_nothing_and_invents_nothing(music):
    found = filling(
        trained("pix2pix", lambda noise, facade: -torch.ones_like(facade)), music, ROLLS
    )
    assert {row["filled"] for row in found["drops"]} == {0.0}
    assert found["ngrams"]["filled"]["bleu"] == 0


def test_a_bar_that_comes_back_is_seen(music):
    bar = torch.from_numpy(np.where(piece(9)[:16], 1.0, -1.0)).float()
    again = trained("dcrnn", lambda noise, key: bar.repeat(len(noise), STEPS // 16, 1))
    found = form_and_key(again, music, ROLLS)
    assert found["bar_likeness"] == 1
    assert found["real_bar_likeness"] < 0.5
    assert found["structure"] > found["real_structure"]


def test_a_key_followed_is_a_key_correlated(music):
    def follow(noise, key):
        """Twelve pitches from middle C, each for its share of the roll."""
        rows = torch.arange(STEPS)[None, :, None] / STEPS
        sounds = torch.where(rows < key[:, None, :], 1.0, -1.0)
        return nn.functional.pad(sounds, (60, 56), value=-1.0)

    found = form_and_key(trained("dcrnn", follow), music, ROLLS)
    assert found["key_correlation"] == pytest.approx(1, abs=0.02)
    silence = trained("dcrnn", lambda noise, key: -torch.ones(len(noise), STEPS, 128))
    silent = form_and_key(silence, music, ROLLS)
    assert silent["key_correlation"] == 0
    assert silent["bar_likeness"] == 0
    assert np.isnan(silent["structure"])


def test_rolls_become_songs():
    model = trained("iwgan", None)
    silent, song = songs_of(model, np.stack([np.zeros((STEPS, 128), bool), piece(1)]))
    assert len(silent) == 0
    assert len(song) == 2 * STEPS // 4


def test_a_beat_and_a_scale_are_heard_in_each_piece_that_sounds(music):
    crotchets = torch.from_numpy(np.where(piece(0), 1.0, -1.0)).float()
    found = pulse_and_scale(
        trained("iwgan", lambda noise: crotchets.expand(len(noise), -1, -1)), music, 3
    )
    assert len(found["pulse"]) == len(found["scale"]) == 3
    assert found["scale"] == pytest.approx([1.0] * 3)
    assert min(found["pulse"]) > 0.9
    silent = trained("iwgan", lambda noise: -torch.ones(len(noise), STEPS, 128))
    assert pulse_and_scale(silent, music, 3) == {"pulse": [], "scale": []}
