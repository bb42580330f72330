import pytest

from symphony import notebook
from symphony.training import Card


def test_table_rounds_to_three_figures_and_keeps_pipes_apart():
    shown = notebook.table([{"what": "a|b", "bits": 1.23456, "notes": 12345, "ok": True}])
    assert shown.data.splitlines()[-1] == "| a\\|b | 1.23 | 12,345 | yes |"


def test_table_refuses_rows_of_different_columns():
    with pytest.raises(ValueError, match="same columns"):
        notebook.table([{"a": 1}, {"b": 2}])
    with pytest.raises(ValueError, match="at least one row"):
        notebook.table([])


def test_claims_print_the_computed_verdict():
    lines = notebook.claims([("it copies", "59 onsets", True), ("it rhymes", "no", False)]).data
    assert "| holds |" in lines
    assert "| does not hold |" in lines


def test_quiz_escapes_and_wants_one_right_answer():
    shown = notebook.quiz("1 < 2?", [("yes", True, "so it is"), ("no", False, "count again")])
    assert "1 &lt; 2?" in shown.data
    assert shown.data.count("<details") == 2
    with pytest.raises(ValueError, match="exactly one"):
        notebook.quiz("?", [("a", True, ""), ("b", True, "")])


def test_show_gives_the_source():
    assert "def quiz" in notebook.show(notebook.quiz).data


def test_learning_curve_marks_the_best_held_out_step():
    curve = [
        {"step": 1, "train": 3.0, "validation": 3.0},
        {"step": 2, "train": 2.0, "validation": 2.5},
        {"step": 3, "train": 1.0, "validation": 2.8},
    ]
    ax = notebook.learning_curve(Card("char_rnn", {"name": "x"}, "", {}, curve=curve))
    assert ax.lines[2].get_xydata().tolist() == [[2.0, 2.5]]


def test_a_figure_has_words_and_is_closed():
    import matplotlib.pyplot as plt

    plt.plot([1, 2])
    shown = notebook.figure("A <line>", "It rises.").data
    assert 'alt="It rises."' in shown
    assert "A &lt;line&gt;" in shown
    assert plt.get_fignums() == []


def test_a_finding_fails_the_shipped_run_and_is_judged_anew_in_a_readers_own():
    assert "four voices" in notebook.finding("It sings in four voices.", holds=True).data
    with pytest.raises(AssertionError, match="No longer so: It sings"):
        notebook.finding("It sings.", holds=False)
    assert "Not so in this run" in notebook.finding("It sings.", holds=False, shipped=False).data


def test_claims_may_name_seeds_and_budget_and_whose_they_are():
    lines = notebook.claims([("it sings", "4 voices", "3 seeds", "undecided")], "our claim").data
    assert lines.splitlines()[0] == "| our claim | what we measured | seeds, budget | verdict |"
    assert "| 3 seeds | undecided |" in lines


def test_a_diagram_has_caption_and_label():
    from symphony.rendering import Node

    shown = notebook.diagram({"a": Node("LSTM", 0.5, 0)}, [], "One < cell.", "One box.").data
    assert "One &lt; cell." in shown
    assert 'aria-label="One box."' in shown
