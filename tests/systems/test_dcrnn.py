"""DCRNN: a plan that is repeated, played anew each time, in the key asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from running import run

from symphony.codecs import form_noise, key_profile, parse_form, parse_key
from symphony.errors import RequestError
from symphony.evaluation import roll_pitch_classes
from symphony.song import TEMPO
from symphony.systems import load, system
from symphony.systems.dcrnn.network import (
    DCRNNConfig,
    DCRNNCritic,
    DCRNNGenerator,
    center_histogram,
    self_similarity,
)

SMALL = {
    "noise": 6, "phrase": 4, "hidden_a": 8, "hidden_b": 8, "strip_channels": 4,
    "critic_channels": 3,
}  # fmt: skip


def make(steps=24, **change):
    torch.manual_seed(0)
    config = DCRNNConfig(steps, **{**SMALL, **change})
    return config, DCRNNGenerator(config)


def keys(batch):
    return torch.nn.functional.normalize(torch.rand(batch, 12), p=1.0)


def test_one_plan_is_played_again_and_again():
    _, generator = make(repeat=3)
    seen = []
    generator.rnn_b.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    generator(torch.rand(2, 6), keys(2))
    plan = seen[0].unflatten(1, (2, 3, 4))  # periods, repetitions, steps of the phrase
    assert torch.equal(plan[:, :, 0], plan[:, :, 1])
    assert torch.equal(plan[:, :, 0], plan[:, :, 2])
    assert not torch.allclose(plan[:, 0, 0], plan[:, 1, 0], atol=1e-6)


def test_a_cropped_model_plays_its_octaves_alone_and_its_critic_hears_no_others():
    config, generator = make(lowest=24, octaves=6, binary=True, conditional=False)
    roll = generator(torch.rand(3, 6)).detach()
    assert roll.shape == (3, 24, 128)
    assert (roll[:, :, :24] == -1).all()
    assert (roll[:, :, 96:] == -1).all()
    assert set(roll.unique().tolist()) <= {-1.0, 1.0}
    critic, inside, outside = DCRNNCritic(config), roll.clone(), roll.clone()
    outside[:, :, [3, 23, 96, 127]], inside[:, :, [24, 95]] = 1.0, 1.0
    assert torch.equal(critic(roll), critic(outside))
    assert not torch.equal(critic(roll), critic(inside))


def test_a_binary_generator_still_learns_and_a_range_beyond_the_keyboard_is_refused():
    _, generator = make(binary=True)
    generator(torch.rand(2, 6), keys(2)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in generator.strip.parameters())
    for change in ({"lowest": 24, "octaves": 9}, {"lowest": -1}, {"octaves": 0}):
        with pytest.raises(ValueError, match="leave the keyboard"):
            DCRNNConfig(**change)


def test_a_strip_kernel_is_one_linear_map_and_full_connection_can_be_the_same():
    strips, full = make(conditional=False)[1], make(conditional=False, strip_channels=0)[1]
    shared = strips.strip.weight[:, 0, 0].detach()  # [strip channels, 12]
    by_octave = strips.fc.weight.detach().view(10, 4, -1)  # [octaves, strip channels, hidden_b]
    biases = strips.fc.bias.detach().view(10, 4)
    with torch.no_grad():
        for name in ("rnn_a", "rnn_b"):
            getattr(full, name).load_state_dict(getattr(strips, name).state_dict())
        full.fc.weight.copy_(torch.einsum("ck,ocb->okb", shared, by_octave).flatten(0, 1))
        full.fc.bias.copy_((biases @ shared + strips.strip.bias).flatten())
        noise = torch.rand(2, 6)
        torch.testing.assert_close(full(noise), strips(noise), atol=1e-5, rtol=1e-4)


def test_a_plan_that_is_not_repeated_goes_on():
    _, generator = make(repeat=1)
    seen = []
    generator.rnn_b.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    generator(torch.rand(2, 6), keys(2))
    assert not torch.allclose(seen[0][:, :4], seen[0][:, 4:8], atol=1e-6)


def test_a_repeated_plan_is_never_played_twice_alike():
    _, generator = make(repeat=3)
    roll = generator(torch.rand(1, 6), keys(1))
    assert not torch.allclose(roll[:, :4], roll[:, 4:8], atol=1e-6)


@pytest.mark.parametrize("repeat", [1, 3])
def test_noise_said_once_is_noise_said_at_every_row(repeat):
    config, generator = make(repeat=repeat)
    noise, histogram = torch.rand(3, config.noise), keys(3)
    each = noise[:, None].repeat(1, 24, 1)
    torch.testing.assert_close(
        generator(noise=noise, key_histogram=histogram),
        generator(noise=each, key_histogram=histogram),
    )


def test_noise_leads_on_for_any_number_of_rows_and_changes_only_from_there():
    _, generator = make()
    noise, histogram = torch.rand(1, 41, 6), torch.full((1, 12), 1 / 12)
    other = noise.clone()
    other[:, 24:] = -1  # the third plan begins at 24
    first, second = generator(noise, histogram), generator(other, histogram)
    assert first.shape == (1, 41, 128)
    assert torch.equal(first[:, :24], second[:, :24])
    assert not torch.allclose(first[:, 24:], second[:, 24:], atol=1e-6)


def test_rows_in_which_a_plan_is_repeated_read_no_noise():
    _, generator = make(repeat=3)
    noise, histogram = torch.rand(1, 24, 6), keys(1)
    other = noise.clone()
    other[:, 4:12], other[:, 16:] = 5.0, 5.0
    assert torch.equal(generator(noise, histogram), generator(other, histogram))


def test_ten_octaves_sound_and_the_rest_is_silent():
    _, generator = make()
    roll = generator(torch.rand(2, 6), keys(2))
    assert (roll[..., :4] == -1).all()
    assert (roll[..., 124:] == -1).all()
    assert (roll[..., 4:124] > -1).all()


def test_keys_are_told_only_to_networks_that_know_them():
    with pytest.raises(ValueError, match="needs key histogram"):
        make()[1](torch.rand(1, 6))
    with pytest.raises(ValueError, match="takes no key histogram"):
        make(conditional=False)[1](torch.rand(1, 6), torch.rand(1, 12))


def test_equal_shares_are_the_middle_of_what_is_read():
    assert center_histogram(torch.full((1, 12), 1 / 12)).abs().max() < 1e-6
    assert center_histogram(torch.eye(12)[:1])[0].tolist() == [11.0] + [-1.0] * 11


def test_self_similarity_of_rows_worked_by_hand():
    rolls = torch.full((1, 3, 128), -1.0)
    rolls[0, 1, :64] = 1.0  # half unlike the others
    similar = self_similarity(rolls)[0]
    assert similar.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_the_critic_weighs_what_sounds_by_the_key_asked_for():
    torch.manual_seed(0)
    critic = DCRNNCritic(DCRNNConfig(24, critic_channels=2))
    critic.score.weight.data[:, : critic.roll.size + critic.form.size] = 0  # the key decides alone
    low = torch.rand(2, 24, 128) * 2 - 1
    low[:, :, -12:] = -1.0
    octave_up = low.roll(12, dims=2)
    even, triad = torch.full((2, 12), 1 / 12), torch.zeros(2, 12)
    triad[:, [0, 4, 7]] = 1 / 3
    assert torch.allclose(critic(low, triad), critic(octave_up, triad), atol=1e-5)
    assert not torch.allclose(critic(low, triad), critic(low.roll(1, dims=2), triad), atol=1e-4)
    assert torch.allclose(critic(low, even), critic(low.roll(1, dims=2), even), atol=1e-5)


def test_training_is_told_the_pitch_classes_of_its_own_rolls(runs):
    real, (histogram,) = runs.system("dcrnn").examples(runs.data("dcrnn"), 3)
    expected = roll_pitch_classes(real.numpy() > 0)
    np.testing.assert_array_equal(histogram.numpy(), expected)


def test_a_section_is_a_plan_and_its_repeats():
    assert DCRNNConfig(phrase=16, repeat=3).section == 48
    assert make()[0].section == 12


def test_a_form_is_played_letter_by_letter(runs):
    trained = load(runs.folder("dcrnn"))
    network = trained.recipe.network
    assert network.section == 12  # rows: a plan of four, played three times
    noise = form_noise("A B A>B", network.noise, network.section * 2, seed=5)
    assert noise.shape == (6 * network.section, 16)
    assert np.allclose(noise[:24], noise[0])
    assert np.allclose(noise[24:48], noise[24])
    assert not np.allclose(noise[0], noise[24])
    np.testing.assert_allclose(noise[60], (noise[0] + noise[24]) / 2, atol=1e-6)
    (song,) = trained.compose(10.0, form="A B C A B", key="C major")
    assert song.seconds <= 5 * network.section / 4 * 60 / TEMPO + 0.001


@pytest.fixture
def heard(runs):
    """A model, and what its generator was given by the last composition."""
    trained, given = load(runs.folder("dcrnn")), []
    trained.nets["generator"].register_forward_pre_hook(lambda _, args: given.append(args))
    return trained, given


@pytest.mark.parametrize("seconds", [1.0, 7.0, 20.0])
def test_every_letter_of_a_form_is_heard(seconds, heard):
    """RNNa reads the rows where a plan is first played: each letter must stand in some."""
    trained, given = heard
    trained.compose(seconds, form="A B C A B")
    network, noise = trained.recipe.network, given[0][0][0].numpy()
    assert len(noise) % (5 * network.section) == 0
    read = np.arange(len(noise)) % network.section < network.phrase
    letters, all_ = (np.unique(rows.round(4), axis=0) for rows in (noise[read], noise))
    np.testing.assert_array_equal(letters, all_)
    assert len(letters) == 3


def test_each_piece_of_a_batch_has_its_own_letters(heard):
    trained, given = heard
    trained.compose(6.0, form="A B", batch=2, seed=3)
    first, second = (args[0][0] for args in given)
    assert not torch.allclose(first[0], second[0])
    assert torch.equal(first[0], torch.from_numpy(form_noise("A B", 16, 12, 3, 0))[0])


def test_a_key_is_told_as_the_corpus_sounds_in_it(heard):
    trained, given = heard
    trained.compose(4.0, key="D major")
    expected = key_profile(trained.card.facts["keys"], "D major")
    assert given[0][1][0].tolist() == expected.tolist()
    profile = trained.card.facts["keys"]["major"]
    np.testing.assert_allclose(expected, np.roll(profile, 2), rtol=1e-6)


def test_a_key_that_is_not_said_is_drawn_by_the_seed(heard):
    trained, given = heard
    for seed in (1, 1, 2, 3, 4, 5):
        trained.compose(2.0, seed=seed)
    histograms = [tuple(args[1][0].tolist()) for args in given]
    assert histograms[0] == histograms[1]
    assert len(set(histograms)) > 2


def test_pieces_of_a_batch_are_in_keys_of_their_own(heard):
    trained, given = heard
    trained.compose(2.0, seed=1, batch=6)
    assert len({tuple(args[1][0].tolist()) for args in given}) > 2


def test_the_noise_of_a_form_is_scaled_as_asked(heard):
    trained, given = heard
    trained.compose(4.0, form="A B")
    trained.compose(4.0, form="A B", noise_scale=0.5)
    torch.testing.assert_close(given[1][0], given[0][0] / 2)


def test_a_model_without_keys_trains_composes_and_cannot_be_told_one(runs, tmp_path):
    recipe = runs.recipe("dcrnn")
    recipe = replace(recipe, network=replace(recipe.network, conditional=False))
    run(system(recipe), runs.data("dcrnn"), tmp_path)
    trained = load(tmp_path)
    trained.compose(4.0, form="A B")
    with pytest.raises(RequestError, match="trained without keys"):
        trained.compose(4.0, key="C major")


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
    with pytest.raises(RequestError, match="A form is letters"):
        parse_form(form)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C major", (0, False)),
        ("f# minor", (6, True)),
        ("Bb", (10, False)),
        ("  A♭ minor ", (8, True)),
        ("Cb major", (11, False)),
    ],
)
def test_keys_have_names(name, key):
    assert parse_key(name) == key


@pytest.mark.parametrize("name", ["", "H major", "C dorian", "major"])
def test_a_key_nobody_knows_is_refused(name):
    with pytest.raises(RequestError, match="There is no key"):
        parse_key(name)
