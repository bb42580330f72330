"""Measures of sets of pieces: overlap, BLEU, diversity, two-sample accuracy, Fréchet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import random_song
from scipy import linalg
from scipy.stats import norm

from symphony.errors import RequestError, SongError
from symphony.evaluation import (
    bleu,
    distinct,
    features,
    frechet_distance,
    ngram_precisions,
    overlap_of,
    pairwise_diversity,
    principal_components,
    sequence_bleu,
    two_sample_logistic,
)
from symphony.evaluation.overlap import overlapping_area
from symphony.song import Song

SONGS = [random_song(seed, notes=60) for seed in range(12)]


def line(*pitches):
    count = len(pitches)
    return Song(np.arange(count) / 2, np.full(count, 0.4), pitches, np.full(count, 80))


def test_features_worked_by_hand():
    found = features(line(60, 64, 60, 67))
    assert found["pitches used"] == 3
    assert found["pitch range"] == 7
    assert found["mean interval"] == pytest.approx((4 + 4 + 7) / 3)
    assert found["mean wait"] == pytest.approx(0.5)
    assert found["pitch classes"][[0, 4, 7]].tolist() == [0.5, 0.25, 0.25]
    moves = found["pitch-class moves"].reshape(12, 12)
    assert (moves[0, 4], moves[4, 0], moves[0, 7]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_the_area_under_two_normal_curves():
    # Normals one deviation apart share 2 Phi(-1/2) = .617; a kernel estimate widens both, by
    # n^(-1/5), to a standard deviation of sqrt(1 + h^2).
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 4000), rng.normal(1, 1, 4000)
    wide = np.sqrt(1 + 4000 ** (-2 / 5))
    assert overlapping_area(a, b).area == pytest.approx(2 * norm.cdf(-0.5 / wide), abs=0.02)
    # Two normals of one width differ by half the squared distance, in nats.
    assert overlapping_area(a, b).divergence == pytest.approx(0.5 / wide**2, abs=0.08)


def test_the_same_distances_overlap_wholly_and_far_ones_not_at_all():
    a = np.random.default_rng(0).normal(size=300)
    assert overlapping_area(a, a).area == pytest.approx(1)
    assert overlapping_area(a, a).divergence == pytest.approx(0, abs=1e-9)
    assert overlapping_area(a, a + 100).area < 1e-6
    assert np.isnan(overlapping_area(a, np.ones(5)).area)


def test_a_set_is_like_its_other_half_and_not_like_other_music():
    alike = overlap_of(SONGS[:6], SONGS[6:])
    other = overlap_of([line(*[60] * 20, i) for i in range(6)], SONGS[6:])
    assert alike["pitch range"].area > other["pitch range"].area
    with pytest.raises(RequestError, match="at least three pieces"):
        overlap_of(SONGS[:2], SONGS)
    with pytest.raises(SongError, match="no features"):
        features(Song([], [], [], []))


def test_bleu_of_copies_and_strangers():
    assert bleu(SONGS[:3], SONGS) == pytest.approx(1)
    assert bleu([line(1, 2, 3, 4, 5, 6)], [line(11, 12, 13, 14, 15, 16)]) < 0.1
    # Precisions 3/4, 2/3, 1/2 of 1- to 3-grams, no brevity penalty: (1/4)^(1/3).
    assert bleu([line(60, 62, 64, 1)], [line(60, 62, 64, 65)], order=3) == pytest.approx(
        (3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3)
    )
    with pytest.raises(RequestError):
        bleu([], SONGS)


def chords(*words):
    """A song of one chord a second."""
    notes = [(float(i), pitch) for i, word in enumerate(words) for pitch in word]
    onset, pitch = zip(*notes, strict=True)
    return Song(onset, np.full(len(notes), 0.5), pitch, np.full(len(notes), 80))


def test_precisions_of_chords_worked_by_hand():
    c, f, g, a = (60, 64), (65,), (67,), (69, 72)
    target = chords(c, f, g, c, f, g, a)
    assert ngram_precisions([target], [target]) == {"2": 1, "3": 1, "4": 1, "5": 1, "bleu": 1}
    # c f g c f a ends wrong: 4 of 5 pairs are right, 3 of 4 triples, 2 of 3 fours, 1 of 2 fives
    found = ngram_precisions([chords(c, f, g, c, f, a)], [target])
    assert found == pytest.approx(
        {
            "2": 4 / 5,
            "3": 3 / 4,
            "4": 2 / 3,
            "5": 1 / 2,
            "bleu": (4 / 5 * 3 / 4 * 2 / 3 / 2) ** 0.25,
        }
    )
    # clipped: f g occurs twice in the target, three times here
    assert ngram_precisions([chords(f, g, f, g, f, g)], [target])["2"] == pytest.approx(2 / 5)
    assert ngram_precisions([chords(g, g)], [target])["bleu"] == 0
    with pytest.raises(RequestError, match="reference for each"):
        ngram_precisions([target], [])


def test_the_reports_bleu_is_the_mean_of_its_own_precisions():
    precisions = [0.634829, 0.4328294, 0.458399, 0.392238]  # of the original report, 2 to 5
    assert np.prod(precisions) ** 0.25 == pytest.approx(0.47145658866999296, abs=1e-6)


def test_distinct_runs_worked_by_hand():
    # Four onsets make three tokens: up 2, up 2, up 2. Runs of two: one kind, twice.
    assert distinct([line(60, 62, 64, 66)], size=2) == 0.5
    assert distinct([line(60, 62, 64, 66), line(61, 63, 65, 67)], size=2) == 0.25
    assert np.isnan(distinct([line(60)], size=2))


def test_one_piece_again_and_again_has_no_diversity():
    assert pairwise_diversity([SONGS[0]] * 4) == 0
    assert pairwise_diversity(SONGS) > 0.99
    # Runs of one: {+2} and {+2, -1} share one of two.
    assert pairwise_diversity([line(60, 62, 64), line(60, 62, 61)], size=1) == pytest.approx(0.5)
    assert np.isnan(pairwise_diversity(SONGS[:1]))


def test_a_classifier_separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(100, 5))
    same = two_sample_logistic(rng.normal(size=(100, 5)), real)
    assert same.estimate == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 200))
    assert same.low < 0.5 < same.high
    assert two_sample_logistic(real + 20, real).estimate == 1
    few = two_sample_logistic(rng.normal(size=(10, 5)), real)  # a lazy classifier says "real"
    assert few.estimate < 0.9
    with pytest.raises(RequestError, match="5 pieces on each side"):
        two_sample_logistic(real[:3], real)
    with pytest.raises(RequestError, match="finite"):
        two_sample_logistic(real + np.nan, real)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_frechet_agrees_with_the_matrix_root(seed, width):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(30, width)), rng.normal(1, 2, size=(40, width))
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = linalg.sqrtm(first @ second).real
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_in_one_dimension_worked_by_hand():
    # Means 0 and 3, deviations 1 and 2: (3 - 0)^2 + (2 - 1)^2.
    a = np.array([[-1.0], [0.0], [1.0]])
    assert frechet_distance(a, 2 * a + 3) == pytest.approx(10)
    with pytest.raises(RequestError, match="one width"):
        frechet_distance(a, np.ones((3, 2)))
    with pytest.raises(RequestError, match="finite"):
        frechet_distance(a, a + np.inf)


def test_components_hold_the_largest_variance():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [10, 1, 0.1, 0.01]
    mean, directions, explained = principal_components(rows, 2)
    assert directions.T @ directions == pytest.approx(np.eye(2), abs=1e-9)
    projected = ((rows - mean) @ directions).var(axis=0)
    assert explained == pytest.approx(projected / rows.var(axis=0).sum())
    assert explained[0] > 0.9 > 0.1 > explained[1]


def test_components_worked_by_hand():
    # Deviations (3, 0), (-3, 0), (0, 1), (0, -1): variance 18 along x, 2 along y.
    rows = np.array([[4.0, 5.0], [-2.0, 5.0], [1.0, 6.0], [1.0, 4.0]])
    found = principal_components(rows, 5)  # there are only two
    assert found.mean.tolist() == [1, 5]
    assert np.abs(found.directions) == pytest.approx(np.eye(2))
    assert found.explained == pytest.approx([0.9, 0.1])
    assert principal_components(np.ones((3, 2)), 1).explained.tolist() == [0]
    for rows, count in ((np.ones((0, 2)), 1), (np.ones((3, 2)), 0), (np.full((3, 2), np.nan), 1)):
        with pytest.raises(RequestError, match="finite numbers"):
            principal_components(rows, count)


def test_bleu_of_rows_is_sacrebleus():
    from sacrebleu.metrics import BLEU

    rng = np.random.default_rng(0)
    rows, others = rng.integers(0, 4, (5, 12)), rng.integers(0, 4, (7, 12))
    words = [" ".join(map(str, row)) for row in rows]
    texts = [[" ".join(map(str, row))] * 5 for row in others]
    theirs = BLEU(tokenize="none", force=True).corpus_score(words, texts).score / 100
    assert sequence_bleu(rows, others) == pytest.approx(theirs)
    strange = rng.integers(10, 14, (5, 12))
    theirs = (
        BLEU(tokenize="none", force=True)
        .corpus_score([" ".join(map(str, row)) for row in strange], texts)
        .score
    )
    assert sequence_bleu(strange, others) == pytest.approx(theirs / 100)


def test_self_bleu_compares_each_row_with_the_others():
    a, b = [1, 2, 3, 4, 5], [1, 2, 3, 4, 6]
    assert sequence_bleu([a, a, b], None) == pytest.approx(
        # of row b 4 of 5, 3 of 4, 2 of 3, 1 of 2 n-grams stand in the others; of a all do
        np.prod([14 / 15, 11 / 12, 8 / 9, 5 / 6]) ** 0.25
    )
    assert sequence_bleu([a, a], None) == 1
    with pytest.raises(RequestError, match="at least one other"):
        sequence_bleu([a], None)
