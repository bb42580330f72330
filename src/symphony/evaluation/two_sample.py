"""Can a classifier tell composed from real? (chapters 3 and 4)"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from symphony.errors import SymphonyError
from symphony.evaluation.intervals import Interval, bootstrap

FOLDS = 5


class TwoSampleError(SymphonyError):
    """Sets that no classifier could learn from."""


def two_sample_accuracy(
    composed: Float64[np.ndarray, "n k"], real: Float64[np.ndarray, "m k"], seed: int = 0
) -> Interval:
    """How often logistic regression is right on pieces it has not seen: .5 is a coin, 1 certain.

    Classes weigh alike whatever their sizes: the mean of the two accuracies, by five-fold
    cross-validation. The interval is over pieces. Lopez-Paz and Oquab, "Revisiting classifier
    two-sample tests", ICLR 2017.

    Args:
        composed, real: a row of features a piece.
        seed: decides the folds and the bootstrap.

    Raises:
        TwoSampleError: fewer than five pieces on a side, unequal widths, or values not finite.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    composed, real = np.asarray(composed, float), np.asarray(real, float)
    if min(len(composed), len(real)) < FOLDS or composed.shape[1:] != real.shape[1:]:
        raise TwoSampleError(
            f"A two-sample test needs {FOLDS} pieces on each side and the same features, not "
            f"{composed.shape} and {real.shape}."
        )
    rows = np.vstack([composed, real])
    if not np.isfinite(rows).all():
        raise TwoSampleError("A two-sample test needs finite features.")
    label = np.repeat([1, 0], [len(composed), len(real)])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    right = cross_val_predict(model, rows, label, cv=folds) == label

    def balanced(pairs: np.ndarray) -> float:
        sides = [pairs[pairs[:, 1] == side, 0] for side in (0, 1)]
        return float(np.mean([side.mean() for side in sides])) if all(map(len, sides)) else np.nan

    return bootstrap(np.column_stack([right, label]), balanced, seed=seed)
