"""The Velocity Net: learns how hard pianists strike each note, from what is played around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from symphony.song import Song
from symphony.systems.refining import (
    TINY,
    RefineRecipe,
    RefineSystem,
    draw_windows,
    in_windows,
)
from symphony.systems.velocity_net.network import KEYS, VelocityNet, VelocityNetConfig
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, Trained, descend

CHORD = 0.03  # seconds: notes that begin nearer to one another are struck together
LONGEST_WAIT = 4.0  # seconds; what is longer reads alike
LOUDEST = 127


@dataclass(frozen=True, kw_only=True)
class VelocityNetRecipe(RefineRecipe):
    """How to train a Velocity Net."""

    room: ClassVar[str] = "velocity_net"

    network: VelocityNetConfig = VelocityNetConfig()
    corpus: str = "asap"


@dataclass(frozen=True)
class VelocityNetControls:
    """A Velocity Net has none: held-out pieces are refined as they are, all notes as loud."""


def onset_arrays(songs: Iterable[Song]) -> dict[str, np.ndarray]:
    """Songs one after another as chords: what is struck together, and the waits between.

    Returns:
        ``pitch`` and ``velocity`` of each note; ``chord``, the one each belongs to; ``wait``
        since the chord before, in seconds, of each chord: the longest for the first of a song.
    """
    pitch, velocity, chord, wait, chords = [], [], [], [], 0
    for song in songs:
        new = np.diff(song.onset, prepend=-np.inf) > CHORD
        starts = song.onset[new]
        pitch.append(song.pitch)
        velocity.append(song.velocity)
        chord.append(chords + np.cumsum(new) - 1)
        wait.append(np.diff(starts, prepend=starts[0] - LONGEST_WAIT).clip(0, LONGEST_WAIT))
        chords += len(starts)
    return {
        "pitch": np.concatenate(pitch),
        "velocity": np.concatenate(velocity),
        "chord": np.concatenate(chord).astype(np.int32),
        "wait": np.concatenate(wait).astype(np.float32),
    }


def read_chords(arrays: Mapping[str, np.ndarray], at: np.ndarray) -> tuple[Tensor, ...]:
    """What a net reads of chords ``at`` [B, T], and the velocities it should give.

    Returns:
        keys struck, 0 or 1 [B, T, 128]; waits before and after, log2 of seconds [B, T, 2];
        velocities from 0 to 1 of what is struck [B, T, 128].
    """
    chord, wait = arrays["chord"], arrays["wait"]
    struck = np.zeros((*at.shape, KEYS), np.float32)
    target = np.zeros_like(struck)
    for row, (first, last) in enumerate(at[:, [0, -1]]):  # its notes lie side by side
        begin, end = np.searchsorted(chord, [first, last + 1])
        key = chord[begin:end] - first, arrays["pitch"][begin:end]
        struck[row][key] = 1
        target[row][key] = arrays["velocity"][begin:end] / np.float32(LOUDEST)
    around = np.stack([wait[at], wait[np.minimum(at + 1, len(wait) - 1)]], axis=-1)
    waits = np.log2(np.clip(around, CHORD, LONGEST_WAIT), dtype=np.float32)
    return torch.from_numpy(struck), torch.from_numpy(waits), torch.from_numpy(target)


def loss(net: VelocityNet, struck: Tensor, waits: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the velocities of the keys struck, as shares of 127.

    Without the mask it is the mean over all 128 keys, silence as velocity 0: a net may then
    lower it by learning when keys are silent.
    """
    error = (net(struck, waits) - target).square()  # [B, T, 128]
    return (error * struck).sum() / struck.sum() if net.config.masked else error.mean()


@dataclass(frozen=True)
class VelocitySystem(RefineSystem):
    """Notes in, velocities out."""

    recipe: VelocityNetRecipe
    controls: ClassVar[type] = VelocityNetControls
    arrays = staticmethod(onset_arrays)

    def build(self, data: Data) -> Nets:
        """An untrained network."""
        return Nets({"network": VelocityNet(self.recipe.network)})

    def train_step(self, nets: Nets, opts: Optimizers, data: Data, step: int) -> Logs:
        """Read the keys of passages, and answer with their velocities."""
        r, rng = self.recipe, np.random.default_rng([self.recipe.seed, step])
        at = draw_windows(len(data.train["wait"]), r, rng)
        struck, waits, target = read_chords(data.train, at)
        up = rng.choice(np.array(r.transpose), len(at))
        for row, by in enumerate(up):  # no key moves past the keyboard's end: it is 88 of 128
            struck[row], target[row] = struck[row].roll(by, -1), target[row].roll(by, -1)
        batch = map(data.share, (struck, waits, target))
        found = loss(nets["network"], *batch)
        descend(found, opts["network"], self.lr(step), r.clip)
        return {"train": found.detach()}

    @torch.inference_mode()
    def metrics(self, nets: Nets, data: Data, split: str, windows: int) -> dict[str, float]:
        """Loss, and the mean error in MIDI velocities."""
        net, device = nets["network"], next(nets.parameters()).device
        length = len(data.arrays[split]["wait"])
        window = min(self.recipe.window, length)
        starts = np.unique(np.linspace(0, length - window, windows).astype(int))
        found = np.zeros(2)  # loss, and mean error
        for some in np.array_split(starts, -(-len(starts) // self.recipe.batch)):
            batch = read_chords(data.arrays[split], some[:, None] + np.arange(window))
            struck, waits, target = (each.to(device) for each in batch)
            off = ((net(struck, waits) - target).abs() * struck).sum() / struck.sum()
            each = [float(loss(net, struck, waits, target)), float(off) * LOUDEST]
            found += np.array(each) * len(some) / len(starts)
        return {"loss": float(found[0]), "mean_error": float(found[1])}

    def spoilt(self, song: Song, seed: int, controls: VelocityNetControls) -> Song:
        """The song, every note as loud."""
        return replace(song, velocity=np.full(len(song), 64))

    def refine(self, trained: Trained, song: Song) -> Song:
        """A song with velocities as a pianist might play them.

        A song whose velocities differ already is somebody's playing, and comes back as it is.
        """
        if (song.velocity != song.velocity[0]).any():
            return song
        velocity = self.velocities(trained, song).round().clip(1, LOUDEST)
        refined = replace(song, velocity=velocity.astype(np.uint8))
        return refined.named(f"{song.name}, velocities refined", trained.name)

    def velocities(self, trained: Trained, song: Song) -> np.ndarray:
        """MIDI velocities for each note of a song [n], not rounded."""
        net = trained.nets["network"].eval()
        device = next(net.parameters()).device
        arrays = onset_arrays([song])
        chord, out = arrays["chord"], np.empty(len(song))

        def read(at: np.ndarray) -> tuple[Tensor, ...]:
            return tuple(each.to(device) for each in read_chords(arrays, at)[:2])

        for first, last, made in in_windows(net, read, len(arrays["wait"])):
            begin, end = np.searchsorted(chord, [first, last])
            out[begin:end] = made[chord[begin:end] - first, song.pitch[begin:end]]
        return out * LOUDEST


SIZES: dict[str, dict[str, Any]] = {
    "small": {"steps": 1200, "transpose": tuple(range(-3, 4))},
    "tiny": {"network": VelocityNetConfig(hidden_size=8, num_layers=1), **TINY},
    "full": {"steps": 50_000, "evaluate_every": 1000},
}


def recipe(name: str, size: str) -> VelocityNetRecipe:
    """A Velocity Net's recipe by size."""
    return VelocityNetRecipe(name=name, size=size, **SIZES["small"] | SIZES[size])


SYSTEM = VelocitySystem
