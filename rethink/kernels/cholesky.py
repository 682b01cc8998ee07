"""Exact solution of K alpha = y by a blocked Cholesky factorization in half the memory of K (Section 5, Table 3).

The factor L of K = L L' is computed panel by panel, a panel being some columns of the lower triangle. A panel is made
from the kernel when its turn comes, takes away what the panels before it explain, and becomes its part of L in place.
So K is never held, n = 60,000 takes 7.2 GB in float32 and 14.4 GB in float64, and a finished panel never changes: it
can be kept, and an interrupted factorization goes on behind it.
"""

import torch
from torch import Tensor

from rethink.kernels.gram import Gram, LowerTriangle, Progress, blocks, silent

PANEL = 512  # columns of a panel: wide enough for matrix products at full speed
_INNER = 256  # columns that are factored together within a panel
_ROUNDING = 16  # a pivot of so many roundings of K's diagonal is none


class SingularError(Exception):
    """K is not positive definite in this precision: point `row` is a combination of those before it."""

    def __init__(self, row: int) -> None:
        super().__init__(f"the pivot of row {row} is 0 or less, up to rounding")
        self.row = row


class Factor(LowerTriangle):
    """L; what is above its diagonal within a panel is not zeroed."""

    @property
    def smallest_pivot(self) -> float:
        """The smallest squared distance, in feature space, of a point from the span of those before it."""
        return min(float(panel.diagonal().min()) for panel in self.panels) ** 2

    def solve(self, targets: Tensor, points: Tensor | None = None) -> Tensor:
        """alpha of K alpha = y for targets (n, c).

        Args:
            targets: A column per equation.
            points: (c,) int64, how many of the points each column is about: the leading block of L is the factor of
                the leading block of K, so the problem of the first points is solved with the same factor. What is
                behind them comes out as 0.
        """
        vectors = self._forward(targets)
        if points is not None:
            only_first(vectors, points)
        return self._backward(vectors)

    def _forward(self, vectors: Tensor) -> Tensor:
        vectors = vectors.clone()
        for part, panel in zip(self.columns, self.panels, strict=True):
            width = part.stop - part.start
            vectors[part] = torch.linalg.solve_triangular(panel[:width], vectors[part], upper=False)
            vectors[part.stop :].addmm_(panel[width:], vectors[part], alpha=-1)
        return vectors

    def _backward(self, vectors: Tensor) -> Tensor:
        vectors = vectors.clone()
        for part, panel in zip(self.columns[::-1], self.panels[::-1], strict=True):
            width = part.stop - part.start
            vectors[part].addmm_(panel[width:].T, vectors[part.stop :], alpha=-1)
            vectors[part] = torch.linalg.solve_triangular(panel[:width].T, vectors[part], upper=True)
        return vectors


def only_first(vectors: Tensor, points: Tensor) -> Tensor:
    """Sets column c of vectors (n, c) to 0 behind its first points[c] rows, in place."""
    row = torch.arange(len(vectors), device=vectors.device)[:, None]
    return vectors.masked_fill_(row >= points.to(vectors.device), 0)


class PanelStore:
    """Finished panels that survive an interruption; this one keeps nothing."""

    def get(self, index: int) -> Tensor | None:
        """A finished panel; None if it was not kept."""
        return None

    def put(self, index: int, panel: Tensor) -> None:
        """Takes a panel that is finished."""


def factorize(
    gram: Gram,
    dtype: torch.dtype,
    kept: PanelStore | None = None,
    progress: Progress = silent,
    width: int = PANEL,
    inner: int = _INNER,
    l2: float = 0.0,
) -> Factor:
    """The Cholesky factor of K + l2 I, left-looking; SingularError names the row where it ends."""
    kept = kept or PanelStore()
    columns = blocks(gram.n, width)
    panels: list[Tensor] = []
    for index, part in enumerate(columns):
        panel = kept.get(index)
        if panel is None or panel.shape != (gram.n - part.start, part.stop - part.start):
            panel = gram.block(slice(part.start, gram.n), part, dtype)
            panel.diagonal().add_(l2)
            smallest = _ROUNDING * torch.finfo(dtype).eps * panel.diagonal()
            for before, columns_before in zip(panels, columns, strict=False):
                rows = before[part.start - columns_before.start :]
                panel.addmm_(rows, rows[: part.stop - part.start].T, alpha=-1)
            _factor_panel(panel, smallest, part.start, inner)
            kept.put(index, panel)
        panels.append(panel.to(gram.device))
        # Work done, and not panels: the last ones are the cheapest, those in the middle the dearest.
        progress("Cholesky factor, thousandths", _work(part.stop, gram.n), 1000)
    return Factor(panels)


def bytes_needed(n: int, dtype: torch.dtype) -> int:
    """Of the factor: the lower triangle in panels."""
    whole, rest = divmod(n, PANEL)
    entries = PANEL * (whole * n - PANEL * whole * (whole - 1) // 2) + rest**2
    return entries * torch.finfo(dtype).bits // 8


def _factor_panel(panel: Tensor, smallest: Tensor, start: int, inner: int) -> None:
    """Factors the head of a panel and solves the rest of its rows against it, in place."""
    for part in blocks(panel.shape[1], inner):
        here = panel[part.start :, part]
        if part.start:
            here.addmm_(panel[part.start :, : part.start], panel[part, : part.start].T, alpha=-1)
        size = part.stop - part.start
        head, failed = torch.linalg.cholesky_ex(here[:size])
        pivots = head.diagonal()[: int(failed) - 1 if failed else size].square()
        rounded = ~(pivots > smallest[part][: len(pivots)])  # also where it is no number
        if failed or rounded.any():
            row = int(rounded.nonzero()[0]) if rounded.any() else int(failed) - 1
            raise SingularError(start + part.start + row)
        here[:size] = head
        here[size:] = torch.linalg.solve_triangular(head.T, here[size:], upper=True, left=False)


def _work(done: int, n: int) -> int:
    """Thousandths of the n^3 / 3 multiplications that the first columns take: n x^2 - 2 x^3 / 3 of them."""
    share = done / n
    return round(1000 * (3 * share**2 - 2 * share**3))
