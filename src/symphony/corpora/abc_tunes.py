"""ABC notation to songs, through the abc2midi that symusic carries.

abc2midi prints its complaints on standard output and was not written for hostile text, so it runs
below a worker process: its output is kept, its time and memory are bounded, and a tune that
crashes or stalls it is left out. A reader that can't read a plain scale is itself at fault, and no
tune is blamed for it.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from symphony.errors import FileError, SongError
from symphony.files import sentence
from symphony.midi import LONGEST_SONG, MOST_NOTES
from symphony.song import TEMPO, Song

TUNE_LIMIT = 2  # seconds of processor time; an ordinary tune takes some milliseconds
FILE_LIMIT = 120  # seconds of processor time for all tunes of a file: 10 MB of ordinary ones
PATIENCE = 30.0  # seconds by the clock, for a worker on a busy machine
MEMORY = 1 << 30  # bytes of address space; the worker needs a sixth of it
LARGEST_OUTPUT = 100_000_000  # bytes of MIDI, or of complaints
LONGEST_TUNE = 50_000  # characters
SCALE = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n"


def split_tunes(text: str) -> list[str]:
    """The tunes of an ABC file: each begins with its number, ``X:``.

    A byte-order mark may stand before any of them, for collections are often put together.
    """
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    parts = re.split(r"(?m)^(?=X:)", text)
    return [part.strip() + "\n" for part in parts if part.startswith("X:")]


def title(tune: str) -> str:
    """A tune's first title (``T:``), or its number."""
    found = re.search(r"(?m)^T:[ \t]*(\S.*)$", tune) or re.search(r"(?m)^(X:\s*\d+)", tune)
    return found.group(1).strip() if found else "untitled"


def read_abc(tune: str) -> Song:
    """One tune as a song: its melody; chord symbols stay in ``song.abc``.

    Raises:
        SongError: abc2midi found an error in it, or no note.
        FileError: the reader itself can't be run.
    """
    (song,) = parse_tunes([tune])
    if isinstance(song, str):
        raise SongError(f"The tune {title(tune)[:200]!r} can't be read: {song}.")
    return song


def accompaniment(song: Song) -> Song | None:
    """What the chord symbols of a song's text sound like: a bass and its chord in turn.

    As abc2midi plays them, while the song lasts. Play both with ``rendering.player(song,
    accompaniment=...)``, write both with ``song.to_midi(path, accompaniment=...)``.

    Returns:
        None for a song without chord symbols, for one of several voices, and for a text that can't
        be read.

    Raises:
        FileError: the reader itself can't be run.
    """
    if song.abc is None or not re.search(rf'"{_CHORD.pattern}"', song.abc):
        return None
    with AbcReader() as reader:
        found = reader.read(song.abc, "chords")
    if isinstance(found, str):
        return None
    found = found.slice(0.0, song.seconds).named(f"{song.name}: chords", song.source)
    return found if len(found) else None


def parse_tunes(tunes: Iterable[str]) -> Iterator[Song | str]:
    """Each tune as a song, or the reason it was left out, in order.

    Raises:
        FileError: the reader itself can't be run.
    """
    with AbcReader() as reader:
        for tune in tunes:
            yield reader.read(tune)


class AbcReader:
    """Reads tunes, in a worker that is started for the first one and again after a crash.

    Attributes:
        seconds: processor time that tunes took so far; a stalled one counts as its limit.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._worker: _Worker | None = None

    def __enter__(self) -> AbcReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; another tune would start another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def read(self, tune: str, part: Literal["notes", "chords"] = "notes") -> Song | str:
        """A tune as a song, or the reason why not: its melody, or what its chord symbols sound.

        Raises:
            FileError: the reader itself can't be run.
        """
        if len(tune) > LONGEST_TUNE:
            return f"it is longer than {LONGEST_TUNE:,} characters"
        if self._worker is None:
            self._worker = _Worker()
        reason = ""
        # What is set down as it stands comes first: mending may cost an ornament.
        for text in dict.fromkeys((_plain(tune), mended(_plain(tune)))):
            answer = self._worker.ask(text)
            if answer is None:  # the worker is gone: the next tune starts another
                self.close()
                self.seconds += TUNE_LIMIT
                return reason or "it crashes or stalls the ABC reader"
            self.seconds += answer["seconds"]
            try:
                with np.errstate(all="ignore"):
                    return _song(tune, answer, part)
            except SongError as error:
                reason = reason or str(error).rstrip(".")
            if not reason.startswith("Error"):  # abc2midi's own complaint of what is written
                break
        return reason


def _plain(tune: str) -> str:
    """A tune without what abc2midi stumbles over and no note needs: rhythm names, bowing."""
    lines = [line for line in tune.split("\n") if not line.startswith("R:")]
    return "\n".join(
        line if re.match(r"[A-Za-z]:|%", line) else re.sub(r"[uv](?=[(\"'.,~_=^A-Ga-g])", "", line)
        for line in lines
    )


_FIELD = re.compile(r"[A-Za-z]:|%")  # begins a line that holds no notes
_CHORD = re.compile(r"[A-G][b#]?(m|min|maj|dim|aug|sus|\+|\d)*(/[A-G][b#]?)?")
_SECOND_SECTION = re.compile(r"(:\|)(?!\s*[\d\[|:])(?=(?:(?!:\||\|:|::).)*?[\[|]1)", re.DOTALL)
_KEPT = re.compile(r'"[^"]*"|![^!]*!|\[[A-Za-z]:[^\[\]]*\]')  # what is no note within the music


def mended(tune: str) -> str:
    """A tune without the marks that abc2midi fails on and that change neither pitch nor length.

    Slurs, which it can't read across a broken rhythm or a triplet; letters and dots that stand
    for ornaments; words in quotes that are no chord, such as "D.C."; double bars typed as "[|]".
    A section with two endings that says where it is repeated from only by following another
    repeat gets its "|:". Line ends that mail programs wrote as "=" and "=20" are mended too.
    """
    tune = re.sub(r"=20(?=\n)|=\n", "", tune)
    tune = _SECOND_SECTION.sub(r"\1|:", re.sub(r"\[\|\]?", "|", tune))
    return "\n".join(line if _FIELD.match(line) else _mended(line) for line in tune.split("\n"))


def _mended(line: str) -> str:
    out, at = [], 0
    for each in [*_KEPT.finditer(line), None]:
        music = line[at : each.start() if each else len(line)]
        music = re.sub(r"\((?!\d)|\)", "", music)  # slurs; "(3" begins a triplet
        out.append(re.sub(r"[H-Wh-w~.]", "", music))
        if each is None:
            break
        words, at = each.group(), each.end()
        text = words.startswith('"') and not _CHORD.fullmatch(words.strip('"'))
        out.append("" if text or words.startswith("!") else words)
    return "".join(out)


def _song(tune: str, answer: dict[str, Any], part: str) -> Song:
    """The worker's answer as a song.

    Raises:
        SongError: why it is none.
    """
    if answer["error"]:
        raise SongError(str(answer["error"]))
    notes = np.array(answer[part], dtype=np.float64).reshape(-1, 4)
    if not len(notes):
        raise SongError("it holds no notes")
    # abc2midi begins each note a tick late and ends it on time: a trick for old synthesizers.
    ticks, start = answer["ticks"], np.maximum(notes[:, 0] - 1, 0)
    duration = notes[:, 0] + notes[:, 1] - start
    tempo = np.array(answer["tempo"], dtype=np.float64).reshape(-1, 2)
    # A tempo is a field, of the head or in the music; abc2midi would take 120 where there is none.
    if not len(tempo) or not re.search(r"(?m)^Q:|\[Q:", tune):
        tempo = np.array([[0.0, TEMPO]])
    onset = _seconds(tempo, start / ticks)
    end = _seconds(tempo, (start + duration) / ticks)
    if not end.max() <= LONGEST_SONG:
        raise SongError("it lasts more than a day")
    return Song(
        onset=onset,
        duration=end - onset,
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
    """A process that answers one JSON line for each JSON line.

    Raises:
        FileError: it can't be started, or can't read a plain scale.
    """

    def __init__(self) -> None:
        self.kept = b""
        with sentence("The ABC reader can't be started"):
            # symusic numbers its files alike in every process: two with one folder would read
            # each other's tunes.
            self.folder = tempfile.TemporaryDirectory(prefix="symphony-abc-")
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "symphony.corpora.abc_tunes"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | {"TMPDIR": self.folder.name, "OPENBLAS_NUM_THREADS": "1"},
                    start_new_session=True,
                )
            except OSError:
                self.folder.cleanup()
                raise
        try:
            begun = self._answer()
        except BaseException:  # Ctrl-C while it starts
            self.close()
            raise
        if begun is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            code = self.process.returncode
            self.close()
            why = "it doesn't answer" if code is None else f"it ended with exit code {code}"
            raise FileError(f"The ABC reader can't be started: {why}.")
        self._check(begun)

    def close(self) -> None:
        """End the process, and abc2midi with it; a second time does nothing."""
        if not Path(self.folder.name).exists():
            return
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()

    def ask(self, tune: str) -> dict[str, Any] | None:
        """The worker's answer, or None when it died or took too long.

        Raises:
            FileError: it is the reader that fails, not the tune.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(tune).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        answer = self._answer()
        if answer is not None:
            self._check(answer)
        return answer

    def _answer(self) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.kept:
                if not waiting.select(PATIENCE):
                    return None
                more = os.read(self.process.stdout.fileno(), 1 << 20)
                if not more:
                    return None
                self.kept += more
        line, self.kept = self.kept.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _check(self, answer: dict[str, Any]) -> None:
        if answer["broken"]:
            self.close()
            raise FileError(f"The ABC reader can't read even a plain scale: {answer['broken']}.")


def _work() -> None:
    """The worker: abc2midi's own words go to a file, answers to the real output."""
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        _set_limits()
        print(json.dumps({"broken": _broken()}), file=answers, flush=True)
        for line in sys.stdin:
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
            begun = _processor_time()
            answer = _notes(json.loads(line))
            answer["seconds"] = _processor_time() - begun
            os.lseek(1, 0, os.SEEK_SET)
            printed = os.read(1, 1 << 16).decode(errors="replace")
            complaint = re.search(r"(?m)^Error.*$", printed)
            if complaint:
                answer["error"] = complaint.group(0).strip()
            print(json.dumps(answer), file=answers, flush=True)


def _notes(tune: str) -> dict[str, Any]:
    """What abc2midi makes of a tune, or the error it makes."""
    import symusic

    answer: dict[str, Any] = {"notes": [], "chords": [], "tempo": [], "ticks": 480}
    answer |= {"error": "", "broken": ""}
    begun = _processor_time()
    try:
        score = symusic.Score.from_abc(tune)
        melody = score.tracks[0].notes.numpy() if len(score.tracks) else {}
        if melody and len(melody["time"]) > MOST_NOTES:
            return answer | {"error": f"it holds more than {MOST_NOTES:,} notes"}
        answer["notes"] = np.column_stack(list(melody.values())).tolist() if melody else []
        if not re.search(r"(?m)^V:|\[V:", tune):  # else the other tracks are its other voices
            chords = [track.notes.numpy() for track in score.tracks[1:] if not track.is_drum]
            rows = [np.column_stack(list(part.values())) for part in chords if len(part["time"])]
            if 0 < sum(map(len, rows)) <= MOST_NOTES:
                answer["chords"] = np.concatenate(rows).tolist()
        seconds = score.to("second").tempos
        answer["tempo"] = [[float(t.time), float(t.qpm)] for t in seconds]
        answer["ticks"] = score.ticks_per_quarter
    except Exception as error:
        answer["error"] = f"abc2midi wrote no notes ({type(error).__name__})"
        if _processor_time() - begun > TUNE_LIMIT / 4:  # it met a limit; others take milliseconds
            answer["error"] = f"it takes more than {TUNE_LIMIT} s or {MEMORY >> 30} GB to read"
        answer["broken"] = _broken()
    return answer


def _broken() -> str:
    """Why not even a scale can be read, as where there is no room for abc2midi's file."""
    try:
        import symusic

        count = len(symusic.Score.from_abc(SCALE).tracks[0].notes)
        return "" if count == 4 else f"it finds {count} of its 4 notes"
    except Exception as error:
        return str(error).partition("\n")[0] or type(error).__name__


def _processor_time() -> float:
    """Seconds of this process and of all that it waited for."""
    return sum(os.times()[:4])


def _set_limits() -> None:
    """Bounds for each process that this one starts, itself included; Unix only."""
    try:
        import resource
    except ImportError:
        return
    # A process that has used its time gets SIGXCPU. abc2midi ends of it; here it means nothing.
    signal.signal(signal.SIGXCPU, lambda *_: None)
    for what, most in (
        (resource.RLIMIT_CPU, TUNE_LIMIT),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, LARGEST_OUTPUT),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    _work()
