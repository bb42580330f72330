"""Piano and guitar of a SoundFont, one key at a time: samples, tuning, loops, envelopes, filter.

symusic has a synthesizer too, but with TimGM6mb it leaves out velocity (1 sounds as loud as
127) and much of the tuning (A4 comes out a semitone flat), so the piano is played here. It
follows the SoundFont 2.04 specification as far as a piano and a plucked guitar need it: volume
falls in decibels, the filter in cents.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from symphony.errors import FileError
from symphony.files import sentence
from symphony.midi import PIANO

LONGEST_TONE = 24.0  # seconds: by then even the lowest string has faded
FILTER_BLOCK = 0.05  # seconds between two settings of the filter

# Generators of the specification, section 8.1.2, by number; ours are the ones a piano uses.
_HOLD, _DECAY, _SUSTAIN, _RELEASE = 35, 36, 37, 38
_CUTOFF, _ENVELOPE_TO_CUTOFF = 8, 11
_FILTER_HOLD, _FILTER_DECAY, _FILTER_SUSTAIN = 27, 28, 29
_INSTRUMENT, _KEYS, _COARSE, _FINE, _SAMPLE, _ROOT = 41, 43, 51, 52, 53, 58
_UNSET = {_CUTOFF: 13500, _HOLD: -12000, _DECAY: -12000, _RELEASE: -12000}
_UNSET |= {_FILTER_HOLD: -12000, _FILTER_DECAY: -12000}

_BAG = [("generator", "<u2"), ("modulator", "<u2")]
_GENERATOR = [("number", "<u2"), ("amount", "<i2")]
_TABLES: dict[bytes, list[tuple[str, str]]] = {
    b"phdr": [
        *(("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2")),
        *(("library", "<u4"), ("genre", "<u4"), ("morphology", "<u4")),
    ],
    b"pbag": _BAG,
    b"pgen": _GENERATOR,
    b"inst": [("name", "S20"), ("bag", "<u2")],
    b"ibag": _BAG,
    b"igen": _GENERATOR,
    b"shdr": [
        *(("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop", "<u4"), ("loop_end", "<u4")),
        *(("rate", "<u4"), ("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")),
    ],
}


@dataclass(frozen=True)
class Zone:
    """A range of keys that share one recorded string.

    Attributes:
        low, high: the first and last MIDI key.
        sample: the recording, -1 to 1.
        loop, loop_end: sample positions repeated for as long as the key is held.
        rate: the recording's samples a second.
        root: the key, with cents as a fraction, at which it sounds as recorded.
        hold, decay: seconds at full volume, then seconds in which it would fall by 100 dB.
        sustain: decibels below full at which the decay stops.
        release: seconds in which a released key would fall by 100 dB.
        cutoff: (lowest, highest) cutoff of the filter in cents above 8.176 Hz.
        filter_hold, filter_decay: seconds at the highest cutoff, then down to the lowest.
        filter_sustain: share of the way down at which the filter stays, 0 to 1.
    """

    low: int
    high: int
    sample: Float32[np.ndarray, " n"]
    loop: int
    loop_end: int
    rate: int
    root: float
    hold: float
    decay: float
    sustain: float
    release: float
    cutoff: tuple[float, float]
    filter_hold: float
    filter_decay: float
    filter_sustain: float


def soundfont_path() -> Path:
    """TimGM6mb.sf2, which comes with pretty_midi.

    Raises:
        FileError: pretty_midi isn't installed, or came without its SoundFont.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise FileError(
            "Sound needs the piano samples that come with pretty_midi: pip install pretty_midi."
        )
    path = Path(spec.origin).parent / "TimGM6mb.sf2"
    if not path.is_file():
        raise FileError(
            f"The piano samples {path.name} are missing from the installed pretty_midi; "
            "pip install --force-reinstall pretty_midi brings them back."
        )
    return path


@lru_cache(maxsize=2)
def instrument(program: int = PIANO) -> tuple[Zone, ...]:
    """The zones of a General MIDI instrument, lowest keys first.

    Made for those whose keys have one recording each and fade: the grand piano, the guitar.

    Raises:
        FileError: the SoundFont is missing or isn't one.
    """
    path = soundfont_path()
    with sentence(f"{path} can't be read"):
        chunks = _chunks(path.read_bytes(), path.name)
    table = {name: _rows(chunks, name, path.name) for name in _TABLES}
    if b"smpl" not in chunks:
        raise FileError(f"{path.name} holds no samples.")
    sound = np.frombuffer(chunks[b"smpl"], "<i2")

    def bags(
        heads: np.ndarray, row: int, bag: np.ndarray, generators: np.ndarray
    ) -> list[dict[int, int]]:
        found = []
        for b in range(heads["bag"][row], heads["bag"][row + 1]):
            rows = generators[bag["generator"][b] : bag["generator"][b + 1]]
            found.append({int(g["number"]): int(g["amount"]) for g in rows})
        return found

    presets = table[b"phdr"]
    wanted = np.flatnonzero((presets["preset"][:-1] == program) & (presets["bank"][:-1] == 0))
    if not len(wanted):
        raise FileError(f"{path.name} has no instrument at bank 0, preset {program}.")
    zones = []
    for outer in bags(presets, int(wanted[0]), table[b"pbag"], table[b"pgen"]):
        if _INSTRUMENT not in outer:
            continue
        shared: dict[int, int] = {}
        for inner in bags(table[b"inst"], outer[_INSTRUMENT], table[b"ibag"], table[b"igen"]):
            if _SAMPLE in inner:
                header = table[b"shdr"][inner[_SAMPLE]]
                zones.append(_zone(_UNSET | shared | inner, header, sound))
            else:
                shared = inner  # a global zone: settings for all that follow
    return tuple(sorted(zones, key=lambda zone: zone.low))


def _chunks(data: bytes, name: str) -> dict[bytes, memoryview]:
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise FileError(f"{name} is not a SoundFont.")
    view, found = memoryview(data), {}
    todo = [(12, len(data))]
    while todo:
        at, end = todo.pop()
        while at + 8 <= end:
            kind, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
            if kind == b"LIST":
                todo.append((at + 12, min(at + 8 + size, end)))
            else:
                found[kind] = view[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
    return found


def _rows(chunks: dict[bytes, memoryview], kind: bytes, name: str) -> np.ndarray:
    layout = np.dtype(_TABLES[kind])
    if kind not in chunks or len(chunks[kind]) % layout.itemsize:
        raise FileError(f"{name} is cut short: its table {kind.decode()} can't be read.")
    return np.frombuffer(chunks[kind], layout)


def _seconds(timecents: int) -> float:
    return 2.0 ** (timecents / 1200.0)


def _zone(setting: dict[int, int], header: np.void, sound: np.ndarray) -> Zone:
    keys = setting.get(_KEYS, 127 << 8)
    start = int(header["start"])
    root = setting.get(_ROOT, -1)
    cents = setting.get(_FINE, 0) + int(header["correction"]) + 100 * setting.get(_COARSE, 0)
    low_cutoff = float(setting[_CUTOFF])
    return Zone(
        low=keys & 255,
        high=(keys >> 8) & 255,
        sample=sound[start : int(header["end"])].astype(np.float32) / np.float32(32768),
        loop=int(header["loop"]) - start,
        loop_end=int(header["loop_end"]) - start,
        rate=int(header["rate"]),
        root=(int(header["root"]) if root < 0 else root) - cents / 100,
        hold=_seconds(setting[_HOLD]),
        decay=_seconds(setting[_DECAY]),
        sustain=setting.get(_SUSTAIN, 0) / 10,
        release=_seconds(setting[_RELEASE]),
        cutoff=(low_cutoff, low_cutoff + setting.get(_ENVELOPE_TO_CUTOFF, 0)),
        filter_hold=_seconds(setting[_FILTER_HOLD]),
        filter_decay=_seconds(setting[_FILTER_DECAY]),
        filter_sustain=1 - min(setting.get(_FILTER_SUSTAIN, 0), 1000) / 1000,
    )


@lru_cache(maxsize=256)
def zone_of(key: int, program: int = PIANO) -> Zone:
    """The zone that sounds ``key``; beyond the piano's 88 keys, the nearest one."""
    zones = instrument(program)
    return min(zones, key=lambda zone: max(zone.low - key, key - zone.high, 0))


@lru_cache(maxsize=128)
def tone(key: int, rate: int, seconds: float, program: int = PIANO) -> Float32[np.ndarray, " n"]:
    """One key struck as hard as can be and held.

    Args:
        key: MIDI note number.
        rate: samples a second.
        seconds: how much of it is wanted, at most ``LONGEST_TONE``.
        program: General MIDI's number of the instrument.
    """
    from scipy.signal import lfilter

    zone = zone_of(key, program)
    count = int(min(seconds, LONGEST_TONE) * rate)
    time = np.arange(count) / rate
    position = time * zone.rate * 2.0 ** ((key - zone.root) / 12)
    whole = np.floor(position).astype(np.int64)
    x = (position - whole).astype(np.float32)
    string = _looped(zone, int(whole[-1]) + 4 if count else 4)
    before, here, after, later = (string[whole + step] for step in range(4))
    # Catmull-Rom: four neighbours, the curve passes through the samples
    wave = here + 0.5 * x * (
        after
        - before
        + x
        * (2 * before - 5 * here + 4 * after - later + x * (3 * (here - after) + later - before))
    )
    level = np.clip((time - zone.filter_hold) / zone.filter_decay, 0, 1 - zone.filter_sustain)
    low, high = zone.cutoff
    block = max(int(FILTER_BLOCK * rate), 1)
    state = np.zeros(2)
    for at in range(0, count, block):
        hertz = 8.176 * 2.0 ** ((high - (high - low) * level[at]) / 1200)
        b, a = _lowpass(min(hertz, 0.45 * rate), rate)
        wave[at : at + block], state = lfilter(b, a, wave[at : at + block], zi=state)
    decibels = np.clip((time - zone.hold) / zone.decay * 100, 0, zone.sustain)
    wave *= 10.0 ** (-decibels / 20)
    fade = min(int(0.005 * rate), count)  # a tone cut off at its end must not click
    wave[count - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    wave.flags.writeable = False
    return wave


def _looped(zone: Zone, count: int) -> Float32[np.ndarray, " n"]:
    """A zero, then the recording with its loop repeated until it is ``count`` samples long."""
    span = zone.loop_end - zone.loop
    if span <= 0:
        return np.concatenate([[np.float32(0)], zone.sample, np.zeros(count, np.float32)])
    again = np.tile(zone.sample[zone.loop : zone.loop_end], max(count - zone.loop, 0) // span + 1)
    return np.concatenate([[np.float32(0)], zone.sample[: zone.loop], again])


def _lowpass(hertz: float, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Second-order Butterworth low-pass by the bilinear transform."""
    w = 2 * np.pi * hertz / rate
    alpha, cosine = np.sin(w) / np.sqrt(2), np.cos(w)
    b = np.array([(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2])
    return b / (1 + alpha), np.array([1 + alpha, -2 * cosine, 1 - alpha]) / (1 + alpha)
