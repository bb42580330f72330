"""The trained GAN: from noise, forms and facades to songs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from symphony.training.forms import (
    ComposeError,
    letter,
    parse_form,
    stitch,
    tile_starts,
    wander,
)
from symphony.training.gan_models import config_of
from symphony.training.gan_recipes import GanRecipe

if TYPE_CHECKING:
    from symphony.codecs import RollCodec
    from symphony.song import Song

TEMPO = 90.0  # quarter notes a minute: rolls know none
DROPPED = 0.4  # share of the notes that a facade drops where nobody asked


@dataclass(frozen=True)
class TrainedGan:
    """A trained generator and its critic, the codec of its rolls, and its card."""

    model: nn.Module
    critic: nn.Module
    codec: RollCodec
    card: dict[str, Any]
    recipe: GanRecipe

    def compose(
        self,
        seconds: float,
        *,
        seed: int = 0,
        batch: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
        greedy: bool = False,
        form: str | None = None,
        key: str | None = None,
    ) -> list[Song]:
        """Pieces of ``seconds`` each; the same seed gives the same pieces on one machine.

        A Pix2Pix fills what it left of held-out pieces; :meth:`fill` fills a song of yours.

        Args:
            seconds: how long a piece is, at 90 quarter notes a minute. Sections of a form last
                whole plans, so that the piece may be somewhat shorter or longer.
            seed: of the noise.
            batch: how many pieces.
            temperature: the noise is multiplied by it: below 1 nearer the middle of what the
                generator knows. A Pix2Pix has none.
            top_p: only 1: a GAN draws no symbols.
            greedy: only False, for the same reason.
            form: see :func:`parse_form`; a DCRNN's only.
            key: such as "C major"; a conditional DCRNN's only, drawn where not given.

        Raises:
            ComposeError: what this model doesn't know, no positive length, or silence.
        """
        if not 0 < seconds <= 3600:
            raise ComposeError(f"A piece lasts more than 0 s and at most an hour: not {seconds} s.")
        if batch < 1 or seed < 0:
            raise ComposeError("Compose at least one piece, with a seed of 0 or more.")
        if top_p != 1.0 or greedy:
            raise ComposeError(f"{self.recipe.name} draws no symbols: it knows no top_p or greedy.")
        if not 0 <= temperature < np.inf or (self.recipe.given == "facade" and temperature != 1):
            raise ComposeError(f"{self.recipe.name} knows no temperature of {temperature}.")
        if form is not None and self.recipe.kind != "dcrnn":
            raise ComposeError(f"{self.recipe.name} hears its noise once: only a DCRNN has a form.")
        if key is not None and self.recipe.given != "key":
            raise ComposeError(
                f"{self.recipe.name} was not told keys: only a conditional DCRNN is."
            )
        if self.recipe.given == "facade":
            return [
                self._finished(s, seconds, seed, i)
                for i, s in enumerate(self._held_out(seconds, seed, batch))
            ]
        steps = int(np.ceil(seconds * TEMPO / 60 * self.codec.steps_per_quarter))
        songs = []
        for piece in range(batch):
            if self.recipe.kind == "dcrnn":
                roll = self._led(steps, seed, piece, temperature, form, key)
            else:
                roll = self._tiled(steps, seed, piece, temperature)
            songs.append(self._song(roll, seed, piece if batch > 1 else None))
            if form is None:
                songs[-1] = songs[-1].slice(0.0, seconds).named(songs[-1].name, self.recipe.name)
        return songs

    def fill(self, song: Song, *, seed: int = 0) -> Song:
        """A song with its holes filled by a Pix2Pix: every note given stays as it is.

        Raises:
            ComposeError: another model, or a song without notes.
        """
        from symphony.codecs import to_signs, with_breaths, without_breaths
        from symphony.song import Song

        if self.recipe.given != "facade":
            raise ComposeError(f"{self.recipe.name} fills no holes: a Pix2Pix does.")
        if not len(song):
            raise ComposeError("There is nothing to fill: the song has no notes.")
        planes = self.codec.encode(song)
        facade = to_signs(with_breaths(planes))  # [t, 128]
        starts = tile_starts(len(facade), self.recipe.window)
        length = int(starts[-1]) + self.recipe.window
        facade = np.pad(facade, ((0, length - len(facade)), (0, 0)), constant_values=-1)
        noise = wander(len(starts), config_of(self.recipe).noise, np.random.default_rng(seed))
        tiles = self._rolls(noise, np.stack([facade[s : s + self.recipe.window] for s in starts]))
        found = without_breaths(stitch(tiles, starts)[: planes.shape[1]]) & ~planes[0]
        if not found[0].any():
            return song
        new = self.codec.decode(found, tempo=60.0)  # a quarter is a second
        quarters, lasting = new.onset, new.duration
        time = np.unique(np.concatenate([song.tempo[:, 0], np.linspace(0, song.seconds, 2**14)]))
        onset, end = np.interp([quarters, quarters + lasting], song.quarters_at(time), time)
        loud = np.full(len(new), round(float(song.velocity.mean())))
        beat: dict[str, Any] = {"onset_quarters": None, "duration_quarters": None}
        if song.onset_quarters is not None and song.duration_quarters is not None:
            beat["onset_quarters"] = np.concatenate([song.onset_quarters, quarters])
            beat["duration_quarters"] = np.concatenate([song.duration_quarters, lasting])
        return Song(
            onset=np.concatenate([song.onset, onset]),
            duration=np.concatenate([song.duration, np.maximum(end - onset, 0)]),
            pitch=np.concatenate([song.pitch, new.pitch]),
            velocity=np.concatenate([song.velocity, loud]),
            tempo=song.tempo,
            pedal=song.pedal,
            name=f"{song.name}, filled",
            source=self.recipe.name,
            **beat,
        )

    def key_histogram(self, key: str | None, seed: int = 0) -> Float32[np.ndarray, " 12"]:
        """What a key sounds like in the training music; a key drawn by the seed for None."""
        from symphony.codecs import parse_key

        chance = np.random.default_rng(seed)
        tonic, minor = parse_key(key) if key else (int(chance.integers(12)), chance.random() < 0.5)
        return np.roll(self.card["keys"]["minor" if minor else "major"], tonic).astype(np.float32)

    def form_noise(
        self, form: str, plans: int = 1, seed: int = 0, piece: int = 0
    ) -> Float32[np.ndarray, "T z"]:
        """The noise of each row of a form whose sections last so many plans of the DCRNN.

        Never less than one: noise that came while a plan is repeated would not be heard.
        """
        config = config_of(self.recipe)
        size, rows = config.noise, config.section * plans
        at = np.linspace(0, 1, rows, endpoint=False, dtype=np.float32)[:, None]
        return np.concatenate(
            [
                (1 - at) * letter(a, size, seed, piece) + at * letter(b, size, seed, piece)
                for a, b in parse_form(form)
            ]
        )

    def _rolls(self, noise: np.ndarray, *given: np.ndarray) -> Float32[np.ndarray, "n T 128"]:
        from symphony.training.gan_models import make_rolls

        return make_rolls(self.model, torch.from_numpy(noise), tuple(map(torch.from_numpy, given)))

    def _tiled(self, steps: int, seed: int, piece: int, temperature: float) -> np.ndarray:
        starts = tile_starts(steps, self.recipe.window)
        size = config_of(self.recipe).noise
        noise = wander(len(starts), size, np.random.default_rng([seed, piece]))
        return stitch(self._rolls(noise * np.float32(temperature)), starts)[:steps]

    def _led(
        self,
        steps: int,
        seed: int,
        piece: int,
        temperature: float,
        form: str | None,
        key: str | None,
    ) -> np.ndarray:
        """A DCRNN's piece in one go, its noise changing as it goes."""
        if form is not None:
            rows = steps / len(parse_form(form))
            plans = max(round(rows / config_of(self.recipe).section), 1)
            noise = self.form_noise(form, plans, seed, piece)
        else:
            sections = -(-steps // self.recipe.window)
            size = config_of(self.recipe).noise
            each = wander(sections, size, np.random.default_rng([seed, piece]))
            noise = np.repeat(each, self.recipe.window, axis=0)[:steps]
        given = (self.key_histogram(key, seed + piece)[None],) if self.recipe.given == "key" else ()
        return self._rolls(noise[None] * np.float32(temperature), *given)[0]

    def _song(self, roll: np.ndarray, seed: int, piece: int | None) -> Song:
        from symphony.codecs import without_breaths

        name = f"{self.recipe.name}, seed {seed}" + ("" if piece is None else f" ({piece + 1})")
        if not (roll > 0).any():
            raise ComposeError(f"{name}: nothing sounds. Take another seed, or train it longer.")
        return replace(
            self.codec.decode(without_breaths(roll), TEMPO, name), source=self.recipe.name
        )

    def _held_out(self, seconds: float, seed: int, batch: int) -> list[Song]:
        """The beginnings of pieces the model never saw."""
        from symphony.corpora import is_present, load_corpus

        if not is_present(self.recipe.corpus):
            raise ComposeError(
                f"The corpus {self.recipe.corpus} is not here, and with it no held-out piece to "
                "fill: give a song of your own to symphony fill."
            )
        test = load_corpus(self.recipe.corpus, progress=False).test
        order = np.random.default_rng(seed).permutation(len(test))
        return [test[int(order[i % len(order)])].slice(0.0, seconds) for i in range(batch)]

    def _finished(self, song: Song, seconds: float, seed: int, piece: int) -> Song:
        filled = self.fill(facade_of(song, DROPPED, seed + piece), seed=seed + piece)
        name = f"{self.recipe.name}, seed {seed}: what it made of {song.name or 'a piece'}"
        return filled.slice(0.0, seconds).named(name, self.recipe.name)


def facade_of(song: Song, drop: float, seed: int = 0) -> Song:
    """A song without a share of its notes, at least one of them left."""
    from symphony.song import Song

    if not 0 <= drop < 1:
        raise ComposeError(f"A facade drops a share of the notes from 0 to below 1, not {drop}.")
    kept = np.random.default_rng(seed).random(len(song)) >= drop
    kept[: 0 if kept.any() else 1] = True
    beat: dict[str, Any] = {
        what: None if values is None else values[kept]
        for what, values in (
            ("onset_quarters", song.onset_quarters),
            ("duration_quarters", song.duration_quarters),
        )
    }
    return Song(
        song.onset[kept],
        song.duration[kept],
        song.pitch[kept],
        song.velocity[kept],
        tempo=song.tempo,
        pedal=song.pedal,
        name=song.name,
        source=song.source,
        **beat,
    )
