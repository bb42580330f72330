"""The folder of a run: music, weights, card, state, snapshots and samples, each whole or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from symphony.errors import FileError, RequestError
from symphony.files import sentence, sha256, written
from symphony.machine import processor, versions
from symphony.training.card import CARD, Card
from symphony.training.data import Data
from symphony.training.system import Logs, Nets, Optimizers, System

STATE, WEIGHTS = "state.ckpt", "weights.safetensors"
SNAPSHOT, SNAPSHOTS = "step-{:06d}.safetensors", "step-[0-9]*.safetensors"
MUSIC, SAMPLES = "encoded.safetensors", "samples.npz"


@dataclass
class History:
    """All that the loop remembers of a run."""

    step: int = 0
    seconds: float = 0.0
    best: float = -float("inf")
    best_step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    samples: list[torch.Tensor] = field(default_factory=list)
    logs: list[Logs] = field(default_factory=list)  # since the last evaluation


def save_weights(nets: Nets, path: Path) -> None:
    """Write the weights in half precision; counts stay whole."""
    half = {
        k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous()
        for k, v in nets.state_dict().items()
    }
    with written(path, (SafetensorError,)) as partial:
        save_file(half, partial)


def load_weights(nets: Nets, path: Path) -> Nets:
    """The nets, which may lie on torch's meta device, with the weights in a file."""
    try:
        found = load_file(path)
        whole = {k: v.float() if v.is_floating_point() else v for k, v in found.items()}
        nets.load_state_dict(whole, assign=True)
    except Exception as error:  # safetensors' own error, or RuntimeError for other shapes
        # torch puts a heading first, and below it what differs, a line for each.
        reason = [line.strip() for line in str(error).splitlines() if line.strip()][-1][:200]
        raise FileError(f"The weights {path.name} don't fit: {reason.rstrip('.:')}.") from None
    return nets.eval()


@dataclass(frozen=True)
class Run:
    """Where a run keeps everything."""

    folder: Path

    def begin(self, data: Data) -> bool:
        """Make the folder, set an earlier run in it aside, and keep the music there.

        Left where it is, an earlier run's snapshots would pass for those of this one; deleted, a
        finished model would be lost to a command given twice. Returns whether there was one; it
        is now in ``earlier``, ``earlier-2``, …
        """
        with sentence(f"A run can't be kept in {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            names = (STATE, WEIGHTS, CARD, SNAPSHOTS, SAMPLES)
            found = [path for name in names for path in self.folder.glob(name)]
            if found:
                places = ["earlier", *(f"earlier-{n}" for n in range(2, 1000))]
                aside = next(self.folder / n for n in places if not (self.folder / n).exists())
                aside.mkdir()
                for path in [*found, *self.folder.glob(MUSIC)]:
                    path.rename(aside / path.name)
        data.save(self.folder / MUSIC)
        return bool(found)

    def data(self) -> Data:
        """The music of this run."""
        return Data.load(self.folder / MUSIC)

    def snapshots(self) -> dict[int, Path]:
        """The weights that were kept on the way, by step."""
        return {int(path.stem[5:]): path for path in sorted(self.folder.glob(SNAPSHOTS))}

    def save_state(
        self, system: System, nets: Nets, opts: Optimizers, data: Data, history: History
    ) -> None:
        """Everything needed to go on exactly from here; the old stays until it is whole."""
        state = {
            "recipe": {"system": system.recipe.room, **system.recipe.to_dict()},
            "corpus": data.facts["corpus"],
            "music": sha256(self.folder / MUSIC),
            "processes": data.world,
            "nets": nets.state_dict(),
            "optimizers": {name: each.state_dict() for name, each in opts.items()},
            "history": vars(history),
        }
        with written(self.folder / STATE, (RuntimeError,)) as partial:  # torch's, for a full disk
            torch.save(state, partial)

    def load_state(self, system: System, nets: Nets, opts: Optimizers, data: Data) -> History:
        """Bring nets and optimizers back, in place, and the history.

        Raises:
            FileError: there is no state, or a broken one.
            RequestError: it belongs to another recipe or other music.
        """
        path, recipe = self.folder / STATE, system.recipe
        if not path.is_file():
            raise FileError(f"There is nothing to resume in {self.folder}: train without --resume.")
        processes = data.world
        try:  # data only: a file from a stranger can't run anything
            state = torch.load(path, map_location="cpu", weights_only=True)
            theirs, mine = state["recipe"], {"system": recipe.room, **recipe.to_dict()}
            other = [
                f"{k} {theirs[k]!r}, not {mine.get(k)!r}"
                for k in theirs
                if theirs[k] != mine.get(k)
            ]
            music = state["corpus"] == data.facts["corpus"]
            same = state["music"] == sha256(self.folder / MUSIC)
            processes = int(state["processes"])
            if music and same and not other:
                nets.load_state_dict(state["nets"])
                for name, each in opts.items():
                    each.load_state_dict(state["optimizers"][name])
            history = History(**state["history"])
        except Exception as error:  # torch raises many kinds for a broken file
            if processes != data.world:  # what a process remembers may be of its share's size
                raise RequestError(
                    f"The run in {self.folder} was trained by {processes} processes, and what they "
                    f"remember doesn't fit {data.world}: start as many again."
                ) from None
            reason = f"The state in {self.folder} is broken ({type(error).__name__})"
            raise FileError(f"{reason}: train without --resume.") from None
        if other:
            raise RequestError(
                f"The run in {self.folder} follows another recipe ({'; '.join(other)}): give the "
                "same again, or another folder."
            )
        if not music:
            raise RequestError(
                f"The run in {self.folder} learned from other music than is there now: start anew, "
                "or bring the corpus back as it was."
            )
        if not same:
            raise FileError(
                f"The encoded music in {self.folder} is no longer what this run learned from: "
                "train without --resume, and it is made anew."
            )
        return history

    def save_samples(self, history: History) -> None:
        """Write what was made at each evaluation: ``steps`` [k] and ``samples`` [k, …]."""
        if history.samples:
            steps = [int(point["step"]) for point in history.curve]
            with written(self.folder / SAMPLES) as partial:
                samples = torch.stack(history.samples).numpy()
                np.savez_compressed(partial, steps=steps, samples=samples)

    def finish(self, system: System, data: Data, history: History) -> Card:
        """Measure the kept weights on held-out music and write the card beside them."""
        weights = self.folder / WEIGHTS
        nets = load_weights(system.kept(system.build(data)), weights).to(data.device)
        metrics = system.report(nets, data)
        if not np.isfinite(list(metrics.values())).all():
            raise RequestError(
                "The trained weights don't fit into half precision: try a smaller learning rate."
            )
        card = Card.of(
            system.recipe,
            data.facts,
            weights_sha256=sha256(weights),
            best_step=history.best_step,
            versions=versions(),
            hardware=torch.cuda.get_device_name() if data.device.type == "cuda" else processor(),
            processes=data.world,
            minutes=round(history.seconds / 60, 2),
            parameters={k: sum(p.numel() for p in net.parameters()) for k, net in nets.items()},
            curve=history.curve,
            metrics=metrics,
        )
        card.save(self.folder)
        return card


def load_samples(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The steps [k] at which a run was evaluated, and what it made then [k, …]."""
    try:
        with np.load(folder / SAMPLES, allow_pickle=False) as file:
            return file["steps"], file["samples"]
    except Exception as error:  # a broken zip raises a dozen kinds
        raise FileError(f"There are no samples in {folder} ({type(error).__name__}).") from None
