"""Sequential autoencoders: gradient paths, losses worked by hand, walks, bad input."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symphony import codecs
from symphony.errors import FileError, RequestError, SongError
from symphony.rendering import player, switch_widgets
from symphony.song import TEMPO, Song
from symphony.systems import load, recipe, system
from symphony.systems.seqae import network as seqae
from symphony.systems.seqae.network import Decoder, SeqAE, SeqAEConfig, reconstruction
from symphony.systems.seqae.system import code_metrics, decoded, draw_runs, encoded
from symphony.systems.seqae.walks import WalkControls, changed, walk

SHAPE = SeqAEConfig(digits=6, embedding_dim=8, hidden_size=12)


def windows(batch, seed=0):
    """Melodies of four notes and four waits."""
    rng = np.random.default_rng(seed)
    what = np.full((batch, 8), seqae.NEXT)
    what[:, ::2] = rng.integers(55, 80, (batch, 4))
    return torch.from_numpy(np.stack([what, rng.integers(1, 5, (batch, 8))], 2))


def made(**change):
    torch.manual_seed(0)
    return SeqAE(replace(SHAPE, **change))


def test_the_room_and_the_codec_mean_the_same_tokens():
    assert (seqae.NEXT, seqae.END) == (codecs.windows.NEXT, codecs.windows.END)


def test_shapes():
    net = made()
    runs = windows(6).unflatten(0, (2, 3))  # [B, R, T, 2]
    code = net.encoder(runs)
    assert code.shape == (2, 3, 6)
    assert code.abs().max() < 1
    what, length = net.decoder(code.flatten(0, 1), windows(6))
    assert (what.shape, length.shape) == ((6, 8, 130), (6, 8, 16))
    assert net.decode(net.encode(windows(6))).shape == (6, 8, 2)


@pytest.mark.parametrize("levels", [2, 4, 5])
def test_quantising_takes_the_nearest_level(levels):
    net, code = made(levels=levels), torch.rand(50, 6) * 2 - 1
    grid = torch.linspace(-1, 1, levels)
    nearest = grid[(code[..., None] - grid).abs().argmin(-1)]
    torch.testing.assert_close(net.quantize(code), nearest)
    assert net.digits(code).min() >= 0
    assert net.digits(code).max() < levels
    torch.testing.assert_close(net.values(net.digits(nearest)), nearest)


def test_two_levels_are_the_sign():
    code = torch.rand(50, 6) * 2 - 1
    torch.testing.assert_close(made().quantize(code), code.sign())


def moved(learner, data, which):
    """Names of the weights to which one of the objective's terms has a gradient."""
    nets = learner.build(data)
    net, r = nets["autoencoder"], learner.recipe
    runs = torch.from_numpy(draw_runs(data.train, r, 0))
    code, extra = learner.code(net, runs)
    terms = learner.objective(net, runs, code)
    nets.zero_grad()
    (terms[which] + extra).backward()
    return {
        n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None and p.grad.any()
    }


@pytest.mark.parametrize(
    ("term", "change", "expected"),
    [
        ("rec", {}, {"encoder", "decoder"}),
        ("rec_digits", {}, {"digit_decoder"}),  # quantising stops its gradient
        ("con", {}, {"encoder"}),
        ("quantization", {}, {"encoder"}),
        ("con", {"continuity": "plain"}, {"encoder"}),
        ("con", {"continuity": "hinge"}, {"encoder"}),
        ("rec", {"gradient": "straight-through"}, {"decoder"}),
        ("rec_digits", {"gradient": "straight-through"}, {"encoder", "digit_decoder"}),
    ],
)
def test_each_term_moves_what_it_should_and_nothing_else(term, change, expected, runs):
    learner = system(replace(runs.recipe("seqae"), **change))
    torch.manual_seed(0)
    assert moved(learner, runs.data("seqae"), term) == expected


def test_the_decoder_of_digits_alone_moves_no_weight_of_the_encoder(runs):
    """Train with nothing else: after three steps the encoder is what it was."""
    learner = system(runs.recipe("seqae"))
    data = runs.data("seqae")
    nets = learner.build(data)
    net, opts = nets["autoencoder"], learner.optimizers(nets)
    before = [p.clone() for p in net.encoder.parameters()]
    for step in range(3):
        batch = torch.from_numpy(draw_runs(data.train, learner.recipe, step))
        terms = learner.objective(net, batch, net.encoder(batch))
        opts["autoencoder"].zero_grad()
        terms["rec_digits"].backward()
        opts["autoencoder"].step()
    assert all(map(torch.equal, before, net.encoder.parameters()))
    assert any(p.grad.abs().max() > 0 for p in net.digit_decoder.parameters())


def test_continuity_worked_by_hand():
    c = torch.tensor([[[0.5, -0.5], [0.5, 0.5], [-1.0, 0.5]]])  # three windows, two digits
    q = c.sign()
    near, far = [1.0, 2.25], 1.5**2 + 1.0
    assert seqae.plain_continuity(c, q, 4.0).item() == pytest.approx(np.mean(near))
    assert seqae.hinge_continuity(c, q, 4.0).item() == pytest.approx(1.0 - far + 4.0)
    assert seqae.hinge_continuity(c, q, 0.0).item() == 0.0
    # |q1 - c2|^2 + |c1 - q2|^2, then of the second and third window
    first = (0.5**2 + 1.5**2) + (0.5**2 + 1.5**2)
    second = (2.0**2 + 0.5**2) + (1.5**2 + 0.5**2)
    assert seqae.cross_continuity(c, q, 4.0).item() == pytest.approx((first + second) / 2)


def test_shrinking_the_codes_pleases_the_first_design_and_not_the_last():
    """The report's reason to give the plain distance up: it is paid off by scale alone."""
    c = torch.rand(4, 3, 6) * 2 - 1
    plain = [seqae.plain_continuity(c * k, c.sign(), 0.0).item() for k in (1.0, 0.01)]
    cross = [seqae.cross_continuity(c * k, c.sign(), 0.0).item() for k in (1.0, 0.01)]
    assert plain[1] < 1e-3 * plain[0]
    assert cross[1] > 0.5 * cross[0]


def test_a_divergence_worked_by_hand():
    mean, log_var = torch.tensor([1.0, 0.0]), torch.tensor([0.0, np.log(4.0)])
    expected = 0.5 + 0.5 * (4 - 1 - np.log(4.0))
    assert seqae.divergence(mean, log_var).item() == pytest.approx(expected, rel=1e-6)


def test_reconstruction_of_even_logits_and_of_padding():
    rows = windows(2)
    rows[0, 6:, 0] = seqae.END  # ten tokens would be wrong: the second END costs nothing
    even = torch.zeros(2, 8, 130), torch.zeros(2, 8, 16)
    paid, timed = 15, 14  # tokens with a cost; rows that last
    expected = np.log(130) + np.log(16) * timed / paid
    assert reconstruction(even, rows).item() == pytest.approx(expected, rel=1e-5)


def test_decoding_alone_is_the_teacher_forced_decoder_fed_with_itself():
    torch.manual_seed(1)
    decoder, codes = Decoder(SHAPE), torch.rand(5, 6) * 2 - 1
    alone = decoder.decode(codes)
    what, length = decoder(codes, alone)
    assert torch.equal(length.argmax(-1) + 1, alone[..., 1])
    middle = alone[:, 1:-1, 0] < seqae.NEXT  # where no rule decides
    assert torch.equal(what.argmax(-1)[:, 1:-1][middle], alone[:, 1:-1, 0][middle])


@given(st.integers(0, 1000))
def test_every_window_begins_with_a_note_and_ends_with_a_wait(seed):
    torch.manual_seed(seed)
    decoder = Decoder(replace(SHAPE, onsets=2))
    decoder.what.bias.data = torch.randn(130) * 5
    for window in decoder.decode(torch.randn(4, 6)).tolist():
        tokens = [what for what, _ in window]
        ends = tokens.index(seqae.END) if seqae.END in tokens else 8
        assert tokens[0] < seqae.NEXT
        assert tokens[ends - 1] == seqae.NEXT
        assert set(tokens[ends:]) <= {seqae.END}
        assert all(1 <= length <= 16 for _, length in window)


@pytest.mark.parametrize(
    "change",
    [{}, {"gradient": "straight-through"}, {"network": replace(SHAPE, levels=4, digits=8)},
     {"network": replace(SHAPE, variational=True)}],
)  # fmt: skip
def test_a_batch_is_learned_by_heart(change, runs):
    base = replace(runs.recipe("seqae"), network=SHAPE, free_bits=100.0, lr=1e-2, batch=2, run=3)
    learner = system(replace(base, **change))
    rows = windows(6, seed=3).numpy()
    data = replace(
        runs.data("seqae"), arrays={"train": {"windows": rows, "left": np.arange(6, 0, -1)}}
    )
    torch.manual_seed(0)
    nets = learner.build(data)
    opts = learner.optimizers(nets)
    for _ in range(250):
        logs = learner.train_step(nets, opts, data, 0)
    assert logs["rec"] < 0.7
    assert logs["rec_digits"] < 1.2


def test_runs_are_neighbours_of_one_song_and_the_same_whenever_drawn():
    rows = np.arange(12)[:, None, None].repeat(8, 1).repeat(2, 2)
    arrays = {"windows": rows, "left": np.array([5, 4, 3, 2, 1, 2, 1, 5, 4, 3, 2, 1])}
    base = replace(recipe("seqae", "tiny"), batch=40)
    drawn = draw_runs(arrays, base, 3)[:, :, 0, 0]
    assert (np.diff(drawn, axis=1) == 1).all()
    assert set(drawn[:, 0]) <= {0, 1, 7, 8}
    np.testing.assert_array_equal(drawn, draw_runs(arrays, base, 3)[:, :, 0, 0])
    short = {"windows": rows[:2], "left": np.array([2, 1])}
    assert draw_runs(short, base, 0)[0, :, 0, 0].tolist() == [0, 1, 1, 1]


def test_distances_and_entropy_worked_by_hand(runs, monkeypatch):
    net = made(digits=2)
    digits = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])
    monkeypatch.setattr(net, "digits", lambda code: digits)
    arrays = {"windows": windows(4).numpy(), "left": np.array([3, 2, 1, 1])}  # two songs
    found = code_metrics(net, arrays, replace(runs.recipe("seqae"), network=net.config))
    assert found["hamming"] == 1.0  # 00-01, 01-11; 11-11 crosses the end of a song
    assert found["random_hamming"] == pytest.approx(0.5 + 2 * 0.25 * 0.75)
    assert found["entropy"] == pytest.approx(1.5)
    assert found["distinct"] == 3


@given(st.integers(1, 20), st.integers(2, 5), st.integers(0, 25), st.integers(0, 99))
def test_so_many_digits_change_and_no_others(size, levels, count, seed):
    rng = np.random.default_rng(seed)
    code = rng.integers(0, levels, size)
    other = changed(code, levels, count, rng)
    assert (other != code).sum() == min(count, size)
    assert 0 <= other.min() <= other.max() < levels


def path(count=4000, seed=0, **how):
    codes = walk(np.zeros(16, np.int64), 2, WalkControls(**how), np.random.default_rng(seed))
    return np.stack(list(islice(codes, count)))


def test_a_random_walk_flips_two_bits_each_time():
    assert ((np.diff(path(), axis=0) != 0).sum(1) == 2).all()


def test_a_whole_flip_comes_as_often_as_asked():
    steps = (np.diff(path(whole=0.1), axis=0) != 0).sum(1)
    assert set(steps.tolist()) == {2, 16}
    assert (steps == 16).mean() == pytest.approx(0.1, abs=0.02)


def test_a_reset_walk_returns_to_its_theme_every_four_windows():
    codes = path(walk="reset", back=1.0, store=0.0)
    assert ((codes[4::4] != 0).sum(1) == 2).all()  # two flips away from the theme
    drifting = path(walk="reset", back=0.0, store=0.0)
    assert (drifting[400::4] != 0).sum(1).mean() == pytest.approx(8, abs=0.5)


def test_a_stored_theme_is_where_the_walk_returns_to():
    codes = path(walk="reset", back=0.5, store=0.5)
    returns = (codes[4::4] != 0).sum(1)
    assert returns.max() > 4  # the theme itself wanders


@pytest.fixture(scope="module")
def trained(runs):
    return load(runs.folder("seqae"))


def test_six_minutes_in_one_go_and_the_same_seed_the_same_piece(trained):
    (song,) = trained.compose(360.0, seed=2, walk="reset")
    assert 355 < song.seconds <= 360.001
    assert song.equals(trained.compose(360.0, seed=2, walk="reset")[0])


def test_a_walk_begins_with_the_readers_own_tune(trained, tmp_path):
    quarters = np.arange(8) * 1.0
    tune = Song(quarters * 0.6, np.full(8, 0.6), [60, 62, 64, 65, 67, 69, 71, 72], np.full(8, 80),
                quarters, np.ones(8), np.array([[0.0, TEMPO]]))  # fmt: skip
    tune.to_midi(tmp_path / "x.mid")
    code = trained.system.codes(trained.nets["autoencoder"], tune)
    assert code.shape == (2, trained.recipe.network.digits)
    (song,) = trained.compose(20.0, flips=0, theme=str(tmp_path / "x.mid"))
    first = trained.recipe.codec.decode(
        codecs.join_windows(decoded(trained.nets["autoencoder"], code[:1]))
    )
    n = len(first)
    assert song.pitch[:n].tolist() == first.pitch.tolist()
    assert song.pitch[n : 2 * n].tolist() == first.pitch.tolist()  # no flips: the same for ever


def test_a_switch_of_ipywidgets_decodes_another_window(trained):
    net, codec = trained.nets["autoencoder"], trained.recipe.codec

    def hear(code):
        return player(codec.decode(codecs.join_windows(decoded(net, code[None]))))

    board = switch_widgets(np.zeros(16, np.int64), hear)
    switches, heard = board.children
    first = heard.value
    assert first == hear(np.zeros(16, np.int64)).html
    for switch in switches.children:
        switch.value = True
    assert heard.value == hear(np.ones(16, np.int64)).html != first


def test_what_is_no_code_is_refused(trained):
    net = trained.nets["autoencoder"]
    for codes in (np.zeros((1, 15)), np.zeros(16), np.full((1, 16), 2), np.full((1, 16), 0.5)):
        with pytest.raises(RequestError, match="A code is 16 digits from 0 to 1"):
            decoded(net, codes)
    for rows in (np.ones((1, 9, 2)), np.ones((8, 2)), np.ones((1, 8, 3))):
        with pytest.raises(RequestError, match="Windows are 8 rows"):
            encoded(net, rows)


def test_a_theme_without_music_is_refused(trained, tmp_path):
    Song([0.0, 0.6], [0.6, 0.6], [60, 62], [80, 80]).to_midi(tmp_path / "short.mid")
    with pytest.raises(SongError, match="short has fewer than 4 onsets"):
        trained.compose(4.0, theme=str(tmp_path / "short.mid"))
    (tmp_path / "no.mid").write_bytes(b"no music")
    with pytest.raises(SongError):
        trained.compose(4.0, theme=str(tmp_path / "no.mid"))
    with pytest.raises(FileError, match=r"no file .*nowhere.mid"):
        trained.compose(4.0, theme=str(tmp_path / "nowhere.mid"))


@pytest.mark.parametrize(
    "change",
    [{"onsets": 0}, {"window": 0}, {"digits": 0}, {"levels": 1}, {"hidden_size": 0}],
)
def test_a_network_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match="A SeqAE needs onsets"):
        SeqAEConfig(**change)


def test_a_window_too_short_for_its_onsets_is_refused():
    base = recipe("seqae", "tiny")
    with pytest.raises(RequestError, match="4 onsets has twice as many rows at least, not 7"):
        replace(base, network=replace(base.network, window=7))
