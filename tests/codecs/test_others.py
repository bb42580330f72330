import subprocess
import sys
import time

import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony.codecs import (
    AbcCodec,
    EventCodec,
    RollCodec,
    StepCodec,
    estimate_key,
    merge_repeated,
    parse_form,
    split_repeated,
    to_bipolar,
)
from symphony.errors import RequestError, SongError
from symphony.song import Song


@st.composite
def scores(draw):
    """Songs on a grid of sixteenths, notes of one pitch never overlapping."""
    rows = []
    for pitch in draw(st.sets(st.integers(0, 127), min_size=1, max_size=6)):
        time = 0
        for _ in range(draw(st.integers(1, 4))):
            time += draw(st.integers(0, 40))
            length = draw(st.integers(1, 16))
            rows.append((time, length, pitch))
            time += length
    onset, duration, pitch = np.array(rows).T
    quarters = {"onset_quarters": onset / 4, "duration_quarters": duration / 4}
    return Song(
        onset / 6, duration / 6, pitch, np.full(len(pitch), 80), tempo=[[0, 90]], **quarters
    )


def same(a, b):
    return (
        np.array_equal(a.pitch, b.pitch)
        and np.allclose(a.onset_quarters, b.onset_quarters)
        and np.allclose(a.duration_quarters, b.duration_quarters)
    )


@given(scores())
def test_steps_come_back_exactly(song):
    assert same(StepCodec().decode(StepCodec().encode(song)), song)


@given(scores())
def test_rolls_come_back_exactly(song):
    back = RollCodec().decode(RollCodec().encode(song))
    assert same(back, song)


def test_steps_worked_by_hand():
    song = Song([0, 0.5], [0.5, 0.5], [60, 64], [80, 80], onset_quarters=[0, 5.0],
                duration_quarters=[1, 0.25])  # fmt: skip
    # a quarter C4; 20 sixteenths of waiting are 16 + 4; a sixteenth E4
    assert StepCodec().encode(song).tolist() == [[60, 4], [128, 16], [128, 4], [64, 1]]


def test_one_plane_merges_repeated_notes_and_two_do_not():
    song = Song([0, 0.5], [0.5, 0.5], [60, 60], [80, 80], tempo=[[0, 120]])
    planes = RollCodec().encode(song)
    assert planes.shape == (2, 8, 128)
    assert len(RollCodec().decode(planes)) == 2
    assert len(RollCodec().decode(planes[0])) == 1
    assert len(RollCodec().decode(to_bipolar(planes[0]))) == 1
    assert set(np.unique(to_bipolar(planes))) == {-1.0, 1.0}


def test_a_held_note_and_a_repeated_one_differ_in_one_plane():
    planes = np.zeros((2, 12, 128), bool)
    planes[0, :, 60] = True  # held for twelve rows, or
    planes[1, 0, 60] = True
    assert np.array_equal(merge_repeated(split_repeated(planes)), planes)
    planes[1, [4, 8], 60] = True  # three times four
    roll = split_repeated(planes)
    assert roll[:, 60].tolist() == [True, True, True, False] * 2 + [True] * 4
    assert np.array_equal(merge_repeated(roll), planes)


@given(scores())
def test_one_plane_loses_only_the_shortest_notes_and_rests(song):
    planes = RollCodec().encode(song)
    sounding, struck = planes
    back = merge_repeated(split_repeated(planes))
    assert not (sounding & ~back[0]).any()  # nothing that sounded falls silent
    nothing = np.zeros((1, 128), bool)
    before, after = np.vstack([nothing, sounding[:-1]]), np.vstack([sounding[1:], nothing])
    too_short = struck & np.vstack([struck[1:], nothing])  # no row to give up
    if not too_short.any() and not (before & ~sounding & after).any():
        assert np.array_equal(back, planes)


def test_most_notes_of_the_chorales_come_back(chorales):
    codec, same_length, whole = RollCodec(), 0, 0
    for song in chorales.songs[:40]:
        planes = codec.encode(song)
        notes, found = (
            {
                (onset, pitch): duration
                for onset, pitch, duration in zip(
                    each.onset_quarters, each.pitch, each.duration_quarters, strict=True
                )
            }
            for each in (codec.decode(planes), codec.decode(merge_repeated(split_repeated(planes))))
        )
        same_length += sum(found.get(note) == duration for note, duration in notes.items())
        whole += len(notes)
    assert same_length / whole > 0.97


@given(scores())
def test_a_roll_agrees_with_pretty_midi(song):
    midi = pretty_midi.PrettyMIDI(initial_tempo=90)
    piano = pretty_midi.Instrument(0)
    for onset, end, pitch in zip(song.onset, song.end, song.pitch, strict=True):
        piano.notes.append(pretty_midi.Note(100, int(pitch), onset, end))
    midi.instruments.append(piano)
    middles = (np.arange(round(song.seconds * 6)) + 0.5) / 6  # of each sixteenth at 90 a minute
    theirs = piano.get_piano_roll(fs=1000)[:, (middles * 1000).astype(int)] > 0
    assert np.array_equal(RollCodec().encode(song)[0], theirs.T)


def test_steps_refuse_a_performance():
    with pytest.raises(SongError, match="need a beat"):
        StepCodec().encode(Song([0.013], [0.2], [60], [80]))


@pytest.mark.parametrize("bad", [[], [[200, 4]], [[60, 99]], [60, 4], [[-1, 1]]])
def test_what_is_not_steps_is_refused(bad):
    with pytest.raises(RequestError, match="rows of a token"):
        StepCodec().decode(bad)


def test_empty_rolls_and_other_shapes_are_refused():
    with pytest.raises(SongError, match="Nothing sounds"):
        RollCodec().decode(np.zeros((4, 128)))
    with pytest.raises(RequestError, match="T x 128"):
        RollCodec().decode(np.zeros((4, 88)))


@given(st.integers(0, 11), st.booleans())
def test_the_key_moves_with_the_song(semitones, minor):
    scale = [0, 2, 3, 5, 7, 8, 11] if minor else [0, 2, 4, 5, 7, 9, 11]
    tonic_heavy = np.array([*scale, 0, 7, 0, scale[2]]) + 60
    n = len(tonic_heavy)
    song = Song(np.arange(n) * 0.5, np.full(n, 0.5), tonic_heavy, np.full(n, 80))
    assert estimate_key(song.transposed(semitones)) == (semitones, minor)


def test_steps_in_c_bring_every_key_to_c():
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]) + 60
    n = len(scale)
    quarters = {"onset_quarters": np.arange(n), "duration_quarters": np.ones(n)}
    song = Song(np.arange(n) * 0.5, np.full(n, 0.5), scale, np.full(n, 80), **quarters)
    for semitones in range(-5, 7):
        coded = StepCodec(to_c=True).encode(song.transposed(semitones))[:, 0]
        notes = coded[coded < 128]
        assert (notes % 12).tolist() == (scale % 12).tolist()
        assert abs(int(notes[0]) - 60 - semitones) <= 6


TUNE = "X:7\nT:A tune\nR:reel\nM:6/8\nL:1/8\nK:D\n% a remark\nABc def|\nK:G\ng3 é3|]\n"


def test_abc_keeps_the_body_and_puts_headers_back():
    codec = AbcCodec(meter="6/8", key="D")
    song = Song([0], [1], [60], [80], abc=TUNE)
    text = codec.decode(codec.encode(song), title="again")
    assert text == "X:1\nT:again\nM:6/8\nL:1/8\nK:D\nABc def|\nK:G\ng3  3|]\n"
    assert codec.vocab_size == 96


def test_abc_needs_text_and_known_characters():
    with pytest.raises(SongError, match="did not come from ABC"):
        AbcCodec().encode(Song([0], [1], [60], [80]))
    with pytest.raises(RequestError, match="0 to 95"):
        AbcCodec().decode([96])


def test_codecs_need_no_reader_of_music():
    """Training runs from encoded files where nothing that reads or plays music is installed."""
    code = (
        "import sys\nimport symphony.codecs as codecs\n"
        "for name in codecs.__all__: getattr(codecs, name)\n"
        "heavy = ('torch', 'scipy', 'symusic', 'music21', 'librosa', 'pretty_midi')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Songs longer than any piece


@pytest.mark.parametrize("rate", [1, 4, 96])
def test_a_note_of_a_day_is_no_roll(rate):
    song = Song([0], [23 * 3600], [60], [80])
    with pytest.raises(SongError, match="165,600 quarter notes long, and a piano roll at most 16,"):
        RollCodec(rate).encode(song.named(""))
    with pytest.raises(SongError, match="take a slice"):
        RollCodec(rate).encode(Song([0], [1], [60], [80], [2.0**31], [1]))


def test_three_hours_are_a_roll():
    song = Song([0, 3 * 3600 - 1], [1, 1], [60, 62], [80, 80], tempo=[[0, 90]])
    roll = RollCodec().encode(song)
    assert roll.shape == (2, 64_800, 128)
    assert RollCodec().decode(roll).pitch.tolist() == [60, 62]


def test_a_note_a_hair_before_its_song_begins_is_in_the_first_row():
    song = Song([0], [1], [60], [80], onset_quarters=[-0.3], duration_quarters=[1.3])
    assert np.argwhere(RollCodec().encode(song)[1]).tolist() == [[0, 60]]


def test_steps_and_events_count_as_far_as_a_day():
    with pytest.raises(SongError, match="steps count at most 1,048,576: take a slice"):
        StepCodec().encode(Song([0], [1], [60], [80], [2.0**31], [1]))
    with pytest.raises(SongError, match="28 hours, and events count at most 24"):
        EventCodec().encode(Song([0], [1e5], [60], [80]))
    assert len(EventCodec().encode(Song([0], [86_399], [60], [80]))) > 800


# Forms


def test_forms_of_thousands_of_sections_are_refused_at_once():
    assert len(parse_form("A B " * 500)) == 1000
    begun = time.perf_counter()
    for form in ("A" * 20_000, "A>B" * 1001, "A" * 1001):
        with pytest.raises(RequestError, match=r"at most 1,000 sections.*has [\d,]+ sections"):
            parse_form(form)
    for form in ("A" + "a" * 20_000, "A " * 10_001):
        with pytest.raises(RequestError, match=r"20,000 characters; this one has 20,00"):
            parse_form(form)
    for form in ("A" + " " * 19_000 + "!", "A>" * 9000, "a" * 9000):
        with pytest.raises(RequestError, match="A form is letters"):
            parse_form(form)
    assert time.perf_counter() - begun < 2


def test_a_long_form_that_is_none_is_not_repeated_in_full():
    with pytest.raises(RequestError) as caught:
        parse_form("x" * 5000)
    assert len(str(caught.value)) < 200
