"""Runs for the tests of engine and systems: a made-up system, made-up music, stops and crashes."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from making import random_song
from safetensors.torch import load_file
from torch import nn

from symphony.song import Song
from symphony.training import Data, Evaluation, Nets, Recipe, Run, loop
from symphony.training.runtime import launch
from symphony.training.system import descend
from symphony.typed import count

NO_MUSIC_LIBRARY = """
import sys

class Blocker:
    blocked = {
        "music21", "symusic", "pretty_midi", "librosa", "scipy", "matplotlib", "verovio",
        "soundfile", "rapidfuzz", "pooch", "tyro", "IPython",
    }

    def find_spec(self, name, *rest):
        if name.split(".")[0] in self.blocked:
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Blocker())
"""


@dataclass
class Source:
    title: str = "Made-up music"
    licence: str = "none"


class Music:
    """What systems need of a corpus."""

    name, fingerprint, source = "made up", "0", Source()

    def __init__(self, train=None, validation=None, test=None):
        self.train = list(map(random_song, range(10))) if train is None else train
        self.validation = [random_song(17), random_song(18)] if validation is None else validation
        self.test = [random_song(19)] if test is None else test

    def part(self, split):
        return getattr(self, split)

    def subset(self, count):
        return self.train[:count]


def run(learner, data, folder, *, resume=False, progress=False):
    """Train a system in a folder on the CPU, on music that lies there as a file."""
    place, fabric = Run(Path(folder)), launch("cpu", learner.recipe.batch)
    if not resume:
        place.begin(data)
    return loop.train(learner, place.data(), place, fabric, resume=resume, progress=progress)


class Interrupted:
    """A system to which something happens in its step ``at``: Ctrl-C, a crash, a full disk."""

    def __init__(self, inner, at, happens):
        self.inner, self.at, self.happens = inner, at, happens

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def train_step(self, nets, opts, data, step):
        if step == self.at:
            self.happens()
        return self.inner.train_step(nets, opts, data, step)


class KilledError(Exception):
    """As if the power had gone: nothing of ours catches it."""


def die():
    raise KilledError


press_ctrl_c = partial(signal.raise_signal, signal.SIGINT)


def two_processes(script, *arguments):
    """Run a script under torchrun on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2")
    here = ("--master-addr=127.0.0.1", f"--master-port={port}")
    return python(*torchrun, *here, script, *arguments)


def weights(folder):
    return load_file(Path(folder) / "weights.safetensors")


def same_weights(a, b):
    a, b = weights(a), weights(b)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def python(*command):
    """Run code (-c), a module (-m) or a script in a process of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class LineRecipe(Recipe):
    """Of a system that no room holds: the engine must do with what the protocol says."""

    room: ClassVar[str] = "line"

    name: str = "line"
    size: str = "tiny"
    steps: int = count(12)
    batch: int = count(4)
    evaluate_every: int = count(4)
    lr: float = 0.05
    scores: tuple[float, ...] = ()  # of the evaluations, in place of measured ones


@dataclass(frozen=True)
class LineControls:
    """One control."""

    pitch: int = 60


class Linear(nn.Module):
    """A matrix that counts its steps."""

    def __init__(self, size):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(size, size))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        return x @ self.matrix


class Memory(nn.Module):
    """A net that learns without gradients and doesn't ship, yet decides how training goes on."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))


@dataclass(frozen=True)
class Line:
    """Linear regression with dropout, momentum and a memory: all that a resumed run may lose."""

    recipe: LineRecipe = field(default_factory=LineRecipe)
    controls: ClassVar[type] = LineControls

    def build(self, data):
        size = data.facts["size"]
        return Nets({"line": Linear(size), "memory": Memory(size)})

    def optimizers(self, nets):
        return {"line": torch.optim.SGD(nets["line"].parameters(), self.recipe.lr, momentum=0.9)}

    def train_step(self, nets, opts, data, step):
        rows = np.random.default_rng([self.recipe.seed, step]).integers(0, 50, self.recipe.batch)
        x, y = (data.share(torch.from_numpy(data.train[k][rows])) for k in "xy")
        made = nets["line"](nn.functional.dropout(x, 0.3))
        memory = nets["memory"].mean
        loss = (made - y).square().mean() + (made.mean(0) - memory).square().mean()
        norm = descend(loss, opts["line"])
        memory.mul_(0.9).add_(made.detach().mean(0), alpha=0.1)
        nets["line"].steps += 1
        return {"train": loss.detach(), "norm": norm}

    def kept(self, nets):
        return Nets({"line": nets["line"]})

    def error(self, nets, data, split):
        x, y = (torch.from_numpy(np.array(data.arrays[split][k])) for k in "xy")
        with torch.no_grad():
            return float((nets["line"](x) - y).square().mean())

    def evaluate(self, nets, data):
        assert not nets["line"].training
        error, steps = self.error(nets, data, "validation"), int(nets["line"].steps)
        scores = self.recipe.scores
        score = scores[steps // self.recipe.evaluate_every - 1] if scores else -error
        sample = nets["line"].matrix.detach()[:2].numpy().copy()
        return Evaluation({"error": error}, score, f"error {error:.2f}", sample)

    def report(self, nets, data):
        return {"test_error": self.error(nets, data, "test"), "checked": self.check(nets, data)}

    def check(self, nets, data):
        return float(nets["line"].matrix.detach().double().mean())

    def compose(self, trained, request):
        note = [request.controls.pitch]
        return [Song([0.0], [request.seconds], note, [request.seed + 1])] * request.batch


def numbers(size=32, **corpus):
    """Data for :class:`Line`."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(size, size)).astype(np.float32)
    arrays = {}
    for split in ("train", "validation", "test"):
        x = rng.normal(size=(50, size)).astype(np.float32)
        arrays[split] = {"x": x, "y": x @ matrix}
    about = {"name": "numbers", "fingerprint": "0", "licence": "none", **corpus}
    return Data(arrays, {"corpus": about, "size": size})
