"""Linear probes: how much of the labels a linear classifier can read off the features of a layer (Alain and Bengio)."""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import randomness

STRENGTHS = tuple(10.0**power for power in range(-4, 3))
"""Candidates for the strength of the ridge, as multiples of the mean squared singular value of the features."""

_PLACES = 7


@dataclass(frozen=True)
class Probe:
    """A linear classifier of features (n, p): weight (p, K), bias (K,)."""

    weight: Tensor
    bias: Tensor
    strength: float

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Share of the labels that it gets right."""
        return float((self.predict(features) == labels).double().mean())

    def predict(self, features: Tensor) -> Tensor:
        """Classes (n,)."""
        return (features.double() @ self.weight + self.bias).argmax(1)


def fit_probe(features: Tensor, labels: Tensor, num_classes: int) -> Probe:
    """Ridge regression of one-hot labels, with a bias that is not penalized, in closed form, float64.

    The strength is the one of `STRENGTHS` with the least leave-one-out squared error, which is in closed form too:
    no held-out example decides anything.
    """
    mean, targets = features.double().mean(0), F.one_hot(labels, num_classes).double()
    left, values, right = torch.linalg.svd(features.double() - mean, full_matrices=False)
    centre = targets.mean(0)
    projected = left.T @ (targets - centre)
    unit = values.square().mean()
    errors = [leave_one_out(left, values, projected, targets, float(strength * unit)) for strength in STRENGTHS]
    strength = STRENGTHS[errors.index(min(errors))]
    weight = right.T @ ((values / (values.square() + strength * unit))[:, None] * projected)
    return Probe(weight, centre - mean @ weight, strength)


def condensed(features: Tensor, size: int, seed: int) -> Tensor:
    """Features (n, ...) of a layer as (n, p) with p at most `size`.

    Maps are first averaged down to at most 7 x 7 places. What is still larger becomes `size` random projections,
    Gaussian, which keep distances up to about 1/sqrt(size) (Johnson and Lindenstrauss).
    """
    if features.ndim == 4:
        height, width = features.shape[2:]
        features = F.adaptive_avg_pool2d(features.float(), (min(height, _PLACES), min(width, _PLACES)))
    flat = features.flatten(1).float()
    return flat if flat.shape[1] <= size else flat @ _directions(flat.shape[1], size, seed)


@lru_cache(maxsize=64)
def _directions(width: int, size: int, seed: int) -> Tensor:
    draws = randomness.generator(randomness.key(seed, "projection", width, size))
    return torch.randn(width, size, generator=draws).div_(size**0.5)


def leave_one_out(left: Tensor, values: Tensor, projected: Tensor, targets: Tensor, ridge: float) -> float:
    """Mean squared error for each example of the regression on all others, in closed form.

    Args:
        left: (n, r) left singular vectors of the centred features.
        values: (r,) their singular values.
        projected: (r, K) left' (targets - their mean).
        targets: (n, K).
        ridge: Penalty of the squared weights.
    """
    kept = values.square() / (values.square() + ridge)
    fitted = targets.mean(0) + left @ (kept[:, None] * projected)
    leverage = left.square() @ kept + 1 / len(targets)
    return float(((targets - fitted) / (1 - leverage)[:, None]).square().sum(1).mean())
