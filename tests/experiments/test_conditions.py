import numpy as np
import pytest

from symphony.experiments import condition_table, shipped_experiment


def experiment(bits):
    """Two pieces of 8 events and 2 notes, at so many bits an event for each model and condition."""
    nats = {key: [8 * np.log(2) * b for b in each] for key, each in bits.items()}
    rows = [
        {"model": model, "condition": condition, "seed": 0, "nats": nats[model, condition]}
        | {"bits_per_event": float(np.mean(each)), "bits_per_note": 4 * float(np.mean(each))}
        for (model, condition), each in bits.items()
    ]
    return {"symbols": [8, 8], "notes": [2, 2], "rows": rows}


def test_differences_are_taken_piece_by_piece():
    # The pieces differ by 3 bits, the models by exactly 1 on each: the difference is certain.
    table = condition_table(
        experiment({("vanilla", "none"): [3.0, 6.0], ("centred", "true"): [2.0, 5.0]})
    )
    plain, conditional = table
    assert (plain["bits_per_event"], conditional["bits_per_event"]) == (4.5, 3.5)
    assert conditional["bits_per_note"] == pytest.approx(14)
    assert (plain["low"], plain["high"]) == pytest.approx((3.0, 6.0))
    for end in ("difference", "difference_low", "difference_high"):
        assert conditional[end] == pytest.approx(-1)
        assert np.isnan(plain[end])


def test_a_difference_smaller_than_that_of_two_seeds_does_not_count():
    one = experiment({("vanilla", "none"): [3.0, 3.0], ("centred", "true"): [2.9, 2.9]})
    other = experiment({("vanilla", "none"): [2.5, 2.5], ("centred", "true"): [2.4, 2.4]})
    row = condition_table(one | {"rows": one["rows"] + other["rows"]})[1]
    assert row["difference"] == pytest.approx(-0.1)
    assert row["difference_low"] < 0 < row["difference_high"]
    assert (row["lowest"], row["highest"]) == (2.4, 2.9)


def test_the_kept_table_has_its_anchors_and_seeds():
    rows = condition_table(shipped_experiment("conditional-char-rnn"))
    by_arm = {(row["model"], row["condition"]): row for row in rows}
    assert by_arm["uniform", "none"]["bits_per_event"] == pytest.approx(np.log2(364))
    for model in ("vanilla", "centred", "past"):
        assert by_arm[model, "none"]["seeds"] >= 3
