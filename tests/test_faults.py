"""Faults that attacks on the command line found, once each, where no other test has them."""

import io
import os
import resource
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from making import random_song
from running import Interrupted, Line, LineRecipe, Music, numbers, press_ctrl_c, python
from running import run as train

import symphony.corpora
from symphony import cli, experiments, systems
from symphony.corpora import table
from symphony.errors import FileError
from symphony.rendering import audio
from symphony.song import Song
from symphony.training import Card

ELSEWHERE = "mps" if torch.cuda.is_available() else "cuda"  # a device that isn't here
LONG = "x" * 300  # as a name: longer than any may be
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def run(monkeypatch, *words):
    """A command; its exit code."""
    monkeypatch.setattr(sys, "argv", ["symphony", *map(str, words)])
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def home(tmp_path, cache, monkeypatch):
    """The working directory: a song, a folder of six songs and a folder of one."""
    monkeypatch.setenv("SYMPHONY_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    for folder, count in (("music", 6), ("one", 1)):
        Path(folder).mkdir()
        for i in range(count):
            random_song(i).to_midi(Path(folder, f"{i}.mid"))
    random_song(9).to_midi("song.mid")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


NGRAM = ("compose", "ngram-1", "--corpus", "music", "--seconds", "2", "--out", "x.mid")
FILL = ("fill", "song.mid", "--out", "x.mid")


@pytest.mark.parametrize(
    "words",
    [
        ("render", "song.mid", "--out", "x.mp3"),
        (*NGRAM, "--mp3", "x.mp3"),
        (*FILL, "--mp3", "x.mp3"),
    ],
)
def test_ctrl_c_while_an_mp3_is_written_ends_with_130_and_keeps_the_earlier_one(
    words, home, monkeypatch, capsys
):
    Path("x.mp3").write_bytes(b"earlier")

    class Interrupting(soundfile.SoundFile):
        def write(self, data):
            super().write(data)
            press_ctrl_c()

    monkeypatch.setattr(soundfile, "SoundFile", Interrupting)
    assert run(monkeypatch, *words) == 130
    assert "stopped" in capsys.readouterr().err
    assert Path("x.mp3").read_bytes() == b"earlier"
    assert list(home.glob(".*")) == []


def test_ctrl_c_in_the_middle_of_a_long_mp3_ends_it_there_and_keeps_the_earlier_one(
    home, monkeypatch, capsys
):
    monkeypatch.setattr(audio, "BLOCK", 1.0)  # seconds: the song is long enough to be streamed
    Path("x.mp3").write_bytes(b"earlier")
    before, blocks = contents(home), []

    class Interrupting(soundfile.SoundFile):
        def write(self, data):
            assert isinstance(self.name, str)  # C would call a Python file, and lose the Ctrl-C
            super().write(data)
            blocks.append(len(data))
            if len(blocks) == 3:
                press_ctrl_c()

    monkeypatch.setattr(soundfile, "SoundFile", Interrupting)
    assert Song.from_midi("song.mid").seconds > 10
    assert run(monkeypatch, "render", "song.mid", "--out", "x.mp3") == 130
    assert "stopped" in capsys.readouterr().err
    assert len(blocks) == 3
    assert contents(home) == before


@pytest.mark.parametrize(
    "words", [NGRAM, FILL, *(("render", "song.mid", "--out", f"x.{end}") for end in ("png", "mp3"))]
)
def test_a_full_disk_costs_no_earlier_file_and_is_a_sentence(words, home, monkeypatch, capsys):
    assert run(monkeypatch, *words) == 0
    before = contents(home)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        code = run(monkeypatch, *words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert f"{words[-1]} can't be written: " in capsys.readouterr().err
    assert contents(home) == before


def test_a_disk_that_is_full_when_the_card_is_written_leaves_no_half_card(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Filling(Line):
        def report(self, nets, data):
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
            return super().report(nets, data)

    recipe, data, folder = LineRecipe(), numbers(), tmp_path / "run"
    try:
        with pytest.raises(FileError, match=r"card\.json can't be written"):
            train(Filling(recipe), data, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    names = {"encoded.safetensors", "samples.npz", "state.ckpt", "weights.safetensors"}
    assert {path.name for path in folder.iterdir()} == names
    train(Line(recipe), data, folder, resume=True)
    assert Card.load(folder).best_step == recipe.steps


def test_training_that_is_refused_leaves_a_stopped_run_as_it_was(home, monkeypatch, capsys):
    learner = systems.system(systems.recipe("iwgan", "tiny"))
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(learner, 2, press_ctrl_c), learner.encode(Music()), "stopped")
    before = contents(home / "stopped")
    assert "state.ckpt" in before
    words = ("--size", "tiny", "--out", "stopped")
    for recipe, *more in (
        ("iwgan", "--corpus", "music", "--device", ELSEWHERE),
        ("iwgan", "--corpus", "one"),
        ("iwgan", "--corpus", "nowhere"),
        ("iwgan", "--corpus", "music", "--seed", "-1"),
        ("char-rnn", "--corpus", "music", "--device", ELSEWHERE),
        ("char-rnn", "--corpus", "one"),
    ):
        assert run(monkeypatch, "train", recipe, *more, *words) == 2
        assert contents(home / "stopped") == before, (recipe, more)
    capsys.readouterr()
    assert run(monkeypatch, "train", "iwgan", "--device", "cpu", "--resume", *words) == 0
    assert "Trained iwgan (tiny)" in capsys.readouterr().out


def test_a_run_of_another_model_is_not_called_broken(home, monkeypatch, capsys):
    learner = systems.system(systems.recipe("char-rnn", "tiny"))
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(learner, 2, press_ctrl_c), learner.encode(Music()), "stopped")
    before = contents(home / "stopped")
    for other in ("dcrnn", "iwgan", "pix2pix", "conditional-char-rnn", "ngram-2"):
        words = ("--size", "tiny", "--device", "cpu", "--out", "stopped", "--resume")
        assert run(monkeypatch, "train", other, *words) == 2
        said = capsys.readouterr().err
        assert "The run in stopped follows another recipe" in said, other
        assert "broken" not in said
    assert contents(home / "stopped") == before


def test_a_device_that_is_not_here_is_refused_before_music_is_read(home, monkeypatch, capsys):
    monkeypatch.setattr(symphony.corpora, "load_corpus", lambda *_, **__: pytest.fail("it was"))
    words = ("train", "char-rnn", "--size", "tiny", "--corpus", "music", "--device", ELSEWHERE)
    assert run(monkeypatch, *words) == 2
    assert f"The device '{ELSEWHERE}' can't be used here" in capsys.readouterr().err
    assert sorted(path.name for path in home.iterdir()) == ["music", "one", "song.mid"]


def test_a_run_on_a_relative_folder_knows_its_music_from_anywhere(home, monkeypatch, capsys):
    before = os.umask(0o027)
    try:
        assert run(monkeypatch, "train", "ngram-1", "--corpus", "music", "--out", "run") == 0
    finally:
        os.umask(before)
    # Not the owner's alone, as a temporary file would be.
    assert {path.stat().st_mode & 0o777 for path in Path("run").iterdir()} == {0o640}
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    capsys.readouterr()
    assert run(monkeypatch, "compose", "../run", "--seconds", "2", "--out", "x.mid") == 0
    said = capsys.readouterr().out
    assert "onset" in said
    assert "not measured" not in said


def test_music_that_is_gone_is_not_said_to_be_downloadable(home, monkeypatch, capsys):
    assert run(monkeypatch, "train", "ngram-1", "--corpus", "music", "--out", "run") == 0
    Path("music").rename("moved")
    capsys.readouterr()
    assert run(monkeypatch, "compose", "run", "--seconds", "2", "--out", "x.mid") == 0
    said = capsys.readouterr().out
    assert f"the corpus {home / 'music'} is not here. It is a folder that is gone" in said
    assert "download" not in said


def test_who_may_not_write_is_not_told_to_make_room(monkeypatch, capsys):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(table, "write", refused)
    random_song(7).to_midi("one/7.mid")  # a folder that no cache knows yet
    assert run(monkeypatch, "originality", "song.mid", "--corpus", "one") == 2
    said = capsys.readouterr().err
    assert "Permission denied" in said
    assert "to which you may write, in SYMPHONY_CACHE" in said
    assert "Make room" not in said


@linux
def test_a_song_whose_name_is_not_utf_8_is_drawn_and_played(home, monkeypatch):
    name = os.fsdecode(b"caf\xe9")
    Path("song.mid").rename(f"{name}.mid")
    for end in ("png", "mp3"):
        assert run(monkeypatch, "render", f"{name}.mid", "--out", f"{name}.{end}") == 0
        assert Path(f"{name}.{end}").stat().st_size > 1000


MEMORY = """
from pathlib import Path
import numpy as np
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.streams import symbol_losses

def highest():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024

network = CharLSTM(363, CharLSTMConfig(1, 8, 4))
stream = np.random.default_rng(0).integers(0, 363, 400_000).astype(np.int16)
symbol_losses(network, stream[:20_000])
before = highest()
symbol_losses(network, stream)
print(highest() - before)
"""


@linux
def test_the_loss_of_twenty_times_the_music_takes_no_more_memory():
    grown = int(python("-c", MEMORY))
    assert grown < 80e6  # bytes; 270 MB where the losses were a list, the logits' holes between


def test_a_card_of_a_million_layers_is_refused_unbuilt(monkeypatch, capsys):
    learner = systems.system(systems.recipe("char-rnn", "tiny"))
    card = Card.of(learner.recipe, learner.encode(Music()).facts)
    card.recipe["network"]["num_layers"] = 1_000_000
    Path("run").mkdir()
    card.save(Path("run"))
    monkeypatch.setattr(torch.nn, "LSTM", lambda *_, **__: pytest.fail("it was built"))
    assert run(monkeypatch, "compose", "run") == 2
    assert "The card is broken: No size in network is above 4,096" in capsys.readouterr().err


def test_a_dash_that_the_terminal_lacks_does_not_end_an_evaluation(monkeypatch):
    found = {
        "columns": ["ngram-1", "unseen real"],
        "rows": [{"measure": "bits", "values": {"ngram-1": (1, 1, 1), "unseen real": [None] * 3}}],
    }
    monkeypatch.setattr(experiments, "evaluate", lambda *_, **__: found)
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    assert run(monkeypatch, "evaluate", "ngram-1", "--corpus", "music") == 0
    assert rb"\u2013" in shown.getvalue()


def test_midi_of_an_unknown_kind_is_spelt_as_we_spell_it(monkeypatch, capsys):
    data = bytearray(random_song().to_midi())
    data[8:10] = (5).to_bytes(2, "big")  # its format
    Path("bad.mid").write_bytes(data)
    assert run(monkeypatch, "render", "bad.mid") == 2
    said = capsys.readouterr().err
    assert "Invalid MIDI format" in said
    assert "nvaild" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("compose", "char-rnn", "--temperature", "inf"), "temperature is a finite number"),
        (("compose", "char-rnn", "--top-p", "nan"), "top_p is a finite number"),
        (("compose", "char-rnn", "--out", LONG), "File name too long"),
        (("compose", LONG), "There is no model"),
        (("compose", "dcrnn", "--form", ""), "A form is letters"),
        (("compose", "dcrnn", "--form", "A" * 20_000), "at most 1,000 sections"),
        (("compose", "ngram-2", "--corpus", ""), "There is no corpus or folder ''"),
        (("compose", "ngram-2", "--corpus", "one"), "at least three"),
        (
            ("train", "ngram-2", "--corpus", "one", "--out", "run"),
            "at least three",
        ),
        (("train", "ngram-2", "--out", LONG), "File name too long"),
        (("evaluate", "ngram-2", "--corpus", "one"), "at least three"),
        (("evaluate", "ngram-2", "--corpus", "music", "--samples", "1000000000"), "samples, not"),
        (("originality", "song.mid", "--corpus", ""), "There is no corpus or folder ''"),
        (("originality", "song.mid", "--corpus", LONG), "There is no corpus or folder"),
        (("render", LONG), "File name too long"),
        (("render", "song.mid", "--out", f"{LONG}.png"), "File name too long"),
        (("fill", "day.mid"), "165,600 quarter notes long"),
        (("fill", "day.mid", "--drop", "0.5"), "165,600 quarter notes long"),
        pytest.param(("render", "/proc/self/mem"), "can't be read: Input/output", marks=linux),
        pytest.param(("fill", "/proc/self/mem"), "can't be read: Input/output", marks=linux),
        pytest.param(("originality", "/proc/self/mem"), "can't be read: Input/output", marks=linux),
        pytest.param(("render", "song.mid", "--out", "/proc/x.png"), "be written", marks=linux),
        pytest.param(("train", "ngram-2", "--out", "/proc/run"), "can't be kept", marks=linux),
    ],
    ids=lambda value: " ".join(value)[:48] if isinstance(value, tuple) else "",
)
def test_what_was_a_traceback_or_silence_is_a_sentence_and_leaves_nothing(
    words, sentence, home, monkeypatch, capsys
):
    Song([0], [23 * 3600], [60], [80]).to_midi("day.mid")
    before = sorted(path.name for path in home.rglob("*"))
    assert run(monkeypatch, *words) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in home.rglob("*")) == before


@linux
def test_a_report_that_finds_no_room_is_a_sentence(monkeypatch, capsys):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(monkeypatch, "originality", "song.mid", "--corpus", "music") == 2
    said = capsys.readouterr().err
    assert "symphony: the output can't be written: No space left on device." in said
