import numpy as np
import pytest

from symphony.studies import asked_and_achieved, condition_table, random_plans, shipped_study
from symphony.training import load_model


def study(bits):
    """Two pieces of 8 events and 2 notes, at so many bits an event for each model and telling."""
    nats = {key: [8 * np.log(2) * b for b in each] for key, each in bits.items()}
    rows = [
        {"model": model, "told": told, "seed": 0, "nats": nats[model, told]}
        | {"bits_per_event": float(np.mean(each)), "bits_per_note": 4 * float(np.mean(each))}
        for (model, told), each in bits.items()
    ]
    return {"symbols": [8, 8], "notes": [2, 2], "rows": rows}


def test_differences_are_taken_piece_by_piece():
    # The pieces differ by 3 bits, the models by exactly 1 on each: the difference is certain.
    table = condition_table(
        study({("vanilla", "nothing"): [3.0, 6.0], ("centred", "truth"): [2.0, 5.0]})
    )
    plain, told = table
    assert (plain["bits_per_event"], told["bits_per_event"]) == (4.5, 3.5)
    assert told["bits_per_note"] == pytest.approx(14)
    assert (plain["low"], plain["high"]) == pytest.approx((3.0, 6.0))
    for end in ("difference", "difference_low", "difference_high"):
        assert told[end] == pytest.approx(-1)
        assert np.isnan(plain[end])


def test_a_difference_smaller_than_that_of_two_seeds_does_not_count():
    one = study({("vanilla", "nothing"): [3.0, 3.0], ("centred", "truth"): [2.9, 2.9]})
    other = study({("vanilla", "nothing"): [2.5, 2.5], ("centred", "truth"): [2.4, 2.4]})
    row = condition_table(one | {"rows": one["rows"] + other["rows"]})[1]
    assert row["difference"] == pytest.approx(-0.1)
    assert row["difference_low"] < 0 < row["difference_high"]
    assert (row["lowest"], row["highest"]) == (2.4, 2.9)


def test_the_kept_table_has_its_anchors_and_seeds():
    rows = condition_table(shipped_study("conditional-char-rnn"))
    told = {(row["model"], row["told"]): row for row in rows}
    assert told["uniform", "nothing"]["bits_per_event"] == pytest.approx(np.log2(364))
    for model in ("vanilla", "centred", "past"):
        assert told[model, "nothing"]["seeds"] >= 3


def test_plans_are_drawn_apart():
    plans = random_plans(400, seed=1)
    pitch, density = (
        np.array([getattr(p, what)[0] for p in plans]) for what in ("pitch", "density")
    )
    assert set(pitch) == set(density) == set(range(1, 9))
    assert abs(np.corrcoef(pitch, density)[0, 1]) < 4 / np.sqrt(400)
    assert len({plan.histograms for plan in plans}) == 24


def test_the_shipped_model_does_as_it_is_told():
    found = asked_and_achieved(load_model("conditional-char-rnn"), random_plans(6), seconds=4)
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(6))
    assert len(found.songs) == 6
    by_height = np.argsort(found.pitch)
    assert found.mean_pitch[by_height[-1]] > found.mean_pitch[by_height[0]]
