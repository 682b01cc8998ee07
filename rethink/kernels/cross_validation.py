"""Cross-validation of kernel interpolation on training points (what the paper leaves open in Table 3)."""

import torch
from torch import Tensor

from rethink.kernels.interpolation import one_hot


def error_of_folds(gram: Tensor, labels: Tensor, classes: int, folds: int, l2: float = 0.0) -> float | None:
    """Share of points that the other folds' minimum-norm solution gets wrong; None if K is singular.

    Args:
        gram: K (n, n) of training points, in any order that has nothing to do with their labels.
        labels: (n,) int64.
        classes: How many there are.
        folds: The i-th point is in fold i modulo this.
        l2: Added to the diagonal.
    """
    fold = torch.arange(len(labels), device=labels.device) % folds
    wrong = 0
    for each in range(folds):
        held, rest = (fold == each).nonzero()[:, 0], (fold != each).nonzero()[:, 0]
        rows = gram[rest]
        its = rows[:, rest]
        its.diagonal().add_(l2)
        factor, failed = torch.linalg.cholesky_ex(its)
        if failed:
            return None
        alpha = torch.cholesky_solve(one_hot(labels[rest], classes).to(gram.dtype), factor)
        wrong += int((rows[:, held].T @ alpha).argmax(1).ne(labels[held]).sum())
    return wrong / len(labels)
