"""The points of Theorem 1 on a line, and the weights that follow from them (Section 2.2, Appendix C).

Numerics. All is float64. Two points that are close on the line and have different targets need a steep piece, of slope
(y_i - y_{i-1}) / (x_i - x_{i-1}), and so two weights that are large and of opposite sign. A forward pass makes errors
of about eps * max |w_j| * (x_n - b_1), `Sample.rounding`. Two choices keep that small:

- The direction is the one of several random ones whose smallest gap is largest in relation to the range.
- b_i = x_{i-1}, the limit of the proof's b_i > x_{i-1}: still triangular, and its smallest eigenvalue is the largest
  that can be had. With b_i between the two, w_i would have to undo the slope that all those before have left.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rethink import randomness
from rethink.errors import UserError

DIRECTIONS = 8  # random directions of which the best is taken
# Values that are computed together: 256 KiB, which stay in a cache, and too few for torch to start threads. With
# threads it is hardly faster, and on a busy machine ten times as slow, for they wait for each other at every step.
BLOCK = 2**15

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """n distinct points on a line, as the proof of Theorem 1 has them: projected on a direction a, and sorted.

    direction: (d,). x: (n,), x_1 < x_2 < ... < x_n, where x_i = <a, z_i>. y: (n,), their targets. All float64.
    """

    direction: Vector
    x: Vector
    y: Vector

    @classmethod
    def of(cls, points: Tensor, targets: Tensor, seed: int = 0) -> Self:
        """Projects and sorts. Rows that are the same and have the same target are one point.

        Args:
            points: (n, ...), each of d values in all.
            targets: (n,), classes or real values.
            seed: Seed of the direction.

        Raises:
            UserError: There is no point, a value is not finite, two rows are the same and have different targets, or
                two are so close that no direction tells them apart.
        """
        points, y = points.detach(), targets.detach().double()
        _check(points, y)
        directions = _directions(seed, points)
        lines = [project(points, direction) for direction in directions]
        kept = _distinct(points, y, lines[0])
        orders = [kept[x[kept].argsort()] for x in lines]
        samples = [
            cls(*(values.cpu().numpy() for values in (direction, x[order], y[order])))
            for direction, x, order in zip(directions, lines, orders, strict=True)
        ]
        best = max(samples, key=lambda sample: sample._spread)
        if not best._spread > 0:
            raise UserError(_too_close(points, lines[0][orders[0]], orders[0]))
        if not np.isfinite(best.weights).all():
            raise UserError("the targets are so large that the slopes between them overflow float64. Scale them down.")
        return best

    @property
    def size(self) -> int:
        """n."""
        return len(self.x)

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.direction)

    @cached_property
    def thresholds(self) -> Vector:
        """b_1 < x_1 <= b_2 < x_2 <= ... <= b_n < x_n, (n,); b_1 lies under x_1 by the mean gap."""
        gap = (self.x[-1] - self.x[0]) / (self.size - 1) if self.size > 1 else 1.0
        return np.concatenate([self.x[:1] - gap, self.x[:-1]])

    @property
    def eigenvalues(self) -> Vector:
        """Those of the matrix A_ij = max(x_i - b_j, 0), (n,): it is lower triangular, they are its diagonal."""
        return self.x - self.thresholds

    @property
    def smallest_eigenvalue(self) -> float:
        """min_i (x_i - b_i), Lemma 1."""
        return float(self.eigenvalues.min())

    @property
    def smallest_gap(self) -> float | None:
        """min_i (x_i - x_{i-1}); None for one point."""
        return float(np.diff(self.x).min()) if self.size > 1 else None

    @cached_property
    def weights(self) -> Vector:
        """w = A^-1 y, (n,): each is by how much the slope changes at its threshold, so A is never formed."""
        with np.errstate(over="ignore", invalid="ignore"):  # `of` refuses what is not finite
            return np.diff(slopes(self.x, self.y, self.thresholds), prepend=0.0)

    @property
    def rounding(self) -> float:
        """How large the errors of a forward pass in float64 are to be expected: eps * max |w_j| * (x_n - b_1)."""
        spacing = np.finfo(np.float64).eps
        return float(spacing * np.abs(self.weights).max() * (self.x[-1] - self.thresholds[0]))

    @property
    def _spread(self) -> float:
        """The smallest gap in relation to the range; also of the coordinates from 0 up that DeepReLU passes on.

        0 where points are equal on the line, or not finite.
        """
        if not np.isfinite(self.x).all():
            return 0.0
        if self.size == 1:
            return 1.0
        gaps = np.minimum(np.diff(self.x), np.diff(self.x - self.thresholds[0]))
        return float(gaps.min() / max(self.x[-1] - self.x[0], np.finfo(np.float64).tiny))


def project(points: Tensor, direction: Tensor) -> Tensor:
    """x_i = <a, z_i> in float64, (m, ...) -> (m,).

    Row by row, and not by a matrix product, which rounds a row differently according to where it stands: equal points
    have to be equal on the line, and one that was fitted has to come out where it was.
    """
    flat = points.flatten(1)
    rows = max(1, BLOCK // flat.shape[1])
    return torch.cat([(chunk.double() * direction).sum(1) for chunk in flat.split(rows)])


def slopes(x: Vector, y: Vector, thresholds: Vector) -> Vector:
    """Slopes of the pieces that end in x_1, ..., x_n; the function comes from 0."""
    return np.diff(y, prepend=0.0) / (x - thresholds)


def _directions(seed: int, points: Tensor) -> Tensor:
    """Random directions of length 1, (DIRECTIONS, d) float64: a function of the seed and of d."""
    stream = randomness.key(seed, "directions of Theorem 1")
    draws = randomness.tensor(randomness.normal(stream, np.arange(DIRECTIONS), points[0].numel())).double()
    unit: Tensor = draws / draws.norm(dim=1, keepdim=True)
    return unit.to(points.device)


# What cannot be represented.


def _check(points: Tensor, targets: Tensor) -> None:
    if points.ndim < 2 or targets.ndim != 1 or len(points) != len(targets):
        shapes = f"{tuple(points.shape)} and {tuple(targets.shape)}"
        raise UserError(f"points and targets have the shapes {shapes}. Expected (n, d) and (n,).")
    if not points.numel():
        raise UserError(f"the points have the shape {tuple(points.shape)}: there is nothing to represent.")
    for what, values in (("point", points), ("target", targets)):
        for first in range(0, len(values), 1000):  # so that no more than a block's answers are in memory
            finite = values[first : first + 1000].flatten(1) if values.ndim > 1 else values[first : first + 1000, None]
            bad = (~torch.isfinite(finite)).any(1).nonzero()
            if len(bad):
                row = first + int(bad[0])
                raise UserError(f"the {what} in row {row} is not finite (NaN or infinite). Every value must be finite.")


def _distinct(points: Tensor, targets: Tensor, x: Tensor) -> Tensor:
    """Indices of the rows, each point once; only rows that are equal on the line can be equal."""
    order = x.argsort(stable=True)
    tied = x[order].diff() == 0  # so rows are compared in their order
    keep = torch.ones(len(x), dtype=torch.bool, device=x.device)
    seen: dict[bytes, int] = {}
    for place in tied.nonzero().flatten().tolist():
        before, row = int(order[place]), int(order[place + 1])
        if place == 0 or not tied[place - 1]:
            seen = {_bytes(points[before]): before}
        first = seen.setdefault(_bytes(points[row]), row)
        if first != row:
            if targets[first] != targets[row]:
                raise UserError(
                    f"rows {first} and {row} are the same point, with the targets {float(targets[first]):g} and "
                    f"{float(targets[row]):g}: no function has both. Remove one of the two."
                )
            keep[row] = False
    return keep.nonzero().flatten()


def _bytes(point: Tensor) -> bytes:
    return (point + 0.0).cpu().numpy().tobytes()  # 0.0: where -0 and 0 differ in their bits


def _too_close(points: Tensor, x: Tensor, order: Tensor) -> str:
    if not torch.isfinite(x).all():
        return "the points are so large that their projections overflow float64. Scale them down."
    place = int(x.diff().argmin())
    first, second = sorted((int(order[place]), int(order[place + 1])))
    apart = float((points[first].double() - points[second].double()).norm())
    return (
        f"rows {first} and {second} differ by {apart:.3g} only, and on none of {DIRECTIONS} random directions can they "
        "be told apart in float64. Remove one of the two, or scale the points."
    )
