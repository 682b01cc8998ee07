"""Kernels and their Gram matrices, a block at a time (Section 5, Table 3).

Points are rows of float32 features; blocks come in the dtype that is asked for. A large Gram matrix is never held: of
60,000 points it takes 14.4 GB in float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Progress = Callable[[str, int, int], None]
Kernel = Callable[[Tensor, Tensor], Tensor]
"""A positive definite function of two points: (a, d), (b, d) -> (a, b)."""

BLOCK = 2048  # rows and columns of the blocks in which a Gram matrix is applied


def silent(what: str, done: int, of: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Gaussian:
    """exp(-gamma |x - y|^2), with which the first author's published snippet has 1.22 % on MNIST at gamma 0.02."""

    gamma: float

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return squared_distances(x, y).mul_(-self.gamma).exp_()


def inner_products(x: Tensor, y: Tensor) -> Tensor:
    """The linear kernel <x, y>: the minimum-norm solution of Xw = y itself, with X X' of rank d at most."""
    return x @ y.T


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(a, d), (b, d) -> |x - y|^2, (a, b), by |x|^2 + |y|^2 - 2 <x, y>, which is never negative here.

    Its error is about the rounding of |x|^2: for images in [0, 1] and float32 under 1e-4, and 2e-6 in the kernel.
    """
    distances = torch.addmm((x * x).sum(1, keepdim=True), x, y.T, alpha=-2)
    return distances.add_((y * y).sum(1)).clamp_(min=0)


class Gram(Protocol):
    """The symmetric matrix K of n points, from which blocks are taken; `device` is where these come to be."""

    @property
    def n(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def block(self, rows: slice, columns: slice, dtype: torch.dtype) -> Tensor:
        """K[rows, columns], a new tensor."""


@dataclass(frozen=True)
class GramOfPoints:
    """K of a kernel on points (n, d): computed when a block is asked for."""

    kernel: Kernel
    points: Tensor

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def device(self) -> torch.device:
        return self.points.device

    def block(self, rows: slice, columns: slice, dtype: torch.dtype) -> Tensor:
        """K[rows, columns], a new tensor."""
        block = self.kernel(self.points[rows].to(dtype), self.points[columns].to(dtype))
        if isinstance(self.kernel, Gaussian):
            diagonal(block, rows, columns).fill_(1.0)  # and not 1 less the rounding of a distance
        return block


@dataclass(frozen=True)
class LowerTriangle:
    """The lower triangle of a matrix (n, n) in panels of columns: panel j has the rows from its first column on."""

    panels: Sequence[Tensor]

    @property
    def n(self) -> int:
        return len(self.panels[0])

    @property
    def columns(self) -> list[slice]:
        """The columns of each panel."""
        return blocks(self.n, self.panels[0].shape[1])

    @property
    def device(self) -> torch.device:
        return self.panels[0].device


class PackedGram(LowerTriangle):
    """K held as its lower triangle; the blocks on the diagonal of the panels are whole."""

    def block(self, rows: slice, columns: slice, dtype: torch.dtype) -> Tensor:
        """K[rows, columns], a new tensor; rows and columns begin together, or the rows behind the columns' end."""
        block = torch.empty(rows.stop - rows.start, columns.stop - columns.start, dtype=dtype, device=self.device)
        for part, panel in zip(self.columns, self.panels, strict=True):
            first, last = max(part.start, columns.start), min(part.stop, columns.stop)
            if first < last:
                top = max(rows.start, part.start)
                lower = panel[top - part.start : rows.stop - part.start, first - part.start : last - part.start]
                block[top - rows.start :, first - columns.start : last - columns.start] = lower
        if rows.start == columns.start:  # what lies above the diagonal is not in the panels
            square = block[: block.shape[1]]
            square.copy_(square.tril() + square.tril(-1).T)
        return block


def held(gram: Gram, width: int = BLOCK // 4) -> PackedGram:
    """K in float64, made once and held in half the memory of the whole, for where that fits."""
    return PackedGram([gram.block(slice(part.start, gram.n), part, torch.float64) for part in blocks(gram.n, width)])


def diagonal(block: Tensor, rows: slice, columns: slice) -> Tensor:
    """The part of K's diagonal that lies in K[rows, columns], as a view; it may be empty."""
    offset = rows.start - columns.start
    if -len(block) < offset < block.shape[1]:
        return block.diagonal(offset)
    return block.new_empty(0)


def apply(gram: Gram, vectors: Tensor, progress: Progress = silent) -> Tensor:
    """K times vectors (n, c), in their dtype; each block of the lower triangle is made once and used twice."""
    result = torch.zeros_like(vectors)
    if isinstance(gram, PackedGram):
        for part, panel in zip(gram.columns, gram.panels, strict=True):
            columns, width = panel.to(vectors.dtype), part.stop - part.start
            result[part.start :].addmm_(columns, vectors[part])
            result[part].addmm_(columns[width:].T, vectors[part.stop :])
        return result
    rows = blocks(gram.n, BLOCK)
    for done, row in enumerate(rows):
        for column in rows[: done + 1]:
            block = gram.block(row, column, vectors.dtype)
            result[row].addmm_(block, vectors[column])
            if column != row:
                result[column].addmm_(block.T, vectors[row])
        progress("kernel matrix times coefficients", (done + 1) * (done + 2) // 2, len(rows) * (len(rows) + 1) // 2)
    return result


def predict(kernel: Kernel, points: Tensor, train: Tensor, coefficients: Tensor, progress: Progress = silent) -> Tensor:
    """f(x) = sum_j k(x, x_j) alpha_j at points (m, d), (m, c); in the coefficients' dtype."""
    dtype = coefficients.dtype
    values = coefficients.new_zeros(len(points), coefficients.shape[1])
    parts = blocks(len(train), BLOCK)
    for done, part in enumerate(parts):
        centres = train[part].to(dtype)
        for row in blocks(len(points), BLOCK):
            values[row].addmm_(kernel(points[row].to(dtype), centres), coefficients[part])
        progress("predictions", done + 1, len(parts))
    return values


def blocks(n: int, size: int) -> list[slice]:
    """[0, n) in pieces."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def duplicates(points: Tensor) -> tuple[int, int] | None:
    """The first two equal points (n, ...), by hashing their bytes; None if all differ."""
    seen: dict[bytes, int] = {}
    for index, point in enumerate(points.cpu().numpy()):
        first = seen.setdefault(point.tobytes(), index)
        if first != index:
            return first, index
    return None
