"""Devices: a JeVois camera, an EMG armband over LSL, OSC from a phone, MIDI controllers.

Their libraries come with ``pip install deep-symphony[live]`` and are imported when a device is
opened. What arrives on a line or from a network is not to be trusted: whatever can't be understood
is counted and dropped.
"""

from __future__ import annotations

import math
import re
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from symphony.errors import RequestError
from symphony.live.sources import Reading
from symphony.live.traces import EMG_RATE, RMS_SECONDS, rms

BAUD = 115_200  # the camera's USB line ignores it
LONGEST_LINE = 512  # bytes: a contour of thirty points
MOST_PACKETS = 64  # taken at one reading
LONGEST_PACKET = 8192
LOOPBACK = "127.0.0.1"
CONTROLS = (1, 74)  # modulation wheel, and the knob that most keyboards call brightness


def needs(library: str, package: str) -> Any:
    """A device's library.

    Raises:
        RequestError: it isn't installed, or it can't work on this machine.
    """
    from importlib import import_module

    try:
        return import_module(library)
    except ImportError:
        raise RequestError(
            f"This device needs {package}: pip install 'deep-symphony[live]'."
        ) from None
    except (OSError, RuntimeError) as error:  # a shared library is missing
        raise RequestError(f"{package} doesn't work here: {error}.") from None


class Camera:
    """A JeVois camera that says over a serial line where it sees a hand.

    x grows to the right and y upwards, both from 0 to 1.

    Args:
        port: such as "/dev/ttyACM0" or "COM3", or anything open that has ``read(n)``, which gives
            what is there and never waits, and ``close()``.
    """

    channels = 2

    def __init__(self, port: str | Any) -> None:
        self._name, self._line = port, None if isinstance(port, str) else port
        self._rest, self._latest = b"", Reading(np.full(2, np.nan), 0.0, ok=False)
        self.refused = 0  # lines that said nothing

    def open(self) -> None:
        """Open the line."""
        if isinstance(self._name, str):
            self._line = needs("serial", "pyserial").Serial(self._name, BAUD, timeout=0)
        self._rest = b""

    def close(self) -> None:
        """Close the line."""
        if self._line is not None:
            self._line.close()

    def read(self, now: float) -> Reading:
        """The last place that was received."""
        data = self._rest + (self._line.read(4096) if self._line is not None else b"")
        *lines, self._rest = data.split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]  # noise without an end of line
        for line in lines:
            place = parse_jevois(line[:LONGEST_LINE].decode("ascii", "replace"))
            if place is None:
                self.refused += bool(line.strip())
            else:
                self._latest = Reading(np.array(place), now)
        seen = self._latest
        return Reading(seen.values, seen.time, now - seen.time, seen.ok)


SHAPES = {"T2": 2, "N2": 4}  # numbers after the identifier, by kind of message


def parse_jevois(line: str) -> tuple[float, float] | None:
    """Where one message of a JeVois camera sees something: (x, y), each from 0 to 1, y upwards.

    Messages of two dimensions: a point (T2), a box (N2), a polygon of four (D2) or of any number
    (F2) of vertices, of which the middle of the bounding box counts, since they repeat a vertex.
    A time stamp may stand before. The camera's own x runs from −1000 to 1000, its y from −750 to
    750 and downwards.

    Returns:
        The place; None for anything else, numbers that aren't finite among it.
    """
    words = line.split()
    if words and re.fullmatch(r"\d+(\.\d+)?", words[0]):  # a stamp
        words = words[1:]
    if not words:
        return None
    kind, *rest = words
    try:
        if kind == "T2" and len(rest) == 2:
            x, y = map(float, rest)
        elif kind == "N2" and len(rest) == 5:
            x, y = map(float, rest[1:3])
        elif kind == "D2" and len(rest) == 9:
            x, y = _middle([float(word) for word in rest[1:]])
        elif kind == "F2" and len(rest) >= 4 and len(rest) == 2 + 2 * int(rest[1]):
            x, y = _middle([float(word) for word in rest[2:]])
        else:
            return None
    except ValueError:
        return None
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    return (x + 1000) / 2000, (750 - y) / 1500


def _middle(numbers: list[float]) -> tuple[float, float]:
    """The middle of the box around points x1 y1 x2 y2 …; NaN where one of them is."""
    points = np.reshape(numbers, (-1, 2))
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    return float(x), float(y)


class Armband:
    """Eight EMG sensors as a stream of the Lab Streaming Layer.

    Args:
        stream: the kind of stream to look for, or anything open that has ``pull_chunk(timeout=0)``,
            as an inlet of pylsl, and ``close_stream()``.
        channels: how many sensors.
    """

    def __init__(self, stream: str | Any = "EMG", channels: int = 8) -> None:
        self.channels = channels
        self._name, self._inlet = stream, None if isinstance(stream, str) else stream
        self._frames: deque[list[float]] = deque(maxlen=round(RMS_SECONDS * EMG_RATE))
        self._heard = 0.0
        self._any = False

    def open(self) -> None:
        """Find the stream, for a second at most; an outlet that dies later is silent for ever."""
        if isinstance(self._name, str):
            lsl = needs("pylsl", "pylsl")
            found = lsl.resolve_byprop("type", self._name, timeout=1.0)
            if not found:
                raise OSError(f"no stream of the kind {self._name} is in the air")
            self._inlet = lsl.StreamInlet(found[0], max_buflen=1, recover=False)
            count = found[0].channel_count()
            if count != self.channels:
                raise OSError(f"the stream has {count} sensors, not {self.channels}")
        self._frames.clear()

    def close(self) -> None:
        """Close the stream."""
        if self._inlet is not None:
            self._inlet.close_stream()

    def read(self, now: float) -> Reading:
        """The RMS of the last 150 ms."""
        frames, _ = self._inlet.pull_chunk(timeout=0.0) if self._inlet is not None else (None, None)
        for frame in frames or ():
            if len(frame) != self.channels:
                return Reading(np.zeros(len(frame)), now)
            self._frames.append(frame)
            self._heard, self._any = now, True
        if not self._frames:
            return Reading(np.full(self.channels, np.nan), now, 0.0, ok=False)
        return Reading(rms(np.array(self._frames)), self._heard, now - self._heard, self._any)


class Phone:
    """OSC messages over UDP, as apps for phones and tablets send them: "/pad x y".

    Args:
        port: where to listen; 0 takes a free one, which ``address`` then says.
        host: the loopback address, which only this machine reaches, unless another is named.
        path: the message's address.
        channels: how many numbers it carries.
        streams: whether it goes on telling where a resting hand is, as a tilted phone does; a
            pad tells only of changes, and its silence means nothing.
    """

    def __init__(
        self,
        port: int = 9000,
        host: str = LOOPBACK,
        path: str = "/pad",
        channels: int = 2,
        streams: bool = False,
    ) -> None:
        self.channels, self._path, self._where = channels, path, (host, port)
        self._streams = streams
        self._socket: socket.socket | None = None
        self._latest = Reading(np.full(channels, np.nan), 0.0, ok=False)
        self.refused = 0  # packets that said nothing

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._where if self._socket is None else self._socket.getsockname()

    def open(self) -> None:
        """Listen."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._where)

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read(self, now: float) -> Reading:
        """The last place that was received."""
        for packet in self._packets():
            sent = [v for path, v in parse_osc(packet) if path == self._path]
            if sent and len(sent[-1]) == self.channels:
                self._latest = Reading(np.array(sent[-1]), now)
            else:
                self.refused += 1
        seen = self._latest
        age = now - seen.time if self._streams else 0.0
        return Reading(seen.values, seen.time, age, seen.ok)

    def _packets(self) -> Iterator[bytes]:
        for _ in range(MOST_PACKETS):
            if self._socket is None:
                return
            try:
                yield self._socket.recv(LONGEST_PACKET)
            except BlockingIOError:
                return


def parse_osc(packet: bytes, depth: int = 0) -> list[tuple[str, list[float]]]:
    """The messages of an OSC 1.0 packet: their addresses and their numbers.

    Bundles within bundles are followed four deep. What isn't OSC, or carries anything but whole
    and broken numbers of 32 bits, is left out.
    """
    if packet.startswith(b"#bundle\0"):
        found, at = [], 16
        while depth < 4 and at + 4 <= len(packet):
            (size,) = struct.unpack_from(">i", packet, at)
            if not 0 < size <= len(packet) - at - 4:
                break
            found += parse_osc(packet[at + 4 : at + 4 + size], depth + 1)
            at += 4 + size
        return found
    path, at = _osc_string(packet, 0)
    kinds, at = _osc_string(packet, at)
    count = len(kinds) - 1
    if not path.startswith("/") or not re.fullmatch(r",[fi]{1,64}", kinds):
        return []
    if len(packet) != at + 4 * count:
        return []
    return [(path, [float(v) for v in struct.unpack_from(">" + kinds[1:], packet, at)])]


def _osc_string(packet: bytes, at: int) -> tuple[str, int]:
    """A string padded with zeros to a multiple of four bytes, and where the next thing begins."""
    end = packet.find(b"\0", at)
    if end < 0:
        return "", len(packet)
    return packet[at:end].decode("ascii", "replace"), end + 4 - (end - at) % 4


class Knobs:
    """Two or more controls of a MIDI keyboard: wheels, knobs, faders.

    Args:
        port: its name; None for the first there is; or an open input of mido's.
        controls: their numbers.
    """

    def __init__(self, port: str | Any | None = None, controls: tuple[int, ...] = CONTROLS) -> None:
        self.channels, self._controls, self._name = len(controls), controls, port
        self._port: Any = None
        self._values, self._heard = np.full(len(controls), 0.5), 0.0

    def open(self) -> None:
        """Open the port."""
        _, self._port = midi_port(self._name, "input")

    def close(self) -> None:
        """Close it."""
        if self._port is not None:
            self._port.close()

    def read(self, now: float) -> Reading:
        """Where the controls stand; one that isn't moved stays where it is."""
        for message in self._port.iter_pending():
            if message.type == "control_change" and message.control in self._controls:
                self._values = self._values.copy()
                self._values[self._controls.index(message.control)] = message.value / 127
                self._heard = now
        return Reading(self._values, self._heard)


def midi_port(port: str | Any | None, kind: str) -> tuple[Any, Any]:
    """mido, and a port of the kind "input" or "output", opened where it was only named.

    Raises:
        RequestError: no MIDI on this machine, or no such port.
    """
    mido = needs("mido", "mido")
    if port is not None and not isinstance(port, str):
        return mido, port
    known: list[str] = []
    try:
        with suppress(AttributeError):
            known = getattr(mido, f"get_{kind}_names")()
        return mido, getattr(mido, f"open_{kind}")(port)
    except ImportError:
        raise RequestError(
            "MIDI ports need python-rtmidi: pip install 'deep-symphony[live]'."
        ) from None
    except Exception as error:  # rtmidi raises its own SystemError where there is no ALSA
        there = f"There are: {', '.join(known)}." if known else "There is none on this machine."
        raise RequestError(
            f"The MIDI {kind} {port or '(the first)'} can't be opened: {error}. {there}"
        ) from None
