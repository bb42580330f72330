import io

import numpy as np
import pytest
import soundfile

from symphony.errors import FileError, RequestError, SongError
from symphony.rendering import audio as audio_module
from symphony.rendering import mp3_bytes, sound_seconds, synthesize, write_audio
from symphony.rendering.audio import PEAK, TAIL
from symphony.song import Song

RATE = 24_000


def song(*rows, **more):
    onset, duration, pitch, velocity = zip(*rows, strict=True)
    return Song(np.array(onset), np.array(duration), pitch, velocity, **more)


A4 = song((0.0, 1.0, 69, 90))
CHORDS = song(*((t, 0.9, p, v) for t in range(4) for p, v in ((48, 60), (64, 80), (67, 127))))


def rms(sound):
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def test_a4_sounds_at_440_hz():
    sound = synthesize(A4, RATE)[: RATE - 1000].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    hertz = np.fft.rfftfreq(1 << 18, 1 / RATE)
    assert hertz[spectrum.argmax()] == pytest.approx(440, rel=0.003)  # 5 cents


def test_shape_peak_and_loudness():
    sound = synthesize(CHORDS, RATE)
    assert sound.dtype == np.float32
    assert sound.shape == (int((3.9 + TAIL) * RATE), 2)
    assert np.abs(sound).max() == pytest.approx(PEAK, rel=1e-6)
    assert 0.05 < rms(sound) < 0.3


def test_a_quiet_song_is_as_loud_as_a_loud_one():
    quiet, loud = song((0.0, 1.0, 60, 1)), song((0.0, 1.0, 60, 127))
    np.testing.assert_allclose(synthesize(quiet, RATE), synthesize(loud, RATE), atol=1e-5)


def test_velocity_is_kept_within_a_song():
    sound = synthesize(song((0.0, 0.5, 60, 127), (3.0, 0.5, 60, 40)), RATE)
    first, second = np.abs(sound[: 2 * RATE]).max(), np.abs(sound[3 * RATE :]).max()
    assert second / first == pytest.approx((40 / 127) ** 2, rel=0.02)


def test_an_accompaniment_sounds_with_the_song_and_no_longer():
    low = song((0.0, 0.9, 33, 80), (2.0, 9.0, 33, 80))  # an A of 55 Hz; A4 ends after a second
    alone, both = synthesize(A4, RATE), synthesize(A4, RATE, accompaniment=low)
    assert both.shape == alone.shape
    assert np.abs(both).max() == pytest.approx(PEAK, rel=1e-6)

    def strength(sound, hertz):
        spectrum = np.abs(np.fft.rfft(sound.mean(axis=1), 1 << 18))
        at = round(hertz * (1 << 18) / RATE)
        return spectrum[at - 40 : at + 41].max() / spectrum.max()

    # The second partial of the string: the fundamental of so low a guitar hardly sounds.
    assert strength(both, 110) > 5 * strength(alone, 110)
    assert strength(both, 440) > 0.1
    silent = song((5.0, 1.0, 33, 80))  # begins when all is over
    np.testing.assert_array_equal(synthesize(A4, RATE, accompaniment=silent), alone)


def test_the_pedal_lengthens_the_sound():
    dry = synthesize(song((0.0, 0.3, 60, 90), (3.0, 0.3, 72, 90)), RATE)
    held = song((0.0, 0.3, 60, 90), (3.0, 0.3, 72, 90), pedal=np.array([[0.1, 2.5]]))
    wet = synthesize(held, RATE)
    between = slice(int(1.5 * RATE), int(2.4 * RATE))
    assert rms(dry[between]) == 0
    assert rms(wet[between]) > 0.005
    np.testing.assert_allclose(wet[: RATE // 4], dry[: RATE // 4], atol=1e-4)


def test_bass_is_left_and_treble_right():
    low, high = synthesize(song((0.0, 1.0, 30, 90)), RATE), synthesize(song((0.0, 1, 90, 90)), RATE)
    assert rms(low[:, 0]) > 1.2 * rms(low[:, 1])
    assert rms(high[:, 1]) > 1.2 * rms(high[:, 0])


def test_blocks_join_without_a_seam(monkeypatch):
    whole = synthesize(CHORDS, RATE)
    monkeypatch.setattr(audio_module, "BLOCK", 0.7)
    np.testing.assert_allclose(synthesize(CHORDS, RATE), whole, atol=1e-6)


def test_long_files_rendered_twice_equal_those_held_in_memory(monkeypatch):
    held = mp3_bytes(CHORDS)
    monkeypatch.setattr(audio_module, "BLOCK", 0.7)  # above 5 blocks nothing is held
    sound = soundfile.read(io.BytesIO(mp3_bytes(CHORDS)))[0]
    np.testing.assert_allclose(sound, soundfile.read(io.BytesIO(held))[0], atol=1e-3)


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".MP3"])
def test_files_decode_to_what_was_rendered(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write_audio(CHORDS, path, rate=RATE)
    sound, rate = soundfile.read(path)
    wanted = synthesize(CHORDS, RATE)
    assert rate == RATE
    assert sound.shape == wanted.shape
    assert np.abs(sound).max() < 1
    assert rms(sound) == pytest.approx(rms(wanted), rel=0.05)


def test_mp3_bytes_repeat_decode_and_stay_small():
    data = mp3_bytes(CHORDS)
    assert data == mp3_bytes(CHORDS)
    sound, rate = soundfile.read(io.BytesIO(data))
    assert rate == 24_000
    assert len(sound) == pytest.approx(sound_seconds(CHORDS) * rate, abs=2000)
    assert 0.5 < np.abs(sound).max() < 1
    assert rms(sound) > 0.03
    assert len(data) < 6000 * sound_seconds(CHORDS)  # bytes: 48 kbit/s


def test_fading_out_ends_in_silence():
    held = song((0.0, 4.0, 60, 90))
    plain, faded = (
        soundfile.read(io.BytesIO(mp3_bytes(held, fade=fade)))[0] for fade in (0.0, 2.0)
    )
    half = slice(int(2.9 * RATE), int(3.1 * RATE))
    assert rms(faded[half]) == pytest.approx(rms(plain[half]) / 2, rel=0.15)
    assert rms(faded[int(4.1 * RATE) :]) < 1e-3


def test_songs_that_cannot_be_heard_are_refused():
    empty = Song(*(np.empty(0) for _ in range(2)), *(np.empty(0, np.uint8) for _ in range(2)))
    with pytest.raises(SongError, match="no notes"):
        synthesize(empty)
    with pytest.raises(SongError, match="no notes"):
        mp3_bytes(empty)
    long = song((0.0, 1.0, 60, 90), (2000.0, 1.0, 60, 90))
    with pytest.raises(RequestError, match="33 minutes"):
        synthesize(long)
    with pytest.raises(RequestError, match="300 minutes"):
        mp3_bytes(song((18000.0, 1.0, 60, 90)))
    with pytest.raises(RequestError, match="samples a second"):
        synthesize(A4, 44)


def test_a_silent_instrument_is_said_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr(audio_module, "tone", lambda key, rate, s, _: np.zeros(int(rate * s)))
    with pytest.raises(SongError, match="silent"):
        synthesize(A4, RATE)
    with pytest.raises(SongError, match="silent"):
        mp3_bytes(A4)


def test_other_suffixes_and_places_are_refused(tmp_path):
    with pytest.raises(RequestError, match=r"\.mp3 or \.wav"):
        write_audio(A4, tmp_path / "x.ogg")
    with pytest.raises(FileError, match="can't be written"):
        write_audio(A4, tmp_path / "missing" / "x.mp3")
    with pytest.raises(RequestError, match="compression"):
        mp3_bytes(A4, compression=2)
