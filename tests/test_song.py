import errno
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.errors import FileError, RequestError
from symphony.midi import LARGEST_FILE
from symphony.song import Song, SongError


def simple(**more):
    return Song([0.5, 0.0], [0.5, 1.0], [64, 60], [80, 90], **more)


def test_rows_are_sorted_and_read_only():
    song = simple()
    assert song.onset.tolist() == [0.0, 0.5]
    assert song.pitch.tolist() == [60, 64]
    with pytest.raises(ValueError, match="read-only"):
        song.onset[0] = 1.0
    assert len(song) == 2
    assert song.seconds == 1.0
    assert "2 notes" in repr(song)


def test_the_caller_keeps_its_own_arrays():
    onset = np.array([0.0, 1.0])
    song = Song(onset, [1, 1], [60, 62], [80, 80])
    onset[0] = 9.0
    assert song.onset[0] == 0.0


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([0], [1], [60], []), "as many onsets"),
        (([-1], [1], [60], [80]), "from 0"),
        (([np.nan], [1], [60], [80]), "finite"),
        (([0], [-1], [60], [80]), "negative"),
        (([0], [1], [128], [80]), "pitch lies between 0 and 127"),
        (([0], [1], [60], [0]), "velocity lies between 1 and 127"),
    ],
)
def test_impossible_notes_are_refused(columns, sentence):
    with pytest.raises(SongError, match=sentence):
        Song(*columns)


@pytest.mark.parametrize(
    "tempo", [[[1, 120]], [[0, 0]], [[0, np.inf]], [[0, 90], [2, 80], [1, 70]]]
)
def test_impossible_tempi_are_refused(tempo):
    with pytest.raises(SongError, match="tempo"):
        simple(tempo=np.array(tempo, dtype=float))


def test_quarters_come_in_pairs():
    with pytest.raises(SongError, match="both"):
        simple(onset_quarters=[0, 1])


@given(songs())
def test_midi_keeps_every_note_within_half_a_tick(song):
    back = Song.from_midi(song.to_midi())
    assert back.equals(song, tolerance=0.5 * 60 / 120 / 960 * 2 + 1e-9)


@given(songs(), st.floats(20, 300), st.floats(0.1, 5), st.floats(20, 300))
def test_midi_keeps_times_under_any_tempo(song, first, change, second):
    played = Song(song.onset, song.duration, song.pitch, song.velocity,
                  tempo=[[0, first], [change, second]])  # fmt: skip
    back = Song.from_midi(played.to_midi())
    assert back.equals(song, tolerance=60 / min(first, second) / 960 + 1e-5)


def test_quarters_survive_midi_where_there_is_a_beat():
    song = Song([0, 0.5, 1.0], [0.5, 0.5, 1], [60, 62, 64], [80, 80, 80])
    back = Song.from_midi(song.to_midi())
    assert back.onset_quarters.tolist() == [0, 1, 2]
    assert back.duration_quarters.tolist() == [1, 1, 2]


def test_a_performance_has_no_quarters():
    rng = np.random.default_rng(0)
    song = Song(
        np.sort(rng.uniform(0, 30, 100)), np.full(100, 0.1), rng.integers(30, 90, 100), [80] * 100
    )
    assert Song.from_midi(song.to_midi()).onset_quarters is None


@given(songs())
def test_pretty_midi_keeps_every_note(song):
    back = Song.from_pretty_midi(song.to_pretty_midi())
    assert back.equals(song, tolerance=0.001)


def test_pretty_midi_keeps_the_pedal():
    song = simple(pedal=np.array([[0.25, 0.75]]))
    assert Song.from_pretty_midi(song.to_pretty_midi()).pedal == pytest.approx(song.pedal, abs=1e-3)
    assert Song.from_midi(song.to_midi()).pedal == pytest.approx(song.pedal, abs=1e-3)


def test_a_note_of_no_length_is_kept():
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    track += [mido.Message("note_on", note=60, velocity=70, time=0),
              mido.Message("note_off", note=60, time=0),
              mido.Message("note_on", note=64, velocity=70, time=480),
              mido.Message("note_off", note=64, time=480)]  # fmt: skip
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    song = Song.from_midi(out.getvalue())
    assert song.pitch.tolist() == [60, 64]
    assert song.duration.tolist() == pytest.approx([0.001, 0.5])


@given(songs(), songs())
def test_an_accompaniment_has_a_channel_and_a_program_of_its_own(song, chords):
    data = song.to_midi(accompaniment=chords)
    played = {}
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        programs = [m for m in track if m.type == "program_change"]
        struck = [m for m in track if m.type == "note_on" and m.velocity]
        assert {m.channel for m in struck} <= {m.channel for m in programs}
        if programs:
            (program,) = programs
            played[program.channel] = (program.program, sorted(m.note for m in struck))
    wanted = {0: (0, sorted(song.pitch.tolist())), 1: (24, sorted(chords.pitch.tolist()))}
    assert played == wanted
    # Read back, both are one piano.
    assert sorted(Song.from_midi(data).pitch) == sorted([*song.pitch, *chords.pitch])


def test_an_accompaniment_longer_than_midi_can_hold_is_refused():
    with pytest.raises(SongError, match="hours"):
        simple().to_midi(accompaniment=Song([0.0], [2e5], [60], [80]))


def test_reading_agrees_with_mido(data_folder):
    for path in sorted((data_folder / "asap").rglob("*.mid"))[::300]:
        file = mido.MidiFile(path)
        sounding, rows, now = {}, [], 0.0
        for message in file:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding.setdefault(message.note, []).append((now, message.velocity))
            elif message.type in ("note_off", "note_on") and sounding.get(message.note):
                begun, velocity = sounding[message.note].pop(0)
                rows.append((begun, message.note, now - begun, velocity))
        rows.sort()
        song = Song.from_midi(path)
        assert len(song) == len(rows)
        onset, pitch, duration, velocity = np.array(rows).T
        assert song.onset == pytest.approx(onset, abs=1e-6)
        assert song.pitch.tolist() == pitch.astype(int).tolist()
        assert song.duration == pytest.approx(np.maximum(duration, 0.001), abs=1e-6)
        assert song.velocity.tolist() == velocity.astype(int).tolist()


def test_the_pedal_worked_by_hand():
    # Pedal down from 0.5 to 2.0: the C released at 1.0 rings to 2.0, but the C struck at 1.5
    # ends it there; the E released before the pedal goes down is not held.
    song = Song([0.0, 1.5, 0.0], [1.0, 0.2, 0.4], [60, 60, 64], [80, 80, 80],
                pedal=np.array([[0.5, 2.0]]))  # fmt: skip
    ringing = song.sustained()
    assert dict(zip(zip(ringing.onset, ringing.pitch, strict=True), ringing.end, strict=True)) == {
        (0.0, 60): 1.5,
        (0.0, 64): 0.4,
        (1.5, 60): 2.0,
    }
    assert len(ringing.pedal) == 0


@given(songs(), st.integers(0, 200), st.integers(1, 300))
def test_the_pedal_never_shortens_and_twice_is_once(song, down, held):
    pedal = np.array([[down * 0.01, (down + held) * 0.01]])
    pressed = Song(song.onset, song.duration, song.pitch, song.velocity, pedal=pedal)
    ringing = pressed.sustained()
    assert (ringing.duration >= song.duration - 1e-12).all()
    assert ringing.sustained().equals(ringing)


@given(songs(), st.integers(-12, 12))
def test_transposing_there_and_back(song, semitones):
    if int(song.pitch.min()) + semitones >= 0 and int(song.pitch.max()) + semitones <= 127:
        assert song.transposed(semitones).transposed(-semitones).equals(song)
    else:
        with pytest.raises(RequestError, match="128 pitches"):
            song.transposed(semitones)


@given(songs(), st.floats(0.01, 20))
def test_a_song_cut_in_two_and_joined_has_all_its_notes(song, at):
    first, second = song.slice(0.0, at), song.slice(at, song.seconds + at + 1)
    assert len(first) + len(second) == len(song)
    assert not len(first) or first.seconds <= at + 1e-9
    assert second.onset + at == pytest.approx(song.onset[song.onset >= at])


def test_slices_know_their_quarters_and_pedal():
    song = Song([0, 1, 2], [1, 1, 1], [60, 62, 64], [80] * 3, onset_quarters=[0, 1, 3],
                duration_quarters=[1, 2, 2], tempo=[[0, 60], [1, 120]],
                pedal=[[0.5, 2.5]])  # fmt: skip
    cut = song.slice(1.0, 2.5)
    assert cut.onset_quarters.tolist() == [0, 2]
    assert cut.duration_quarters.tolist() == [2, 1]  # the last is cut in half
    assert cut.tempo.tolist() == [[0, 120]]
    assert cut.pedal.tolist() == [[0, 1.5]]
    with pytest.raises(RequestError, match="slice runs"):
        song.slice(2, 2)


def test_joining_puts_songs_one_after_another():
    song = simple(onset_quarters=[1, 0], duration_quarters=[1, 2])
    both = Song.join([song, song], gap=0.5)
    assert both.onset.tolist() == [0, 0.5, 1.5, 2.0]
    assert both.onset_quarters.tolist() == [0, 1, 3, 4]
    with pytest.raises(RequestError, match="nothing to join"):
        Song.join([])


def test_midi_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.mid"
    song = Song([0], [1], [60], [80])
    assert song.to_midi(path) == path.read_bytes()

    def full(self, data):
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"x\.mid can't be written: No space left on device\."):
        song.transposed(1).to_midi(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileError, match="can't be written: No such file"):
        song.to_midi(tmp_path / "none" / "x.mid")


@pytest.mark.parametrize(
    "data", [b"", b"MThd", b"RIFFxxxx", b"\x00" * 100, b"MThd\x00\x00\x00\x06"]
)
def test_what_is_not_midi_is_refused(data):
    with pytest.raises(SongError, match=r"not a MIDI file|broken MIDI|no notes|cut short"):
        Song.from_midi(data)


def test_a_missing_and_a_huge_file_are_refused(tmp_path):
    with pytest.raises(FileError, match="no file"):
        Song.from_midi(tmp_path / "none.mid")
    with pytest.raises(FileError, match="is a folder, not a piece"):
        Song.from_midi(tmp_path)
    huge = tmp_path / "huge.mid"
    with huge.open("wb") as file:
        file.write(b"MThd")
        file.truncate(100_000_000)
    with pytest.raises(SongError, match=f"larger than {LARGEST_FILE // 10**6} MB"):
        Song.from_midi(huge)


def test_a_track_longer_than_its_file_is_refused():
    data = Song([0], [1], [60], [80]).to_midi()
    track = data.index(b"MTrk") + 4
    for length in (len(data), 10_000, 2**32 - 1):  # the last one made symusic crash
        lying = data[:track] + length.to_bytes(4, "big") + data[track + 4 :]
        with pytest.raises(SongError, match="cut short"):
            Song.from_midi(lying)


def framed(events, tracks=1, ticks=480, after=b""):
    """MIDI of one track holding ``events``, then whatever comes ``after``."""
    header = b"MThd\x00\x00\x00\x06\x00\x01" + tracks.to_bytes(2, "big") + ticks.to_bytes(2, "big")
    return header + b"MTrk" + len(events).to_bytes(4, "big") + events + after


def test_notes_outside_midi_never_kill_the_reader():
    # Pitches above 127 on channel 16, alone and in the shortest fuzzed files that crashed
    # symusic: in a process of their own, for a crash would take the tests along.
    pair = bytes([0, 0x9F, 200, 64]) * 40 + bytes([10, 0x8F, 200, 0]) * 40 + b"\x00\xff\x2f\x00"
    files = [framed(pair)] + [
        bytes.fromhex(fuzzed)
        for fuzzed in (
            "4d546864000000060002000200014d54726b000000080793408e019fa793",
            "4d546864000000060002000301e04d54726b000000047f9f97ff",
            "4d546864000000060002000200004d54726b000000127f9b6c5c009f8ef20ab040ff7f5c5201400b",
        )
    ]
    code = (
        "import sys\nfrom symphony.song import Song, SongError\n"
        "for line in sys.stdin:\n"
        "    for _ in range(100):\n"
        "        try: Song.from_midi(bytes.fromhex(line))\n"
        "        except SongError: pass\n"
        "    print('alive')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        input="\n".join(data.hex() for data in files),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout.split()) == (0, ["alive"] * len(files)), run.stderr


NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00\x00\xff\x2f\x00"


@pytest.mark.parametrize("after", [b"M", b"MTrk\x00\x00\x00", b"MQrk\x00\x00\x00\x02ab"])
def test_a_missing_track_is_not_looked_for_past_the_end(after):
    with pytest.raises(SongError, match="cut short"):
        Song.from_midi(framed(NOTE, tracks=2, after=after))
    assert Song.from_midi(framed(NOTE, tracks=1, after=after)).pitch.tolist() == [60]


def test_an_announced_track_may_be_missing_where_nothing_follows():
    assert Song.from_midi(framed(NOTE, tracks=2)).pitch.tolist() == [60]


def test_sentences_name_the_trouble_and_not_the_parser():
    with pytest.raises(SongError, match=r"can't be read: [A-Za-z ]+\.$"):
        Song.from_midi(framed(b"\x00\xff\x51\x7fabc"))
    try:
        Song.from_midi(framed(NOTE, ticks=0))
    except SongError as error:
        assert "more than any" not in str(error)  # noqa: PT017 - one note is not too many
    else:
        pytest.fail("a file without ticks has no times")


@given(songs(), st.data())
def test_damaged_midi_is_read_or_refused(song, data):
    bytes_ = bytearray(song.to_midi())
    for _ in range(data.draw(st.integers(1, 8))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(bytes_[: data.draw(st.integers(0, len(bytes_)))])
    try:
        read = Song.from_midi(cut)
    except SongError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either way out is right
    else:
        assert len(read)


@given(songs())
def test_what_is_read_from_midi_passes_every_check_unchanged(song):
    read = Song.from_midi(song.to_midi())  # which doesn't go through the checks
    checked = replace(read)
    for name in ("onset", "duration", "pitch", "velocity", "onset_quarters", "tempo", "pedal"):
        ours, theirs = getattr(read, name), getattr(checked, name)
        if ours is None:
            assert theirs is None
            continue
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
        assert not ours.flags.writeable


# What can't be written as MIDI, and what other programs write


@given(
    songs(),
    st.floats(-1, 9).map(lambda power: 10.0**power),
    st.floats(-1, 9).map(lambda power: 10.0**power),
    st.sampled_from([1, 60, 3600, 86_400, 1e7, 1e12]),
)
def test_what_is_written_reads_back_whole_or_is_refused(song, first, second, longer):
    played = Song(song.onset * longer, song.duration * longer, song.pitch, song.velocity,
                  tempo=[[0, first], [longer, second]])  # fmt: skip
    try:
        data = played.to_midi()
    except SongError as error:
        assert re.search(r"at most 24 hours|tempi lie between|MIDI can count", str(error))  # noqa: PT017
        return
    tick = 60 / min(first, second) / 960
    assert Song.from_midi(data).equals(played, tolerance=tick + 1e-6)


@pytest.mark.parametrize(
    ("seconds", "tempo", "sentence"),
    [
        (83 * 3600, 120, r"lasts at most 24 hours, and this song 83\.0: write a slice"),
        (23 * 3600, 1000, "more ticks than MIDI can count, which is 268,435,455 between"),
        (60, 3, "tempi lie between 3.58 and 60,000,000 quarters a minute; this song has 3 to 3"),
        (60, 1e9, "tempi lie between"),
        (60, 5e-324, "tempi lie between"),
    ],
)
def test_songs_that_midi_can_not_hold_are_refused_with_the_limit(
    tmp_path, seconds, tempo, sentence
):
    song = Song([0, seconds], [1, 1], [60, 60], [80, 80], tempo=[[0, tempo]])
    with pytest.raises(SongError, match=sentence):
        song.to_midi(tmp_path / "x.mid")
    assert list(tmp_path.iterdir()) == []


def test_a_note_as_long_as_a_day_survives():
    song = Song([0], [23 * 3600], [60], [80])
    assert Song.from_midi(song.to_midi()).seconds == pytest.approx(23 * 3600, abs=0.01)
    with pytest.raises(SongError, match="at most 24 hours"):
        Song([0], [1], [60], [80], pedal=[[0, 1e9]]).to_midi()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"pedal": [[np.nan, 1]]}, "pedal goes down"),
        ({"pedal": [[0, np.inf]]}, "pedal goes down"),
        ({"pedal": [[2, 1]]}, "pedal goes down"),
        ({"pedal": [[-1, 1]]}, "pedal goes down"),
        ({"onset_quarters": [0, np.nan], "duration_quarters": [1, 1]}, "quarter notes are finite"),
        ({"onset_quarters": [0, 1], "duration_quarters": [1, np.inf]}, "quarter notes are finite"),
    ],
)
def test_impossible_pedals_and_beats_are_refused(more, sentence):
    with pytest.raises(SongError, match=sentence):
        simple(**more)


def test_a_pedal_that_is_never_lifted_is_no_longer_than_a_song():
    on = b"\x00\x90\x3c\x40\x10\x3c\x00\x00\xb0\x40\x7f"
    up = b"\xff\xff\xff\x7f\xb0\x40\x00" * 4  # each 2**28 ticks later
    data = framed(b"\x00\xff\x51\x03\xff\xff\xff" + on + up + b"\x00\xff\x2f\x00")
    read = Song.from_midi(data)
    assert read.pedal.tolist() == [[pytest.approx(0.56, abs=0.01), 24 * 3600]]
    assert replace(read).equals(read)
    assert read.sustained().seconds <= 24 * 3600


def test_midi_in_a_riff_file_or_with_a_longer_header_is_read():
    song = Song([0, 0.5], [0.5, 0.5], [60, 64], [80, 80])
    plain = song.to_midi()
    riff = b"RIFF" + (len(plain) + 12).to_bytes(4, "little") + b"RMIDdata"
    for data in (
        riff + len(plain).to_bytes(4, "little") + plain,
        b"MThd\x00\x00\x00\x0a" + plain[8:14] + b"more" + plain[14:],
    ):
        assert Song.from_midi(data).equals(Song.from_midi(plain))
    for broken in (b"RIFF\0\0\0\0RMID", b"MThd\xff\xff\xff\xff" + plain[8:], b"MThd\0\0\0\x0a"):
        with pytest.raises(SongError, match=r"not a MIDI file|cut short|broken"):
            Song.from_midi(broken)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300])
def test_names_that_no_file_has_are_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=r"no name that a file can have|File name too long"):
        Song.from_midi(name)
    with pytest.raises(FileError, match=r"no name that a file can have|File name too long"):
        simple().to_midi(name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_always_text_that_can_be_shown():
    half = "caf\udce9"
    song = simple(name=half, source=half)
    for named in (song, simple().named(half, half), Song.from_midi(song.to_midi(), half)):
        assert (named.name, named.name.encode()) == ("caf\ufffd", "caf\ufffd".encode())
    assert song.source == "caf\ufffd"
