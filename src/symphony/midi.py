"""MIDI bytes to columns of notes and back, through symusic: what :class:`symphony.Song` stands on.

Times are computed here from ticks and the tempo map in double precision: symusic's own
seconds are single precision, which is 4 ms off after an hour.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from symphony.errors import FileError, SongError
from symphony.files import check_name, sentence, shown

if TYPE_CHECKING:
    import pretty_midi

LARGEST_FILE = 10_000_000  # bytes: thirty times the longest sonata in MAESTRO
MOST_NOTES = 500_000
LONGEST_SONG = 24 * 3600.0  # seconds
TICKS_PER_QUARTER = 960
SHORTEST_NOTE = 0.001  # seconds: a zero-length note still sounds, so it is given this long
LONGEST_QUARTER = 2**24 - 1  # microseconds: a tempo has three bytes
LONGEST_WAIT = 2**28 - 1  # ticks between two events: four bytes of seven bits
MOST_TICKS = 2**31 - 2  # in a file: what readers count in
NO_PEDAL = np.empty((0, 2))
NO_QUARTERS: Any = (None, None)
PIANO, GUITAR = 0, 24  # General MIDI programs: a song, and the chords beside it
GRID = 48  # divisions of a quarter note: holds triplets, sextuplets and 64ths


def quarters_at(
    tempo: Float64[np.ndarray, "k 2"], seconds: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, " m"]:
    """Quarter notes counted by each time, for tempo rows (seconds, quarters a minute)."""
    starts, per_second = tempo[:, 0], tempo[:, 1] / 60.0
    counted = np.concatenate([[0.0], np.cumsum(np.diff(starts) * per_second[:-1])])
    at = np.clip(np.searchsorted(starts, seconds, side="right") - 1, 0, None)
    return counted[at] + (seconds - starts[at]) * per_second[at]


def read_notes(file: str | Path | bytes) -> dict[str, Any]:
    """Columns of a :class:`symphony.Song` from a MIDI file or its bytes, drums left out.

    They are as a Song holds them: sorted, in range, read-only.

    Quarter notes are given only where nine in ten onsets sit on a grid of 1/48 of a quarter:
    a recorded performance has ticks too, but they count no beat.

    Raises:
        FileError: there is no such file, or it can't be read.
        SongError: not MIDI, cut short, too large, or without a note.
    """
    import symusic

    label, data = ("these bytes", file) if isinstance(file, bytes) else _contents(file)
    if len(data) > LARGEST_FILE:
        raise SongError(f"{label} is larger than {LARGEST_FILE / 1e6:.0f} MB: not a piano piece.")
    data = _unwrapped(data)
    if data[:4] != b"MThd":
        raise SongError(f"{label} is not a MIDI file (it doesn't begin with MThd).")
    if _cut_short(data):
        raise SongError(f"{label} is cut short: it announces more bytes than it holds.")
    try:
        # Not an option: as it stands, a pitch above 127 on channel 16 overwrites memory and
        # kills Python before any check of ours sees a note.
        score = symusic.Score.from_midi(data, sanitize_data=True)
    except Exception as error:  # symusic raises RuntimeError and ValueError, undocumented
        why = str(error).split("!")[0].removeprefix("MiniMidi: ")  # the rest: the parser's cursor
        why = why.replace("Invaild midi", "Invalid MIDI")
        raise SongError(f"{label} is broken MIDI and can't be read: {why}.") from None
    tables, pedals, count = [], [], 0
    for track in score.tracks:
        if not track.is_drum:
            if found := len(track.notes):
                tables.append(track.notes)
                count += found
            if len(track.pedals):
                pedals.append(track.pedals.numpy())
    if not count:
        raise SongError(f"{label} holds no notes.")
    if score.ticks_per_quarter < 1:
        raise SongError(f"{label} counts no ticks to a quarter note: its timing must be broken.")
    if count > MOST_NOTES:
        raise SongError(f"{label} holds {count:,} notes: more than any piano piece has.")
    parts = [notes.numpy() for notes in tables]
    note = parts[0]
    if len(parts) > 1:
        note = {k: np.concatenate([part[k] for part in parts]) for k in note}

    # What follows costs a small file more than its parser does, call by call: hence two rows for
    # starts and stops, and no arithmetic on pedals or tempo changes that aren't there.
    per_quarter = score.ticks_per_quarter
    tempo, seconds = _tempo(score.tempos, per_quarter)

    pitch, velocity = note["pitch"], note["velocity"]
    span = np.empty((2, count), np.int64)  # ticks at which notes start and stop
    span[0] = note["time"]
    np.add(span[0], np.maximum(note["duration"], 0), out=span[1])
    order = span[0] * 128 + pitch
    if np.count_nonzero(order[1:] >= order[:-1]) < count - 1:
        sorting = np.argsort(order, kind="stable")
        span, pitch, velocity = span[:, sorting], pitch[sorting], velocity[sorting]
    times, quarters = seconds(span), NO_QUARTERS
    if span[0, 0] < 0 or times[1].max() > LONGEST_SONG:
        raise SongError(f"{label} lasts more than a day: its timing must be broken.")
    times[1] -= times[0]  # from when notes end to how long they last
    np.maximum(times[1], SHORTEST_NOTE, out=times[1])
    if not pitch.tobytes().isascii():  # a byte above 127
        raise SongError(f"A pitch lies between 0 and 127; {label} has others.")
    probe = span[0, :: max(count // 512, 1)]  # enough to tell a score from a performance
    # In ticks times GRID: a tick too early or too late is on the grid, too.
    if np.count_nonzero((probe * GRID + GRID) % per_quarter <= 2 * GRID) >= 0.9 * len(probe):
        span[1] -= span[0]
        quarters = tuple(span / per_quarter)
    pedal = NO_PEDAL
    if pedals:
        down = np.concatenate([p["time"].astype(np.int64) for p in pedals])
        held = np.concatenate([p["duration"].astype(np.int64) for p in pedals])
        pedal = np.array([seconds(down), seconds(down + held)]).T
        pedal = np.minimum(pedal, LONGEST_SONG).copy()  # a note may ring as long as a song
    columns = {
        "onset": times[0],
        "duration": times[1],
        "pitch": pitch.astype(np.uint8),
        "velocity": np.maximum(velocity, 1).astype(np.uint8),
        "onset_quarters": quarters[0],
        "duration_quarters": quarters[1],
        "tempo": tempo,
        "pedal": pedal,
    }
    for column in columns.values():
        if column is not None:
            column.setflags(write=False)
    return columns


def _contents(file: str | Path) -> tuple[str, bytes]:
    """A file's name, and what it holds, or a byte more than the limit of it.

    Raises:
        FileError: there is no such file, or it can't be read.
    """
    check_name(file)
    with sentence(f"{file} can't be read"):
        try:
            # Asking for the limit would set aside 10 MB for every small file. A pipe has no
            # size, and gives its bytes a few at a time: only there a buffer helps.
            found = os.stat(file)  # noqa: PTH116 - pathlib takes ten times as long
            if stat.S_ISDIR(found.st_mode):
                raise FileError(f"{shown(file)} is a folder, not a piece.")
            size = found.st_size
            with open(file, "rb", buffering=0 if size else -1) as opened:  # noqa: PTH123
                data = opened.read(min(size or LARGEST_FILE, LARGEST_FILE) + 1)
        except FileNotFoundError:
            raise FileError(f"There is no file {shown(file)}.") from None
    return shown(os.path.basename(file)), data  # noqa: PTH119


def pretty_midi_notes(midi: pretty_midi.PrettyMIDI) -> dict[str, Any]:
    """Columns of a :class:`symphony.Song` from a PrettyMIDI object, drums left out.

    Raises:
        SongError: it holds no notes.
    """
    played = [i for i in midi.instruments if not i.is_drum]
    rows = [(n.start, n.end - n.start, n.pitch, n.velocity) for i in played for n in i.notes]
    if not rows:
        raise SongError("This PrettyMIDI object holds no notes.")
    times, qpm = midi.get_tempo_changes()
    pedal, down = [], None
    for change in sorted(
        (c for i in played for c in i.control_changes if c.number == 64), key=lambda c: c.time
    ):
        if change.value >= 64 and down is None:
            down = change.time
        elif change.value < 64 and down is not None:
            pedal.append((down, change.time))
            down = None
    onset, duration, pitch, velocity = map(np.array, zip(*rows, strict=True))
    if down is not None:
        pedal.append((down, max(float((onset + duration).max()), down)))
    return {
        "onset": onset,
        "duration": duration,
        "pitch": pitch,
        "velocity": velocity,
        "tempo": np.column_stack([times, qpm]) if len(times) else np.array([[0.0, 120.0]]),
        "pedal": np.array(pedal).reshape(-1, 2),
    }


def _tempo(changes: Any, per_quarter: int) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """A song's tempo rows, and what makes seconds of ticks, from symusic's tempo changes."""
    if len(changes) == 1 and changes[0].time == 0:  # one tempo, as most files have it
        only = max(changes[0].mspq, 1)
        factor = only / 1e6 / per_quarter
        return np.array([[0.0, 60e6 / only]]), lambda tick: tick * factor
    found = changes.numpy()
    ticks = np.append(0, found["time"].astype(np.int64))
    mspq = np.append(500_000.0, np.maximum(found["mspq"], 1.0))
    last_of_tick = np.append(np.diff(ticks) > 0, True)  # the last change at a tick counts
    ticks, mspq = ticks[last_of_tick], mspq[last_of_tick]
    per_tick = mspq / 1e6 / per_quarter
    begun = np.append(0.0, np.cumsum(np.diff(ticks) * per_tick[:-1]))

    def seconds(tick: np.ndarray) -> np.ndarray:
        if len(ticks) == 1:
            return tick * per_tick[0]
        at = np.searchsorted(ticks, tick, side="right") - 1
        return begun[at] + (tick - ticks[at]) * per_tick[at]

    return np.array([begun, 60e6 / mspq]).T.copy(), seconds


def _unwrapped(data: bytes) -> bytes:
    """MIDI without what symusic doesn't know: a RIFF file around it, a header of a later kind.

    The standard lets a header grow, and readers pass over what they don't know.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[data.find(b"MThd") :]
    length = int.from_bytes(data[4:8], "big")
    if data[:4] == b"MThd" and 6 < length <= len(data) - 8:
        data = b"MThd\x00\x00\x00\x06" + data[8:14] + data[8 + length :]
    return data


def _cut_short(data: bytes) -> bool:
    """Whether a chunk or a track is missing; symusic would look for it past the end.

    A header may announce more tracks than there are: that is safe where the last one ends
    the file, but behind stray bytes or a damaged tag symusic reads on.
    """
    at, tracks, in_track = 0, 0, False
    while at + 8 <= len(data):
        in_track = data[at : at + 4] == b"MTrk"
        tracks += in_track
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    missing = tracks < int.from_bytes(data[10:12], "big")
    return at > len(data) or (missing and (at < len(data) or not in_track))


def write_notes(
    *,
    onset: np.ndarray,
    duration: np.ndarray,
    pitch: np.ndarray,
    velocity: np.ndarray,
    tempo: np.ndarray,
    pedal: np.ndarray,
    accompaniment: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """MIDI bytes, a piano track of 960 ticks a quarter; times in seconds.

    The notes of an ``accompaniment`` (its onset, duration, pitch and velocity) are a second track
    on a channel of its own, for a guitar.

    Raises:
        SongError: MIDI has no numbers for its times or its tempo.
    """
    import symusic

    # MIDI holds whole microseconds a quarter: times are counted by the tempo that is read back.
    with np.errstate(over="ignore"):
        micros = np.round(60e6 / tempo[:, 1])
    if not 1 <= micros.min() <= micros.max() <= LONGEST_QUARTER:
        raise SongError(
            f"MIDI's tempi lie between {60e6 / LONGEST_QUARTER:.2f} and 60,000,000 quarters a "
            f"minute; this song has {tempo[:, 1].min():g} to {tempo[:, 1].max():g}."
        )
    tables = [{"onset": onset, "duration": duration, "pitch": pitch, "velocity": velocity}]
    tables += [dict(accompaniment)] if accompaniment else []
    ends = [table["onset"] + table["duration"] for table in tables]
    last = max((float(a.max()) for a in (*ends, pedal, tempo[:, 0]) if a.size), default=0.0)
    if last > LONGEST_SONG:
        raise SongError(
            f"A MIDI file of ours lasts at most {LONGEST_SONG / 3600:.0f} hours, and this song "
            f"{last / 3600:,.1f}: write a slice of it."
        )
    counted = np.column_stack([tempo[:, 0], 60e6 / micros])

    def tick(seconds: np.ndarray) -> np.ndarray:
        return np.round(quarters_at(counted, seconds) * TICKS_PER_QUARTER)

    starts, stops = [tick(table["onset"]) for table in tables], [tick(end) for end in ends]
    changes, down, up = tick(tempo[:, 0]), tick(pedal[:, 0]), tick(pedal[:, 1])
    events = np.sort(np.concatenate([[0.0], *starts, *stops, changes, down, up]))
    if events[-1] > MOST_TICKS or np.diff(events).max() > LONGEST_WAIT:
        raise SongError(
            f"At up to {tempo[:, 1].max():,.0f} quarters a minute this song has more ticks than "
            f"MIDI can count, which is {LONGEST_WAIT:,} between two events and {MOST_TICKS:,} in "
            "all: write a slice of it, or give it a slower tempo."
        )
    score = symusic.Score(TICKS_PER_QUARTER)
    for time, length in zip(changes, micros, strict=True):
        score.tempos.append(symusic.Tempo(int(time), mspq=int(length)))
    played = (("Piano", PIANO), ("Guitar", GUITAR))
    for (name, program), table, start, stop in zip(played, tables, starts, stops, strict=False):
        track = symusic.Track(name, program=program)  # symusic gives each a channel of its own
        track.notes = symusic.Note.from_numpy(
            start.astype(np.int32),
            np.maximum(stop - start, 1).astype(np.int32),
            table["pitch"].astype(np.int8),
            table["velocity"].astype(np.int8),
        )
        score.tracks.append(track)
    for time, value in sorted([(int(t), 127) for t in down] + [(int(t), 0) for t in up]):
        score.tracks[0].controls.append(symusic.ControlChange(time, 64, value))
    return bytes(score.dumps_midi())
