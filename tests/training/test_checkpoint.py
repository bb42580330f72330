import json
import shutil
import socket

import pytest
import torch

from symphony.training import load_model
from symphony.training.checkpoint import CheckpointError, build_model
from symphony.training.machine import commit, processor, versions


@pytest.mark.parametrize("place", ["card.json", "card.json/deeper", "~nobody-of-this-name/run"])
def test_what_is_no_folder_of_a_run_is_no_model(place, finished):
    path = place if place.startswith("~") else finished / place
    with pytest.raises(CheckpointError, match="neither shipped nor"):
        load_model(path)


def test_an_unfinished_run_says_how_to_go_on(finished, tmp_path):
    shutil.copy(finished / "state.ckpt", tmp_path)
    with pytest.raises(CheckpointError, match="isn't finished: go on with --resume"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("model", {"widht": 3}, "can't be built"),
        ("model", {"layers": 1, "width": 10**9}, "can't be built"),
        ("model", {"kind": "rnn-gam"}, "no model of the kind"),
        ("steps", 0, "card"),
        ("unheard-of", 1, "card"),
    ],
)
def test_a_card_edited_by_hand_is_refused(key, value, reason, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    card = json.loads((finished / "card.json").read_text())
    card["recipe"][key] = value
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=reason):
        load_model(tmp_path)


def test_a_cards_vocabulary_is_a_number(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    card = json.loads((finished / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"vocabulary": "many"}))
    with pytest.raises(CheckpointError, match="card"):
        load_model(tmp_path)


def test_the_kind_of_a_model_may_be_left_out_or_said(plan):
    from dataclasses import replace

    said = replace(plan, model={"kind": "char-rnn", **plan.model})
    shapes = [{k: v.shape for k, v in build_model(p, 9).state_dict().items()} for p in (plan, said)]
    assert shapes[0] == shapes[1]


def test_the_weights_are_half_the_size_and_nearly_the_same(finished):
    state = torch.load(finished / "state.ckpt", weights_only=True)["model"]
    loaded = load_model(finished).model.state_dict()
    for name, exact in state.items():
        torch.testing.assert_close(loaded[name], exact, atol=1e-3, rtol=1e-3)
    assert (finished / "weights.safetensors").stat().st_size < 2.2 * sum(
        value.numel() for value in state.values()
    )


def test_a_card_says_what_it_was_made_with_and_not_where(finished):
    card = json.loads((finished / "card.json").read_text())
    assert {"deep-symphony", "python", "torch", "numpy", "lightning-fabric"} <= set(
        card["versions"]
    )
    assert card["versions"] == versions()
    assert "CPU cores" in card["hardware"]
    assert socket.gethostname() not in json.dumps(card)


def test_without_git_the_card_does_without_a_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == ""
    assert "commit" not in versions()
    assert processor()
