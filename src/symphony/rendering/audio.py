"""A song as sound: a sampled piano, the sustain pedal, a guitar beside it, MP3 and WAV.

Explained in chapter 1. The loudest sample always lies at ``PEAK``, so nothing clips and a
quiet piece can be heard; how loud notes are relative to each other is kept.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from symphony.errors import RequestError, SongError
from symphony.files import sentence, written
from symphony.midi import GUITAR, PIANO
from symphony.rendering.soundfont import LONGEST_TONE, tone, zone_of
from symphony.song import Song

PEAK = 10 ** (-2 / 20)  # -2 dBFS: MP3 overshoots by up to 1.5 dB when it is decoded
TAIL = 1.0  # seconds after the last release, for the dampers
BLOCK = 60.0  # seconds rendered at a time: memory stays flat however long the piece
SILENCE = 1e-4  # -80 dB: RMS below which the loudest second counts as silent
LONGEST_ARRAY = 30 * 60.0  # seconds: 640 MB in stereo
LONGEST_FILE = 4 * 3600.0  # seconds: longer than any opera sits through
TONES = (3.0, 8.0, LONGEST_TONE)  # seconds of a key kept ready
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def synthesize(
    song: Song, rate: int = 44_100, *, accompaniment: Song | None = None
) -> Float32[np.ndarray, "samples 2"]:
    """The song on a sampled grand piano, in stereo, pedal respected.

    Args:
        song: what to play; it lasts ``song.sustained().seconds`` and a second more.
        rate: samples a second.
        accompaniment: what a guitar plays with it, as long as the song lasts.

    Returns:
        Samples in -1 to 1; the loudest is at ``PEAK`` (-2 dBFS).

    Raises:
        SongError: a song without notes, or one that stays silent.
        RequestError: a rate that no file has, or more than half an hour of music
            (``write_audio`` writes that to a file).
        FileError: the piano's samples are missing.
    """
    song = _checked(song, rate, LONGEST_ARRAY)
    sound = np.empty((int((song.seconds + TAIL) * rate), 2), np.float32)
    done = 0
    for block in _mixed(song, rate, accompaniment):
        sound[done : done + len(block)] = block
        done += len(block)
    sound *= _gain([sound], rate, song)
    return sound


def write_audio(
    song: Song,
    path: str | Path,
    *,
    rate: int = 44_100,
    mono: bool = False,
    accompaniment: Song | None = None,
) -> None:
    """Write the song as sound; the suffix of ``path`` says how: .mp3 or .wav (16 bits).

    An ``accompaniment`` is played by a guitar.

    Raises:
        SongError, RequestError: as :func:`synthesize` (but up to four hours), or another suffix.
        FileError: nothing can be written there; an earlier file stays as it was.
    """
    kind = check_sound_name(path)
    song = _checked(song, rate, LONGEST_FILE)
    with written(path) as partial:
        _encode(song, partial, kind, rate=rate, mono=mono, accompaniment=accompaniment)


def check_sound_name(path: str | Path) -> str:
    """The format that a file's name asks for: MP3 or WAV.

    Raises:
        RequestError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".mp3", ".wav"):
        raise RequestError(f"Sound goes to a file named .mp3 or .wav, not {Path(path).name!r}.")
    return suffix[1:].upper()


def mp3_bytes(
    song: Song,
    *,
    rate: int = 24_000,
    mono: bool = True,
    compression: float = 0.8,
    fade: float = 0.0,
    accompaniment: Song | None = None,
) -> bytes:
    """The song as the bytes of an MP3 file; as small as a page wants it by default.

    The same song gives the same bytes on the same machine and libsndfile; another version
    of its encoder may choose other bits for the same sound.

    Args:
        song: what to play.
        rate: samples a second; 24,000 keeps all that this piano's samples hold (11 kHz).
        mono: one channel, the mean of both.
        compression: 0 (large) to 0.95 (small); variable bitrate.
        fade: seconds over which the sound fades out before the last release.
        accompaniment: what a guitar plays with it.

    Raises:
        SongError, RequestError, FileError: as :func:`synthesize`, for songs up to four hours.
    """
    if not 0 <= compression <= 0.95:
        raise RequestError(f"MP3 compression lies between 0 and 0.95, not {compression}.")
    song = _checked(song, rate, LONGEST_FILE)
    with (
        sentence(f"MP3 can't be written to {tempfile.gettempdir()}"),
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "song.mp3"
        how = {"compression": compression, "fade": fade}
        _encode(song, path, "MP3", rate=rate, mono=mono, accompaniment=accompaniment, **how)
        return path.read_bytes()


def sound_seconds(song: Song) -> float:
    """How long the sound of a song is: its sustained notes and their fading."""
    return song.sustained().seconds + TAIL


def _checked(song: Song, rate: int, longest: float) -> Song:
    if not len(song):
        raise SongError("This song has no notes, so there is nothing to hear.")
    if rate not in RATES:
        raise RequestError(
            f"Sound is made at {', '.join(map(str, RATES))} samples a second, not {rate}."
        )
    song = song.sustained()
    if song.seconds > longest:
        hint = "write_audio writes longer ones" if longest == LONGEST_ARRAY else "slice it first"
        raise RequestError(
            f"This song lasts {song.seconds / 60:.0f} minutes and at most "
            f"{longest / 60:.0f} are played at once; {hint}."
        )
    return song


def _mixed(
    song: Song, rate: int, accompaniment: Song | None
) -> Iterator[Float32[np.ndarray, "samples 2"]]:
    """The song on a piano, an accompaniment on a guitar: see :func:`_blocks`."""
    total = int((song.seconds + TAIL) * rate)
    piano = _blocks(song, rate, total, PIANO)
    if accompaniment is None:
        yield from piano
        return
    guitar = _blocks(accompaniment.sustained().slice(0.0, song.seconds), rate, total, GUITAR)
    for one, other in zip(piano, guitar, strict=True):
        yield one + other


def _blocks(
    song: Song, rate: int, total: int, program: int
) -> Iterator[Float32[np.ndarray, "samples 2"]]:
    """The song minute by minute, before its loudness is set; blocks follow without a gap."""
    size = int(BLOCK * rate)
    start = np.round(song.onset * rate).astype(np.int64)
    ring = np.zeros((2, 0), np.float32)  # what the notes of earlier blocks still sound
    for begin in range(0, total, size):
        here = slice(*np.searchsorted(start, [begin, begin + size]))
        reach = int((min(LONGEST_TONE, song.duration[here].max(initial=0)) + TAIL + 0.1) * rate)
        sound = np.zeros((2, max(size + reach, ring.shape[1])), np.float32)
        sound[:, : ring.shape[1]] = ring
        for at, pitch, velocity, duration in zip(
            start[here] - begin,
            song.pitch[here].tolist(),
            song.velocity[here].tolist(),
            song.duration[here].tolist(),
            strict=True,
        ):
            note = _note(pitch, velocity, duration, rate, program)
            left, right = _place(pitch)
            sound[0, at : at + len(note)] += left * note
            sound[1, at : at + len(note)] += right * note
        keep = min(size, total - begin)
        yield sound[:, :keep].T
        ring = sound[:, keep:].copy()


def _note(
    pitch: int, velocity: int, duration: float, rate: int, program: int
) -> Float32[np.ndarray, " n"]:
    """One note: the key's tone, its loudness, its release."""
    zone = zone_of(pitch, program)
    needed = min(duration + TAIL, LONGEST_TONE)
    held = tone(pitch, rate, next(length for length in TONES if length >= needed), program)
    loudness = np.float32((velocity / 127) ** 2)  # 960 cB, concave: specification 8.4.1
    released = int(duration * rate)
    fading = _fading(zone.release, rate)[: max(int(LONGEST_TONE * rate) - released, 0)]
    wave = loudness * held[: released + len(fading)]
    wave[released:] *= fading
    return wave


@lru_cache(maxsize=8)
def _fading(release: float, rate: int) -> Float32[np.ndarray, " n"]:
    """The damper: falls by 100 dB in ``release`` seconds; 60 dB are enough to be inaudible."""
    time = np.arange(int(min(release * 0.6, TAIL) * rate)) / rate
    return (10.0 ** (-5 * time / release)).astype(np.float32)


def _place(pitch: int) -> tuple[np.float32, np.float32]:
    """Left and right share: bass to the left, as the player sits; equal power."""
    angle = (1 + 0.35 * np.clip((pitch - 60) / 48, -1, 1)) * np.pi / 4
    return np.float32(np.cos(angle)), np.float32(np.sin(angle))


def _gain(sound: Iterator[np.ndarray] | list[np.ndarray], rate: int, song: Song) -> float:
    """What to multiply by so that the loudest sample lies at PEAK."""
    peak = loudest = 0.0
    for block in sound:
        for at in range(0, len(block), rate):
            second = block[at : at + rate]
            peak = max(peak, float(np.abs(second).max()))
            loudest = max(loudest, float(np.sqrt(np.mean(np.square(second)))))
    if not peak or loudest * PEAK / peak < SILENCE:
        raise SongError(
            f"{song.name or 'This song'} comes out silent: its {len(song)} notes are too short "
            "to sound."
        )
    return PEAK / peak


def _encode(
    song: Song,
    path: Path,
    kind: str,
    *,
    rate: int,
    mono: bool,
    compression: float = 0.5,
    fade: float = 0.0,
    accompaniment: Song | None = None,
) -> None:
    """Write the (sustained) song: long ones rendered twice rather than held in memory.

    libsndfile opens the file by its path. Through a Python file object it would call back into
    Python, and a Ctrl-C that arrives there is lost: the file is cut short and nothing says so.

    Raises:
        OSError: no room, or no permission.
    """
    import soundfile

    def mixed() -> Iterator[np.ndarray]:
        done, last = 0, int((song.seconds + TAIL) * rate)
        for block in _mixed(song, rate, accompaniment):
            time = (last - done - np.arange(len(block))) / rate - TAIL
            if fade > 0 and time[-1] < fade:
                block = block * np.clip(time / fade, 0, 1).astype(np.float32)[:, None]
            done += len(block)
            yield block.mean(axis=1, keepdims=True) if mono else block

    short = song.seconds < 5 * BLOCK
    kept = list(mixed()) if short else None
    gain = _gain(kept if kept is not None else mixed(), rate, song)
    how = {"compression_level": compression, "bitrate_mode": "VARIABLE"} if kind == "MP3" else {}
    channels = 1 if mono else 2
    try:
        with soundfile.SoundFile(str(path), "w", rate, channels, format=kind, **how) as sound:
            for block in kept if kept is not None else mixed():
                sound.write(block * np.float32(gain))
    except UnicodeEncodeError:
        raise OSError(None, "its folder's name is not UTF-8, which libsndfile needs") from None
    except soundfile.LibsndfileError:  # it says "System error" and no more
        raise OSError(None, "the disk is full, or the file is not writable") from None
    if kind == "MP3":
        _check_whole(path)


def _check_whole(path: Path) -> None:
    """Refuse an MP3 that lacks its end: libsndfile doesn't say when its last bytes found no room.

    The encoder notes the number of bytes in the first frame, in the header called Xing.
    """
    with path.open("rb") as file:
        frame = file.read(256)
    header = frame.find(b"Xing")
    bytes_noted = int.from_bytes(frame[header + 12 : header + 16], "big")
    if header >= 0 and bytes_noted != path.stat().st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
