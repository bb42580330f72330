import pytest

from symphony.training.folder import make_folder, set_aside, writing
from symphony.training.recipes import RecipeError


def test_a_write_that_fails_says_why_and_leaves_no_half_file(tmp_path):
    (tmp_path / ".state.ckpt.partial").write_text("half")
    (tmp_path / ".theirs.partial").write_text("not ours")
    (tmp_path / "state.ckpt").write_text("whole")
    with pytest.raises(RecipeError, match=r"No space left.*--resume"), writing(tmp_path):
        raise OSError(28, "No space left on device")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".theirs.partial", "state.ckpt"]


def test_a_folder_that_is_a_file(tmp_path):
    path = tmp_path / "run"
    path.write_text("x")
    with pytest.raises(RecipeError, match="it is a file"):
        make_folder(path)
    with pytest.raises(RecipeError, match="can't be one"):
        make_folder(path / "below")
    assert path.read_text() == "x"


def test_an_earlier_run_moves_aside_whole_and_replaces_the_one_before(tmp_path):
    assert not set_aside(tmp_path)
    for turn, names in enumerate((["card.json", "step-000010.safetensors"], ["card.json"])):
        for name in names:
            (tmp_path / name).write_text(str(turn))
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / "encoded.npz").write_text("this run's music")
        assert set_aside(tmp_path)
        assert sorted(p.name for p in (tmp_path / "earlier").iterdir()) == names
        assert (tmp_path / "earlier" / "card.json").read_text() == str(turn)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["earlier", "encoded.npz", "notes.txt"]
