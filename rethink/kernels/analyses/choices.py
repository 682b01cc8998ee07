"""What the paper does not say of Table 3, chosen by cross-validation on training images: bandwidth, wavelets, l2."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from rethink.errors import UserError
from rethink.kernels.gram import Gram, Progress, squared_distances
from rethink.kernels.interpolation import error_of_folds

MULTIPLES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # gammas, over the median squared distance
L2S = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # over the mean of K's diagonal

Row = dict[str, Any]
Chosen = float | Literal["cross_validated"]


@dataclass(frozen=True)
class Validation:
    """The first training images, which are a random subset, on which choices are made. Test images are not here.

    labels: (n,) int64, the true ones. classes: How many there are. folds: Of the cross-validation.
    """

    labels: Tensor
    classes: int
    folds: int
    progress: Progress

    @property
    def n(self) -> int:
        return len(self.labels)

    def gammas(self, points: Tensor) -> list[Row]:
        """The error of each bandwidth of the Gaussian kernel on points (n, d), of which the first are taken."""
        first = points[: self.n].double()
        distances = squared_distances(first, first)
        typical = float(distances[distances > 0].median())
        gammas = [multiple / typical for multiple in MULTIPLES]
        return self._rows("gamma", gammas, lambda gamma: ((distances * -gamma).exp_().fill_diagonal_(1.0), 0.0))

    def l2s(self, gram: Gram) -> list[Row]:
        """The error of each l2, in units of the mean of K's diagonal."""
        first = slice(0, self.n)
        block = gram.block(first, first, torch.float64)
        unit = float(block.diagonal().mean())
        return self._rows("l2", L2S, lambda l2: (block, l2 * unit))

    def _rows(self, option: str, values: Sequence[float], solved: Callable[[float], tuple[Tensor, float]]) -> list[Row]:
        """The error of each value, of which `solved` gives the matrix and what is added to its diagonal."""
        rows = []
        for done, value in enumerate(values, start=1):
            gram, l2 = solved(value)
            error = error_of_folds(gram, self.labels.to(gram.device), self.classes, self.folds, l2)
            rows.append({option: value, "error": error})
            self.progress(f"cross-validation of {option}", done, len(values))
        return rows


def given_or_best(given: Chosen, rows: Sequence[Row], option: str) -> float:
    """The number that was given, or the one with the least error of cross-validation."""
    return float(best(rows, option)[option] if given == "cross_validated" else given)


def best(rows: Sequence[Row], option: str) -> Row:
    """The row with the least error, the first of equal ones."""
    regular = [row for row in rows if row["error"] is not None]
    if not regular:
        raise UserError(
            f"every kernel matrix of the cross-validation of {option} is singular. Give a number: --{option}."
        )
    return min(regular, key=lambda row: float(row["error"]))
