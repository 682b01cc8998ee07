"""Section 5: stochastic gradient descent on least squares, w <- w - rate e x, and two relatives that end elsewhere."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from rethink.errors import UserError
from rethink.kernels.least_squares import LeastSquares

_DECAY, _SQUARE_DECAY, _EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba 2015, Algorithm 1


def sgd(
    problem: LeastSquares,
    order: Tensor,
    start: Tensor,
    at: Sequence[int],
    rate: float | Tensor,
    preconditioner: Tensor | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Yields (step, weights) of SGD on the squared loss at some of its steps.

    Each step adds a multiple of its example, so what of w no example sees stays as it was: the limit is
    `problem.nearest(start)`, from zero the interpolant of least norm. With a preconditioner D each step adds a multiple
    of D x_i, and the limit is `problem.nearest(start, preconditioner)`.

    Args:
        problem: What is minimized.
        order: (steps,) position of the example of each step.
        start: w0, (K, d).
        at: The steps to yield at, rising, from 1; the last one ends it.
        rate: Learning rate, one for all or (n,) one per example: 1 / |x_i|^2 is Kaczmarz's method.
        preconditioner: D, (d,), positive.

    Raises:
        UserError: If the learning rate is so large that it diverges.
    """
    rates = torch.as_tensor(rate, dtype=torch.float64).expand(len(problem.inputs))
    if not bool((rates > 0).all() and (rates * problem.squares(preconditioner) < 2).all()):
        raise UserError(
            f"learning rate {float(rates.max()):.4g}: expected above 0 and below 2 / max |x_i|^2 = "
            f"{problem.largest_rate(preconditioner):.4g}, where SGD diverges."
        )
    scaled = problem.inputs if preconditioner is None else problem.inputs * preconditioner
    inputs, targets = problem.inputs.unbind(), problem.targets.unbind()
    steps = (scaled * rates[:, None]).unbind()
    weights, wanted = start.double().clone(), set(at)
    for step, i in enumerate(order[: max(at)].tolist(), 1):
        weights.addr_(torch.mv(weights, inputs[i]).sub_(targets[i]), steps[i], alpha=-1)
        if step in wanted:
            yield step, weights.clone()


def adam(
    problem: LeastSquares, order: Tensor, start: Tensor, at: Sequence[int], rate: float
) -> Iterator[tuple[int, Tensor]]:
    """As `sgd`, by Adam (Kingma and Ba 2015): it interpolates too, and does not keep to the span of the examples.

    Each coordinate has its own step, so a step is no combination of examples. The learning rate falls to 0 along a
    half cosine: at a constant one Adam never comes to rest.
    """
    inputs, targets = problem.inputs.unbind(), problem.targets.unbind()
    weights, wanted, steps = start.double().clone(), set(at), max(at)
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    for step, i in enumerate(order[:steps].tolist(), 1):
        slope = torch.mv(weights, inputs[i]).sub_(targets[i]).outer(inputs[i])
        mean.lerp_(slope, 1 - _DECAY)
        square.mul_(_SQUARE_DECAY).addcmul_(slope, slope, value=1 - _SQUARE_DECAY)
        scale = square.div(1 - _SQUARE_DECAY**step).sqrt_().add_(_EPSILON)
        now = rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        weights.addcdiv_(mean, scale, value=-now / (1 - _DECAY**step))
        if step in wanted:
            yield step, weights.clone()


def logarithmic(steps: int, points: int) -> list[int]:
    """About so many steps from 1 to the last, evenly spaced in the logarithm."""
    return sorted({round(steps ** (k / (points - 1))) for k in range(points)})
