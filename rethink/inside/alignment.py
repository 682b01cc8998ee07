"""Alignment of the first layer's weights with the principal components of the data (Maennel et al. 2020).

The covariance of the weights is aligned with that of the data if every eigenspace of the data's lies in one of the
weights': if, along the principal components of the data, the weights are uncorrelated. How large they are along each
component is free; independent Gaussian initial weights, equally large in all directions, are aligned with anything.

That definition was checked against a summary of the paper; its misalignment score is given here as remembered, and is
what follows from the distance in `misalignment`.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethink import randomness


def covariance(blocks: Iterable[Tensor]) -> Tensor:
    """Covariance (d, d) of rows that come in blocks (n, d), in float64."""
    total, outer, count = torch.zeros(()), torch.zeros(()), 0
    for block in blocks:
        rows = block.double()
        total, outer, count = total + rows.sum(0), outer + rows.T @ rows, count + len(rows)
    mean = total / count
    return outer / count - torch.outer(mean, mean)


def principal_components(data: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the variance along each principal component, falling, (d,), and the components as columns (d, d)."""
    values, vectors = torch.linalg.eigh(data)
    values = values.flip(0).clamp_min(0)
    return values / values.sum(), vectors.flip(1)


def misalignment(weights: Tensor) -> float:
    """Distance of a covariance (k, k) of weights, along k principal components of the data, from the nearest aligned.

    The distance of two covariances is sqrt(tr(A^-1 B + B^-1 A) / 2 - k), from the symmetric Kullback-Leibler
    divergence of two Gaussians. A diagonal A with entries a_i has to minimize sum(B_ii / a_i + a_i (B^-1)_ii), so
    a_i^2 = B_ii / (B^-1)_ii, and the distance is sqrt(sum_i sqrt(B_ii (B^-1)_ii) - k). It does not change when the
    weights become larger along a component. 0: aligned. For m independent weights whose true covariance is aligned it
    is about `misalignment_of_aligned(k, m)`: the covariance is estimated from so few.

    The covariance has to be invertible: k at most m - 1.
    """
    inverse = torch.linalg.inv(weights)
    squared = (weights.diagonal() * inverse.diagonal()).sqrt().sum() - len(weights)
    return float(squared.clamp_min(0).sqrt())


def misalignment_of_aligned(components: int, units: int) -> float:
    """`misalignment` to expect of the sample covariance of m Gaussian weights with an aligned one, k components.

    B_ii and 1 / (B^-1)_ii are chi-squared with m - 1 and m - k degrees of freedom, up to the same factor.
    """
    return float((components * (((units - 1) / (units - components)) ** 0.5 - 1)) ** 0.5)


def misalignment_when_turned(weights: Tensor, seed: int, times: int = 20) -> float:
    """Mean `misalignment` of the same weights turned at random: principal components that point anywhere."""
    draws = randomness.generator(randomness.key(seed, "turns", len(weights)))
    turned = []
    for _ in range(times):
        turn, _ = torch.linalg.qr(torch.randn(weights.shape, generator=draws, dtype=torch.float64))
        turned.append(misalignment(turn @ weights @ turn.T))
    return sum(turned) / times


def first_layer(network: nn.Module) -> nn.Conv2d | nn.Linear:
    """The layer that sees the images: the first with weights."""
    return next(module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))


def what_it_sees(layer: nn.Conv2d | nn.Linear, inputs: Tensor) -> Tensor:
    """What a unit of the first layer is multiplied with, as rows in the order of its weights.

    The windows of (B, C, H, W) that a convolution sees, without those that padding completes; for a fully connected
    layer the images, channels last as `MLPNetwork` takes them.
    """
    if isinstance(layer, nn.Linear):
        return inputs.permute(0, 2, 3, 1).flatten(1)
    height, width = layer.kernel_size
    windows = F.unfold(inputs, (height, width), stride=layer.stride)  # type: ignore[arg-type]
    return windows.transpose(1, 2).flatten(0, 1)
