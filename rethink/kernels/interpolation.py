"""The minimum-norm solution K alpha = y, its certificate and its norms (Section 5).

Of all w with Xw = y the one in the span of the data, w = X' alpha, has the least norm; K = X X' is all that is needed
of X, and for a kernel X need not be finite.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rethink.kernels.cholesky import Factor, only_first
from rethink.kernels.gram import Gram, Progress, apply, silent

REFINEMENTS = 4  # at most: each takes away the factor (condition of K) x (precision of L)
_GOOD_ENOUGH = {torch.float32: 1e-6, torch.float64: 1e-12}  # relative residual at which refinement ends


@dataclass(frozen=True)
class Solution:
    """alpha (n, c) in float64, and as its certificate y - (K + l2 I) alpha (n, c), with K anew in float64."""

    coefficients: Tensor
    residuals: Tensor
    refinements: int

    def relative_residual(self, targets: Tensor, columns: slice) -> dict[str, float]:
        """|K alpha - y| / |y| of some columns: by the Frobenius norm, and by the largest entry."""
        residual, target = self.residuals[:, columns], targets[:, columns].to(self.residuals.device)
        return {
            "frobenius": float(residual.norm() / target.norm()),
            "largest": float(residual.abs().max() / target.abs().max()),
        }


def solve(
    gram: Gram,
    factor: Factor,
    targets: Tensor,
    points: Tensor | None = None,
    progress: Progress = silent,
    l2: float = 0.0,
) -> Solution:
    """Solves with the factor, then refines: residuals in float64 with K computed anew, corrections by the factor.

    Args:
        gram: K.
        factor: That of K + l2 I, in any precision.
        targets: (n, c) float64.
        points: (c,) how many of the points each column is about; None is all. Its targets behind them count as 0.
        progress: Told of the products with K.
        l2: Added to the diagonal of K.
    """
    first = torch.full((targets.shape[1],), gram.n) if points is None else points

    def residuals_of(coefficients: Tensor) -> Tensor:
        product = apply(gram, coefficients, progress).add_(coefficients, alpha=l2)
        return only_first(targets - product, first)

    dtype = factor.panels[0].dtype
    targets = only_first(targets.double().to(gram.device).clone(), first)
    coefficients = factor.solve(targets.to(dtype), first).double()
    residuals = residuals_of(coefficients)
    refinements = 0
    while refinements < REFINEMENTS and _size(residuals, targets) > _GOOD_ENOUGH[dtype]:
        refined = coefficients + factor.solve(residuals.to(dtype), first).double()
        left = residuals_of(refined)
        if not _size(left, targets) < _size(residuals, targets) / 2:
            break
        coefficients, residuals, refinements = refined, left, refinements + 1
    return Solution(coefficients, residuals, refinements)


def _size(residuals: Tensor, targets: Tensor) -> float:
    """The largest over the columns of |residual| / |target|."""
    return float((residuals.norm(dim=0) / targets.norm(dim=0).clamp_min(1e-300)).max())


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(n,) -> (n, classes) float64."""
    return torch.nn.functional.one_hot(labels, classes).double()


def error_of_folds(gram: Tensor, labels: Tensor, classes: int, folds: int, l2: float = 0.0) -> float | None:
    """Share of points that the other folds' minimum-norm solution gets wrong; None if K is singular.

    Args:
        gram: K (n, n) of training points, in any order that has nothing to do with their labels.
        labels: (n,) int64.
        classes: How many there are.
        folds: The i-th point is in fold i modulo this.
        l2: Added to the diagonal.
    """
    folds_of = torch.arange(len(labels), device=labels.device) % folds
    wrong = 0
    for fold in range(folds):
        held, rest = (folds_of == fold).nonzero()[:, 0], (folds_of != fold).nonzero()[:, 0]
        rows = gram[rest]
        within = rows[:, rest]
        within.diagonal().add_(l2)
        factor, failed = torch.linalg.cholesky_ex(within)
        if failed:
            return None
        alpha = torch.cholesky_solve(one_hot(labels[rest], classes).to(gram.dtype), factor)
        wrong += int((rows[:, held].T @ alpha).argmax(1).ne(labels[held]).sum())
    return wrong / len(labels)


def norms(coefficients: Tensor, fitted: Tensor) -> dict[str, float]:
    """Norms that "the l2 norm of the minimum-norm solution" may be; the paper does not say which.

    The one-hot targets of all classes sum to 1 and alpha is linear in the targets, so the solutions for +-1 targets,
    centred targets and class numbers are combinations of those for one-hot targets, and their norms follow from two
    matrices of classes x classes.

    Args:
        coefficients: alpha (n, classes) for the one-hot targets.
        fitted: K alpha (n, classes): the targets themselves where K is not regularized.
    """
    classes = coefficients.shape[1]
    inner = fitted.T @ coefficients  # alpha' K alpha: <f_c, f_d> in the RKHS
    inner = (inner + inner.T) / 2
    squares = coefficients.T @ coefficients
    identity = torch.eye(classes, dtype=inner.dtype, device=inner.device)
    ones = torch.ones_like(identity)
    combined = {
        "one-hot": identity,
        "±1": 2 * identity - ones,
        "centred": identity - ones / classes,
        "class number": torch.arange(classes, dtype=inner.dtype, device=inner.device)[:, None],
    }
    values = {}
    for name, change in combined.items():
        by_class = (change.T @ inner @ change).diagonal().clamp_min(0).sqrt()
        values[f"RKHS, {name}"] = math.hypot(*by_class.tolist())
        if len(by_class) > 1:
            values[f"RKHS, {name}, mean of a class"] = float(by_class.mean())
            values[f"RKHS, {name}, largest of a class"] = float(by_class.max())
        values[f"coefficients, {name}"] = float((change.T @ squares @ change).trace().clamp_min(0).sqrt())
    return values
