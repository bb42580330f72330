"""Reading MIDI beside pretty_midi and bare symusic, on the same files."""

import tempfile
from pathlib import Path

import pretty_midi
import symusic

from benchmarks.common import Row, midi_files, side_by_side
from symphony.song import Song


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [row for kind in midi_files(Path(folder)).items() for row in _measured(*kind)]


def _measured(kind: str, files: list[Path]) -> list[Row]:
    few = files[:: max(len(files) // 8, 1)]
    ours, theirs = side_by_side(
        lambda: [Song.from_midi(f) for f in few],
        lambda: [pretty_midi.PrettyMIDI(str(f)) for f in few],
        rounds=3,
    )
    song, bare = side_by_side(
        lambda: [Song.from_midi(f) for f in files],
        lambda: [
            [track.notes.numpy() for track in symusic.Score(f, ttype="second").tracks]
            for f in files
        ],
    )
    return [
        (f"reading {kind}: times pretty_midi's speed", theirs / ours, ">=", 50),
        (f"reading {kind}: of bare symusic's time, notes as arrays", song / bare, "<=", 1.5),
    ]
