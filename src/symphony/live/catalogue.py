"""From a word to a source: what ``symphony play --source`` and chapter 12 take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symphony.errors import RequestError
from symphony.live import traces
from symphony.live.devices import LOOPBACK, Armband, Camera, Knobs, Phone
from symphony.live.mappings import Calibration, Mapping, emg_mapping, mapping_for
from symphony.live.sources import Reading, Replay, Source
from symphony.training.system import Led

SOURCES = "hand, muscles, camera:PORT, armband, phone:PORT, knobs, or the file of a trace"


def source_of(word: str, seconds: float = 30.0, seed: int = 0) -> tuple[Source, bool]:
    """A source by name, and whether it is a device, which lives in real time.

    Raises:
        RequestError: no such source.
        FileError: no trace in a file.
    """
    kind, _, rest = word.partition(":")
    rng = np.random.default_rng([seed, 3])
    if word == "hand":
        return traces.hand(rng.random((int(seconds / 2.4) + 2, 2)), seed=seed), False
    if word == "muscles":
        made = [str(name) for name in rng.choice(list(traces.GESTURES), int(seconds / 3) + 2)]
        return traces.rms_trace(traces.muscles(made, seed=seed)), False
    if kind == "camera" and rest:
        return Camera(rest), True
    if kind == "armband":
        return Armband(rest or "EMG"), True
    if kind == "phone":
        number, _, host = rest.partition("@")
        if number and not (number.isdigit() and int(number) < 65536):
            raise RequestError(f"A phone sends to a port from 0 to 65535, not {number!r}.")
        return Phone(int(number or 9000), host or LOOPBACK), True
    if kind == "knobs":
        return Knobs(rest or None), True
    if Path(word).suffix == ".json":
        return Replay.load(word), False
    raise RequestError(f"There is no source {word!r}: there are {SOURCES}.")


def mapping_of(
    source: Source, led: Led, calibration: str | Path | Replay | None = None, seed: int = 0
) -> Mapping:
    """How this source leads this system.

    Eight muscles need the wearer's calibration; a trace calibrates itself where none is given.

    Raises:
        RequestError: an armband without a calibration, or numbers that don't fit.
    """
    if source.channels != traces.SENSORS or len(led.axes) != traces.SENSORS:
        return mapping_for(source.channels, len(led.axes), led.levels, seed)
    worn = source if calibration is None else calibration
    if isinstance(worn, str | Path):
        worn = Replay.load(worn)
    if not isinstance(worn, Replay):
        raise RequestError(
            "Muscles differ between people: keep some seconds of each gesture with --trace, then "
            "name that file in --calibration."
        )
    return emg_mapping(Calibration.of(worn), led.levels)


class Traced:
    """A source whose readings are kept."""

    def __init__(self, source: Source) -> None:
        self.channels = source.channels
        self._source = source
        self.rows: list[tuple[float, Any]] = []

    def open(self) -> None:
        """As the source."""
        self._source.open()

    def close(self) -> None:
        """As the source."""
        self._source.close()

    def read(self, now: float) -> Reading:
        """As the source; finite values are kept where they are new."""
        reading = self._source.read(now)
        values = np.asarray(reading.values)
        good = reading.ok and values.shape == (self.channels,) and np.isfinite(values).all()
        if good and not (self.rows and np.array_equal(self.rows[-1][1], values)):
            self.rows.append((now, values))
        return reading

    def kept(self) -> Replay:
        """What was read, as a trace.

        Raises:
            RequestError: nothing was.
        """
        if not self.rows:
            raise RequestError("Nothing was sensed, so there is no trace to keep.")
        times, values = zip(*self.rows, strict=True)
        return Replay(np.array(times), np.array(values))
