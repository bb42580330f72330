import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from making import random_song
from safetensors.torch import load_file

from symphony.codecs import EventCodec
from symphony.models.char_rnn import CharRNN, CharRNNConfig
from symphony.training import load_model, load_snapshots, loop, recipe, shipped
from symphony.training.checkpoint import SHIPPED, CheckpointError
from symphony.training.encoded import EncodedCorpus, EncodedError, condition_codec
from symphony.training.measure import held_out_loss
from symphony.training.recipes import RecipeError, names

TINY = replace(recipe("char-rnn", "tiny"), steps=12, evaluate_every=4, window=32, snapshots=(4, 8))


@pytest.fixture(scope="module")
def music():
    codec = EventCodec()
    start = np.array([codec.vocabulary], np.int16)

    def stream(seeds):
        return np.concatenate(
            [start, *(np.append(codec.encode(random_song(s)), start) for s in seeds)]
        )

    about = {"name": "made up", "fingerprint": "0", "licence": "none"}
    return EncodedCorpus(
        stream(range(6)), stream([7, 8]), stream([9]), codec.vocabulary, codec.to_dict(), about
    )


@pytest.fixture(scope="module")
def run(music, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    loop.train(TINY, music, folder, device="cpu", progress=False)
    return folder


def weights(folder):
    return load_file(folder / "weights.safetensors")


def same_weights(a, b):
    a, b = weights(a), weights(b)
    return all(torch.equal(a[name], b[name]) for name in a)


def test_training_lowers_both_losses_and_leaves_weights_and_card(run):
    card = json.loads((run / "card.json").read_text())
    first, last = card["curve"][0], card["curve"][-1]
    assert last["train"] < first["train"] < 6.0
    assert last["validation"] < first["validation"]
    assert card["recipe_hash"] == TINY.hash
    assert card["metrics"]["test_bits_per_event"] == pytest.approx(
        card["metrics"]["test_nats"] / np.log(2)
    )
    assert os.uname().nodename not in json.dumps(card)


def test_a_seed_repeats_a_run_bit_for_bit(run, music, tmp_path):
    loop.train(TINY, music, tmp_path, device="cpu", progress=False)
    assert same_weights(run, tmp_path)


def test_dropout_repeats_too_and_a_resumed_run_is_the_uninterrupted_one(music, tmp_path):
    plan = replace(TINY, model={"layers": 2, "width": 16, "embedding": 8, "dropout": 0.4})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    loop.train(plan, music, whole, device="cpu", progress=False)
    drawn = loop.draw_windows

    def stop_at_six(stream, plan, step):
        if step == 6:  # as if Ctrl-C were pressed
            signal.raise_signal(signal.SIGINT)
        return drawn(stream, plan, step)

    loop.draw_windows = stop_at_six
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.train(plan, music, cut, device="cpu", progress=False)
    finally:
        loop.draw_windows = drawn
    card = loop.train(plan, music, cut, device="cpu", resume=True, progress=False)
    assert same_weights(whole, cut)
    expected = json.loads((whole / "card.json").read_text())["curve"]
    assert [point["train"] for point in card["curve"]] == pytest.approx(
        [point["train"] for point in expected], rel=1e-6
    )
    assert [p["validation"] for p in card["curve"]] == [p["validation"] for p in expected]


def test_a_killed_run_goes_on_from_its_last_evaluation(music, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    loop.train(TINY, music, whole, device="cpu", progress=False)
    drawn = loop.draw_windows

    def die_at_ten(stream, plan, step):
        if step == 10:
            raise RuntimeError("killed")
        return drawn(stream, plan, step)

    loop.draw_windows = die_at_ten
    try:
        with pytest.raises(RuntimeError, match="killed"):
            loop.train(TINY, music, cut, device="cpu", progress=False)
    finally:
        loop.draw_windows = drawn
    loop.train(TINY, music, cut, device="cpu", resume=True, progress=False)
    assert same_weights(whole, cut)


def test_the_best_weights_are_kept_or_the_last(music, tmp_path):
    worse = replace(TINY, learning_rate=0.3, steps=40, evaluate_every=2)
    folders = {}
    for keep in ("best", "last"):
        folders[keep] = tmp_path / keep
        loop.train(replace(worse, keep=keep), music, folders[keep], device="cpu", progress=False)
    loss = {
        keep: held_out_loss(load_model(folder).model, music.validation, worse.validation_symbols)
        for keep, folder in folders.items()
    }
    curve = json.loads((folders["best"] / "card.json").read_text())["curve"]
    values = [point["validation"] for point in curve]
    assert loss["best"] == pytest.approx(min(values), abs=0.02)
    assert loss["last"] == pytest.approx(values[-1], abs=0.02)


def test_snapshots_are_models(run):
    models = load_snapshots(run)
    assert list(models) == [4, 8]
    assert not torch.equal(models[4].head.weight, models[8].head.weight)


def test_two_processes_train_one_model(music, run, tmp_path):
    music.save(tmp_path / "encoded.npz")
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom dataclasses import replace\n"
        "from symphony.training import loop, recipe\n"
        "plan = replace(recipe('char-rnn', 'tiny'), steps=12, evaluate_every=4, window=32,"
        " snapshots=(4, 8))\n"
        "folder = Path(sys.argv[1])\n"
        "kept, saved = [], loop.save_state\n"
        "def look(fabric, path, state):\n"
        "    kept.append(sum(p.detach().double().sum() for p in state['model'].parameters()))\n"
        "    saved(fabric, path, state)\n"
        "loop.save_state = look\n"
        "card = loop.train(plan, folder / 'encoded.npz', folder, device='cpu', progress=False)\n"
        "print('CARD' if card else 'NONE', kept[-1].item(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
         "--master-addr", "127.0.0.1", "--master-port", "29517", script, tmp_path],
        capture_output=True, text=True, timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = sorted(line.split() for line in done.stdout.splitlines())
    assert [line[0] for line in printed] == ["CARD", "NONE"]
    assert printed[0][1] == printed[1][1]  # both hold the same weights
    alone, together = weights(run), weights(tmp_path)
    for name in alone:
        torch.testing.assert_close(alone[name], together[name], atol=2e-3, rtol=0)
    assert json.loads((tmp_path / "card.json").read_text())["processes"] == 2


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
        "from dataclasses import replace\nfrom pathlib import Path\n"
        "from symphony.training import loop, recipe\n"
        "folder = Path(sys.argv[1])\n"
        "plan = replace(recipe('char-rnn', 'tiny'), steps=2, window=16)\n"
        "loop.train(plan, folder / 'encoded.npz', folder, device='cpu', progress=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_held_out_loss_is_that_of_the_whole_stream():
    torch.manual_seed(0)
    model = CharRNN(CharRNNConfig(20, 1, 8, 4)).eval()
    stream = np.random.default_rng(0).integers(0, 21, 60)  # too short to be cut into rows
    with torch.no_grad():
        expected = model.loss(torch.from_numpy(stream)[None]).item()
    assert held_out_loss(model, stream) == pytest.approx(expected, rel=1e-5)


def test_composing_repeats_lasts_and_is_named(run):
    trained = load_model(run)
    first, second = (trained.compose(5.0, seed=3, batch=2) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.equals(b)
        assert a.seconds <= 5.0
    assert not first[0].equals(first[1])
    assert first[1].name == "char-rnn, seed 3 (2)"
    with pytest.raises(CheckpointError, match="more than 0 s"):
        trained.compose(0)


def test_a_loss_that_is_not_finite_stops_with_a_sentence(music, tmp_path):
    with pytest.raises(RecipeError, match="no longer a finite number"):
        loop.train(replace(TINY, learning_rate=1e37), music, tmp_path, device="cpu", progress=False)


def test_weights_too_large_for_half_precision_get_no_card(music, tmp_path):
    with pytest.raises(CheckpointError, match="half precision"):
        loop.train(replace(TINY, learning_rate=1e30), music, tmp_path, device="cpu", progress=False)
    assert not (tmp_path / "card.json").exists()


def test_resuming_needs_a_run_of_the_same_recipe(run, music, tmp_path):
    with pytest.raises(RecipeError, match="nothing to resume"):
        loop.train(TINY, music, tmp_path, device="cpu", resume=True, progress=False)
    with pytest.raises(RecipeError, match="another recipe"):
        loop.train(replace(TINY, seed=9), music, run, device="cpu", resume=True, progress=False)
    (tmp_path / "state.ckpt").write_bytes((run / "state.ckpt").read_bytes()[:500])
    with pytest.raises(RecipeError, match="broken"):
        loop.train(TINY, music, tmp_path, device="cpu", resume=True, progress=False)


def test_a_device_that_is_not_here(music, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(RecipeError, match="can't be used here"):
        loop.train(TINY, music, tmp_path, device="cuda", progress=False)


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "card", "other card"])
def test_broken_checkpoints_are_refused(run, tmp_path, harm):
    for name in ("weights.safetensors", "card.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    path = tmp_path / "weights.safetensors"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    elif harm == "missing":
        path.unlink()
    elif harm == "card":
        (tmp_path / "card.json").write_text("{")
    else:
        card = json.loads((tmp_path / "card.json").read_text())
        card["recipe"]["model"]["width"] = 8
        (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"card|don't fit"):
        load_model(tmp_path)


def test_unknown_models_and_recipes_suggest_the_nearest():
    with pytest.raises(CheckpointError, match="Did you mean char-rnn"):
        load_model("char-rn")
    with pytest.raises(RecipeError, match="Did you mean char-rnn"):
        recipe("charrnn")
    with pytest.raises(RecipeError, match="tiny, small and full"):
        recipe("char-rnn", "huge")


def test_an_encoded_corpus_comes_back_and_a_broken_one_is_refused(music, tmp_path):
    path = tmp_path / "encoded.npz"
    music.save(path)
    back = EncodedCorpus.load(path)
    assert np.array_equal(back.train, music.train)
    assert back.codec == music.codec
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(EncodedError, match="broken"):
        EncodedCorpus.load(path)
    with pytest.raises(EncodedError, match="no encoded corpus"):
        EncodedCorpus.load(tmp_path / "none.npz")


def test_a_recipes_hash_changes_with_anything_in_it():
    hashes = [recipe(n, s).hash for n in names() for s in ("tiny", "small", "full")]
    assert len(set(hashes)) == len(hashes)
    assert replace(TINY, clip=2.0).hash != TINY.hash


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_follow_todays_recipe(name):
    assert (
        json.loads((SHIPPED / name / "card.json").read_text())["recipe_hash"] == recipe(name).hash
    )


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_cards_loss_can_be_measured_again(name, request):
    from symphony.corpora import is_present, load_corpus
    from symphony.training import GanRecipe, encode_corpus, encode_rolls
    from symphony.training.checkpoint import CHECKED_SYMBOLS
    from symphony.training.gan_checkpoint import checked

    trained = load_model(name)
    if not is_present(trained.recipe.corpus):
        pytest.skip(f"the corpus {trained.recipe.corpus} is not here")
    corpus = load_corpus(trained.recipe.corpus, progress=False)
    assert corpus.fingerprint == trained.card["corpus"]["fingerprint"]
    if isinstance(trained.recipe, GanRecipe):
        rolls = encode_rolls(corpus, trained.codec, replace(trained.recipe, subset=1))
        found = checked(trained.model, trained.recipe, rolls)
        assert found == pytest.approx(trained.card["metrics"]["checked_mean"], abs=1e-3)
        return
    encoded = encode_corpus(
        corpus, trained.codec, replace(trained.recipe, subset=1, transpose=(0,))
    )
    asked = condition_codec(trained.recipe)
    found = held_out_loss(trained.model, encoded.test, CHECKED_SYMBOLS, asked)
    assert found == pytest.approx(trained.card["metrics"]["checked_nats"], abs=1e-3)


def test_shipped_weights_stay_small():
    assert sum(p.stat().st_size for p in SHIPPED.rglob("*") if p.is_file()) < 60_000_000
