"""The engine, on a system made up for these tests: whatever happens to a run, it can go on."""

import json
import resource
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from running import (
    Interrupted,
    KilledError,
    Line,
    LineRecipe,
    die,
    numbers,
    press_ctrl_c,
    python,
    run,
    same_weights,
    weights,
)

from symphony.errors import FileError, RequestError
from symphony.training import Card, load_samples
from symphony.training.run import load_weights


def same_run(a, b):
    """Whether two folders hold one run, all but the time it took."""
    one, other = (replace(Card.load(folder), minutes=0.0) for folder in (a, b))
    samples = [load_samples(folder)[1] for folder in (a, b)]
    return one == other and same_weights(a, b) and np.array_equal(*samples)


def test_a_run_leaves_weights_samples_snapshots_state_and_a_card(line, data, finished):
    card = Card.load(finished)
    assert (card.system, card.recipe_hash) == ("line", line.recipe.hash)
    assert card.facts == data.facts
    assert [point["step"] for point in card.curve] == [4, 8, 12]
    assert set(card.curve[0]) == {"step", "train", "norm", "error"}
    assert card.curve[-1]["error"] < card.curve[0]["error"]
    assert card.best_step == 12
    assert card.parameters == {"line": 32 * 32}
    assert card.metrics["test_error"] > 0
    assert card.processes == 1
    assert {p.name for p in finished.iterdir()} == {
        "card.json", "encoded.safetensors", "samples.npz", "state.ckpt",
        "step-000002.safetensors", "step-000008.safetensors", "weights.safetensors",
    }  # fmt: skip


def test_the_engine_knows_no_system():
    code = (
        "import sys, symphony.training.loop, symphony.training.run, symphony.training.runtime\n"
        "print([m for m in sys.modules if m.startswith('symphony.systems')])"
    )
    assert python("-c", code).strip() == "[]"


def test_a_point_of_the_curve_is_the_mean_of_the_steps_since_the_last(data, tmp_path):
    logged = []

    class Logged(Line):
        def train_step(self, *given):
            logged.append(super().train_step(*given))
            return logged[-1]

    card = run(Logged(LineRecipe(steps=11)), data, tmp_path)
    assert [point["step"] for point in card.curve] == [4, 8, 11]
    for point, steps in zip(card.curve, (logged[:4], logged[4:8], logged[8:]), strict=True):
        for name in ("train", "norm"):
            mean = np.mean([row[name].item() for row in steps])
            assert point[name] == pytest.approx(mean, rel=1e-6)


def test_a_seed_repeats_a_run_bit_for_bit_and_another_does_not(line, data, finished, tmp_path):
    torch.manual_seed(99)  # must not matter
    run(line, data, tmp_path / "same")
    run(Line(replace(line.recipe, seed=1)), data, tmp_path / "other")
    assert same_run(finished, tmp_path / "same")
    assert not same_weights(finished, tmp_path / "other")


def test_what_chance_does_in_a_step_depends_on_the_seed_and_on_the_step(data, tmp_path):
    drawn = {}

    class Drawing(Line):
        def train_step(self, nets, opts, data, step):
            drawn[self.recipe.seed, step] = torch.rand(3).tolist()  # as dropout draws
            return super().train_step(nets, opts, data, step)

    for seed in (0, 1, 7):
        run(Drawing(LineRecipe(steps=2, seed=seed)), data, tmp_path)
    assert len(set(map(tuple, drawn.values()))) == 6


@pytest.mark.parametrize(
    ("scores", "keep", "step"),
    [
        ((-3.0, -1.0, -2.0), "best", 8),
        ((-3.0, -1.0, -2.0), "last", 12),
        ((-1.0, -1.0, -2.0), "best", 8),  # of equals the later one
        ((float("-inf"),) * 3, "best", 12),  # as of rolls in which nothing sounds
    ],
)
def test_the_weights_of_the_highest_score_are_kept_or_the_last(scores, keep, step, data, tmp_path):
    recipe = LineRecipe(scores=scores, keep=keep, snapshots=(4, 8, 12))
    card = run(Line(recipe), data, tmp_path)
    assert card.best_step == step
    at_step = tmp_path / f"step-{step:06d}.safetensors"
    assert (tmp_path / "weights.safetensors").read_bytes() == at_step.read_bytes()


def test_snapshots_and_samples_are_those_of_their_steps(line, data, finished):
    nets = line.kept(line.build(data))
    counted = [
        int(load_weights(nets, finished / f"step-00000{step}.safetensors")["line"].steps)
        for step in (2, 8)
    ]
    assert counted == [2, 8]
    steps, samples = load_samples(finished)
    assert steps.tolist() == [4, 8, 12]
    half = weights(finished)["line.matrix"][:2].float().numpy()
    np.testing.assert_allclose(samples[2], half, atol=1e-3)
    assert not np.array_equal(samples[0], samples[1])


def test_weights_are_kept_in_half_precision_and_counts_whole(finished):
    kept = weights(finished)
    exact = torch.load(finished / "state.ckpt", weights_only=True)["nets"]
    assert set(kept) == {"line.matrix", "line.steps"}  # the memory doesn't ship
    torch.testing.assert_close(
        kept["line.matrix"].float(), exact["line.matrix"], atol=1e-3, rtol=1e-3
    )
    assert kept["line.matrix"].dtype == torch.float16
    assert kept["line.steps"].dtype == torch.int64


@pytest.mark.parametrize("moment", [0, 3, 4, 6, 7, 11])  # steps 3, 7 and 11 end in an evaluation
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_that_goes_on_is_the_uninterrupted_one(
    number, moment, line, data, finished, tmp_path, capsys
):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    stopped = Interrupted(line, moment, lambda: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt):
        run(stopped, data, tmp_path)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
    said = capsys.readouterr().out
    assert f"Stopped after step {moment + 1}. Go on with --resume --out {tmp_path}" in said
    assert not (tmp_path / "card.json").exists()
    resumed = []
    run(Interrupted(line, moment + 1, lambda: resumed.append(1)), data, tmp_path, resume=True)
    assert len(resumed) == (moment < 11)  # the very next step was the first
    assert same_run(finished, tmp_path)


@pytest.mark.parametrize("moment", [4, 6, 7])
def test_a_killed_run_goes_on_from_its_last_evaluation(moment, line, data, finished, tmp_path):
    with pytest.raises(KilledError):
        run(Interrupted(line, moment, die), data, tmp_path)
    again = []
    run(Interrupted(line, 4, lambda: again.append(1)), data, tmp_path, resume=True)
    assert again == [1]
    assert same_run(finished, tmp_path)


def test_a_run_killed_while_it_is_evaluated_loses_nothing(line, data, finished, tmp_path):
    class Dying(Line):
        def evaluate(self, nets, data):
            if int(nets["line"].steps) == 8:
                die()
            return super().evaluate(nets, data)

    with pytest.raises(KilledError):
        run(Dying(line.recipe), data, tmp_path)
    run(line, data, tmp_path, resume=True)
    assert same_run(finished, tmp_path)


@pytest.mark.parametrize("moments", [(4, 5), (5, 6), (5, 5), (0, 1, 2, 9, 10, 11)])
def test_several_stops_between_two_evaluations_do_not_spoil_the_curve(
    moments, line, data, finished, tmp_path
):
    for turn, moment in enumerate(moments):
        try:
            run(Interrupted(line, moment, press_ctrl_c), data, tmp_path, resume=turn > 0)
        except KeyboardInterrupt:
            continue
        assert moments == (5, 5)  # the second time step 5 is behind it
    run(line, data, tmp_path, resume=True)
    assert same_run(finished, tmp_path)


def test_a_second_ctrl_c_ends_at_once_and_loses_only_what_came_since_the_evaluation(
    line, data, finished, tmp_path
):
    def twice():
        press_ctrl_c()
        press_ctrl_c()
        pytest.fail("the step went on")

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(line, 6, twice), data, tmp_path)
    assert torch.load(tmp_path / "state.ckpt", weights_only=True)["history"]["step"] == 4
    run(line, data, tmp_path, resume=True)
    assert same_run(finished, tmp_path)


def test_a_finished_run_that_is_resumed_takes_no_step_and_stays_what_it_was(
    line, data, finished, tmp_path
):
    run(line, data, tmp_path)
    run(Interrupted(line, 12, die), data, tmp_path, resume=True)
    assert same_run(finished, tmp_path)


def test_training_runs_in_a_thread_too(line, data, finished, tmp_path):
    thread = threading.Thread(target=run, args=(line, data, tmp_path))
    thread.start()
    thread.join()
    assert same_run(finished, tmp_path)


@pytest.mark.parametrize("room", [100, 3000, 9000])  # bytes a file: weights take 2,300
def test_a_full_disk_loses_nothing(room, line, data, finished, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    fill = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))  # noqa: E731
    try:
        with pytest.raises(FileError, match="can't be written"):
            run(Interrupted(line, 6, fill), data, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.load(tmp_path / "state.ckpt", weights_only=True)["history"]["step"] == 4
    assert not list(tmp_path.glob(".partial-*"))
    run(line, data, tmp_path, resume=True)
    assert same_run(finished, tmp_path)


def test_a_disk_that_is_full_from_the_start_leaves_no_half_file(line, data, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FileError, match=r"encoded\.safetensors can't be written"):
            run(line, data, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_losses_that_are_not_finite_stop_with_a_sentence(data, tmp_path):
    with pytest.raises(RequestError, match="train is no longer a finite number at step 4: try a"):
        run(Line(LineRecipe(lr=1e30)), data, tmp_path)
    assert not (tmp_path / "card.json").exists()


def test_a_score_that_is_no_number_stops_with_a_sentence(data, tmp_path):
    recipe = LineRecipe(scores=(-1.0, float("nan"), -1.0))
    with pytest.raises(RequestError, match="validation is no longer a finite number at step 8"):
        run(Line(recipe), data, tmp_path)


def test_weights_too_large_for_half_precision_get_no_card(line, data, tmp_path):
    class Shouting(Line):
        def build(self, data):
            nets = super().build(data)
            nets["line"].matrix.data[0, 0] = 1e6
            return nets

    with pytest.raises(RequestError, match="don't fit into half precision"):
        run(Shouting(replace(line.recipe, lr=1e-12)), data, tmp_path)
    assert not (tmp_path / "card.json").exists()


def test_there_is_nothing_to_resume_in_an_empty_folder(line, data, tmp_path):
    data.save(tmp_path / "encoded.safetensors")
    with pytest.raises(FileError, match="nothing to resume"):
        run(line, data, tmp_path, resume=True)


@pytest.mark.parametrize("change", [{"seed": 9}, {"steps": 20}, {"lr": 0.1}, {"size": "small"}])
def test_a_run_does_not_go_on_with_another_recipe(change, line, data, finished):
    with pytest.raises(RequestError, match="follows another recipe"):
        run(Line(replace(line.recipe, **change)), data, finished, resume=True)


def test_a_run_of_other_nets_is_not_called_broken(data, finished, tmp_path):
    wider = numbers(33)
    for name in ("state.ckpt", "encoded.safetensors"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    wider.save(tmp_path / "encoded.safetensors")
    with pytest.raises(RequestError, match="another recipe"):
        run(Line(LineRecipe(seed=3)), wider, tmp_path, resume=True)


def test_a_run_does_not_go_on_with_other_music(line, data, finished, tmp_path):
    (tmp_path / "state.ckpt").write_bytes((finished / "state.ckpt").read_bytes())
    numbers(fingerprint="1").save(tmp_path / "encoded.safetensors")
    with pytest.raises(RequestError, match="learned from other music"):
        run(line, data, tmp_path, resume=True)


def test_a_run_does_not_go_on_with_music_that_changed_under_it(line, data, finished, tmp_path):
    (tmp_path / "state.ckpt").write_bytes((finished / "state.ckpt").read_bytes())
    train = {k: array + 1 for k, array in data.train.items()}
    replace(data, arrays={**data.arrays, "train": train}).save(tmp_path / "encoded.safetensors")
    with pytest.raises(FileError, match="no longer what this run learned from"):
        run(line, data, tmp_path, resume=True)


def test_a_memory_of_other_processes_is_not_called_broken(line, data, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    state = torch.load(finished / "state.ckpt", weights_only=True) | {"processes": 2}
    torch.save(state, tmp_path / "state.ckpt")
    run(line, data, tmp_path, resume=True)  # nothing of a share's size: any number may go on
    state["nets"] = {name: weights[None] for name, weights in state["nets"].items()}
    torch.save(state, tmp_path / "state.ckpt")
    with pytest.raises(RequestError, match="trained by 2 processes, and what they remember doesn"):
        run(line, data, tmp_path, resume=True)


def broken_states(whole):
    """Files that are no state, by what is wrong with them."""
    state = torch.load(whole, weights_only=True)
    yield "cut", whole.read_bytes()[:500]
    yield "empty", b""
    yield "text", b"nothing to see here"
    for what in ("nets", "optimizers", "history", "recipe", "corpus"):
        yield f"without {what}", {k: v for k, v in state.items() if k != what}
    yield "other history", state | {"history": {"minutes": 3}}
    yield "other nets", state | {"nets": {"line.matrix": torch.zeros(2, 2)}}
    yield "no dictionary", [1, 2, 3]


@pytest.mark.parametrize(
    "harm",
    ["cut", "empty", "text", "without nets", "without optimizers", "without history",
     "without recipe", "without corpus", "other history", "other nets", "no dictionary"],
)  # fmt: skip
def test_a_broken_state_is_refused_with_a_sentence(harm, line, data, finished, tmp_path):
    data.save(tmp_path / "encoded.safetensors")
    found = dict(broken_states(finished / "state.ckpt"))[harm]
    if isinstance(found, bytes):
        (tmp_path / "state.ckpt").write_bytes(found)
    else:
        torch.save(found, tmp_path / "state.ckpt")
    with pytest.raises(FileError, match=r"The state in .* is broken .*train without --resume"):
        run(line, data, tmp_path, resume=True)


class Payload:
    """What a stranger might hide in a state; here it only leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_state_from_a_stranger_can_run_nothing(line, data, finished, tmp_path):
    data.save(tmp_path / "encoded.safetensors")
    state, mark = torch.load(finished / "state.ckpt", weights_only=True), tmp_path / "it-ran"
    torch.save(state | {"corpus": Payload(mark)}, tmp_path / "state.ckpt")
    with pytest.raises(FileError, match="is broken"):
        run(line, data, tmp_path, resume=True)
    assert not mark.exists()
    torch.load(tmp_path / "state.ckpt", weights_only=False)
    assert mark.exists()  # the payload works where nobody takes care


def test_samples_from_a_stranger_can_run_nothing(tmp_path):
    mark = tmp_path / "it-ran"
    hidden = np.array([Payload(mark)], dtype=object)
    np.savez(tmp_path / "samples.npz", steps=hidden, samples=hidden)
    with pytest.raises(FileError, match="There are no samples"):
        load_samples(tmp_path)
    assert not mark.exists()


def test_samples_that_are_not_there_or_broken(finished, tmp_path):
    with pytest.raises(FileError, match="There are no samples"):
        load_samples(tmp_path)
    (tmp_path / "samples.npz").write_bytes((finished / "samples.npz").read_bytes()[:200])
    with pytest.raises(FileError, match="There are no samples"):
        load_samples(tmp_path)


def test_a_run_in_an_occupied_folder_sets_the_earlier_ones_aside_and_deletes_none(
    line, data, tmp_path
):
    (tmp_path / "notes.txt").write_text("mine")
    hashes = []
    for seed in (1, 2, 3):
        hashes.append(run(Line(replace(line.recipe, seed=seed)), data, tmp_path).recipe_hash)
    places = [tmp_path / "earlier", tmp_path / "earlier-2", tmp_path]
    assert [Card.load(place).recipe_hash for place in places] == hashes
    names = {"card.json", "encoded.safetensors", "samples.npz", "state.ckpt"}
    names |= {"step-000002.safetensors", "step-000008.safetensors", "weights.safetensors"}
    for place in places[:2]:
        assert {p.name for p in place.iterdir()} == names
    assert {p.name for p in tmp_path.iterdir()} == names | {"notes.txt", "earlier", "earlier-2"}


def test_a_folder_that_is_a_file_keeps_no_run(line, data, tmp_path):
    path = tmp_path / "run"
    path.write_text("x")
    for place in (path, path / "below"):
        with pytest.raises(FileError, match="A run can't be kept in"):
            run(line, data, place)
    assert path.read_text() == "x"


def test_the_card_is_json_that_names_no_machine(finished):
    import platform

    text = (finished / "card.json").read_text()
    assert platform.node() not in text
    assert json.loads(text)["minutes"] >= 0
