"""Finite-sample expressivity (Section 2.2): small ReLU networks that represent any function on n points (Appendix C).

Theorem 1: two layers and 2n + d weights, c(z) = sum_j w_j max(<a, z> - b_j, 0). Corollary 1: depth k, width O(n/k) and
O(n + d) weights. Both are written down, not trained: O(n log n + n d) time and O(n + d) memory beside the points.

Numerics. All is float64. Two points that are close on the line and have different targets need a steep piece, of slope
(y_i - y_{i-1}) / (x_i - x_{i-1}), and so two weights that are large and of opposite sign. A forward pass makes errors
of about eps * max |w_j| * (x_n - b_1), `Sample.rounding`. Three choices keep that small:

- The direction is the one of several random ones whose smallest gap is largest in relation to the range.
- b_i = x_{i-1}, the limit of the proof's b_i > x_{i-1}: still triangular, and its smallest eigenvalue is the largest
  that can be had. With b_i between the two, w_i would have to undo the slope that all those before have left.
- Neurons are summed in the order of their thresholds, so that such a pair cancels at once, before anything else is
  rounded to its size. A plain matrix product is 30 times less exact here, and slower.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rethink import randomness
from rethink.errors import UserError

DIRECTIONS = 8  # random directions of which the best is taken
# Values that are computed together: 256 KiB, which stay in a cache, and too few for torch to start threads. With
# threads it is hardly faster, and on a busy machine ten times as slow, for they wait for each other at every step.
_BLOCK = 2**15
_NEURONS = 64  # of a block of activations

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
            return np.diff(_slopes(self.x, self.y, self.thresholds), prepend=0.0)

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


class TwoLayerReLU(nn.Module):
    """The network of Theorem 1, (m, ...) -> (m,): c(z) = sum_j w_j max(<a, z> - b_j, 0), with 2n + d weights.

    Args:
        sample: What it is to represent.
    """

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.direction = _parameter(sample.direction)
        self.thresholds = _parameter(sample.thresholds)
        self.output = _parameter(sample.weights)

    @property
    def width(self) -> int:
        """Neurons of the hidden layer."""
        return len(self.thresholds)

    def forward(self, points: Tensor) -> Tensor:
        return sum_of_relus(project(points, self.direction), self.thresholds, self.output)


class DeepReLU(nn.Module):
    """The network of Corollary 1, of depth k and width about n/k: the same function as that of Theorem 1.

    The points are cut into k - 1 intervals of the line, one for each hidden layer. Its neurons add the piece between
    the first and the last of its points, and one more ends that piece, so that it stays at the last target to the right
    (the last layer needs none). Two neurons pass on the coordinate t = max(<a, z> - b_1, 0) and the sum of the pieces
    so far: t is never negative, and the sum is not, for it is carried with an offset. So both go through a ReLU
    unchanged, and the indicators of the paper's proof, which are approximate, are not needed. As in Theorem 1, what all
    neurons of a layer share is one weight.

    Args:
        sample: What it is to represent.
        depth: k, of which k - 1 layers are hidden: 2 is the network of Theorem 1.
    """

    def __init__(self, sample: Sample, depth: int) -> None:
        super().__init__()
        if depth < 2:
            raise UserError(f"depth {depth}: Corollary 1 is about depths of 2 and more.")
        pieces = [*_pieces(sample, depth - 1)]
        self.direction = _parameter(sample.direction)
        self.thresholds = nn.ParameterList([_parameter(thresholds) for thresholds, _ in pieces])
        self.outputs = nn.ParameterList([_parameter(weights) for _, weights in pieces])
        later, carries = depth - 2, depth > 2
        self.start = _parameter(sample.thresholds[: int(carries)])
        self.coordinate = _parameter(np.ones(later))  # weight of t into each later hidden layer
        self.so_far = _parameter(np.ones(later))  # weight of the sum into each layer after that, and into the output
        lowest = min(0.0, float(sample.y.min()))
        self.offset = _parameter(np.array([-lowest, lowest] if carries else []))  # at the first sum, at the output

    @property
    def width(self) -> int:
        """Neurons of the widest layer."""
        hidden = len(self.thresholds)
        carried = [(layer < hidden - 1) + (layer > 0) for layer in range(hidden)]  # the coordinate, the sum
        return max(len(own) + more for own, more in zip(self.thresholds, carried, strict=True))

    def forward(self, points: Tensor) -> Tensor:
        x = project(points, self.direction)
        piece = sum_of_relus(x, self.thresholds[0], self.outputs[0])
        if not len(self.so_far):
            return piece
        t = (x - self.start).relu()
        before = self.offset[0].expand_as(t)
        for layer, (coordinate, weight) in enumerate(zip(self.coordinate, self.so_far, strict=True), start=1):
            so_far = (before + piece).relu()
            incoming = coordinate * t
            piece = sum_of_relus(incoming, self.thresholds[layer], self.outputs[layer])
            t, before = incoming.relu(), weight * so_far
        return before + piece + self.offset[1]


def weights_of(network: nn.Module) -> int:
    """All weights, thresholds and offsets that a network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def two_layer_weights(n: int, d: int) -> int:
    """Weights of the network of Theorem 1: a, b and w."""
    return 2 * n + d


def deep_weights(n: int, d: int, depth: int) -> int:
    """Weights of `DeepReLU`, exactly: 2n + d for depth 2, else 2n + d + 4k - 5.

    Of each of the k - 2 hidden layers that are not the last, the neuron that ends the piece has two; each of the k - 2
    that are not the first is passed the coordinate and passes on the sum, one weight each; the coordinate has one
    threshold, and the sum's offset comes in and goes out.
    """
    return two_layer_weights(n, d) + (4 * (depth - 2) + 3 if depth > 2 else 0)


def weights_bound(n: int, d: int, depth: int) -> int:
    """2n + d for depth 2 (Theorem 1); 2n + d + 4k, the O(n + d) of Corollary 1, as it takes k <= n + 1 to be of use."""
    return two_layer_weights(n, d) + (4 * depth if depth > 2 else 0)


def width_bound(n: int, depth: int) -> int:
    """n for depth 2 (Theorem 1); ceil(n / (k - 1)) + 3, the O(n/k) of Corollary 1."""
    return -(-n // (depth - 1)) + (3 if depth > 2 else 0)


def project(points: Tensor, direction: Tensor) -> Tensor:
    """x_i = <a, z_i> in float64, (m, ...) -> (m,).

    Row by row, and not by a matrix product, which rounds a row differently according to where it stands: equal points
    have to be equal on the line, and one that was fitted has to come out where it was.
    """
    flat = points.flatten(1)
    rows = max(1, _BLOCK // flat.shape[1])
    return torch.cat([(some.double() * direction).sum(1) for some in flat.split(rows)])


def sum_of_relus(x: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    """A layer of neurons on the line and the sum of them, sum_j w_j max(x_i - b_j, 0), (m,) -> (m,).

    They are summed in their order, a block after the other.
    """
    blocks = [*zip(thresholds[:, None].split(_NEURONS), weights.split(_NEURONS), strict=True)]
    sums = []
    for some in x.split(_BLOCK // _NEURONS):
        total = torch.zeros_like(some)
        for threshold, weight in blocks:
            total = total + weight @ (some - threshold).relu()
        sums.append(total)
    return torch.cat(sums)


# How they are found.


def _slopes(x: Vector, y: Vector, thresholds: Vector) -> Vector:
    """Slopes of the pieces that end in x_1, ..., x_n; the function comes from 0."""
    return np.diff(y, prepend=0.0) / (x - thresholds)


def _pieces(sample: Sample, layers: int) -> Iterator[tuple[Vector, Vector]]:
    """Thresholds and weights of each hidden layer; where there are more layers than points some have none.

    All but the first layer see t = x - b_1, and their thresholds are exactly those values of t that the points have.
    """
    x, start = sample.x, sample.thresholds[0]
    ends = [sample.size * layer // layers for layer in range(layers + 1)]
    for layer, (first, last) in enumerate(pairwise(ends)):
        points, thresholds = (x, sample.thresholds) if layer == 0 else (x - start, sample.thresholds - start)
        slopes = _slopes(points, sample.y, thresholds)[first:last]
        own, weights = thresholds[first:last], np.diff(slopes, prepend=0.0)
        if layer < layers - 1:
            end = points[last - 1] if last else thresholds[0]
            own = np.append(own, end)
            weights = np.append(weights, -slopes[-1] if len(slopes) else 0.0)
        yield own, weights


def _parameter(values: Vector) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64), requires_grad=False)


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
