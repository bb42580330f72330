import numpy as np
import pytest

from symphony.errors import RequestError
from symphony.experiments import report_table


def test_the_reports_table_is_made_once(tmp_path):
    rows = report_table("chorales", tmp_path, size="tiny", device="cpu")
    assert [row["reported"] for row in rows] == [5.89, 1.90, 1.75]
    assert rows[0]["loss"] == pytest.approx(np.log(363))
    assert all(0 < row["loss"] < 6 for row in rows[1:])
    weights = tmp_path / "char-rnn-reported" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    assert report_table("chorales", tmp_path, size="tiny", device="cpu") == rows
    assert weights.stat().st_mtime_ns == before
    with pytest.raises(RequestError, match="another recipe"):
        report_table("folk", tmp_path, size="tiny", device="cpu")
