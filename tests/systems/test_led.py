"""Systems that can be led: step by step they play what they compose."""

import numpy as np
import pytest
import torch

from symphony.codecs import Plan
from symphony.errors import RequestError
from symphony.live import Improviser, Mapping, Recording, Replay, Steady, Tape, VirtualClock
from symphony.live.mappings import mapping_for
from symphony.systems import load
from symphony.systems.dcrnn.network import DCRNNConfig, DCRNNGenerator

LED = ("conditional-char-rnn", "dcrnn")
led_systems = pytest.mark.parametrize("name", LED)


def test_under_one_condition_the_led_piece_is_the_composed_one(runs):
    trained = load(runs.folder("conditional-char-rnn"))
    (piece,) = trained.compose(6.0, seed=3, temperature=0.9, plan=Plan((4.5,), (2.25,)))
    led = trained.lead(seed=3, temperature=0.9)
    inputs = led.inputs(np.array([0.25, 0.5]))  # density, pitch
    state, elapsed, tokens = led.begin(), 0.0, []
    while elapsed < 6.0:
        moment, state = led.step(state, inputs)
        tokens.append(state.token)
        elapsed += moment.seconds
    again = trained.recipe.codec.decode(np.array(tokens)).slice(0.0, 6.0)
    assert again.equals(piece)


def test_a_hand_decides_density_and_register_and_nothing_else():
    trained = load("conditional-char-rnn")
    left_low, right_high = (trained.lead().inputs(np.array([v, v])) for v in (0.0, 1.0))
    assert np.flatnonzero(left_low).tolist() == [0, 10]  # register 0, density 0
    assert np.flatnonzero(right_high).tolist() == [9, 19]
    only_density = trained.lead().inputs(np.array([1.0, 0.0]))
    assert np.flatnonzero(only_density).tolist() == [0, 19]  # never in each other's places
    told = trained.lead(key="C major").inputs(np.array([0.5, 0.5]))
    assert told[20:].sum() == pytest.approx(1.0)
    assert told[21] == 0  # no C sharp


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize("conditional", [True, False])
def test_row_by_row_a_generator_plays_what_it_makes_at_once(repeat, conditional):
    torch.manual_seed(0)
    sizes = {"noise": 8, "phrase": 4, "hidden_a": 8, "hidden_b": 8, "strip_channels": 4}
    generator = DCRNNGenerator(DCRNNConfig(24, repeat=repeat, conditional=conditional, **sizes))
    noise = torch.rand(2, 30, 8)
    key = (torch.full((2, 12), 1 / 12),) if conditional else ()
    whole = generator(noise, *key)
    state, rows = None, []
    for row in range(30):
        made, state = generator.step(noise[:, row], *(key or (None,)), state)
        rows.append(made)
    torch.testing.assert_close(torch.stack(rows, 1), whole)


def test_new_noise_begins_a_new_plan_at_once(runs):
    trained = load(runs.folder("dcrnn"))
    led = trained.lead(seed=1)
    state, one, other = led.begin(), led.inputs(np.zeros(8)), led.inputs(np.ones(8))
    assert one.shape == other.shape == (trained.recipe.network.noise,)
    assert np.flatnonzero(one != other).tolist() == list(range(8))  # exactly eight
    assert (one[:8].tolist(), other[:8].tolist()) == ([-1] * 8, [1] * 8)
    for at in range(1, 6):
        _, state = led.step(state, one)
        assert state.plan.at == at
    _, state = led.step(state, other)
    assert state.plan.at == 1


@led_systems
def test_a_state_that_is_kept_can_be_gone_back_to(name, runs):
    led = load(runs.folder(name)).lead(seed=2)
    a, b = (led.inputs(np.full(len(led.axes), v)) for v in (0.2, 0.9))
    state = led.begin()
    for _ in range(30):
        _, state = led.step(state, a)

    def onwards(inputs):
        here, moments = state, []
        for _ in range(20):
            moment, here = led.step(here, inputs)
            moments.append(moment)
        return moments

    first = onwards(a)
    onwards(b)
    assert onwards(a) == first


def test_a_wait_can_be_cut_and_the_network_knows(runs):
    led = load(runs.folder("conditional-char-rnn")).lead(seed=2)
    inputs = led.inputs(np.array([0.5, 0.5]))
    state = led.begin()
    for _ in range(20):
        _, state = led.step(state, inputs)
    for seconds, lasts, token in [
        (0.234, 0.24, 279),
        (0.05, 0.05, 260),
        (0, 0.01, 256),
        (9, 1, 355),
    ]:
        moment, after = led.cut(state, inputs, seconds)
        assert (moment.notes, moment.seconds) == ((), pytest.approx(lasts))
        assert (after.token, after.drawn) == (token, state.drawn + 1)
    assert load(runs.folder("dcrnn")).lead().cut(None, None, 1.0) is None


@led_systems
def test_a_key_goes_down_only_once_and_up_only_where_it_was_down(name, runs):
    led = load(runs.folder(name)).lead(seed=4)
    state, down = led.begin(), set()
    for step in range(400):
        moment, state = led.step(state, led.inputs(np.full(len(led.axes), (step // 40) % 10 / 9)))
        assert moment.seconds >= 0
        for pitch, velocity in moment.notes:
            if velocity:
                assert pitch not in down
                down.add(pitch)
            else:
                down.remove(pitch)
    assert down == set(np.flatnonzero(state.down))


@led_systems
def test_what_was_played_plays_again_from_its_file(name, runs, tmp_path):
    trained = load(runs.folder(name))
    led = trained.lead(seed=5)
    times = np.arange(0, 5, 0.2)
    hand = Replay(times, np.random.default_rng(0).random((len(times), 2)))
    tape = Tape()
    mapping = mapping_for(2, len(led.axes), led.levels)
    report = Improviser(led, tape, VirtualClock()).play(Steady(hand), mapping, 5.0)
    Recording.of(trained, name, 5, {}, report).save(tmp_path / "x.json")
    again = Tape()
    Recording.load(tmp_path / "x.json").play(trained, again)
    assert again.events == tape.events
    assert tape.events
    other = load(runs.folder("dcrnn" if name != "dcrnn" else "conditional-char-rnn"))
    with pytest.raises(RequestError, match="its weights"):
        Recording.load(tmp_path / "x.json").play(other, Tape())


def test_who_cannot_be_led_says_so(runs):
    for name in ("char-rnn", "ngram-2", "rnn-gan", "iwgan", "pix2pix"):
        with pytest.raises(RequestError, match=f"{name} can't be led"):
            load(runs.folder(name)).lead()


@pytest.mark.parametrize(
    ("name", "told", "sentence"),
    [
        ("conditional-char-rnn", {"pitch": "3"}, "The hand decides pitch"),
        ("conditional-char-rnn", {"preset": "there and back"}, "The hand decides preset"),
        ("conditional-char-rnn", {"key": "H"}, "no key 'H'"),
        ("conditional-char-rnn", {"temperature": -1.0}, "temperature is"),
        ("dcrnn", {"form": "A B"}, "The hand decides form"),
        ("dcrnn", {"temperature": 1.0}, "has no control temperature"),
        ("dcrnn", {"seed": -1}, "seed of 0"),
    ],
)
def test_what_a_led_system_cannot_be_told(name, told, sentence, runs):
    with pytest.raises(RequestError, match=sentence):
        load(runs.folder(name)).lead(**told)


def test_a_mapping_of_other_axes_is_refused(runs):
    led = load(runs.folder("dcrnn")).lead()
    with pytest.raises(RequestError, match="The mapping gives"):
        Improviser(led, Tape(), VirtualClock()).play(
            Steady(Replay([0.0], [[0.5, 0.5]])), Mapping(5), 1.0
        )
