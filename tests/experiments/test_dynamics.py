import numpy as np
import pytest
import torch

from symphony.experiments import dynamics
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.sampling import generate


def path(tokens):
    tokens = np.array(tokens)
    angles = np.arange(len(tokens))[:, None] * [1.0, 2.0]
    return dynamics.Path(
        tokens, np.sin(angles).astype(np.float32), (torch.zeros(1), torch.zeros(1))
    )


@pytest.mark.parametrize(
    ("tokens", "start", "period"),
    [([1] * 9, 0, 1), ([7, 8, *[1, 2, 3] * 4], 2, 3), ([*[1, 2] * 3, *[5, 6] * 5], 6, 2)],
)
def test_loops_are_found(tokens, start, period):
    cycle = dynamics.find_cycle(path(tokens))
    assert (cycle.start, cycle.period) == (start, period)


def test_a_run_that_has_not_settled_has_no_loop():
    assert dynamics.find_cycle(path([1, 2, 3, 4, 5, 6, 7, 8, 9])) is None
    assert dynamics.find_cycle(path([1, 2, 3] * 2)) is None  # two turns prove nothing


def test_one_loop_has_one_name():
    loops = {dynamics.find_cycle(path([9] * k + [1, 2, 2] * 5)).symbols for k in range(4)}
    assert loops == {(1, 2, 2)}


def test_following_is_greedy_generation():
    torch.manual_seed(0)
    network = CharLSTM(9, CharLSTMConfig(2, 16, 4)).eval()
    run = dynamics.follow(network, 50)
    assert run.tokens.tolist() == generate(network, 50, greedy=True)[0].tolist()
    assert run.hidden.shape == (50, 16)
    on = dynamics.follow(network, 20, run.state, int(run.tokens[-1]))
    assert on.tokens.tolist() == generate(network, 70, greedy=True)[0, 50:].tolist()


def test_perturbations_are_of_the_requested_size_and_repeat():
    state = (torch.randn(2, 1, 400), torch.randn(2, 1, 400))
    moved = dynamics.perturb(state, 0.5, seed=3)
    for before, after in zip(state, moved, strict=True):
        assert ((after - before).std() / before.std()).item() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(dynamics.perturb(state, 0.5, seed=3)[0], moved[0])
    assert torch.equal(dynamics.perturb(state, 0.0, seed=3)[0], state[0])


def test_without_a_perturbation_the_loop_stays():
    torch.manual_seed(0)
    network = CharLSTM(9, CharLSTMConfig(1, 8, 4)).eval()
    run = dynamics.follow(network, 300)
    cycle = dynamics.find_cycle(run)
    again = dynamics.after_perturbation(network, run, 0.0, [0, 1], 300)
    assert again == [cycle.symbols] * 2


def test_disturbed_runs_side_by_side_are_those_one_by_one():
    torch.manual_seed(3)
    network = CharLSTM(9, CharLSTMConfig(1, 8, 4)).eval()
    run = dynamics.follow(network, 100)
    together = dynamics.after_perturbation(network, run, 1.0, range(4), 300)
    for seed in range(4):
        on = dynamics.follow(
            network, 300, dynamics.perturb(run.state, 1.0, seed), int(run.tokens[-1])
        )
        cycle = dynamics.find_cycle(on)
        assert together[seed] == (None if cycle is None else cycle.symbols)
