"""A performance on paper: what was decided, from which all that was heard can be played again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symphony.errors import FileError, RequestError
from symphony.files import sentence, written
from symphony.live.clocks import VirtualClock
from symphony.live.improviser import Improviser, Played, Report
from symphony.live.sinks import Sink, Tape
from symphony.song import Song
from symphony.training.system import Trained
from symphony.typed import from_json

LARGEST_RECORDING = 50_000_000  # bytes: many hours
MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Recording:
    """A performance as controls, seed and model; the notes follow from these.

    Attributes:
        model: the model's name, or the folder of its run.
        weights: SHA-256 of its weights.
        seed: of the piece.
        controls: the system's, beside the hand.
        changes: (step from which they hold, the inputs).
        pauses: (step, seconds by which it came too late).
        cuts: (step, seconds to which it was cut, being a wait).
        steps: how many were played.
        seconds: how long.
    """

    model: str
    weights: str
    seed: int
    controls: dict[str, Any]
    changes: tuple[tuple[int, tuple[float, ...]], ...]
    pauses: tuple[tuple[int, float], ...]
    cuts: tuple[tuple[int, float], ...]
    steps: int
    seconds: float

    @classmethod
    def of(
        cls, trained: Trained, model: str, seed: int, controls: dict[str, Any], report: Report
    ) -> Recording:
        """What a report says of a performance, made small."""
        changes, before = [], None
        for played in report.played:
            if before is None or not np.array_equal(played.inputs, before):
                changes.append((played.number, tuple(map(float, played.inputs))))
                before = played.inputs
        pauses = [(played.number, played.pause) for played in report.played if played.pause]
        cuts = [(played.number, played.cut) for played in report.played if played.cut]
        return cls(
            model=model,
            weights=trained.card.weights_sha256,
            seed=seed,
            controls=controls,
            changes=tuple(changes),
            pauses=tuple(pauses),
            cuts=tuple(cuts),
            steps=len(report.played),
            seconds=report.seconds,
        )

    def save(self, path: str | Path) -> None:
        """Write it as JSON.

        Raises:
            FileError: nothing can be written there.
        """
        with written(path) as partial:
            partial.write_text(json.dumps({"performance": 1, **vars(self)}), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read what :meth:`save` wrote.

        Raises:
            FileError: no such file, or one that is broken.
        """
        with sentence(f"{path} can't be read"), Path(path).open("rb") as file:
            data = file.read(LARGEST_RECORDING + 1)
        try:
            if len(data) > LARGEST_RECORDING:
                raise ValueError("it is larger than any performance")
            found = json.loads(data)
            if not isinstance(found, dict) or found.pop("performance", None) != 1:
                raise ValueError("it is no recording of a performance")
            recording: Recording = from_json(cls, found)
            recording._check()
        except (ValueError, TypeError, RecursionError, UnicodeDecodeError) as error:
            raise FileError(f"{path} can't be played again: {str(error).rstrip('.')}.") from None
        return recording

    def _check(self) -> None:
        """Raise ValueError for what no performance could be."""
        starts = [step for step, _ in self.changes]
        if not 0 <= self.steps <= MOST_STEPS or not 0 < self.seconds < np.inf:
            raise ValueError("its length is none")
        if self.steps and (not starts or starts[0] != 0 or sorted(set(starts)) != starts):
            raise ValueError("its changes don't come in order, from the first step on")
        if len({len(row) for _, row in self.changes}) > 1:
            raise ValueError("its inputs are not all of one size")
        if not all(np.isfinite(row).all() for _, row in self.changes):
            raise ValueError("an input isn't finite")
        if not all(0 < time < np.inf for _, time in (*self.pauses, *self.cuts)):
            raise ValueError("a pause or a cut is no time")

    def played(self) -> Sequence[Played]:
        """Each step's inputs and pause."""
        pauses, cuts, rows = dict(self.pauses), dict(self.cuts), dict(self.changes)
        found, inputs = [], np.zeros(0, np.float32)
        for step in range(self.steps):
            if step in rows:
                inputs = np.array(rows[step], np.float32)
            found.append(Played(step, inputs, pauses.get(step, 0.0), cuts.get(step, 0.0)))
        return found

    def play(self, trained: Trained, sink: Sink) -> Report:
        """Play it again into a sink.

        Raises:
            RequestError: other weights than it was played with, or inputs that don't fit.
        """
        if trained.card.weights_sha256 != self.weights:
            raise RequestError(
                f"{trained.name} has learned something else since this was played: its weights "
                "are not those of the recording."
            )
        led = trained.lead(seed=self.seed, **self.controls)
        width = len(led.inputs(np.full(len(led.axes), 0.5)))
        if self.changes and len(self.changes[0][1]) != width:
            raise RequestError(
                f"{trained.name} reads {width} numbers a step; the recording has "
                f"{len(self.changes[0][1])}."
            )
        return Improviser(led, sink, VirtualClock()).repeat(self.played(), self.seconds)

    def song(self, trained: Trained) -> Song:
        """The performance as a song."""
        tape = Tape()
        self.play(trained, tape)
        return tape.song(f"{self.model}, played by hand")
