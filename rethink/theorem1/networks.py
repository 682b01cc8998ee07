"""The networks of Theorem 1 and Corollary 1: small ReLU networks that represent any function on n points (Section 2.2).

Theorem 1: two layers and 2n + d weights, c(z) = sum_j w_j max(<a, z> - b_j, 0). Corollary 1: depth k, width O(n/k) and
O(n + d) weights. Both are written down, not trained: O(n log n + n d) time and O(n + d) memory beside the points.

Neurons are summed in the order of their thresholds, so that two large weights of opposite sign cancel at once, before
anything else is rounded to their size. A plain matrix product is 30 times less exact here, and slower.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from rethink.errors import UserError
from rethink.theorem1.sample import BLOCK, Sample, Vector, project, slopes

_NEURONS = 64  # of a block of activations


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


def weights_bound(n: int, d: int, depth: int) -> int:
    """2n + d for depth 2 (Theorem 1); 2n + d + 4k, the O(n + d) of Corollary 1, as it takes k <= n + 1 to be of use."""
    return two_layer_weights(n, d) + (4 * depth if depth > 2 else 0)


def width_bound(n: int, depth: int) -> int:
    """n for depth 2 (Theorem 1); ceil(n / (k - 1)) + 3, the O(n/k) of Corollary 1."""
    return -(-n // (depth - 1)) + (3 if depth > 2 else 0)


def sum_of_relus(x: Tensor, thresholds: Tensor, weights: Tensor) -> Tensor:
    """A layer of neurons on the line and the sum of them, sum_j w_j max(x_i - b_j, 0), (m,) -> (m,).

    They are summed in their order, a block after the other.
    """
    blocks = [*zip(thresholds[:, None].split(_NEURONS), weights.split(_NEURONS), strict=True)]
    sums = []
    for chunk in x.split(BLOCK // _NEURONS):
        total = torch.zeros_like(chunk)
        for threshold, weight in blocks:
            total = total + weight @ (chunk - threshold).relu()
        sums.append(total)
    return torch.cat(sums)


def _pieces(sample: Sample, layers: int) -> Iterator[tuple[Vector, Vector]]:
    """Thresholds and weights of each hidden layer; where there are more layers than points some have none.

    All but the first layer see t = x - b_1, and their thresholds are exactly those values of t that the points have.
    """
    x, start = sample.x, sample.thresholds[0]
    ends = [sample.size * layer // layers for layer in range(layers + 1)]
    for layer, (first, last) in enumerate(pairwise(ends)):
        points, thresholds = (x, sample.thresholds) if layer == 0 else (x - start, sample.thresholds - start)
        steep = slopes(points, sample.y, thresholds)[first:last]
        own, weights = thresholds[first:last], np.diff(steep, prepend=0.0)
        if layer < layers - 1:
            end = points[last - 1] if last else thresholds[0]
            own = np.append(own, end)
            weights = np.append(weights, -steep[-1] if len(steep) else 0.0)
        yield own, weights


def _parameter(values: Vector) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64), requires_grad=False)
