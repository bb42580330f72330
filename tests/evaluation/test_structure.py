import numpy as np
import pytest
from making import random_song

from symphony.evaluation import structure_indicator
from symphony.evaluation.structure import chroma, fitness, self_similarity
from symphony.song import Song


def test_a_segment_that_comes_back_twice_worked_by_hand():
    # Frames A B A B, likeness 1 where equal, -2 elsewhere. The segment of two frames at 0 has two
    # paths of two cells each: score 4, cells 4, covered 4. Normalised score (4 - 2) / 4, coverage
    # (4 - 2) / 4, harmonic mean 1/2.
    kinds = np.array([0, 1, 0, 1])
    similar = np.where(kinds[:, None] == kinds, 1.0, -2.0)
    assert fitness(similar, 2)[0] == pytest.approx(0.5)
    # The whole piece comes once: nothing but itself.
    assert fitness(similar, 4).tolist() == [0.0]


def test_three_times_is_fitter_than_twice_and_never_is_nothing():
    def best(kinds):
        kinds = np.array(kinds)
        return fitness(np.where(kinds[:, None] == kinds, 1.0, -2.0), 2).max()

    assert best([0, 1, 0, 1, 0, 1]) == pytest.approx(2 / 3)  # (6 - 2) / 6 twice
    assert best([0, 1, 2, 3, 0, 1]) == pytest.approx(2 * 0.5 * (2 / 6) / (0.5 + 2 / 6))
    assert best([0, 1, 2, 3, 4, 5]) == 0


def test_a_repeat_at_half_speed_counts():
    # A B C, then A A B B C C: paths of steps (2, 1) reach it, losing nothing.
    kinds = np.array([0, 1, 2, 9, 0, 0, 1, 1, 2, 2])
    similar = np.where(kinds[:, None] == kinds, 1.0, -2.0)
    assert fitness(similar, 3)[0] > 0.2


def test_libfmp_says_the_same():
    """Numbers of libfmp 1.3.0's compute_fitness_scape_plot (Müller and Zalkow) for this matrix.

    libfmp also lets a path begin in a segment's second frame; here that changes nothing.
    """
    i = np.arange(8)
    similar = -0.6 + 0.5 * np.sin(37 + np.outer(i, i) * 1.3 + np.add.outer(i, i) * 0.7)
    similar[np.abs(np.subtract.outer(i, i)) == 4] += 1.0
    similar = np.minimum(similar, 0.95)
    np.fill_diagonal(similar, 1.0)
    wanted = {
        1: [0.192203, 0.084488, 0.195575, 0.190961, 0.192203, 0.084488, 0.195575, 0.190961],
        2: [0.244767, 0.253208, 0.315294, 0, 0.244767, 0.253208, 0.315294],
        3: [0.339154, 0.336865, 0.009334, 0.008036, 0.339154, 0.336865],
        4: [0.39994, 0.040897, 0, 0.194452, 0.39994],
        5: [0, 0, 0, 0],
    }
    for length, numbers in wanted.items():
        assert fitness(similar, length) == pytest.approx(numbers, abs=2e-6)


def test_chroma_is_seconds_in_each_half_second():
    song = Song([0.25, 0.5], [0.5, 1.0], [60, 67], [80, 80])
    found = chroma(song)
    assert found.shape == (3, 12)
    assert found[:, 0].tolist() == pytest.approx([0.25, 0.25, 0.0])
    assert found[:, 7].tolist() == pytest.approx([0.0, 0.5, 0.5])


def test_everything_is_like_itself():
    features = np.random.default_rng(0).random((20, 12))
    similar = self_similarity(features)
    assert np.diag(similar).tolist() == [1.0] * 20
    assert similar == pytest.approx(similar.T)
    assert set(similar[similar < 0].tolist()) == {-2.0}


def test_a_form_with_repeats_scores_higher():
    a, b, c, d = (random_song(seed, notes=20).slice(0, 4) for seed in range(4))
    repeating, wandering = Song.join([a, b, a, b]), Song.join([a, b, c, d])
    assert structure_indicator(repeating) > structure_indicator(wandering)


def test_short_music_has_no_structure_to_measure():
    assert np.isnan(structure_indicator(Song([0.0], [1.0], [60], [80])))
    assert np.isnan(structure_indicator(Song([], [], [], [])))


def test_the_chroma_of_a_long_performance_costs_little_memory():
    import tracemalloc

    rng = np.random.default_rng(0)
    onset = np.sort(rng.uniform(0, 3600, 30_000))
    song = Song(onset, np.full(30_000, 0.4), rng.integers(30, 90, 30_000), np.full(30_000, 80))
    tracemalloc.start()
    first = chroma(song, 600)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # 1.7 GB, when every note was held against every half second
    assert np.allclose(first, chroma(song.slice(0, 400))[:600])
