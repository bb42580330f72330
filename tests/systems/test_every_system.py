"""What every system must do, whichever room it comes from."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from running import (
    NO_MUSIC_LIBRARY,
    Interrupted,
    KilledError,
    Music,
    die,
    press_ctrl_c,
    python,
    run,
    same_weights,
)

from symphony.errors import FileError, RequestError, SongError
from symphony.files import sha256
from symphony.song import Song
from symphony.systems import load, load_snapshots, system
from symphony.training import Card, Data, load_samples

STREAMS = ("char-rnn", "conditional-char-rnn", "ngram-2")
GANS = ("rnn-gan", "iwgan", "dcrnn", "pix2pix")
REFINERS = ("duration-net", "velocity-net")
CODES = ("seqae",)
SEQUENCES = ("seqgan", "abc-wgan")  # GANs of symbols
ALL = STREAMS + GANS + SEQUENCES + CODES + REFINERS
every_system = pytest.mark.parametrize("name", ALL)
GAN_LOGS = {
    "generator_loss", "real_score", "fake_score", "discriminator_accuracy", "generator_grad_norm",
    "chords", "top_chord", "diversity", "two_sample_1nn", "sounding",
}  # fmt: skip


@every_system
def test_a_run_leaves_weights_a_card_and_samples(name, runs):
    folder, recipe = runs.folder(name), runs.recipe(name)
    card = Card.load(folder)
    assert (card.recipe_hash, card.system) == (recipe.hash, recipe.room)
    assert card.recipe == recipe.to_dict()
    assert card.corpus == {"name": "made up", "fingerprint": "0", "licence": "none"}
    every, steps = recipe.evaluate_every, recipe.steps
    expected = [*range(every, steps, every), steps]
    assert [point["step"] for point in card.curve] == expected
    assert card.best_step in expected
    assert np.isfinite([*card.metrics.values(), *(v for p in card.curve for v in p.values())]).all()
    files = {"card.json", "encoded.safetensors", "state.ckpt", "weights.safetensors"}
    files |= {"samples.npz"} if name in GANS + SEQUENCES else set()
    assert {p.name for p in folder.iterdir()} == files


@pytest.mark.parametrize("name", GANS)
def test_a_gans_curve_says_how_its_game_goes(name, runs):
    card, recipe = Card.load(runs.folder(name)), runs.recipe(name)
    opponent = "critic" if name in ("iwgan", "dcrnn") else "discriminator"
    expected = GAN_LOGS | {"step", f"{opponent}_loss", f"{opponent}_grad_norm"}
    expected |= {"gradient_penalty"} if opponent == "critic" else set()
    expected |= {"note_f1", "added_f1"} if name in ("pix2pix", "unet") else set()
    for point in card.curve:
        assert set(point) == expected
    assert set(card.parameters) == {"generator", opponent}
    beside = {"chords", "top_chord", "diversity", "two_sample_1nn", "sounding"}
    metrics = {f"{which}_{each}" for which in ("test", "real") for each in beside}
    metrics |= {f"{opponent}_train", f"{opponent}_test", "checked"}
    filled = {"filled_note_f1", "filled_added_f1", "facade_note_f1"}
    metrics |= filled if name in ("pix2pix", "unet") else set()
    assert set(card.metrics) == metrics
    steps, samples = load_samples(runs.folder(name))
    assert steps.tolist() == [2, 4, 6]
    assert samples.shape == (3, recipe.kept_samples, recipe.network.steps, 16)


@pytest.mark.parametrize("name", STREAMS)
def test_a_streams_card_has_its_losses_in_nats_and_in_bits(name, runs):
    card, data = Card.load(runs.folder(name)), runs.data(name)
    assert set(card.curve[0]) == {"step", "train", "validation"}
    for split in ("validation", "test"):
        stream = data.arrays[split]["symbols"]
        bits = card.metrics[f"{split}_nats"] / np.log(2)
        assert card.metrics[f"{split}_bits_per_event"] == pytest.approx(bits)
        notes = (stream < 128).sum()
        assert card.metrics[f"{split}_bits_per_note"] == pytest.approx(
            bits * (len(stream) - 1) / notes
        )


@pytest.mark.parametrize("name", ["char-rnn", "conditional-char-rnn"])
def test_training_lowers_both_losses(name, runs):
    curve = Card.load(runs.folder(name)).curve
    assert curve[-1]["train"] < curve[0]["train"] < 6.0
    assert curve[-1]["validation"] < curve[0]["validation"]


@every_system
def test_a_resumed_run_is_the_uninterrupted_one(name, runs, tmp_path):
    learner, data, whole = runs.system(name), runs.data(name), runs.folder(name)
    last = learner.recipe.steps - 1
    stop, kill = min(2, last), last  # in the third step, which is finished; in the very last
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(learner, stop, press_ctrl_c), data, tmp_path)
    if kill > stop:
        with pytest.raises(KilledError):
            run(Interrupted(learner, kill, die), data, tmp_path, resume=True)
    run(learner, data, tmp_path, resume=True)
    assert same_weights(whole, tmp_path)
    one, other = Card.load(whole), Card.load(tmp_path)
    assert replace(one, minutes=0.0) == replace(other, minutes=0.0)
    if name in GANS + SEQUENCES:
        for a, b in zip(load_samples(whole), load_samples(tmp_path), strict=True):
            assert np.array_equal(a, b)


@every_system
def test_the_cards_check_can_be_taken_again_from_the_weights(name, runs):
    trained = load(runs.folder(name))
    assert trained.recipe == runs.recipe(name)
    found = trained.system.check(trained.nets, runs.data(name))
    assert found == pytest.approx(trained.card.metrics["checked"], abs=1e-6)


@every_system
def test_a_check_tells_these_weights_from_others(name, runs, tmp_path):
    trained = load(runs.folder(name))
    before = trained.system.check(trained.nets, runs.data(name))
    with torch.no_grad():
        for weight in trained.nets.parameters():
            weight += 0.01
    if name == "ngram-2":
        trained.nets["network"].fit(runs.data(name).train["symbols"][:500])
    assert abs(trained.system.check(trained.nets, runs.data(name)) - before) > 2e-5


@every_system
def test_composing_repeats_lasts_and_is_named(name, runs):
    trained = load(runs.folder(name))
    first, second = (trained.compose(5.0, seed=3, batch=2) for _ in range(2))
    assert len(first) == 2
    for a, b in zip(first, second, strict=True):
        assert a.equals(b)
        assert 0 < a.seconds <= 5.001
        assert a.source == name
    if name != "rnn-gan":  # which hears its noise once, and after six steps hardly
        assert not first[0].equals(first[1])
        assert not first[0].equals(trained.compose(5.0, seed=4)[0])
    assert first[0].name.startswith(f"{name}, seed 3")
    assert first[1].name.startswith(f"{name}, seed 3 (2)") or name == "pix2pix"


@pytest.mark.parametrize("name", STREAMS + GANS[:3] + SEQUENCES + CODES)
def test_a_piece_is_the_same_in_any_batch(name, runs):
    trained = load(runs.folder(name))
    alone, two = trained.compose(4.0, seed=3)[0], trained.compose(4.0, seed=3, batch=2)[0]
    assert alone.pitch.tolist() == two.pitch.tolist()
    np.testing.assert_allclose(alone.onset, two.onset)


SYMBOLS = [
    ({"temperature": -1.0}, "temperature is a finite number from 0"),
    ({"temperature": float("nan")}, "temperature is a finite number"),
    ({"temperature": float("inf")}, "temperature is a finite number"),
    ({"temperature": "hot"}, "temperature is 'hot', not a number"),
    ({"top_p": 0.0}, "top_p is a finite number above 0"),
    ({"top_p": 1.1}, "top_p is a finite number above 0"),
    ({"greedy": "yes"}, "greedy is 'yes', not bool"),
    ({"noise_scale": 1.0}, "has no control noise_scale, only temperature"),
    ({"form": "A B"}, "has no control form"),
]
NOISE = [
    ({"noise_scale": -1.0}, "noise_scale is a finite number from 0"),
    ({"noise_scale": float("nan")}, "noise_scale is a finite number"),
    ({"noise_scale": "loud"}, "noise_scale is 'loud', not a number"),
    ({"temperature": 0.5}, "has no control temperature, only noise_scale"),
    ({"top_p": 0.9}, "has no control top_p"),
    ({"greedy": True}, "has no control greedy"),
]
KEYLESS = [({"form": "A B"}, "has no control form"), ({"key": "C major"}, "has no control key")]
REFUSED = {
    "char-rnn": [*SYMBOLS, ({"key": "C major"}, "has no control key")],
    "ngram-2": SYMBOLS,
    "conditional-char-rnn": [
        *SYMBOLS,
        ({"key": "H major"}, "no key 'H major'"),
        ({"pitch": "12"}, "Levels of pitch"),
        ({"density": "high"}, "density"),
        ({"preset": "a storm"}, "There is no preset 'a storm'"),
        ({"key": ""}, "no key"),
        ({"plan": []}, "1 pieces need one plan or 1, not 0"),
    ],
    "rnn-gan": [*NOISE, *KEYLESS],
    "iwgan": [*NOISE, *KEYLESS],
    "dcrnn": [
        *NOISE,
        ({"form": "a b"}, "A form is letters"),
        ({"form": ""}, "A form is letters"),
        ({"form": 3}, "form is '3', not str"),
        ({"key": "C dorian"}, "There is no key 'C dorian'"),
    ],
    "pix2pix": [
        ({"drop": 1.0}, "drop is a finite number from 0 to below 1"),
        ({"drop": -0.1}, "drop is a finite number"),
        ({"drop": float("nan")}, "drop is a finite number"),
        ({"noise_scale": 0.5}, "has no control noise_scale, only drop"),
        ({"temperature": 0.5}, "has no control temperature"),
    ],
    "seqgan": [*SYMBOLS, ({"pretrained": 1}, "pretrained is '1', not bool")],
    "abc-wgan": [
        ({"temperature": -1.0}, "temperature is a finite number from 0"),
        ({"temperature": float("nan")}, "temperature is a finite number"),
        ({"top_p": 0.5}, "has no control top_p, only temperature"),
        ({"greedy": True}, "has no control greedy"),
    ],
    "seqae": [
        ({"walk": "straight"}, "walk is 'straight', not 'random' or 'reset'"),
        ({"flips": -1}, "flips is a finite number from 0"),
        ({"flips": 17}, "A code of seqae has 16 digits to flip"),
        ({"flips": 1.5}, "flips is '1.5', not int"),
        ({"whole": 1.1}, "whole is a finite number from 0"),
        ({"back": float("nan")}, "back is a finite number from 0"),
        ({"every": 0}, "every is a finite number from 1"),
        ({"theme": 3}, "theme is '3', not str"),
        ({"temperature": 0.5}, "has no control temperature, only walk"),
    ],
    "duration-net": [
        ({"stretch": 1.0}, "stretch is a finite number from 0 to below 1"),
        ({"stretch": -0.1}, "stretch is a finite number"),
        ({"temperature": 0.5}, "has no control temperature, only stretch"),
    ],
    "velocity-net": [({"temperature": 0.5}, "has no control temperature, only seconds and a seed")],
}
CONTROLS = [(name, *each) for name, refused in REFUSED.items() for each in refused]


@pytest.mark.parametrize(("name", "told", "sentence"), CONTROLS)
def test_what_a_model_cannot_be_told_is_refused_with_a_sentence(name, told, sentence, runs):
    with pytest.raises(RequestError, match=sentence):
        load(runs.folder(name)).compose(4.0, **told)


@every_system
def test_every_control_says_what_it_is(name, runs):
    controls = runs.system(name).controls
    controls()  # all have defaults
    for each in fields(controls):
        assert each.metadata.get("help") or each.name == "plan"


@pytest.mark.parametrize("name", [name for name in ALL if name != "pix2pix"])
def test_only_a_pix2pix_fills_holes(name, runs):
    with pytest.raises(RequestError, match=f"{name} can't fill a song"):
        load(runs.folder(name)).fill(Song([0.0], [1.0], [60], [80]))


TRAIN = """
from pathlib import Path
from symphony.systems import recipe, system
from symphony.training import Run, loop
from symphony.training.runtime import launch

for folder in sorted(Path(sys.argv[1]).iterdir()):
    small, run = recipe(folder.name, "tiny"), Run(folder)
    loop.train(system(small), run.data(), run, launch("cpu", small.batch), progress=False)
print(sorted(Blocker.blocked & {name.split(".")[0] for name in sys.modules}))
"""


def test_training_needs_no_music_library(runs, tmp_path):
    for name in ALL:
        (tmp_path / name).mkdir()
        runs.data(name).save(tmp_path / name / "encoded.safetensors")
    assert python("-c", NO_MUSIC_LIBRARY + TRAIN, tmp_path).strip() == "[]"
    for name in ALL:
        assert Card.load(tmp_path / name).system == runs.recipe(name).room


@every_system
def test_a_split_without_music_is_named(name, runs):
    with pytest.raises(SongError, match="Made-up music has no music for validation"):
        runs.system(name).encode(Music(validation=[]))


@every_system
def test_what_was_encoded_comes_back_from_its_file(name, runs):
    data = runs.data(name)
    back = Data.load(runs.folder(name) / "encoded.safetensors")
    assert back.facts == data.facts
    for split, arrays in data.arrays.items():
        assert arrays.keys() == back.arrays[split].keys()
        assert all(np.array_equal(arrays[k], back.arrays[split][k]) for k in arrays)


@pytest.mark.parametrize("name", ["char-rnn", "iwgan"])
def test_snapshots_are_models(name, runs, tmp_path):
    recipe = replace(runs.recipe(name), steps=4, evaluate_every=2, snapshots=(1, 3))
    run(system(recipe), runs.data(name), tmp_path)
    models = load_snapshots(tmp_path)
    assert list(models) == [1, 3]
    first, second = (next(m.nets.parameters()) for m in models.values())
    assert not torch.equal(first, second)
    models[1].compose(2.0)


@every_system
def test_weights_of_another_system_or_cut_short_are_refused(name, runs, tmp_path):
    other = runs.folder("iwgan" if name != "iwgan" else "rnn-gan")
    card = Card.load(runs.folder(name))
    for bytes_ in (
        (other / "weights.safetensors").read_bytes(),
        (runs.folder(name) / "weights.safetensors").read_bytes()[:-50],
        b"",
    ):
        path = tmp_path / "weights.safetensors"
        path.write_bytes(bytes_)
        card.save(tmp_path)
        with pytest.raises(FileError, match="not those its card describes"):
            load(tmp_path)
        replace(card, weights_sha256=sha256(path)).save(tmp_path)  # even where the card says so
        with pytest.raises(FileError, match="don't fit"):
            load(tmp_path)
