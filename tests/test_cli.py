import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile
from making import random_song, random_tune

from symphony import cli, systems
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


def help_of(monkeypatch, capsys, *words):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *words, "--help")
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("music")
    for i in range(12):
        random_song(i).to_midi(home / f"{i:02d}.mid")
    return home


def test_a_model_of_abc_also_writes_its_text(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "tunes"
    home.mkdir()
    (home / "jigs.abc").write_text("\n".join(str(random_tune(i).abc) for i in range(12)))
    run(monkeypatch, "train", "abc-wgan", "--size", "tiny", "--corpus", home, "--out", "run")
    run(monkeypatch, "compose", "run", "--seconds", "4", "--abc", "x.abc")
    assert "x.abc: the same as ABC notation" in capsys.readouterr().out
    assert Path("x.abc").read_text().startswith("X:1\nT:abc-wgan, seed 0\nM:6/8\nL:1/8\nK:G\n")
    with pytest.raises(SystemExit):
        run(monkeypatch, "compose", "ngram-2", "--seconds", "2", "--abc", "y.abc")
    assert "ngram-2 writes no ABC notation" in capsys.readouterr().err
    assert not Path("y.abc").exists()


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
    run(monkeypatch, *words, "--temperature", "1.3")
    assert piece.read_bytes() != first
    capsys.readouterr()
    run(monkeypatch, "originality", folder / "03.mid", "--corpus", folder, "--json")
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"nearest", "percentile", "verdict"}
    run(monkeypatch, "originality", piece, "--corpus", folder)
    assert "Percentiles among unseen real music" in capsys.readouterr().out


def test_an_n_gram_model_is_counted_kept_and_evaluated_like_any_other(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    out, piece = tmp_path / "run", tmp_path / "x.mid"
    run(monkeypatch, "train", "ngram-2", "--corpus", folder, "--out", out)
    run(monkeypatch, "compose", out, "--seconds", "4", "--out", piece)
    kept = piece.read_bytes()
    run(monkeypatch, "compose", "ngram-2", "--corpus", folder, "--seconds", "4", "--out", piece)
    assert Song.from_midi(piece).equals(Song.from_midi(kept))


def test_controls_reach_the_evaluation(monkeypatch, capsys):
    words = ["evaluate", "ngram-2", "--samples", "10", "--seconds", "4", "--json"]
    found = []
    for more in ([], ["--temperature", "0.2"]):
        run(monkeypatch, *words, *more)
        found.append(json.loads(capsys.readouterr().out))
    model, anchor = found[0]["columns"][0], "unseen real"
    values = [{row["measure"]: row["values"] for row in each["rows"]} for each in found]
    name = "pitch-class entropy (bits)"
    assert values[0][name][model] != values[1][name][model]
    assert values[0][name][anchor] == values[1][name][anchor]


def test_a_conditional_model_plays_what_it_is_asked_for(tmp_path, monkeypatch):
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
    run(monkeypatch, "compose", fills, "--seconds", "4", "--drop", "0.5", "--out", piece)
    capsys.readouterr()
    run(monkeypatch, "fill", folder / "03.mid", "--model", fills, "--drop", "0.4", "--out", piece)
    assert "of them new" in capsys.readouterr().out
    assert len(Song.from_midi(piece)) > 40


def test_a_hand_plays_is_kept_and_plays_again(tmp_path, monkeypatch, capsys):
    piece, again = tmp_path / "x.mid", tmp_path / "y.mid"
    kept, trace = tmp_path / "kept.json", tmp_path / "trace.json"
    words = ["play", "conditional-char-rnn", "--seconds", "6", "--key", "A minor"]
    run(monkeypatch, *words, "--out", piece, "--record", kept, "--trace", trace)
    assert "heard after" in capsys.readouterr().out
    run(monkeypatch, "play", "conditional-char-rnn", "--again", kept, "--out", again)
    assert "as they were played" in capsys.readouterr().out
    assert again.read_bytes() == piece.read_bytes()
    run(monkeypatch, *words, "--source", trace, "--out", again)
    assert len(Song.from_midi(again)) > 5


def test_a_piece_is_refined(folder, tmp_path, monkeypatch, capsys):
    piece, out = folder / "03.mid", tmp_path / "x.mid"
    run(monkeypatch, "refine", piece, "--durations", "--velocities", "--out", out)
    assert re.search(r"x\.mid: \d+ notes, .* s\), velocities \d+ to \d+", capsys.readouterr().out)
    before, after = Song.from_midi(piece), Song.from_midi(out)
    assert sorted(before.pitch) == sorted(after.pitch)
    assert np.allclose(after.onset_quarters * 4, np.round(after.onset_quarters * 4))


def test_a_walk_is_led_by_its_flags_and_by_a_tune(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    out, piece = tmp_path / "seqae", tmp_path / "x.mid"
    run(monkeypatch, "train", "seqae", "--size", "tiny", "--corpus", folder, "--out", out)
    words = ["compose", out, "--seconds", "8", "--out", piece]
    led = ["--walk", "reset", "--flips", "2", "--theme", folder / "03.mid"]
    found = []
    for more in ([], led, led, [*led, "--whole", "1"]):
        run(monkeypatch, *words, *more)
        found.append(piece.read_bytes())
    assert found[0] != found[1] == found[2] != found[3]
    assert "--theme" in help_of(monkeypatch, capsys, "compose", out)
    with pytest.raises(SystemExit):
        run(monkeypatch, *words, "--theme", tmp_path / "nowhere.mid")
    assert "nowhere.mid" in capsys.readouterr().err


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


def test_chord_symbols_of_a_tune_sound_with_it(tmp_path, monkeypatch):
    tune = 'X:1\nM:6/8\nL:1/8\nK:G\n"G"GAB dBG|"C"e3 e3|]\n'
    sounds = []
    for text in (tune, tune.replace('"G"', "").replace('"C"', "")):
        (tmp_path / "x.abc").write_text(text)
        run(monkeypatch, "render", tmp_path / "x.abc", "--out", tmp_path / "x.wav")
        sounds.append(soundfile.read(tmp_path / "x.wav")[0])
    assert len(sounds[0]) == len(sounds[1])
    assert np.abs(sounds[0] - sounds[1]).max() > 0.1


SHORT = ("--seconds", "2")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("render", "none.mid"), "none.mid"),
        (("render", "SONG", "--out", "x.doc"), "not to 'x.doc'"),
        (("originality", "none.mid"), "none.mid"),
        (("originality", "SONG", "--corpus", "nowhere"), "no corpus or folder"),
        (("train", "char-rn"), "Did you mean char-rnn"),
        (("train", "char-rnn", "--corpus", "coralles"), "Did you mean chorales"),
        (("train", "char-rnn", "--seed", "-1"), "seed"),
        (("train", "char-rnn", "--out", "SONG"), "can't be kept"),
        (("train", "char-rnn", "--out", "none", "--resume"), "missing or broken"),
        (("compose", "nobody"), "There is no model 'nobody'"),
        (("compose", "char-rnn", "--seconds", "0"), "at most an hour"),
        (("compose", "char-rnn", "--seed", "-1"), "seed of 0 or more"),
        (("compose", "char-rnn", "--temperature", "-1", *SHORT), "temperature"),
        (("compose", "char-rnn", "--temperature", "nan", *SHORT), "temperature"),
        (("compose", "char-rnn", "--top-p", "2", *SHORT), "top_p"),
        (("compose", "char-rnn", "--top-p", "0", *SHORT), "top_p"),
        (("compose", "char-rnn", "--key", "C major"), "has no --key; it knows"),
        (("compose", "char-rnn", "--form", "A B"), "has no --form"),
        (("compose", "conditional-char-rnn", "--key", "H"), "There is no key"),
        (("compose", "conditional-char-rnn", "--pitch", "12"), "from 0 to 9"),
        (("compose", "conditional-char-rnn", "--density", "nan"), "from 0 to 9"),
        (("compose", "conditional-char-rnn", "--preset", "loud"), "Presets: C major, from"),
        (("compose", "dcrnn", "--form", "a b"), "A form is letters"),
        (("compose", "dcrnn", "--key", "H"), "There is no key"),
        (("compose", "dcrnn", "--temperature", "1"), "has no --temperature"),
        (("compose", "iwgan", "--noise-scale", "-1"), "noise_scale"),
        (("compose", "pix2pix", "--drop", "1"), "from 0 to below 1"),
        (("compose", "ngram-2", "--corpus", "nowhere"), "no corpus or folder"),
        (("compose", "ngram-2", "--seconds", "2", "--out", "no/such/x.mid"), "can't be written"),
        (("compose", "char-rnn", "--corpus", "folk"), "--corpus is for n-gram models"),
        (("compose", "char-rnn", "--out", "x.txt"), "MIDI goes to a file named .mid"),
        (("compose", "dcrnn", "--form", " ".join("AB" * 300), *SHORT), "longer than an hour"),
        (("train", "char-rnn", "--size", "tiny", "--corpus", ""), "no corpus or folder ''"),
        (("evaluate", "ngram-2", "--corpus", ""), "no corpus or folder ''"),
        (("play", "pix2pix"), "can't be led"),
        (("play", "conditional-char-rnn", "--pitch", "3"), "has no --pitch"),
        (("play", "conditional-char-rnn", "--source", "wand"), "There is no source 'wand'"),
        (("play", "conditional-char-rnn", "--source", "none.json"), "none.json"),
        (("play", "conditional-char-rnn", "--source", "phone:x"), "from 0 to 65535"),
        (("play", "conditional-char-rnn", "--source", "muscles"), "8 values can't lead 2"),
        (("play", "conditional-char-rnn", "--again", "SONG"), "can't be played again"),
        (("play", "conditional-char-rnn", "--look-ahead", "9"), "Look ahead"),
        (("play", "conditional-char-rnn", "--seconds", "-1"), "lasts more than 0 s"),
        (("play", "conditional-char-rnn", "--out", "x.txt"), "MIDI goes to a file"),
        (("fill", "SONG", "--out", "SONG"), "is the piece itself"),
        (("fill", "SONG", "--out", "SONG/x.mid"), "it is to lie in a file"),
        (("fill", "none.mid"), "none.mid"),
        (("fill", "SONG", "--model", "rnn-gan"), "can't fill a song"),
        (("fill", "SONG", "--model", "nobody"), "There is no model"),
        (("fill", "SONG", "--drop", "1.5"), "drops a share"),
        (("fill", "SONG", "--seed", "-1"), "seed"),
        (("refine", "SONG"), "Say what to refine: --durations, --velocities, or both"),
        (("refine", "SONG", "--durations", "--out", "SONG"), "is the piece itself"),
        (("refine", "none.mid", "--velocities"), "none.mid"),
        (("evaluate", "nobody"), "There is no model"),
        (("evaluate", "ngram-2", "--samples", "3"), "fewer say nothing"),
        (("evaluate", "ngram-2", "--seconds", "-1"), "an hour"),
        (("evaluate", "ngram-2", "--form", "A"), "has no --form"),
        (("report-table", "nowhere"), "no corpus or folder"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_code_2(
    words, sentence, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *(word.replace("SONG", str(folder / "03.mid")) for word in words))
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    made = [path for path in tmp_path.iterdir() if path not in before and path.name != "runs"]
    assert made == []


def test_help_teaches_and_lists_what_the_registry_knows(monkeypatch, capsys):
    shown = " ".join(help_of(monkeypatch, capsys, "train").replace("│", " ").split())
    assert "symphony train char-rnn --corpus" in shown
    for name in systems.names():
        assert name in shown
    assert "percentile" in help_of(monkeypatch, capsys, "originality")


@pytest.mark.parametrize("command", ["compose", "evaluate"])
def test_each_model_shows_its_own_controls_and_no_others(command, monkeypatch, capsys):
    flags = {
        "dcrnn": {"--form", "--key", "--noise-scale"},
        "char-rnn": {"--temperature", "--top-p", "--greedy"},
        "pix2pix": {"--drop"},
        "ngram-3": {"--temperature", "--top-p", "--greedy"},
    }
    for model, own in flags.items():
        shown = help_of(monkeypatch, capsys, command, model)
        for flag in set.union(*flags.values()):
            listed = re.search(rf"(?m)^\W*{flag}\b(?!\S* \")", shown) is not None
            assert listed == (flag in own), (model, flag)


@pytest.mark.parametrize(
    "words",
    [
        ("compose", "ngram-2", "--seconds", "nan"),
        ("compose", "ngram-2", "--seed", "-1"),
        ("compose", "ngram-2", "--temperature", "-1"),
        ("evaluate", "ngram-2", "--seconds", "inf"),
        ("evaluate", "ngram-2", "--top-p", "0"),
        ("evaluate", "dcrnn", "--form", ""),
    ],
)
def test_a_request_is_refused_before_anything_is_read(words, monkeypatch, capsys):
    def read(*_, **__):
        raise AssertionError("something was read")

    monkeypatch.setattr(systems, "load", read)
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *words)
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_version_is_the_installed_one(monkeypatch, capsys):
    run(monkeypatch, "--version")
    assert capsys.readouterr().out.strip() == version("deep-symphony")


def test_weights_that_cannot_be_read_are_not_blamed_on_the_output(tmp_path, monkeypatch, capsys):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(systems, "sha256", refused)
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "compose", "dcrnn", "--out", tmp_path / "x.mid")
    assert end.value.code == 2
    assert "The weights in" in (error := capsys.readouterr().err)
    assert "can't be read: Permission denied" in error


def test_a_corpus_of_one_piece_gives_no_percentiles(folder, tmp_path, monkeypatch, capsys):
    shutil.copy(folder / "03.mid", tmp_path)
    run(monkeypatch, "originality", folder / "04.mid", "--corpus", tmp_path)
    out = capsys.readouterr().out
    assert "nan" not in out
    assert "no unseen music to compare with" in out


def test_the_next_command_can_be_typed_as_shown(folder, tmp_path, monkeypatch, capsys):
    run(
        monkeypatch,
        "train",
        "iwgan",
        "--size",
        "tiny",
        "--corpus",
        folder,
        "--out",
        tmp_path / "a b",
    )
    assert f"symphony compose '{tmp_path / 'a b'}'" in capsys.readouterr().out


FULL = Path("/dev/full")  # takes nothing: what a full disk does to standard output


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_output_that_breaks_is_a_sentence_and_no_traceback():
    command = [Path(sys.executable).with_name("symphony"), "corpora"]
    with FULL.open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "symphony: the output can't be written: No space left on device.\n"
    closed = subprocess.run(f"'{command[0]}' corpora >&-", shell=True, stderr=subprocess.PIPE)
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_a_name_that_the_terminal_cannot_show_ends_nothing(tmp_path, monkeypatch):
    for i in range(4):
        random_song(i).to_midi(tmp_path / f"caf\u00e9 {i}.mid")
    (tmp_path / "\u266b.mid").write_bytes(b"no music")
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    found = symphony("originality", tmp_path / "caf\u00e9 0.mid", "--corpus", tmp_path)
    assert "caf\\xe9" in found


def test_a_bad_file_of_a_folder_is_named_in_a_sentence(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    for path in folder.glob("0*.mid"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "bad.mid").write_bytes(b"no music")
    for _ in range(2):  # at every load, not only the first
        run(monkeypatch, "originality", tmp_path / "03.mid", "--corpus", tmp_path)
        said = capsys.readouterr().err
        assert "left out 1: bad.mid" in said
        assert ".py" not in said


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (["--out", "nowhere/x.mid"], "nowhere/x.mid can't be written: No such file"),
        (["--out", "."], "can't be written: it is a folder"),
        (["--mp3", "x.ogg"], "Sound goes to a file named .mp3 or .wav"),
        (["--mp3", "nowhere/x.mp3"], "nowhere/x.mp3 can't be written: No such file"),
    ],
)
@pytest.mark.parametrize("command", [["compose", "char-rnn"], ["fill", "x.mid"]])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    command, place, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    random_song(0).to_midi("x.mid")
    monkeypatch.setattr(systems, "load", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(SystemExit):
        run(monkeypatch, *command, *place)
    assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mid"]


def test_training_that_is_refused_leaves_no_folder(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "train", "char-rnn", "--corpus", "nothing", "--out", tmp_path / "a" / "b")
    assert "There is no corpus or folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
