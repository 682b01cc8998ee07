"""Uniform stability (Section 2.2), and what leaving out one training example shows of it.

An algorithm is beta-uniformly stable if, whatever the n examples, leaving out any one of them changes the loss at any
point by at most beta (Bousquet and Elisseeff, "Stability and generalization", 2002). That is a supremum over all data
sets: it is a property of the algorithm alone, and is the same for true and for random labels by definition. A change
that is seen on one data set bounds beta from below, for both. The mean change over the data at hand depends on the
labels (hypothesis stability), and may tell them apart.
"""

import torch
from torch import Tensor

from rethink.complexity.capacity import slack


def probability_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - the probability of the label, (n,) in [0, 1]: a bounded loss that changes smoothly."""
    return 1 - logits.double().softmax(1).gather(1, labels[:, None])[:, 0]


def zero_one_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the prediction is not the label, (n,)."""
    return (logits.argmax(1) != labels).double()


def largest_change(before: Tensor, after: Tensor) -> Tensor:
    """The largest change of the probability loss over all labels that a point could have, (n,) from logits (n, K).

    Uniform stability asks for all points, and the label is a part of the point.
    """
    return (before.double().softmax(1) - after.double().softmax(1)).abs().amax(1)


def stability_bound(beta: float, examples: int, confidence: float = 0.95) -> float:
    """Bound on test minus training loss, for a loss in [0, 1], with this probability; from 1 on it says nothing.

    2 beta + (4 n beta + M) sqrt(log(1 / delta) / (2 n)) for a loss of at most M = 1: Bousquet and Elisseeff (2002), the
    bound for uniform stability (Theorem 12; the form was checked, the number is from memory).
    """
    return 2 * beta + (4 * examples * beta + 1) * slack(examples, confidence)


def useful_stability(examples: int, confidence: float = 0.95) -> float:
    """The largest beta for which that bound is under 1; 0 where there is none."""
    root = slack(examples, confidence)
    return max(0.0, (1 - root) / (2 + 4 * examples * root))


def mean_change(before: Tensor, after: Tensor) -> float:
    """Mean absolute change of a loss, (n,) each."""
    return float(torch.mean((after - before).abs()))
