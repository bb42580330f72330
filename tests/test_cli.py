import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from making import random_song

from symphony import cli
from symphony.song import Song


def symphony(*words, code=0):
    done = subprocess.run(
        [Path(sys.executable).with_name("symphony"), *map(str, words)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["symphony", *map(str, words)])
    cli.main()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("music")
    for i in range(12):
        random_song(i).to_midi(home / f"{i:02d}.mid")
    return home


def test_a_folder_is_trained_on_composes_and_is_measured(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "run"
    run(monkeypatch, "train", "char-rnn", "--size", "tiny", "--corpus", folder, "--out", out)
    assert "symphony compose" in capsys.readouterr().out
    piece, sound = tmp_path / "x.mid", tmp_path / "y.mp3"
    words = ["compose", out, "--seconds", "5", "--seed", "3", "--out", piece, "--mp3", sound]
    run(monkeypatch, *words)
    assert "onset" in capsys.readouterr().out  # the verdict
    first = piece.read_bytes()
    run(monkeypatch, *words)
    assert piece.read_bytes() == first
    assert 0 < Song.from_midi(piece).seconds <= 5.001
    samples, rate = soundfile.read(sound)
    assert len(samples) / rate > 4
    capsys.readouterr()
    run(monkeypatch, "originality", folder / "03.mid", "--corpus", folder, "--json")
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"nearest", "percentile", "verdict"}
    run(monkeypatch, "originality", piece, "--corpus", folder)
    assert "Percentiles among unseen real music" in capsys.readouterr().out


def test_a_conditional_model_plays_what_it_is_asked_for(tmp_path, monkeypatch, capsys):
    piece = tmp_path / "x.mid"
    words = ["compose", "conditional-char-rnn", "--seconds", "8", "--out", piece]
    heights = []
    for pitch in ("8", "2"):
        run(monkeypatch, *words, "--preset", "dense and high", "--pitch", pitch)
        heights.append(Song.from_midi(piece).pitch.mean())
    assert heights[0] > heights[1]


def test_the_reports_table_is_repeated_on_ones_own_songs(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    words = ["report-table", folder, "--size", "tiny", "--out", tmp_path / "runs"]
    run(monkeypatch, *words)
    table = capsys.readouterr().out
    for row in ("Random                    5.89    5.89", "Vanilla Char-RNN", "1.75"):
        assert row in table
    run(monkeypatch, *words)  # finished runs are not repeated
    assert capsys.readouterr().out == table


def test_gans_are_trained_follow_a_form_and_fill_holes(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    lead, fills = tmp_path / "dcrnn", tmp_path / "pix2pix"
    for out in (lead, fills):
        words = ["--size", "tiny", "--corpus", folder, "--out", out]
        run(monkeypatch, "train", out.name, *words)
    piece = tmp_path / "x.mid"
    words = ["--seconds", "8", "--form", "A B C A B", "--key", "C major", "--out", piece]
    run(monkeypatch, "compose", lead, *words)
    assert "onset" in capsys.readouterr().out  # the verdict
    run(monkeypatch, "compose", fills, "--seconds", "4", "--out", piece)
    capsys.readouterr()
    run(monkeypatch, "fill", folder / "03.mid", "--model", fills, "--drop", "0.4", "--out", piece)
    assert "of them new" in capsys.readouterr().out
    assert len(Song.from_midi(piece)) > 40
    for words in (("fill", piece, "--model", lead), ("compose", fills, "--form", "A B")):
        with pytest.raises(SystemExit) as end:
            run(monkeypatch, *words)
        assert end.value.code == 2


def test_corpora_are_listed():
    printed = symphony("corpora")
    for name in ("chorales", "folk", "nottingham", "asap", "maestro"):
        assert f"\n{name} " in printed


def test_a_song_is_rendered(tmp_path, monkeypatch):
    song = random_song()
    song.to_midi(tmp_path / "x.mid")
    for end in ("mp3", "png"):
        run(monkeypatch, "render", tmp_path / "x.mid", "--out", tmp_path / f"x.{end}")
        assert (tmp_path / f"x.{end}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("render", "none.mid"), "There is no file none.mid"),
        (("originality", "none.mid"), "There is no file"),
        (("train", "char-rn"), "Did you mean char-rnn"),
        (("train", "char-rnn", "--corpus", "coralles"), "Did you mean chorales"),
        (("compose", "nobody"), "There is no model 'nobody'"),
        (("compose", "char-rnn", "--key", "C major"), "can't be told what to play"),
        (("compose", "conditional-char-rnn", "--key", "H"), "There is no key"),
        (("compose", "conditional-char-rnn", "--pitch", "12"), "from 0 to 9"),
        (("compose", "conditional-char-rnn", "--density", "nan"), "from 0 to 9"),
        (("compose", "conditional-char-rnn", "--preset", "loud"), "Presets: C major, from"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_code_2(words, sentence, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *words)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_help_teaches():
    assert "symphony train char-rnn --corpus" in symphony("train", "--help")
    assert "percentile" in symphony("originality", "--help")
