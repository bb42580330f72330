import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from symphony.codecs import RollCodec
from symphony.song import Song
from symphony.training import (
    ComposeError,
    adversarial,
    facade_of,
    load_film,
    load_model,
    load_snapshots,
    recipe,
)
from symphony.training.checkpoint import CheckpointError
from symphony.training.forms import parse_form, stitch, tile_starts, wander
from symphony.training.gan_models import build_gan
from symphony.training.gan_recipes import gan_names
from symphony.training.recipes import RecipeError
from symphony.training.rolls import EncodedRolls, Rolls


def chance_rolls(seed, pieces=3, rows=40):
    roll = np.repeat(
        np.random.default_rng(seed).random((pieces * rows // 4, 128)) < 0.04, 4, axis=0
    )
    return Rolls(np.packbits(roll, axis=1), np.full(pieces, rows, np.int32))


@pytest.fixture(scope="module")
def music():
    flat = [1 / 12] * 12
    return EncodedRolls(
        *(chance_rolls(s) for s in range(3)),
        {"major": [0.5, *[0.0] * 6, 0.5, *[0.0] * 4], "minor": flat},
        RollCodec().to_dict(),
        {"name": "made up", "fingerprint": "0", "licence": "none"},
    )


def train(plan, music, out, **more):
    return adversarial.train_gan(plan, music, out, device="cpu", progress=False, **more)


@pytest.fixture(scope="module")
def runs(music, tmp_path_factory):
    """One finished run of each model."""
    home = tmp_path_factory.mktemp("runs")
    for name in gan_names():
        train(recipe(name, "tiny"), music, home / name)
    return home


def same_weights(a, b):
    a, b = (load_file(folder / "weights.safetensors") for folder in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", gan_names())
def test_a_run_leaves_weights_a_film_and_a_card(name, runs):
    plan, folder = recipe(name, "tiny"), runs / name
    card = json.loads((folder / "card.json").read_text())
    assert card["recipe_hash"] == plan.hash
    assert [point["step"] for point in card["curve"]] == [2, 4, 6]
    measured = {*adversarial.COLUMNS, "chords", "top_chord", "diversity", "two_sample"}
    assert measured < set(card["curve"][0])
    assert ("note_f1" in card["curve"][0]) == (plan.given == "facade")
    assert np.isfinite(list(card["metrics"].values())).all()
    assert (card["curve"][0]["penalty"] > 0) == (plan.penalty > 0)
    steps, film = load_film(folder)
    assert steps.tolist() == [2, 4, 6]
    assert film.shape == (3, plan.film, plan.window, 128)
    trained = load_model(folder)
    assert trained.recipe == plan
    assert trained.card == card
    assert {p.name for p in folder.iterdir()} == {
        "card.json", "film.npz", "state.ckpt", "weights.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize("name", gan_names())
def test_the_shipped_measure_can_be_taken_again(name, runs, music):
    from symphony.training.gan_checkpoint import checked

    trained = load_model(runs / name)
    found = checked(trained.model, trained.recipe, music)
    assert found == pytest.approx(trained.card["metrics"]["checked_mean"], abs=1e-6)


@pytest.mark.parametrize("name", gan_names())
def test_a_resumed_run_is_the_uninterrupted_one(name, runs, music, tmp_path):
    plan, drawn = recipe(name, "tiny"), adversarial.draw_rolls

    def stop_at(moment, how):
        def draw(rolls, plan, step, turn, *rest):
            if (step, turn) == (moment, 0):
                how()
            return drawn(rolls, plan, step, turn, *rest)

        return draw

    def die():
        raise RuntimeError("killed")

    press = lambda: signal.raise_signal(signal.SIGINT)  # noqa: E731
    try:
        adversarial.draw_rolls = stop_at(2, press)  # Ctrl-C in step 2, which is finished and saved
        with pytest.raises(KeyboardInterrupt):
            train(plan, music, tmp_path)
        adversarial.draw_rolls = stop_at(5, die)  # killed: goes on from the look at step 4
        with pytest.raises(RuntimeError, match="killed"):
            train(plan, music, tmp_path, resume=True)
    finally:
        adversarial.draw_rolls = drawn
    card = train(plan, music, tmp_path, resume=True)
    assert same_weights(runs / name, tmp_path)
    whole = load_model(runs / name).card
    assert card["curve"] == whole["curve"]
    assert card["metrics"] == whole["metrics"]
    assert (tmp_path / "film.npz").read_bytes() == (runs / name / "film.npz").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "hinge", "penalty": 0.0, "spectral": True},
        {"loss": "classical", "penalty": 0.0, "r1": 5.0, "smooth": 0.1, "flip": 0.1, "history": 1},
        {"average": 0.9, "snapshots": (2, 5), "critic_optimizer": "sgd"},
    ],
)
def test_every_trick_trains(change, music, tmp_path):
    plan = replace(recipe("iwgan", "tiny"), **change)
    card = train(plan, music, tmp_path)
    assert np.isfinite([card["curve"][-1][k] for k in adversarial.COLUMNS]).all()
    assert list(load_snapshots(tmp_path)) == list(plan.snapshots)
    load_model(tmp_path).compose(4.0)


def test_spectral_norm_holds_every_layer_to_a_slope_of_one():
    plan = replace(recipe("iwgan", "tiny"), spectral=True)
    _, critic = build_gan(plan)
    for _ in range(30):  # the norm is found by power iteration
        critic(torch.randn(2, plan.window, 128))
    for layer in (*critic.layers, critic.score):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(
            1, abs=0.05
        )


def test_the_average_is_what_composes(music, tmp_path):
    plan = replace(recipe("iwgan", "tiny"), average=0.999, generator_rate=0.05)
    train(plan, music, tmp_path)
    torch.manual_seed(plan.seed)
    begun, _ = build_gan(plan)
    kept = load_model(tmp_path).model
    state = torch.load(tmp_path / "state.ckpt", weights_only=False)
    far = (state["generator"]["body.seed.weight"] - begun.body.seed.weight).abs().mean()
    near = (kept.body.seed.weight - begun.body.seed.weight).abs().mean()
    assert near < far / 20


def test_the_look_that_validation_likes_best_is_kept(music, tmp_path, monkeypatch):
    merits = iter([(True, -0.3), (True, -0.1), (False, 0.0)])  # at steps 2, 4 and 6
    seen = []

    def merit(look):
        if not seen or seen[-1][0] is not look:
            seen.append((look, next(merits)))
        return seen[-1][1]

    monkeypatch.setattr(adversarial, "merit", merit)
    plan = replace(recipe("iwgan", "tiny"), snapshots=(4,), average=0.0)
    card = train(plan, music, tmp_path)
    assert card["kept_step"] == 4
    kept = load_file(tmp_path / "weights.safetensors")
    at_four = load_file(tmp_path / "step-000004.safetensors")
    assert all(torch.equal(kept[k], at_four[k]) for k in kept)


def test_without_fooling_the_critic_does_not_matter(music, tmp_path):
    plan = replace(recipe("pix2pix", "tiny"), fool=0.0)
    for name, rate in (("slow", 1e-5), ("fast", 1e-2)):
        train(replace(plan, critic_rate=rate), music, tmp_path / name)
    a, b = (load_file(tmp_path / n / "weights.safetensors") for n in ("slow", "fast"))
    assert all(torch.equal(a[k], b[k]) for k in a if k.startswith("generator"))
    assert not all(torch.equal(a[k], b[k]) for k in a)


def test_losses_that_are_not_finite_stop_with_a_sentence(music, tmp_path):
    plan = replace(recipe("iwgan", "tiny"), critic_rate=1e30)
    with pytest.raises(RecipeError, match="no longer finite numbers at step 2"):
        train(plan, music, tmp_path)


def test_resuming_needs_a_run_of_the_same_recipe_and_music(runs, music, tmp_path):
    plan = recipe("iwgan", "tiny")
    with pytest.raises(RecipeError, match="nothing to resume"):
        train(plan, music, tmp_path, resume=True)
    with pytest.raises(RecipeError, match="another recipe"):
        train(replace(plan, seed=3), music, runs / "iwgan", resume=True)
    other = replace(music, corpus={**music.corpus, "fingerprint": "1"})
    with pytest.raises(RecipeError, match="other music"):
        train(plan, other, runs / "iwgan", resume=True)


def test_many_processes_are_refused(music, tmp_path, monkeypatch):
    class Two:
        world_size = 2

    monkeypatch.setattr(adversarial, "launch", lambda *_: Two())
    with pytest.raises(RecipeError, match="one device"):
        train(recipe("iwgan", "tiny"), music, tmp_path)


def test_training_again_keeps_the_run_that_was_there(music, tmp_path):
    plan = recipe("iwgan", "tiny")
    card = train(plan, music, tmp_path)
    train(replace(plan, seed=1), music, tmp_path)
    assert load_model(tmp_path / "earlier").card == json.loads(json.dumps(card))
    assert (tmp_path / "earlier" / "film.npz").is_file()


def test_training_needs_no_music_library(music, tmp_path):
    music.save(tmp_path / "encoded.npz")
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in {'music21', 'symusic', 'pretty_midi', 'librosa', 'scipy',"
        " 'matplotlib', 'verovio', 'soundfile', 'rapidfuzz', 'pooch', 'tyro', 'IPython'}:\n"
        "            raise ImportError(name + ' is not here')\n"
        "sys.meta_path.insert(0, No())\n"
        "from pathlib import Path\n"
        "from symphony.training import adversarial, recipe\n"
        "folder = Path(sys.argv[1])\n"
        "plan, music = recipe('dcrnn', 'tiny'), folder / 'encoded.npz'\n"
        "adversarial.train_gan(plan, music, folder, device='cpu', progress=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["rnn-gan", "iwgan", "dcrnn"])
def test_composing_repeats_lasts_and_is_named(name, runs):
    trained = load_model(runs / name)
    first, second = (trained.compose(5.0, seed=3, batch=2) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.equals(b)
        assert 0 < a.seconds <= 5.001
    assert first[1].name == f"{name}, seed 3 (2)"
    assert first[1].source == name


def test_a_form_is_played_letter_by_letter(runs):
    trained = load_model(runs / "dcrnn")
    section = trained.model.config.section
    assert section == 12  # rows: a plan of four, played three times
    noise = trained.form_noise("A B A>B", plans=2, seed=5)
    assert noise.shape == (6 * section, 16)
    assert np.allclose(noise[:24], noise[0])
    assert np.allclose(noise[24:48], noise[24])
    assert not np.allclose(noise[0], noise[24])
    np.testing.assert_allclose(noise[60], (noise[0] + noise[24]) / 2, atol=1e-6)
    (song,) = trained.compose(10.0, form="A B C A B", key="C major")
    assert song.seconds <= 5 * section / 4 * 60 / 90 + 0.001
    histogram = trained.key_histogram("D major")
    assert histogram[[2, 9]].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("seconds", [1.0, 7.0, 20.0])
def test_every_letter_of_a_form_is_heard(seconds, runs, monkeypatch):
    """RNNa reads the rows where a plan is first played: each letter must stand in some."""
    trained = load_model(runs / "dcrnn")
    asked = []
    monkeypatch.setattr(
        type(trained), "_rolls", lambda self, noise, *given: asked.append(noise) or noise[..., :1]
    )
    monkeypatch.setattr(type(trained), "_song", lambda self, roll, *names: roll)
    trained.compose(seconds, form="A B C A B")
    config, noise = trained.model.config, asked[0][0]
    read = np.arange(len(noise)) % config.section < config.phrase
    heard, given = (np.unique(rows.round(4), axis=0) for rows in (noise[read], noise))
    np.testing.assert_array_equal(heard, given)
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("form", "sections"),
    [
        ("A B C A B", [("A", "A"), ("B", "B"), ("C", "C"), ("A", "A"), ("B", "B")]),
        ("ABA", [("A", "A"), ("B", "B"), ("A", "A")]),
        ("A>B", [("A", "B")]),
        ("A > B>A C", [("A", "B"), ("B", "A"), ("C", "C")]),
        ("Verse Chorus", [("Verse", "Verse"), ("Chorus", "Chorus")]),
    ],
)
def test_forms_are_read(form, sections):
    assert parse_form(form) == sections


@pytest.mark.parametrize("form", ["", "a b", ">A", "A>", "A>>B", "A, B", "1"])
def test_what_is_no_form_is_refused(form):
    with pytest.raises(ComposeError, match="A form is letters"):
        parse_form(form)


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("rnn-gan", {"seconds": 0}, "more than 0 s"),
        ("rnn-gan", {"top_p": 0.9}, "draws no symbols"),
        ("iwgan", {"greedy": True}, "draws no symbols"),
        ("iwgan", {"form": "A B"}, "only a DCRNN"),
        ("iwgan", {"key": "C major"}, "not told keys"),
        ("iwgan", {"temperature": -1.0}, "no temperature"),
        ("pix2pix", {"temperature": 0.5}, "no temperature"),
        ("dcrnn", {"batch": 0}, "at least one piece"),
    ],
)
def test_what_a_model_does_not_know_is_refused(name, asked, sentence, runs):
    with pytest.raises(ComposeError, match=sentence):
        load_model(runs / name).compose(**{"seconds": 4.0, **asked})


def test_holes_are_filled_and_what_was_given_stays(runs):
    trained = load_model(runs / "pix2pix")
    onset = np.arange(0, 60, 0.5)
    song = Song(
        onset, np.full(120, 0.5), 50 + np.arange(120) % 20, np.full(120, 64),
        onset_quarters=onset, duration_quarters=np.full(120, 0.5), tempo=np.array([[0, 60.0]]),
    )  # fmt: skip
    facade = facade_of(song, 0.5, seed=1)
    assert 40 < len(facade) < 80
    filled = trained.fill(facade, seed=2)
    assert len(filled) > len(facade)
    assert filled.equals(trained.fill(facade, seed=2))
    given = set(
        zip(facade.onset.tolist(), facade.pitch.tolist(), facade.duration.tolist(), strict=True)
    )
    found = zip(filled.onset.tolist(), filled.pitch.tolist(), filled.duration.tolist(), strict=True)
    assert given <= set(found)
    np.testing.assert_allclose(filled.onset, filled.onset_quarters, atol=0.01)
    with pytest.raises(ComposeError, match="nothing to fill"):
        trained.fill(facade.slice(0.0, 0.1).slice(0.05, 0.1))
    with pytest.raises(ComposeError, match="fills no holes"):
        load_model(runs / "iwgan").fill(song)


def test_a_pix2pix_composes_what_it_left_of_held_out_pieces(runs, chorales):
    first, second = load_model(runs / "pix2pix").compose(6.0, seed=1, batch=2)
    assert {s.name.split("made of ")[1] for s in (first, second)} <= {s.name for s in chorales.test}
    assert max(first.seconds, second.seconds) <= 6.001


def test_tiles_cover_a_piece_and_fade_into_each_other():
    starts = tile_starts(100, 16)
    assert starts[0] == 0
    assert np.diff(starts).tolist() == [12] * (len(starts) - 1)
    assert 100 <= starts[-1] + 16 < 112
    assert tile_starts(3, 16).tolist() == [0]
    tiles = np.repeat(np.arange(len(starts), dtype=np.float32), 16 * 128).reshape(-1, 16, 128)
    whole = stitch(tiles, starts)[:, 0]
    assert (np.diff(whole) >= -1e-6).all()  # from one to the next without a leap
    assert np.diff(whole).max() < 0.5
    same = np.broadcast_to(np.float32(0.3), (len(starts), 16, 128))
    np.testing.assert_allclose(stitch(same, starts), 0.3, rtol=1e-5)


def test_tiles_after_one_another_share_most_of_their_noise():
    noise = wander(50, 400, np.random.default_rng(0))
    kept = (noise[1:] == noise[:-1]).mean()
    assert kept == pytest.approx(0.75, abs=0.02)
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(3**-0.5, abs=0.02)  # still uniform


def test_a_film_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError, match="no film"):
        load_film(tmp_path)


@pytest.mark.parametrize("harm", ["cut", "other weights", "other card"])
def test_broken_checkpoints_are_refused(runs, tmp_path, harm):
    for name in ("weights.safetensors", "card.json"):
        (tmp_path / name).write_bytes((runs / "iwgan" / name).read_bytes())
    if harm == "cut":
        path = tmp_path / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "other weights":
        (tmp_path / "weights.safetensors").write_bytes(
            (runs / "dcrnn" / "weights.safetensors").read_bytes()
        )
    else:
        card = json.loads((tmp_path / "card.json").read_text())
        card["recipe"]["steps"] = "many"
        (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises((CheckpointError, RecipeError), match=r"weights|card"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"steps": 0}, "steps"),
        ({"critic_steps": 0}, "critic_steps"),
        ({"generator_rate": 0.0}, "generator_rate"),
        ({"critic_rate": float("nan")}, "critic_rate"),
        ({"penalty": -1.0}, "penalty"),
        ({"flip": 1.0}, "flip"),
        ({"average": 1.0}, "average"),
        ({"loss": "least squares"}, "least squares"),
        ({"critic_optimizer": "lion"}, "lion"),
        ({"smooth": 0.1}, "labels to confuse"),
        ({"l1": 1.0}, "facade"),
        ({"fool": 0.0}, "nothing to learn"),
        ({"drop": (0.6, 0.2)}, "drop"),
        ({"judged": 1}, "judged"),
        ({"seed": -1}, "seed"),
        ({"transpose": ()}, "transposition"),
        ({"model": {"kind": "stylegan"}}, "stylegan"),
        ({"model": {"kind": "iwgan", "depth": 3}}, "depth"),
        ({"window": 20}, "multiple of 16"),
    ],
)
def test_a_recipe_no_run_could_follow_is_refused_with_its_reason(change, word, music, tmp_path):
    with pytest.raises(RecipeError, match=word):
        train(replace(recipe("iwgan", "tiny"), **change), music, tmp_path)


def test_history_does_not_mix_rolls_of_other_keys():
    with pytest.raises(RecipeError, match="History forgets the key"):
        replace(recipe("dcrnn", "tiny"), history=2)
    without = replace(recipe("dcrnn", "tiny"), model={"kind": "dcrnn", "conditional": False})
    assert replace(without, history=2).given == "nothing"
