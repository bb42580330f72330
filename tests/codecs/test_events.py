from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import songs

from symphony.codecs import EventCodec
from symphony.errors import RequestError, SongError
from symphony.song import Song


def song(*notes, **more):
    onset, duration, pitch, velocity = np.array(notes, dtype=float).T
    return Song(onset, duration, pitch.astype(int), velocity.astype(int), **more)


def test_the_alphabets_have_363_and_388_symbols():
    assert EventCodec().vocab_size == 128 + 128 + 100 + 7 == 363
    assert EventCodec(32).vocab_size == 388
    assert EventCodec().bos == 363
    with pytest.raises(RequestError, match="7 or 32"):
        EventCodec(8)


def test_two_notes_worked_by_hand():
    tokens = EventCodec().encode(song((0.5, 0.25, 60, 96), (0.75, 0.01, 64, 40)))
    assert tokens.tolist() == [
        256 + 49,  # 500 ms
        356 + 6,  # floor(log2 96) = 6
        60,
        256 + 24,  # 250 ms
        128 + 60,  # the note-off comes before what begins at the same moment
        356 + 5,  # floor(log2 40) = 5
        64,
        256 + 0,
        128 + 64,
    ]


@pytest.mark.parametrize(
    ("rest", "shifts"), [(1.0, [100]), (2.0, [100, 100]), (2.5, [100, 100, 50])]
)
def test_whole_seconds_of_rest_are_shifts_and_nothing_else(rest, shifts):
    # The original turned each whole second of rest into a note-off of pitch 127.
    tokens = EventCodec().encode(song((0.0, 0.1, 60, 96), (0.1 + rest, 0.1, 60, 96)))
    assert (tokens[4:-3] - 255).tolist() == shifts
    assert EventCodec().decode(tokens).onset.tolist() == pytest.approx([0.0, 0.1 + rest])


@given(songs())
def test_round_trip_is_exact_on_the_grid(drawn):
    back = EventCodec().decode(EventCodec().encode(drawn))
    assert back.equals(drawn, tolerance=1e-9)


@given(songs(), st.sampled_from([7, 32]))
def test_coding_twice_changes_nothing_more(drawn, bins):
    codec = EventCodec(bins)
    once = codec.encode(drawn)
    assert np.array_equal(codec.encode(codec.decode(once)), once)


@given(st.lists(st.integers(0, 362), max_size=200))
def test_any_stream_a_model_may_sample_is_decoded(tokens):
    codec, tokens = EventCodec(), np.array([*tokens, 60, 300, 188], dtype=int)  # one note at least
    found = codec.decode(tokens)
    assert found.seconds <= codec.seconds(tokens) + 1e-9


def test_a_stream_without_a_sounding_note_is_refused():
    for tokens in ([], [300], [188, 300], [60], [60, 188, 300]):
        with pytest.raises(SongError, match="no note"):
            EventCodec().decode(tokens)


def test_symbols_outside_the_alphabet_are_refused():
    with pytest.raises(RequestError, match="0 to 362"):
        EventCodec().decode([60, 363])


def test_a_key_struck_again_ends_its_note():
    tokens = EventCodec().encode(song((0.0, 1.0, 60, 96), (0.5, 1.0, 60, 96)))
    back = EventCodec().decode(tokens)
    assert back.duration.tolist() == pytest.approx([0.5, 1.0])


def test_a_hanging_note_ends_with_the_stream_or_after_eight_seconds():
    short = EventCodec().decode([60, 256 + 99])
    assert short.duration.tolist() == [1.0]
    long = EventCodec().decode([60] + [256 + 99] * 20)
    assert long.duration.tolist() == [8.0]


def test_the_pedal_is_heard_unless_switched_off():
    held = song((0.0, 0.1, 60, 96), pedal=np.array([[0.05, 1.0]]))
    assert EventCodec().decode(EventCodec().encode(held)).duration[0] == pytest.approx(1.0)
    dry = EventCodec(pedal=False)
    assert dry.decode(dry.encode(held)).duration[0] == pytest.approx(0.1)


@given(st.integers(1, 127))
def test_a_velocity_class_stands_for_a_velocity_in_it(velocity):
    for bins in (7, 32):
        codec = EventCodec(bins)
        number = codec.velocity_class(np.array([velocity]))
        assert codec.velocity_class(codec.class_velocity(number)) == number


def test_words():
    words = EventCodec().describe([60, 128 + 61, 256 + 11, 362, 363])
    assert words == ["note on C4", "note off C#4", "shift 120 ms", "velocity 96", "start"]


def test_real_performances_keep_every_onset_within_5_ms(data_folder):
    path = sorted((data_folder / "asap" / "Chopin").rglob("*.mid"))[0]
    real = Song.from_midi(path).sustained()
    back = EventCodec().decode(EventCodec().encode(real))
    assert abs(len(back) - len(real)) <= len(real) * 0.002  # doubled notes at one moment join
    nearest = np.abs(real.onset[:, None] - back.onset[None, :]).min(axis=1)
    assert nearest.max() <= 0.005 + 1e-9


@given(songs(), st.integers(-127, 127), st.sampled_from([7, 32]), st.booleans())
def test_moving_events_is_encoding_the_moved_song(drawn, semitones, bins, pedal):
    codec = EventCodec(bins, pedal)
    low, high = int(drawn.pitch.min()), int(drawn.pitch.max())
    semitones = int(np.clip(semitones, -low, 127 - high))
    drawn = replace(drawn, pedal=np.array([[0.5, 1.5], [2.0, 4.0]]))
    moved = codec.transposed(codec.encode(drawn), semitones)
    assert np.array_equal(moved, codec.encode(drawn.transposed(semitones)))


@given(songs(), st.integers(1, 200), st.booleans())
def test_events_that_would_leave_the_keyboard_stay(drawn, beyond, up):
    low, high = int(drawn.pitch.min()), int(drawn.pitch.max())
    tokens = EventCodec().encode(drawn)
    semitones = 127 - high + beyond if up else -low - beyond
    assert np.array_equal(EventCodec().transposed(tokens, semitones), tokens)


@given(st.lists(st.integers(0, 363), max_size=40), st.lists(st.integers(-60, 60), min_size=2))
def test_rows_are_moved_each_by_its_own(tokens, semitones):
    codec, semitones = EventCodec(), np.array(semitones[:4])
    rows = np.stack([np.roll(tokens, k) for k in range(len(semitones))]).astype(np.int16)
    before = rows.copy()
    moved = codec.transposed(rows, semitones)
    assert moved.dtype == np.int16
    assert np.array_equal(rows, before)  # the caller's array is left alone
    assert np.array_equal(
        moved, [codec.transposed(row, k) for row, k in zip(rows, semitones, strict=True)]
    )
    batch = codec.transposed(np.stack([rows, rows]), np.stack([semitones, semitones]))
    assert np.array_equal(batch, [moved, moved])
    others = rows >= 256  # shifts, velocities and the start symbol
    assert np.array_equal(moved[others], rows[others])
    # The two ends of the keyboard: no sum may turn a note-on into a note-off, or a shift.
    assert np.array_equal(moved // 128, rows // 128)


def test_moving_events_worked_by_hand():
    tokens = np.array([[356, 60, 300, 188, 363], [356, 120, 300, 248, 363]])
    assert EventCodec().transposed(tokens, [2, 8]).tolist() == [
        [356, 62, 300, 190, 363],
        [356, 120, 300, 248, 363],  # 128 is no pitch
    ]
