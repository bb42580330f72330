import json
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symphony.training import load_model, load_snapshots, loop, recipe
from symphony.training.recipes import RecipeError
from symphony.training.runtime import launch


def train(plan, music, out, **more):
    return loop.train(plan, music, out, device="cpu", progress=False, **more)


@given(st.integers(2, 300), st.integers(1, 120), st.integers(0, 50), st.integers(0, 3))
def test_windows_are_stretches_of_the_stream_drawn_from_seed_and_step_alone(
    length, window, step, seed
):
    plan = replace(recipe("char-rnn", "tiny"), window=window, batch=5, seed=seed)
    stream = np.arange(length, dtype=np.int16)
    torch.manual_seed(length)  # must not matter
    (windows,) = loop.draw_windows(stream, plan, step)
    assert windows.shape == (5, min(window, length - 1) + 1)
    assert (windows.diff(dim=1) == 1).all()
    assert 0 <= windows.min() <= windows.max() < length
    assert torch.equal(windows, loop.draw_windows(stream, plan, step)[0])


def test_every_place_of_the_stream_is_learned_from():
    plan = replace(recipe("char-rnn", "tiny"), window=4, batch=400)
    (windows,) = loop.draw_windows(np.arange(12, dtype=np.int16), plan, 0)
    assert set(windows[:, 0].tolist()) == set(range(8))  # the last window ends the stream


def test_a_batch_that_processes_cannot_share_equally_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(RecipeError, match="32 windows can't be shared equally by 3"):
        launch("cpu", 32)


def test_a_run_of_another_size_is_not_called_broken(plan, noise, finished):
    wider = replace(plan, model={**plan.model, "width": 48})
    with pytest.raises(RecipeError, match="another recipe"):
        train(wider, noise, finished, resume=True)


def test_a_run_does_not_go_on_with_other_music(plan, noise, finished):
    other = replace(noise, corpus={**noise.corpus, "fingerprint": "1"})
    with pytest.raises(RecipeError, match="other music"):
        train(plan, other, finished, resume=True)


def test_a_full_disk_loses_nothing(plan, noise, tmp_path, finished):
    drawn, limits = loop.draw_windows, resource.getrlimit(resource.RLIMIT_FSIZE)

    def disk_fills_at_six(stream, plan, step):
        if step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        return drawn(stream, plan, step)

    loop.draw_windows = disk_fills_at_six
    try:
        with pytest.raises(RecipeError, match="can't be written"):
            train(plan, noise, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        loop.draw_windows = drawn
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.ckpt", "weights.safetensors"]
    train(plan, noise, tmp_path, resume=True)
    weights = [(f / "weights.safetensors").read_bytes() for f in (tmp_path, finished)]
    assert weights[0] == weights[1]


def test_training_again_in_a_folder_keeps_the_run_that_was_there(plan, noise, tmp_path):
    first = replace(plan, steps=4, snapshots=(2,))
    second = replace(plan, steps=4, model={**plan.model, "width": 16}, snapshots=(3,))
    card = train(first, noise, tmp_path)
    train(second, noise, tmp_path)
    assert list(load_snapshots(tmp_path)) == [3]
    assert load_model(tmp_path / "earlier").card == json.loads(json.dumps(card))


def test_a_second_stop_does_not_spoil_the_curve(plan, noise, tmp_path, finished):
    drawn = loop.draw_windows

    def stop_at(moment):
        def draw(stream, plan, step):
            if step == moment:
                signal.raise_signal(signal.SIGINT)
            return drawn(stream, plan, step)

        return draw

    try:
        for resume, moment in ((False, 5), (True, 6)):  # both between the same two evaluations
            loop.draw_windows = stop_at(moment)
            with pytest.raises(KeyboardInterrupt):
                train(plan, noise, tmp_path, resume=resume)
    finally:
        loop.draw_windows = drawn
    card = train(plan, noise, tmp_path, resume=True)
    whole = load_model(finished).card
    assert card["curve"] == whole["curve"]
    assert card["weights_sha256"] == whole["weights_sha256"]


def test_music_shorter_than_a_window_still_trains(plan, noise, tmp_path):
    short = replace(noise, train=noise.train[:20])
    card = train(replace(plan, steps=2, window=64), short, tmp_path)
    assert np.isfinite(card["curve"][-1]["train"])
