"""Temperature and top-p, chosen on validation music."""

from dataclasses import replace

import numpy as np
import pytest

from symphony.errors import FileError, RequestError
from symphony.experiments import choose_drawing
from symphony.experiments.scores import MUSICAL, real_windows
from symphony.systems import controls_of, load, recipe
from symphony.training import Card


class Told:
    """A model whose pieces are validation music at one setting, and noise at all others."""

    name, recipe = "told", recipe("char-rnn")

    def __init__(self, songs, noise, best):
        self.songs, self.noise, self.best = songs, noise, best

    def compose(self, seconds, batch, seed, **how):
        return (self.songs if how == self.best else self.noise)[:batch]


def test_the_setting_whose_pieces_are_most_like_validation_music_is_chosen(chorales):
    codec = recipe("char-rnn").codec
    real = real_windows(chorales.validation, 10, 20.0, 1000)
    real = [codec.decode(codec.encode(song)) for song in real]
    noise = load("uniform").compose(20.0, batch=10, seed=1)
    best = {"temperature": 0.9, "top_p": 0.95}
    found = choose_drawing(Told(real, noise, best), chorales, samples=10, seconds=20.0)
    assert found["defaults"] == best
    *rows, unseen = found["rows"]
    assert len(rows) == 9
    assert min(row["distance"] for row in rows) == pytest.approx(0, abs=1e-9)
    other = max(rows, key=lambda row: row["distance"])
    gaps = []
    for name, measure in MUSICAL.items():
        values = np.array([measure(song) for song in real])
        assert unseen[name] == pytest.approx(np.nanmean(values))
        gaps.append(abs(other[name] - np.nanmean(values)) / np.nanstd(values))
    assert other["distance"] == pytest.approx(np.mean(gaps))


def test_settings_that_fall_silent_are_left_out(chorales):
    class Silent(Told):
        def compose(self, seconds, batch, seed, **how):
            if how["temperature"] < self.quietest:
                raise RequestError("nothing sounds")
            return super().compose(seconds, batch, seed, **how)

    real = real_windows(chorales.validation, 10, 20.0, 1000)
    model = Silent(real, load("uniform").compose(20.0, batch=10, seed=1), {})
    model.quietest = 0.9
    found = choose_drawing(model, chorales, samples=10, seconds=20.0)
    assert {row["temperature"] for row in found["rows"]} == {0.9, 1.0, None}
    model.quietest = 2.0
    with pytest.raises(RequestError, match="falls silent at every setting"):
        choose_drawing(model, chorales, samples=10, seconds=20.0)


def test_a_models_defaults_are_its_cards_and_what_is_said_comes_first():
    trained = load("ngram-2")
    safer = replace(
        trained, card=replace(trained.card, defaults={"temperature": 0.5, "top_p": 0.9})
    )
    (plain,), (chosen,) = trained.compose(5.0, seed=3), safer.compose(5.0, seed=3)
    (said,) = trained.compose(5.0, seed=3, temperature=0.5, top_p=0.9)
    (back,) = safer.compose(5.0, seed=3, temperature=1.0, top_p=1.0)
    assert chosen.to_midi() == said.to_midi() != plain.to_midi() == back.to_midi()


def test_a_cards_defaults_are_what_the_command_line_shows_and_are_checked(tmp_path):
    card = replace(load("dcrnn").card, defaults={"noise_scale": 0.5})
    card.save(tmp_path)
    assert controls_of(str(tmp_path)).noise_scale == 0.5
    replace(card, defaults={"volume": 3}).save(tmp_path)
    with pytest.raises(FileError, match=r"The card is broken: defaults is .*volume"):
        controls_of(str(tmp_path))
    assert Card.load(tmp_path).defaults == {"volume": 3}
