"""Spoilt MIDI is read or refused, whatever is then done with it; it never kills the reader."""

import subprocess
import sys

import mido
import numpy as np
import pytest
from making import random_song

# In a process of its own, for a crash would take the tests along. A line in, a line out.
READER = """
import signal, sys
from dataclasses import replace
import numpy as np
from symphony.codecs import EventCodec, RollCodec, StepCodec, estimate_key
from symphony.corpora.splits import melody
from symphony.errors import SymphonyError
from symphony.song import Song

def late(*_):
    raise TimeoutError

def use(song):
    assert len(song) and replace(song).equals(song), "not as a song is checked"
    for name in ("onset", "duration", "pitch", "velocity", "tempo", "pedal"):
        assert not getattr(song, name).flags.writeable, name
        assert np.array_equal(getattr(replace(song), name), getattr(song, name)), name
    estimate_key(song), melody(song)
    for encode in (EventCodec().encode, RollCodec().encode, StepCodec().encode):
        try:
            encode(song)
        except SymphonyError as error:
            assert str(error).endswith("."), error
    back = Song.from_midi(song.to_midi())
    assert len(back) == len(song), "notes lost"
    tick = 60 / song.tempo[:, 1].min() / 960
    assert abs(back.seconds - song.seconds) <= 2 * tick + 1e-3, "reads back shorter"

signal.signal(signal.SIGALRM, late)
for line in sys.stdin:
    signal.setitimer(signal.ITIMER_REAL, 10)
    try:
        use(Song.from_midi(bytes.fromhex(line)))
        answer = "read"
    except SymphonyError as error:
        answer = "refused" if str(error).endswith(".") else f"no sentence: {error}"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(answer.replace("\\n", " "), flush=True)
"""


def mixed():
    """Several tracks, running status, pedal, tempo changes, every kind of message."""
    file = mido.MidiFile(type=1, ticks_per_beat=96)
    for channel in range(3):
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("set_tempo", tempo=400_000 + channel, time=0))
        track.append(mido.MetaMessage("track_name", name="piano", time=0))
        for pitch in range(50, 74):
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=64, time=9))
            track.append(mido.Message("control_change", channel=channel, control=64, value=pitch))
            track.append(mido.Message("pitchwheel", channel=channel, pitch=pitch, time=200))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=30))
        track.append(mido.Message("sysex", data=[1, 2, 3]))
        file.tracks.append(track)
    return file


@pytest.fixture(scope="module")
def seeds(chorales, tmp_path_factory):
    """MIDI files of several makers."""
    path = tmp_path_factory.mktemp("midi") / "mixed.mid"
    mixed().save(path)
    pressed = random_song(3, 30)
    pressed = type(pressed)(*(getattr(pressed, name) for name in ("onset", "duration", "pitch",
        "velocity")), tempo=[[0, 60], [1, 200]], pedal=[[0.1, 2], [2, 3]])  # fmt: skip
    made = [random_song(i, 20 + i) for i in range(3)] + list(chorales.songs[:3]) + [pressed]
    return (path.read_bytes(), *(song.to_midi() for song in made))


def test_spoilt_midi_is_read_or_refused(seeds, spoil, cases):
    rng = np.random.default_rng(20260101)
    files = [spoil(rng, seeds[i % len(seeds)], seeds) for i in range(cases(8000))]
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", READER],
        input="\n".join(data.hex() for data in files) + "\n",
        capture_output=True,
        text=True,
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(files), (  # it died of the first file without an answer
        done.returncode, files[len(answers)].hex(), done.stderr[-2000:],
    )  # fmt: skip
    bad = {a: f.hex() for a, f in zip(answers, files, strict=True) if a not in ("read", "refused")}
    assert bad == {}
    counts = {answer: answers.count(answer) for answer in ("read", "refused")}
    assert min(counts.values()) > len(files) / 20, counts  # else the spoiling is too rough or mild
