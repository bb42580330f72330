"""Principal component analysis, the one that all chapters use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from symphony.errors import RequestError


class Components(NamedTuple):
    """The directions in which rows vary most: ``(rows - mean) @ directions`` projects on them.

    Attributes:
        mean: of the rows, [k].
        directions: orthonormal columns, the largest variance first, [k, c].
        explained: each direction's share of the whole variance, 0 to 1; zeros where all rows are
            equal.
    """

    mean: Float64[np.ndarray, " k"]
    directions: Float64[np.ndarray, "k c"]
    explained: Float64[np.ndarray, " c"]


def principal_components(rows: Float[np.ndarray, "n k"], count: int) -> Components:
    """The ``count`` directions of largest variance (PCA), by singular values.

    A hundred pieces can't estimate the covariance of 256 features; they can that of 16.

    Args:
        rows: [n, k], one observation a row.
        count: how many directions; at most the smaller of n and k are found.

    Raises:
        RequestError: no rows, values not finite, or a count below 1.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all() or count < 1:
        raise RequestError(
            "Principal components need rows of finite numbers and at least one direction, not "
            f"shape {rows.shape} and {count}."
        )
    mean = rows.mean(axis=0)
    _, size, directions = np.linalg.svd(rows - mean, full_matrices=False)
    variance = size**2
    explained = variance / max(variance.sum(), np.finfo(np.float64).tiny)
    return Components(mean, directions[:count].T, explained[:count])
