"""A recipe of one's own: every weight moves by the sign of its averaged gradient (signSGD with momentum)."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat

from rethink.training.recipes import Recipe


class SignSGD(torch.optim.SGD):
    """torch's SGD on the signs of the gradients."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.sign_()
        return super().step(closure)


class SignDescent(Recipe):
    """Signs of the gradients, averaged with momentum.

    Args:
        learning_rate: How far a weight moves in a step.
        momentum: Momentum.
        **options: Those of every recipe.
    """

    def __init__(self, learning_rate: PositiveFloat = 1e-3, momentum: ClosedUnitInterval = 0.5, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = float(momentum)

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return SignSGD(groups, lr=self.learning_rate, momentum=self.momentum)
