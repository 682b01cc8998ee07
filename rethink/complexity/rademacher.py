"""The empirical Rademacher complexity of a network on n examples, estimated by training it (Section 2.2).

R_n(H) = E_sigma [ sup_h (1/n) sum_i sigma_i h(x_i) ] over uniformly random signs sigma_i. A network that fits n random
signs perfectly shows that the supremum is 1 for those signs. Training finds some h and not the supremum, so whatever it
reaches is a lower bound; with a value in [-1, 1] for each example that bound is sharp where it is 1.
"""

import math
from collections.abc import Sequence

from rethink.complexity.capacity import slack


def correlation(accuracy: float) -> float:
    """(1/n) sum_i sigma_i h(x_i) of a network that predicts this share of n signs.

    h is +1 or -1 where the network predicts the class of that sign, and counts as wrong where it predicts another class
    (it is 0 there): so this is never too large.
    """
    return 2 * accuracy - 1


def rademacher_estimate(by_signs: Sequence[Sequence[float]]) -> float:
    """Mean over draws of the signs of the largest correlation among the networks trained on each draw."""
    return sum(max(correlations) for correlations in by_signs) / len(by_signs)


def estimation_error(examples: int, draws: int, confidence: float = 0.95) -> float:
    """By how much R_n can be less than the mean of the supremum over some draws of the signs, with this probability.

    sqrt(2 log(1 / delta) / (n draws)), by McDiarmid's inequality: one sign among all draws moves the mean by at most
    2 / (n draws). So estimate - error bounds R_n from below.
    """
    return math.sqrt(2 * math.log(1 / (1 - confidence)) / (examples * draws))


def rademacher_bound(complexity: float, examples: int, confidence: float = 0.95) -> float:
    """Bound on test minus training error of a classifier into two classes, with this probability.

    R_n + 3 sqrt(log(2 / delta) / (2 n)) for the empirical R_n: Mohri, Rostamizadeh and Talwalkar, "Foundations of
    machine learning" (2018), Theorem 3.5, cited from memory. Guessing has an error of 1/2: a network without training
    errors is bounded to be better than that only where this is less.
    """
    return complexity + 3 * slack(examples, 1 - (1 - confidence) / 2)


def linear_complexity(examples: int) -> float:
    """Upper bound on R_n of the linear functions with |h(x)| <= 1 on all x of norm r: those with |w| <= 1 / r.

    1 / sqrt(n): Mohri, Rostamizadeh and Talwalkar (2018), Theorem 5.10, cited from memory; by Jensen's inequality,
    for R_n is at most |w| / n times the mean of |sum_i sigma_i x_i|, which is at most r sqrt(n).
    """
    return 1 / math.sqrt(examples)
