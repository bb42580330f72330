"""Encoded music: split, saved, and mapped into memory rather than read."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from making import random_song
from running import Music, python
from safetensors.torch import save_file

from symphony.errors import FileError, SongError
from symphony.song import Song
from symphony.training import Data
from symphony.training.data import encode_splits


def pitches(songs):
    return {"pitch": np.concatenate([song.pitch for song in songs]).astype(np.int16)}


def test_each_split_is_encoded_and_the_music_is_named():
    music = Music()
    data = encode_splits(music, None, pitches, keys={"major": [1.0]})
    for split in ("train", "validation", "test"):
        assert np.array_equal(data.arrays[split]["pitch"], pitches(music.part(split))["pitch"])
    assert np.array_equal(data.train["pitch"], pitches(music.train)["pitch"])
    about = {"name": "made up", "fingerprint": "0", "licence": "none"}
    assert data.facts == {"corpus": about, "keys": {"major": [1.0]}}


def test_a_subset_is_of_the_training_split_only():
    music = Music()
    data = encode_splits(music, 2, pitches)
    assert len(data.train["pitch"]) == 160
    assert len(data.arrays["validation"]["pitch"]) == 160
    assert len(data.arrays["test"]["pitch"]) == 80


def test_a_song_without_notes_is_left_out():
    seen = []
    silent = Song([], [], [], [])
    encode_splits(
        Music([silent, random_song(1)]), None, lambda songs: seen.append(len(list(songs))) or {}
    )
    assert seen == [1, 2, 1]


def test_splits_without_music_are_named():
    silent = Song([], [], [], [])
    with pytest.raises(SongError, match=r"no music for validation and test: .* three different"):
        encode_splits(Music(None, [], [silent]), None, pitches)


@pytest.fixture
def data():
    arrays = {
        "train": {"a": np.arange(6, dtype=np.int16), "b": np.ones((2, 3), np.uint8)},
        "validation": {"a": np.array([7], np.int32)},
        "test": {"a": np.array([0.5], np.float32)},
    }
    return Data(arrays, {"corpus": {"name": "x"}, "keys": [0.25]})


def test_data_come_back_from_their_file(data, tmp_path):
    data.save(tmp_path / "x.safetensors")
    back = Data.load(tmp_path / "x.safetensors")
    assert back.facts == data.facts
    assert (back.rank, back.world) == (0, 1)
    for split, arrays in data.arrays.items():
        assert back.arrays[split].keys() == arrays.keys()
        for name, array in arrays.items():
            assert back.arrays[split][name].dtype == array.dtype
            assert np.array_equal(back.arrays[split][name], array)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.safetensors"]


@pytest.mark.parametrize(
    "harm", ["missing", "cut", "empty", "text", "no facts", "facts", "split", "name"]
)
def test_music_that_is_missing_or_broken_is_refused_with_a_sentence(harm, data, tmp_path):
    path, array = tmp_path / "x.safetensors", {"train.a": torch.zeros(2)}
    data.save(path)
    if harm == "missing":
        path.unlink()
    elif harm in ("cut", "empty", "text"):
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[:-20], "empty": b"", "text": b"x" * 100}[harm])
    elif harm == "no facts":
        save_file(array, path)
    elif harm == "facts":
        save_file(array, path, {"facts": "[1"})
    elif harm == "split":
        save_file({"holdout.a": torch.zeros(2)}, path, {"facts": "{}"})
    else:
        save_file({"train.a.b": torch.zeros(2)}, path, {"facts": "{}"})
    with pytest.raises(FileError, match=r"x\.safetensors is missing or broken .*made anew"):
        Data.load(path)


def test_a_pickle_is_no_encoded_music(tmp_path):
    torch.save({"train.a": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(FileError, match="missing or broken"):
        Data.load(tmp_path / "x.safetensors")


def test_processes_share_a_batch_without_rest_or_overlap(data):
    batch = torch.arange(12).view(6, 2)
    shares = [data.seen_by(rank, 3, torch.device("cpu")).share(batch) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    assert torch.equal(torch.cat(shares).sort(0).values, batch)
    assert torch.equal(data.share(batch), batch)


def mapped(path):
    """Kilobytes of a file that this process sees, and that it has copied, over all mappings."""
    resident = copied = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            inside = line.endswith(str(path))
        elif inside and head == "Rss:":
            resident += int(line.split()[1])
        elif inside and head in ("Private_Dirty:", "Private_Clean:"):
            copied += int(line.split()[1])
    return resident, copied


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells")
def test_two_readers_see_the_same_pages_and_loading_reads_none(tmp_path):
    path, count = tmp_path / "x.safetensors", 4_000_000
    symbols = np.ones(count, np.int16)
    Data({"train": {"symbols": symbols}}, {"corpus": {}}).save(path)
    one, two = Data.load(path), Data.load(path)
    assert mapped(path)[0] < 200  # kilobytes of 8,000: the header
    assert one.train["symbols"].sum() == two.train["symbols"].sum() == count
    resident, own = mapped(path)
    assert resident > 2 * 7500
    assert own < 400  # all else is shared, as between processes


MEMORY = """
import resource, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from symphony.systems import recipe, system
from symphony.training import Run, loop
from symphony.training.runtime import launch

NAMES, folder, more = ("char-rnn", "conditional-char-rnn", "iwgan"), Path(sys.argv[1]), 20_000_000

def train(name, run, data):
    small = replace(recipe(name, "tiny"), steps=4, evaluate_every=2, transpose=(0, 1))
    loop.train(system(small), data, run, launch("cpu", small.batch), progress=False)

runs = {size: {name: Run(folder / size / name) for name in NAMES} for size in ("small", "large")}
for name, run in runs["small"].items():  # whatever all runs need once
    train(name, run, run.data())
large = {name: run.data() for name, run in runs["large"].items()}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
limit = int(status["VmData"].split()[0]) * 1024 + more
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
for name, data in large.items():
    train(name, runs["large"][name], data)
try:
    np.ones(2 * more, np.uint8)
except MemoryError:
    print("enough, and no more")
"""


def stream(count):
    symbols = np.random.default_rng(0).integers(0, 363, count).astype(np.int16)
    symbols[::5000] = 363
    return {"symbols": symbols}


def rolls(count):
    pieces = -(-count // 4000)  # of 500 rows, 16 bytes each: two bytes a symbol, as in streams
    packed = np.random.default_rng(0).integers(0, 256, (pieces * 500, 16), np.uint8)
    return {"packed": packed & packed[::-1], "lengths": np.full(pieces, 500, np.int32)}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't limit a process so")
def test_ten_times_the_music_takes_no_more_memory(tmp_path):
    """Training on 60 MB of music where there is room for 20 MB more than training on 6 MB took.

    Resident memory says less: the kernel counts pages of the file that it happens to hold.
    """
    about = {"corpus": {"name": "x", "fingerprint": "0", "licence": "none"}}
    for size, count in (("small", 3_000_000), ("large", 30_000_000)):
        for name in ("char-rnn", "conditional-char-rnn", "iwgan"):
            encode = rolls if name == "iwgan" else stream
            sizes = {"train": count, "validation": 600, "test": 600}
            data = Data({split: encode(n) for split, n in sizes.items()}, about)
            (tmp_path / size / name).mkdir(parents=True)
            data.save(tmp_path / size / name / "encoded.safetensors")
    assert python("-c", MEMORY, tmp_path).strip() == "enough, and no more"
