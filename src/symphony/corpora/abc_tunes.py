"""ABC notation to songs, through the abc2midi that symusic carries.

abc2midi prints its complaints on the C library's standard output and was not written for
hostile text, so it runs in a worker process: its output is kept, and a tune that crashes or
stalls it is left out while the worker starts afresh.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from symphony.errors import SongError
from symphony.song import Song

TIME_LIMIT = 10.0  # seconds a tune; an ordinary one takes a millisecond
LONGEST_TUNE = 50_000  # characters


def split_tunes(text: str) -> list[str]:
    """The tunes of an ABC file: each begins with its number, ``X:``."""
    parts = re.split(r"(?m)^(?=X:)", text.replace("\r\n", "\n").replace("\r", "\n"))
    return [part.strip() + "\n" for part in parts if part.startswith("X:")]


def title(tune: str) -> str:
    """A tune's first title (``T:``), or its number."""
    found = re.search(r"(?m)^T:\s*(.+?)\s*$", tune) or re.search(r"(?m)^(X:\s*\d+)", tune)
    return found.group(1) if found else "untitled"


def read_abc(tune: str) -> Song:
    """One tune as a song: its melody; chord symbols stay in ``song.abc``.

    Raises:
        SongError: abc2midi found an error in it, or no note.
    """
    (song,) = parse_tunes([tune])
    if isinstance(song, str):
        raise SongError(f"The tune {title(tune)!r} can't be read: {song}.")
    return song


def _plain(tune: str) -> str:
    """A tune without what abc2midi stumbles over and no note needs: rhythm names, bowing."""
    lines = [line for line in tune.split("\n") if not line.startswith("R:")]
    return "\n".join(
        line if re.match(r"[A-Za-z]:", line) else re.sub(r"[uv](?=[(\"'.,~_=^A-Ga-g])", "", line)
        for line in lines
    )


def parse_tunes(tunes: Sequence[str]) -> Iterator[Song | str]:
    """Each tune as a song, or the reason it was left out, in order."""
    done = 0
    while done < len(tunes):
        with _Worker() as worker:
            for tune in tunes[done:]:
                done += 1
                if len(tune) > LONGEST_TUNE:
                    yield f"it is longer than {LONGEST_TUNE:,} characters"
                    continue
                answer = worker.ask(_plain(tune))
                yield _song(tune, answer)
                if answer is None:  # the worker is gone: start another for the rest
                    break


def _song(tune: str, answer: dict[str, Any] | None) -> Song | str:
    if answer is None:
        return "it crashes or stalls the ABC reader"
    if answer["error"]:
        return str(answer["error"])
    notes = np.array(answer["notes"], dtype=np.float64).reshape(-1, 4)
    if not len(notes):
        return "it holds no notes"
    # abc2midi begins each note a tick late and ends it on time: a trick for old synthesizers.
    ticks, start = answer["ticks"], np.maximum(notes[:, 0] - 1, 0)
    duration = notes[:, 0] + notes[:, 1] - start
    tempo = np.array(answer["tempo"], dtype=np.float64).reshape(-1, 2)
    tempo = tempo if len(tempo) else np.array([[0.0, 120.0]])
    onset = _seconds(tempo, start / ticks)
    return Song(
        onset=onset,
        duration=_seconds(tempo, (start + duration) / ticks) - onset,
        pitch=notes[:, 2],
        velocity=np.clip(notes[:, 3], 1, 127),
        onset_quarters=start / ticks,
        duration_quarters=duration / ticks,
        tempo=tempo,
        name=title(tune),
        abc=tune,
    )


def _seconds(tempo: np.ndarray, quarters: np.ndarray) -> np.ndarray:
    starts = np.cumsum(np.append(0.0, np.diff(tempo[:, 0]) * tempo[:-1, 1] / 60.0))
    at = np.clip(np.searchsorted(starts, quarters, side="right") - 1, 0, None)
    return tempo[at, 0] + (quarters - starts[at]) * 60.0 / tempo[at, 1]


class _Worker:
    """A process that answers one JSON line for each JSON line."""

    def __enter__(self) -> _Worker:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "symphony.corpora.abc_tunes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.kept = b""
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, tune: str) -> dict[str, Any] | None:
        """The worker's answer, or None when it died or took too long."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(tune).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.kept:
                if not waiting.select(TIME_LIMIT):
                    return None
                more = os.read(self.process.stdout.fileno(), 1 << 20)
                if not more:
                    return None
                self.kept += more
        line, self.kept = self.kept.split(b"\n", 1)
        return json.loads(line)


def _work() -> None:
    """The worker: abc2midi's own words go to a file, answers to the real output."""
    import ctypes
    import tempfile

    import symusic

    answers = os.fdopen(os.dup(1), "w")
    libc = ctypes.CDLL(None)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        for line in sys.stdin:
            tune = json.loads(line)
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
            answer: dict[str, Any] = {"notes": [], "tempo": [], "ticks": 480, "error": ""}
            try:
                score = symusic.Score.from_abc(tune)
                melody = score.tracks[0].notes.numpy() if len(score.tracks) else {}
                answer["notes"] = np.column_stack(list(melody.values())).tolist() if melody else []
                seconds = score.to("second").tempos
                answer["tempo"] = [[float(t.time), float(t.qpm)] for t in seconds]
                answer["ticks"] = score.ticks_per_quarter
            except Exception as error:
                answer["error"] = f"abc2midi wrote no notes ({type(error).__name__})"
            libc.fflush(None)
            os.lseek(1, 0, os.SEEK_SET)
            printed = os.read(1, 1 << 16).decode(errors="replace")
            complaint = re.search(r"(?m)^Error.*$", printed)
            if complaint:
                answer["error"] = complaint.group(0).strip()
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _work()
