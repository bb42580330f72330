"""The Fréchet distance between two sets of feature vectors (chapter 3)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy import linalg

from symphony.errors import RequestError


def frechet_distance(a: Float64[np.ndarray, "n k"], b: Float64[np.ndarray, "m k"]) -> float:
    """|mean_a - mean_b|^2 + trace(A + B - 2 (A B)^1/2), with covariances A and B.

    Heusel et al., "GANs trained by a two time-scale update rule", NIPS 2017, there on an image
    network's features. Few pieces make it too large, so compare only distances of equal numbers
    of pieces, and give the floor with them: real music's distance to other real music.

    Args:
        a, b: [n, k] and [m, k], a row of features a piece; which set comes first doesn't matter.

    Raises:
        RequestError: fewer than two rows, unequal widths, or values not finite.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise RequestError(
            f"A Fréchet distance needs two sets of at least two rows of one width, not "
            f"{a.shape} and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise RequestError("A Fréchet distance needs finite features.")
    between = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (a, b))
    # The trace of a matrix's root is the sum of the roots of its eigenvalues, which for a product
    # of two covariances are real and not negative but for rounding.
    roots = np.sqrt(np.maximum(linalg.eigvals(first @ second).real, 0.0)).sum()
    distance = between @ between + np.trace(first) + np.trace(second) - 2 * roots
    return float(max(distance, 0.0))
