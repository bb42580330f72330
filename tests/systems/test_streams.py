"""What systems of symbols share: streams, windows, held-out losses, and pieces that last."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from making import random_song, songs
from running import Music, run
from torch.nn import functional

from symphony.codecs import ConditionCodec, ConditionRows, EventCodec
from symphony.errors import RequestError
from symphony.evaluation import PieceLosses
from symphony.song import Song
from symphony.systems import load, recipe, system
from symphony.systems.char_rnn.network import CharLSTM, CharLSTMConfig
from symphony.systems.conditional_char_rnn.network import (
    ConditionalCharLSTM,
    ConditionalCharLSTMConfig,
)
from symphony.systems.sampling import SamplingControls
from symphony.systems.streams import (
    compose_events,
    draw_windows,
    encode_songs,
    held_out_loss,
    symbol_losses,
)
from symphony.training.system import Request

CODEC = EventCodec()
BOS = CODEC.bos
TINY = recipe("char-rnn", "tiny")


def small(**change):
    return replace(TINY, **{"batch": 5, **change})


def songs_in(stream):
    """The songs between start symbols."""
    assert stream[0] == stream[-1] == BOS
    return [stream[a + 1 : b] for a, b in pairwise(np.flatnonzero(stream == BOS))]


def test_songs_stand_between_start_symbols_in_their_order():
    music = [random_song(i) for i in range(3)]
    stream = encode_songs([music[0], Song([], [], [], []), *music[1:]], CODEC)
    assert stream.dtype == np.int16
    for song, tokens in zip(music, songs_in(stream), strict=True):
        assert np.array_equal(tokens, CODEC.encode(song))


def test_no_music_is_one_start_symbol():
    assert encode_songs([], CODEC).tolist() == [BOS]


def test_the_subset_is_of_the_training_split_and_nothing_is_transposed_on_the_way():
    music = Music()
    data = system(small(subset=2, transpose=(-1, 0, 3))).encode(music)
    assert np.array_equal(data.train["symbols"], encode_songs(music.train[:2], CODEC))
    assert np.array_equal(data.arrays["test"]["symbols"], encode_songs(music.test, CODEC))
    assert len(songs_in(data.arrays["validation"]["symbols"])) == 2


@given(
    st.integers(2, 300), st.integers(1, 120), st.integers(0, 50), st.integers(0, 3),
    st.integers(0, 20),
)  # fmt: skip
def test_windows_are_stretches_of_the_stream_drawn_from_seed_and_step_alone(
    length, window, step, seed, margin
):
    base, stream = small(window=window, seed=seed), np.arange(length, dtype=np.int16)
    torch.manual_seed(length)  # must not matter
    windows = draw_windows(stream, base, step, margin)
    width = min(window, length - 1) + 1
    assert windows.shape == (5, width + 2 * margin)
    assert windows.dtype == np.int64
    inner = windows[:, margin : margin + width]
    assert (np.diff(inner) == 1).all()
    expected = inner[:, :1] + np.arange(-margin, width + margin)
    assert np.array_equal(windows, np.clip(expected, 0, length - 1))  # beyond, the ends repeat
    assert np.array_equal(windows, draw_windows(stream, base, step, margin))
    assert np.array_equal(inner, draw_windows(stream, base, step))


def test_other_steps_and_seeds_draw_other_windows():
    stream = np.arange(5000, dtype=np.int16)
    first = draw_windows(stream, small(), 3)
    assert not np.array_equal(first, draw_windows(stream, small(), 4))
    assert not np.array_equal(first, draw_windows(stream, small(seed=1), 3))


def test_every_place_of_the_stream_is_learned_from():
    windows = draw_windows(np.arange(12, dtype=np.int16), small(window=4, batch=400), 0)
    assert set(windows[:, 0].tolist()) == set(range(8))  # the last window ends the stream


@given(st.lists(songs(), min_size=1, max_size=3), st.integers(-40, 40), st.integers(0, 9))
def test_a_window_drawn_with_a_transposition_is_the_window_transposed(pieces, semitones, step):
    stream = encode_songs(pieces, CODEC)
    plain = draw_windows(stream, small(window=20), step, 3)
    moved = draw_windows(stream, small(window=20, transpose=(semitones,)), step, 3)
    assert np.array_equal(moved, CODEC.transposed(plain, semitones))
    for before, after in zip(plain, moved, strict=True):
        notes = before < 256
        pitch = before[notes] % 128 + semitones
        if notes.any() and not 0 <= pitch.min() <= pitch.max() < 128:  # it leaves the keyboard
            assert np.array_equal(before, after)
        else:
            assert (after[notes] - before[notes] == semitones).all()
            assert np.array_equal(after[~notes], before[~notes])


def test_each_window_is_transposed_by_its_own_draw_and_all_are_used():
    stream = encode_songs([random_song(i) for i in range(5)], CODEC)
    base = small(window=30, batch=60)
    plain, keys = draw_windows(stream, base, 0), (-2, 0, 5)
    moved = draw_windows(stream, replace(base, transpose=keys), 0)
    found = set()
    for before, after in zip(plain, moved, strict=True):
        match = [k for k in keys if np.array_equal(CODEC.transposed(before, k), after)]
        assert match
        found |= set(match) if len(match) == 1 else set()
    assert found == set(keys)


def by_hand(network, stream, conditions=None):
    """The loss of each symbol after the first, the whole stream read in one go."""
    tokens = torch.from_numpy(np.asarray(stream, np.int64))[None]
    told = () if conditions is None else (torch.from_numpy(conditions[None, 1:]),)
    with torch.no_grad():
        logits, _ = network.eval()(tokens[:, :-1], None, *told)
    return functional.cross_entropy(logits[0], tokens[0, 1:], reduction="none").numpy()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CharLSTM(7, CharLSTMConfig(num_layers=1, hidden_size=8, embedding_dim=4))


@given(st.integers(2, 64))
def test_the_losses_of_a_short_stream_are_those_of_the_whole_stream(network, length):
    stream = np.random.default_rng(length).integers(0, 8, length).astype(np.int16)
    expected = by_hand(network, stream)
    np.testing.assert_allclose(symbol_losses(network, stream), expected, atol=1e-5)
    assert held_out_loss(network, stream) == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("length", [600, 4801, 9000])  # of 16 rows, in one, two and three chunks
def test_the_losses_of_a_long_stream_are_those_of_its_sixteen_rows(network, length):
    stream = np.random.default_rng(length).integers(0, 8, length).astype(np.int16)
    row = (length - 1) // 16
    expected = [by_hand(network, stream[at : at + row + 1]) for at in range(0, 16 * row, row)]
    found = symbol_losses(network, stream)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)
    assert length - 16 <= len(found) <= length - 1
    assert held_out_loss(network, stream) == pytest.approx(np.concatenate(expected).mean())


def test_measuring_leaves_a_network_as_it_was(network):
    stream = np.zeros(40, np.int16)
    dropping = CharLSTM(7, CharLSTMConfig(2, 8, 4, dropout=0.5))
    for training in (True, False):
        dropping.train(training)
        first, again = (held_out_loss(dropping, stream) for _ in range(2))
        assert first == again  # nothing is dropped while measuring
        assert dropping.training == training


SMALL_CODECS = st.builds(
    ConditionCodec,
    window=st.integers(2, 30),
    past_only=st.booleans(),
    density=st.sampled_from(["rate", "share"]),
)


@given(st.lists(songs(), min_size=1, max_size=3), SMALL_CODECS, st.data())
def test_conditions_computed_where_they_are_asked_for_are_those_of_the_whole_stream(
    pieces, codec, data
):
    stream = encode_songs(pieces, CODEC)
    stream = stream[: data.draw(st.integers(2, len(stream)))]  # perhaps within a song
    whole, rows = codec.rows(stream, BOS), ConditionRows(stream, codec, BOS)
    width = data.draw(st.integers(1, len(stream)))
    starts = data.draw(st.lists(st.integers(0, len(stream) - width), min_size=1, max_size=3))
    at = np.array(starts)[:, None] + np.arange(width)
    np.testing.assert_array_equal(rows[at], whole[at])


def test_a_conditional_model_is_told_what_belongs_to_each_symbol():
    torch.manual_seed(0)
    network = ConditionalCharLSTM(363, ConditionalCharLSTMConfig(1, 8, 4))
    stream = np.random.default_rng(0).integers(0, 363, 60).astype(np.int16)
    codec = ConditionCodec(window=6)
    rows = codec.rows(stream, 363)
    expected = by_hand(network, stream, rows).mean()
    for conditions in (rows, ConditionRows(stream, codec, 363)):
        told = held_out_loss(network, stream, conditions)
        assert told == pytest.approx(expected, rel=1e-5)
        assert told != pytest.approx(held_out_loss(network, stream), rel=1e-5)


def test_the_conditions_of_a_long_stream_follow_its_rows_and_chunks():
    torch.manual_seed(0)
    network = ConditionalCharLSTM(363, ConditionalCharLSTMConfig(1, 8, 4))
    stream = encode_songs([random_song(i) for i in range(30)], CODEC)
    codec, row = ConditionCodec(), (len(stream) - 1) // 16
    assert row > 256
    rows = codec.rows(stream, BOS)
    expected = [
        by_hand(network, stream[at : at + row + 1], rows[at : at + row + 1])
        for at in range(0, 16 * row, row)
    ]
    found = symbol_losses(network, stream, ConditionRows(stream, codec, BOS))
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


def test_losses_gathered_by_piece_worked_by_hand():
    stream = np.array([9, 60, 300, 9, 61, 62, 9])  # two pieces of one and two notes
    cost = PieceLosses.of(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), stream)
    assert cost.nats.tolist() == [7, 56]
    assert cost.symbols.tolist() == [3, 3]
    assert cost.notes.tolist() == [2, 3]  # 9, the start symbol here, counts as a pitch
    assert cost.bits_per_event == pytest.approx(63 / np.log(2) / 6)


def test_the_learning_rate_rises_and_falls_along_a_cosine_to_nothing():
    chosen = small(lr=0.01, steps=100, schedule="cosine", warmup=4)
    learner = system(chosen)
    assert [learner.lr(step) for step in (0, 1, 2)] == pytest.approx(
        [0.0025, 0.005, 0.0075], rel=2e-3
    )
    assert [learner.lr(step) for step in (50, 75)] == pytest.approx(
        [0.005, 0.01 * (1 - 0.5**0.5) / 2]
    )
    assert learner.lr(99) < 1e-5


def test_the_learning_rate_falls_in_a_line_to_a_tenth():
    learner = system(small(steps=10, lr=0.01, schedule="linear", warmup=0))
    assert [learner.lr(step) for step in (0, 5, 10)] == pytest.approx([0.01, 0.0055, 0.001])


@pytest.mark.parametrize("name", ["char-rnn", "conditional-char-rnn"])
def test_music_shorter_than_a_window_still_trains(name, runs, tmp_path):
    data = runs.data(name)
    short = {**data.arrays, "train": {"symbols": data.train["symbols"][:20]}}
    learner = system(replace(runs.recipe(name), steps=2, evaluate_every=2, window=64))
    card = run(learner, replace(data, arrays=short), tmp_path)
    assert np.isfinite(card.curve[-1]["train"])


def test_validation_reads_so_many_symbols_and_the_report_all(runs, tmp_path):
    data = runs.data("char-rnn")
    learner = system(replace(runs.recipe("char-rnn"), validation_symbols=50))
    run(learner, data, tmp_path)
    trained, stream = load(tmp_path), data.arrays["validation"]["symbols"]
    found = learner.evaluate(trained.nets, data)
    network = trained.nets["network"]
    assert found.metrics["validation"] == pytest.approx(held_out_loss(network, stream[:50]))
    assert found.score == -found.metrics["validation"]
    assert trained.card.metrics["validation_nats"] == pytest.approx(held_out_loss(network, stream))


class Drone:
    """Plays one symbol for ever."""

    bos = BOS

    def __init__(self, symbol):
        self.logits = torch.full((BOS + 1,), -50.0, dtype=torch.float64)
        self.logits[symbol] = 0.0

    def initial_state(self, batch):
        return None

    def step(self, tokens, state):
        return self.logits.expand(len(tokens), -1).clone(), state


@pytest.mark.parametrize("greedy", [False, True])
def test_a_model_that_moves_time_on_too_slowly_is_given_up_with_a_sentence(greedy):
    request = Request(0.5, 0, 1, SamplingControls(greedy=greedy))
    with pytest.raises(RequestError, match=r"char-rnn hardly moves on: 4296 events last 0\.0 s"):
        compose_events(Drone(60), TINY, request)


def test_a_model_that_never_plays_a_note_is_refused():
    request = Request(5.0, 0, 1, SamplingControls(greedy=True))
    with pytest.raises(RequestError, match="char-rnn, greedy: nothing sounds"):
        compose_events(Drone(355), TINY, request)


class Rocking(Drone):
    """Plays a note, holds it, releases it, and so on."""

    def __init__(self):
        super().__init__(60)

    def step(self, tokens, state):
        follows = {BOS: 60, 60: 355, 355: 188, 188: 60}  # 355 is a second, 188 releases 60
        logits = torch.full((len(tokens), BOS + 1), -50.0, dtype=torch.float64)
        for row, token in enumerate(tokens.tolist()):
            logits[row, follows[token]] = 0.0
        return logits, state


@pytest.mark.parametrize(("greedy", "how"), [(True, "greedy"), (False, "seed 7")])
def test_a_piece_lasts_as_long_as_asked_and_is_named_for_how_it_was_drawn(greedy, how):
    request = Request(3.5, 7, 1, SamplingControls(greedy=greedy))
    (song,) = compose_events(Rocking(), TINY, request)
    assert song.onset.tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert song.duration.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert (song.name, song.source) == (f"char-rnn, {how}", "char-rnn")
