"""Devices, processes, and what a card says of them."""

import json
import os
import platform
import signal
import socket
from pathlib import Path

import pytest
import torch
from running import two_processes

from symphony.errors import RequestError
from symphony.machine import asked_to_stop, commit, processor, versions
from symphony.training import Card, runtime
from symphony.training.runtime import launch, reduced


@pytest.mark.parametrize(("world", "batch"), [("3", 32), ("2", 5), ("8", 4)])
def test_a_batch_that_processes_cannot_share_equally_is_refused(world, batch, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", world)
    sentence = f"A batch of {batch} can't be shared equally by {world} processes"
    with pytest.raises(RequestError, match=sentence):
        launch("cpu", batch)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(RequestError, match="The device 'cuda' can't be used here"):
        launch("cuda", 4)


def test_a_device_that_nobody_knows_is_refused():
    with pytest.raises(RequestError, match="The device 'abacus' can't be used here"):
        launch("abacus", 4)


def test_what_is_wrong_with_the_program_is_not_blamed_on_the_device(monkeypatch):
    def broken(**_):
        raise TypeError("a bug")

    monkeypatch.setattr(runtime, "Fabric", broken)
    with pytest.raises(TypeError, match="a bug"):
        launch("cpu", 4)


def test_one_process_reduces_nothing():
    logs = {"loss": torch.tensor(2.0)}
    assert reduced(launch("cpu", 1), logs) is logs


TWO = """
import json, sys
from pathlib import Path
import torch
from symphony.training.runtime import launch, reduced
from symphony.training.system import descend

fabric = launch("cpu", 4)
mean = reduced(fabric, {"a": torch.tensor(float(fabric.global_rank)), "b": torch.tensor(3.0)})
weight = torch.nn.Parameter(torch.zeros(2))
unused = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([weight, unused], lr=1.0)
norm = descend((weight * torch.tensor([1.0, 2.0 * fabric.global_rank])).sum(), optimizer)
found = [mean["a"].item(), mean["b"].item(), *weight.tolist(), round(norm.item(), 4)]
Path(sys.argv[1], f"{fabric.global_rank}.json").write_text(json.dumps(found))
"""


def test_two_processes_log_means_and_follow_the_mean_of_their_gradients(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    two_processes(script, tmp_path)
    for rank in (0, 1):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == [0.5, 3, -1, -1, 1.4142]


def test_a_stop_is_asked_for_only_while_somebody_listens():
    with asked_to_stop() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_card_says_what_it_was_made_with_and_not_where(finished):
    card, text = Card.load(finished), (finished / "card.json").read_text()
    assert {"deep-symphony", "python", "torch", "numpy", "lightning-fabric"} <= set(card.versions)
    assert card.versions == versions()
    assert f"{os.cpu_count()} CPU cores" in card.hardware
    for private in (socket.gethostname(), platform.node(), str(finished), str(Path.home())):
        assert private not in text


def test_without_git_the_card_does_without_a_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == ""
    assert "commit" not in versions()
    assert processor()
