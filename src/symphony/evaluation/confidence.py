"""How sure a number is: percentile bootstrap confidence intervals (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from symphony.errors import RequestError

LEVEL = 95  # percent
RESAMPLES = 1000


class ConfidenceInterval(NamedTuple):
    """A statistic and its 95 % bootstrap confidence interval.

    Attributes:
        estimate: the statistic of the values themselves.
        low, high: 2.5th and 97.5th percentile over resamples; NaN for fewer than two values.
        values: how many there were, those that are NaN left out.
    """

    estimate: float
    low: float
    high: float
    values: int

    def __str__(self) -> str:
        """Three significant figures, the interval in brackets; a dash for what is undefined."""
        if np.isnan(self.estimate):
            return "–"
        if np.isnan(self.low):
            return f"{self.estimate:.3g}"
        return f"{self.estimate:.3g} ({self.low:.3g} to {self.high:.3g})"


UNDEFINED = ConfidenceInterval(np.nan, np.nan, np.nan, 0)


def bootstrap(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> ConfidenceInterval:
    """The statistic's confidence interval over values resampled with replacement.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics, 1979.

    Args:
        values: [n], or [n, k] for n rows that are drawn as wholes. Rows with NaN are left out.
        statistic: of an array like ``values``; :func:`numpy.mean`, :func:`numpy.median`, …
        seed: of the resampling.
        resamples: how many.

    Returns:
        The interval; all NaN where no value is left.
    """
    values = np.asarray(values, dtype=np.float64)
    whole = ~np.isnan(values).reshape(len(values), -1).any(axis=1)
    values = values[whole]
    if not len(values):
        return UNDEFINED
    estimate = float(statistic(values))
    if len(values) == 1 or np.isnan(estimate):
        return ConfidenceInterval(estimate, np.nan, np.nan, len(values))
    draws = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    resampled = np.array([statistic(values[draw]) for draw in draws], dtype=np.float64)
    low, high = np.nanpercentile(resampled, [50 - LEVEL / 2, 50 + LEVEL / 2])
    return ConfidenceInterval(estimate, float(low), float(high), len(values))


def spearman(requested: np.ndarray, achieved: np.ndarray, *, seed: int = 0) -> ConfidenceInterval:
    """Spearman's rank correlation with its confidence interval; NaN where either side is constant.

    Args:
        requested, achieved: [n] each, such as the level a model was conditioned on and the one
            its piece has.
        seed: of the resampling.

    Raises:
        RequestError: unequal lengths, or fewer than three pairs.
    """
    requested, achieved = (np.asarray(x, float).ravel() for x in (requested, achieved))
    if len(requested) != len(achieved) or len(requested) < 3:
        raise RequestError(
            f"A correlation needs three or more pairs, not {len(requested)} and {len(achieved)} "
            "values."
        )

    def correlation(pairs: np.ndarray) -> float:
        if (np.ptp(pairs, axis=0) == 0).any():
            return float("nan")
        return float(stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic)

    return bootstrap(np.column_stack([requested, achieved]), correlation, seed=seed, resamples=500)
