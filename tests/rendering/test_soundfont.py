import numpy as np
import pytest

from symphony.errors import FileError
from symphony.midi import GUITAR
from symphony.rendering import soundfont

RATE = 44_100


def pitch_of(wave, near):
    """The strongest frequency within a semitone of ``near``, in hertz."""
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    inside = (hertz > near / 2 ** (1 / 12)) & (hertz < near * 2 ** (1 / 12))
    return hertz[inside][spectrum[inside].argmax()]


@pytest.mark.parametrize("key", [21, 45, 60, 69, 81, 108])
def test_every_register_is_in_tune(key):
    wanted = 440 * 2 ** ((key - 69) / 12)
    found = pitch_of(soundfont.tone(key, RATE, 2.0)[2000:], wanted)
    assert abs(1200 * np.log2(found / wanted)) < 6  # cents


def test_the_zones_cover_the_piano():
    covered = {key for zone in soundfont.instrument() for key in range(zone.low, zone.high + 1)}
    assert covered >= set(range(21, 109))


def test_keys_beyond_the_piano_sound_too():
    assert np.abs(soundfont.tone(127, RATE, 1.0)).max() > 0.01
    assert np.abs(soundfont.tone(0, RATE, 1.0)).max() > 0.01


def test_a_held_tone_falls_and_ends_without_a_click():
    wave = soundfont.tone(60, RATE, 4.0)
    loudness = [np.sqrt(np.mean(wave[at : at + 4410] ** 2)) for at in (0, RATE, 3 * RATE)]
    assert loudness[0] > 4 * loudness[1] > 16 * loudness[2] > 0
    assert wave[-1] == 0
    assert np.abs(wave).max() <= 1


def test_a_longer_tone_begins_as_the_shorter_one():
    short, long = soundfont.tone(50, RATE, 1.0), soundfont.tone(50, RATE, 5.0)
    np.testing.assert_allclose(long[: RATE - 400], short[: RATE - 400], atol=1e-6)


@pytest.fixture
def another_font(monkeypatch, tmp_path):
    """Puts other bytes where the SoundFont is, and forgets the piano before and after."""

    def put(data):
        path = tmp_path / "TimGM6mb.sf2"
        path.write_bytes(data)
        monkeypatch.setattr(soundfont, "soundfont_path", lambda: path)
        soundfont.instrument.cache_clear()

    yield put
    soundfont.instrument.cache_clear()


@pytest.mark.parametrize(
    ("length", "words"), [(0, "not a SoundFont"), (5_800_000, "cut short|no samples")]
)
def test_a_broken_soundfont_is_said(another_font, length, words):
    another_font(soundfont.soundfont_path().read_bytes()[:length])
    with pytest.raises(FileError, match=words):
        soundfont.instrument()


def test_a_missing_soundfont_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileError, match="pip install pretty_midi"):
        soundfont.soundfont_path()


def test_a_guitar_is_in_tune_and_no_piano():
    for key in (40, 57, 69, 76):
        string = soundfont.tone(key, RATE, 2.0, GUITAR)
        wanted = 440 * 2 ** ((key - 69) / 12)
        assert abs(1200 * np.log2(pitch_of(string[2000:], wanted) / wanted)) < 10  # cents
        piano = soundfont.tone(key, RATE, 2.0)
        alike = np.dot(string, piano) / np.linalg.norm(string) / np.linalg.norm(piano)
        assert abs(alike) < 0.9


def test_an_instrument_that_is_none_is_said():
    with pytest.raises(FileError, match="preset 128"):
        soundfont.instrument(128)
