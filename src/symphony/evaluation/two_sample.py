"""A classifier two-sample test: can composed be separated from real? (chapter 3)"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from symphony.errors import RequestError
from symphony.evaluation.confidence import ConfidenceInterval, bootstrap

FOLDS = 5


def two_sample_logistic(
    composed: Float64[np.ndarray, "n k"], real: Float64[np.ndarray, "m k"], seed: int = 0
) -> ConfidenceInterval:
    """Accuracy of a logistic regression at separating two sets: .5 is a coin, 1 certain.

    Measured on pieces it has not seen, by five-fold cross-validation. Classes weigh alike whatever
    their sizes: the mean of the two accuracies. The confidence interval is over pieces. Lopez-Paz
    and Oquab, "Revisiting classifier two-sample tests", ICLR 2017. On rolls, without features, see
    :func:`symphony.evaluation.two_sample_1nn`.

    Args:
        composed, real: [n, k] and [m, k], a row of features a piece.
        seed: of the folds and the bootstrap.

    Raises:
        RequestError: fewer than five pieces on a side, unequal widths, or values not finite.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    composed, real = np.asarray(composed, float), np.asarray(real, float)
    if min(len(composed), len(real)) < FOLDS or composed.shape[1:] != real.shape[1:]:
        raise RequestError(
            f"A two-sample test needs {FOLDS} pieces on each side and the same features, not "
            f"{composed.shape} and {real.shape}."
        )
    rows = np.vstack([composed, real])
    if not np.isfinite(rows).all():
        raise RequestError("A two-sample test needs finite features.")
    label = np.repeat([1, 0], [len(composed), len(real)])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    right = cross_val_predict(model, rows, label, cv=folds) == label

    def balanced_accuracy(pairs: np.ndarray) -> float:
        sides = [pairs[pairs[:, 1] == side, 0] for side in (0, 1)]
        return float(np.mean([side.mean() for side in sides])) if all(map(len, sides)) else np.nan

    return bootstrap(np.column_stack([right, label]), balanced_accuracy, seed=seed)
