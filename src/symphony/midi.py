"""MIDI bytes to columns of notes and back, through symusic: what :class:`symphony.Song` stands on.

Times are computed here from ticks and the tempo map in double precision: symusic's own
seconds are single precision, which is 4 ms off after an hour.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from symphony.errors import SymphonyError

LARGEST_FILE = 10_000_000  # bytes: thirty times the longest sonata in MAESTRO
MOST_NOTES = 500_000
LONGEST_SONG = 24 * 3600.0  # seconds
TICKS_PER_QUARTER = 960
GRID = 48  # divisions of a quarter note: holds triplets, sextuplets and 64ths


class SongError(SymphonyError):
    """Music that can't be used; the message says why in a sentence."""


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

    Quarter notes are given only where nine in ten onsets sit on a grid of 1/48 of a quarter:
    a recorded performance has ticks too, but they count no beat.

    Raises:
        SongError: not MIDI, cut short, too large, or without a note.
    """
    import symusic

    label, data = "these bytes", file
    if not isinstance(data, bytes):
        label = str(os.path.basename(file))  # noqa: PTH119 - pathlib takes ten times as long
        try:
            with open(file, "rb") as opened:  # noqa: PTH123
                # Asking for the limit sets aside 10 MB for every small file; a pipe has no size.
                size = os.fstat(opened.fileno()).st_size or LARGEST_FILE
                data = opened.read(min(size, LARGEST_FILE) + 1)
        except FileNotFoundError:
            raise SongError(f"There is no file {file!s}.") from None
        except OSError as error:
            raise SongError(f"{file!s} can't be read: {error.strerror}.") from None
    if len(data) > LARGEST_FILE:
        raise SongError(f"{label} is larger than {LARGEST_FILE / 1e6:.0f} MB: not a piano piece.")
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
        raise SongError(f"{label} is broken MIDI and can't be read: {why}.") from None
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    count = sum(len(track.notes) for track in tracks)
    if not count:
        raise SongError(f"{label} holds no notes.")
    if score.ticks_per_quarter < 1:
        raise SongError(f"{label} counts no ticks to a quarter note: its timing must be broken.")
    if count > MOST_NOTES:
        raise SongError(f"{label} holds {count:,} notes: more than any piano piece has.")
    columns = [track.notes.numpy() for track in tracks]
    note = columns[0]
    if len(columns) > 1:
        note = {k: np.concatenate([c[k] for c in columns]) for k in note}
    pedals = [track.pedals.numpy() for track in tracks if len(track.pedals)]

    changes = score.tempos.numpy()
    ticks = np.concatenate([[0], changes["time"].astype(np.int64)])
    mspq = np.concatenate([[500_000], changes["mspq"].astype(np.int64)]).astype(np.float64)
    last_of_tick = np.append(np.diff(ticks) > 0, True)  # the last change at a tick counts
    ticks, mspq = ticks[last_of_tick], np.maximum(mspq[last_of_tick], 1.0)
    second_per_tick = mspq / 1e6 / score.ticks_per_quarter
    begun = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * second_per_tick[:-1])])

    def seconds(tick: np.ndarray) -> np.ndarray:
        if len(ticks) == 1:  # one tempo, as in every recorded performance
            return tick * second_per_tick[0]
        at = np.searchsorted(ticks, tick, side="right") - 1
        return begun[at] + (tick - ticks[at]) * second_per_tick[at]

    start = note["time"].astype(np.int64)
    stop = start + np.maximum(note["duration"].astype(np.int64), 0)
    onset, end = seconds(start), seconds(stop)
    if start.min() < 0 or end.max() > LONGEST_SONG:
        raise SongError(f"{label} lasts more than a day: its timing must be broken.")
    per_quarter = score.ticks_per_quarter
    probe = start[:: max(len(start) // 512, 1)]  # enough to tell a score from a performance
    remainder = probe * GRID % per_quarter
    off_grid = np.minimum(remainder, per_quarter - remainder)  # in ticks, times GRID
    on_beat = np.count_nonzero(off_grid <= GRID) >= 0.9 * len(probe)
    down = np.concatenate([p["time"].astype(np.int64) for p in pedals] or [np.empty(0, np.int64)])
    held = np.concatenate([p["duration"].astype(np.int64) for p in pedals] or [down])
    return {
        "onset": onset,
        "duration": end - onset,
        "pitch": note["pitch"],
        "velocity": np.maximum(note["velocity"], 1),
        "onset_quarters": start / per_quarter if on_beat else None,
        "duration_quarters": (stop - start) / per_quarter if on_beat else None,
        "tempo": np.column_stack([begun, 60e6 / mspq]),
        "pedal": np.column_stack([seconds(down), seconds(down + held)]),
    }


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
) -> bytes:
    """MIDI bytes, one piano track of 960 ticks a quarter; times in seconds."""
    import symusic

    def tick(seconds: np.ndarray) -> np.ndarray:
        return np.round(quarters_at(tempo, seconds) * TICKS_PER_QUARTER).astype(np.int32)

    start = tick(onset)
    track = symusic.Track("Piano", program=0)
    track.notes = symusic.Note.from_numpy(
        start,
        np.maximum(tick(onset + duration) - start, 1),
        pitch.astype(np.int8),
        velocity.astype(np.int8),
    )
    if len(pedal):
        down = tick(pedal[:, 0])
        events = [(int(t), 127) for t in down] + [(int(t), 0) for t in tick(pedal[:, 1])]
        for time, value in sorted(events):
            track.controls.append(symusic.ControlChange(time, 64, value))
    score = symusic.Score(TICKS_PER_QUARTER)
    for (_, qpm), time in zip(tempo, tick(tempo[:, 0]), strict=True):
        score.tempos.append(symusic.Tempo(int(time), qpm=float(qpm)))
    score.tracks.append(track)
    return bytes(score.dumps_midi())
