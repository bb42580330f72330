"""Encoding events beside miditok, and memory as a corpus grows tenfold."""

import tempfile
import tracemalloc
from pathlib import Path

import miditok
import symusic

from benchmarks.common import Row, midi_files, side_by_side
from symphony.codecs import EventCodec
from symphony.song import Song


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [row for kind in midi_files(Path(folder), 16).items() for row in _measured(*kind)]


def _measured(kind: str, files: list[Path]) -> list[Row]:
    songs, scores = [Song.from_midi(f) for f in files], [symusic.Score(f) for f in files]
    codec = EventCodec()
    peer = miditok.MIDILike(miditok.TokenizerConfig(num_velocities=7))
    ours, theirs = side_by_side(
        lambda: [codec.encode(song) for song in songs],
        lambda: [peer.encode(score) for score in scores],
        rounds=3,
    )

    def peak(times: int) -> int:
        tracemalloc.start()
        total = sum(len(codec.encode(song)) for _ in range(times) for song in songs)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total
        return used

    return [
        (f"encoding {kind}: times miditok MIDILike's speed", theirs / ours, ">=", 20),
        (f"encoding ten times the {kind}: of the memory for one", peak(10) / peak(1), "<=", 1.2),
    ]
