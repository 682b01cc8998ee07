"""Whether a measure orders runs as their test error does: Kendall's tau (Jiang et al. 2020), with an interval."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rethink import randomness

FEWEST = 10  # pairs of runs under which no interval is worth its name: four runs have six, five have ten
_STRONG = 0.5  # an interval that stays under this rules out that the order is mostly right

Answer = Literal["orders", "does not order", "reversed", "cannot tell"]


@dataclass(frozen=True)
class Correlation:
    """Kendall's tau over some pairs of runs and its 95 % bootstrap interval; None where it is not defined."""

    tau: float | None
    low: float | None
    high: float | None
    pairs: int
    """That differ in both quantities."""

    @property
    def answer(self) -> Answer:
        """In plain words.

        orders, reversed: the interval is all above, or all under, 0. does not order: it holds 0 and no strong order in
        either direction. cannot tell: it is too wide for either, or there are too few pairs.
        """
        if self.low is None or self.high is None or self.pairs < FEWEST:
            return "cannot tell"
        if self.low > 0:
            return "orders"
        if self.high < 0:
            return "reversed"
        return "does not order" if max(-self.low, self.high) < _STRONG else "cannot tell"

    def __str__(self) -> str:
        if self.tau is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.tau:+.2f}"
        return f"{self.tau:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def correlate(
    measure: Sequence[float],
    error: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    resolution: float = 0.0,
    draws: int = 2000,
) -> Correlation:
    """Kendall's tau-b of two quantities of the same runs.

    Left out are pairs of runs of different groups, if there are groups, and pairs whose errors differ by no more than
    the resolution, if there is one: on a finite test set they cannot be told apart. The interval is that of the 2.5 and
    97.5 % quantiles over runs drawn with replacement; draws that leave no pair that differs are left out.
    """
    n = len(measure)
    x, y = _signs(measure), _signs(error)
    same = np.ones((n, n), dtype=bool) if groups is None else np.array([[a == b for b in groups] for a in groups])
    if resolution > 0:
        values = np.asarray(error, dtype=np.float64)
        same &= np.abs(values[:, None] - values[None, :]) > resolution
    x, y = x * same, y * same
    tau = _tau(x, y, np.ones((1, n)))[0] if n else math.nan
    if not math.isfinite(tau):
        return Correlation(None, None, None, 0)
    index = np.arange(draws * n)
    chosen = randomness.integers(randomness.key(0, "bootstrap", n), index, n).reshape(draws, n)
    counts = (chosen[:, :, None] == np.arange(n)).sum(1).astype(np.float64)
    taus = _tau(x, y, counts)
    low, high = np.quantile(taus[np.isfinite(taus)], [0.025, 0.975])
    return Correlation(float(tau), float(low), float(high), int(np.abs(x * y).sum()) // 2)


def _signs(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.sign(array[:, None] - array[None, :])


def _tau(x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tau-b of each row of counts, how often each run was drawn: a run that was drawn twice ties with itself."""

    def pairs(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.einsum("bi,ij,bj->b", counts, matrix, counts, optimize=True)
        return sums

    with np.errstate(invalid="ignore", divide="ignore"):
        tau: NDArray[np.float64] = pairs(x * y) / np.sqrt(pairs(x * x) * pairs(y * y))
    return tau
