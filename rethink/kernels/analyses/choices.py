"""What the paper does not say of Table 3, chosen by cross-validation on training images: bandwidth, wavelets, l2."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from rethink.errors import UserError
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.cross_validation import error_of_folds
from rethink.kernels.gram import Gram, Progress, squared_distances

MULTIPLES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # gammas, over the median squared distance
L2S = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # over the mean of K's diagonal

Row = dict[str, Any]
Chosen = float | Literal["cross_validated"]


@dataclass(frozen=True)
class Validation:
    """The first training images, which are a random subset, on which choices are made. Test images are not here."""

    labels: Tensor
    classes: int
    folds: int
    progress: Progress

    @classmethod
    def of(cls, examples: Examples, size: int, folds: int, progress: Progress) -> "Validation":
        """On so many of the training images, or all if there are fewer."""
        return cls(examples.labels["true labels"][:size], examples.classes, folds, progress)

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.labels)

    def gammas(self, points: Tensor) -> list[Row]:
        """The error of each bandwidth of the Gaussian kernel on points (n, d), of which the first are taken."""
        some = points[: self.n].double()
        distances = squared_distances(some, some)
        typical = float(distances[distances > 0].median())
        found = []
        for done, multiple in enumerate(MULTIPLES):
            gamma = multiple / typical
            gram = (distances * -gamma).exp_().fill_diagonal_(1.0)
            found.append({"gamma": gamma, "error": self._error(gram, 0.0)})
            self.progress("cross-validation of gamma", done + 1, len(MULTIPLES))
        return found

    def l2s(self, gram: Gram) -> "Validated":
        """The error of each l2, in units of the mean of K's diagonal."""
        every = slice(0, self.n)
        block = gram.block(every, every, torch.float64)
        unit = float(block.diagonal().mean())
        found = []
        for done, l2 in enumerate(L2S):
            found.append({"l2": l2, "error": self._error(block, l2 * unit)})
            self.progress("cross-validation of l2", done + 1, len(L2S))
        return Validated(self.n, self.folds, found)

    def _error(self, gram: Tensor, l2: float) -> float | None:
        return error_of_folds(gram, self.labels.to(gram.device), self.classes, self.folds, l2)


@dataclass(frozen=True)
class Validated:
    """The errors of each l2, on n images in folds."""

    n: int
    folds: int
    l2s: list[Row]


def given_or_best(given: Chosen, rows: Sequence[Row], option: str) -> float:
    """The number that was given, or the one with the least error of cross-validation."""
    return float(best(rows, option)[option] if given == "cross_validated" else given)


def best(rows: Sequence[Row], option: str) -> Row:
    """The row with the least error, the first of equal ones."""
    known = [row for row in rows if row["error"] is not None]
    if not known:
        raise UserError(
            f"every kernel matrix of the cross-validation of {option} is singular. Give a number: --{option}."
        )
    return min(known, key=lambda row: float(row["error"]))
