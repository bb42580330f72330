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


def test_there_are_chapters():
    assert len(CHAPTERS) >= 2


def test_every_code_cell_has_run_without_error(chapter):
    counts = [cell["execution_count"] for cell in code_cells(chapter)]
    assert counts == list(range(1, len(counts) + 1))
    for cell in code_cells(chapter):
        assert all(output["output_type"] != "error" for output in cell["outputs"])
        assert all(output.get("name") != "stderr" for output in cell["outputs"])


def test_cells_are_few_and_short(chapter):
    cells = code_cells(chapter)
    assert 20 <= len(cells) <= 28
    assert max(len("".join(cell["source"]).splitlines()) for cell in cells) <= 25


def test_prose_is_neither_short_nor_long(chapter):
    words = sum(
        len("".join(c["source"]).split()) for c in chapter["cells"] if c["cell_type"] == "markdown"
    )
    assert 2000 <= words <= 3000


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


def test_five_exercises_have_hidden_solutions(chapter):
    solutions = [c for c in code_cells(chapter) if "solution" in c["metadata"].get("tags", [])]
    assert len(solutions) == 5
    assert all("hide-cell" in cell["metadata"]["tags"] for cell in solutions)
