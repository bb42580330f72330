"""The notebook contract: chapters are committed run, whole, small, and free of one machine."""

import json
import re
from pathlib import Path

import pytest

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return json.loads(request.param.read_text())


def code_cells(chapter):
    return [cell for cell in chapter["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return set(cell["metadata"].get("tags", []))


def lines(cell):
    return source(cell).splitlines()


def test_there_are_chapters():
    assert len(CHAPTERS) >= 2


def test_every_code_cell_has_run_without_error(chapter):
    counts = [cell["execution_count"] for cell in code_cells(chapter)]
    assert counts == list(range(1, len(counts) + 1))
    for cell in code_cells(chapter):
        assert all(output["output_type"] != "error" for output in cell["outputs"])
        assert all(output.get("name") != "stderr" for output in cell["outputs"])


def test_code_in_view_can_be_taken_in_at_a_glance(chapter):
    for cell in code_cells(chapter):
        if not {"hide-input", "hide-cell"} & tags(cell):
            assert len(lines(cell)) <= 25, source(cell)


def test_claims_are_judged_in_a_table(chapter):
    tables = [cell for cell in code_cells(chapter) if re.search(r"\bclaims\(", source(cell))]
    shown = [json.dumps(cell["outputs"]) for cell in tables]
    verdict = r"\b(holds|does not hold|undecided|not comparable)\b"
    assert any(re.search(verdict, output) for output in shown)


def test_parameters_come_early_and_whole(chapter):
    first = code_cells(chapter)[1]
    assert first["metadata"]["tags"] == ["parameters"]
    for name in ("SIZE", "TRAIN", "SEED", "CORPUS"):
        assert re.search(rf"(?m)^{name} = ", "".join(first["source"]))


def test_a_chapter_is_small_and_knows_no_machine(chapter):
    text = json.dumps(chapter)
    assert len(text) < 1_572_864
    assert not re.search(r"[\s\"'(](/(home|root|tmp|work|Users)/\w)", text)
    assert "papermill" not in chapter["metadata"]


def test_sounds_and_pictures_are_not_compared(chapter):
    for cell in code_cells(chapter):
        rich = any(
            {"image/png", "text/html"} & set(output.get("data", {})) for output in cell["outputs"]
        )
        if rich:
            assert "nbval-ignore-output" in cell["metadata"].get("tags", [])


def test_each_exercise_is_followed_by_a_hidden_solution_that_ran(chapter):
    cells = chapter["cells"]
    begin = next(i for i, cell in enumerate(cells) if "## Exercises" in lines(cell))
    asked = 0
    for i, cell in enumerate(cells[begin:], begin):
        text = source(cell).partition("## Exercises\n")[2] if i == begin else source(cell)
        count = len(re.findall(r"(?m)^\*\*\d+\.", text))
        if cell["cell_type"] == "markdown" and count:
            assert count == 1, text  # each has a solution of its own
            assert {"hide-cell", "solution"} <= tags(cells[i + 1]), text
            asked += 1
    assert asked >= 3
    solutions = [cell for cell in code_cells(chapter) if "solution" in tags(cell)]
    assert len(solutions) >= asked
    assert all("hide-cell" in tags(cell) and cell["execution_count"] for cell in solutions)
