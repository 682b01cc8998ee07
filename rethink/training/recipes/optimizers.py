"""The recipes of torch's own optimizers."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat

from rethink.training.recipes.recipe import Recipe


class SGD(Recipe):
    """Stochastic gradient descent with momentum. With schedule "exponential" it is the paper's own (Appendix A).

    Args:
        learning_rate: Learning rate at the first step, or after the warm-up.
        momentum: Momentum.
        **options: Those of every recipe.
    """

    def __init__(self, learning_rate: PositiveFloat = 0.01, momentum: ClosedUnitInterval = 0.9, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = float(ClosedUnitInterval(momentum))

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=self.learning_rate, momentum=self.momentum, fused=True)


class Adam(Recipe):
    """Adam (Kingma and Ba 2015).

    Args:
        learning_rate: Learning rate at the first step, or after the warm-up.
        betas: Decays of the averages of the gradient and of its square.
        epsilon: Added to the root of the average square.
        **options: Those of every recipe.
    """

    def __init__(
        self,
        learning_rate: PositiveFloat = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: PositiveFloat = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.betas = (float(betas[0]), float(betas[1]))
        self.epsilon = float(PositiveFloat(epsilon))

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, lr=self.learning_rate, betas=self.betas, eps=self.epsilon)


class RMSProp(Recipe):
    """RMSProp (Tieleman and Hinton 2012), as torch has it: the epsilon is added outside the root.

    Args:
        learning_rate: Learning rate at the first step, or after the warm-up.
        smoothing: Decay of the average of the squared gradient.
        momentum: Momentum.
        epsilon: Added to the root of the average square.
        **options: Those of every recipe.
    """

    def __init__(
        self,
        learning_rate: PositiveFloat = 0.001,
        smoothing: ClosedUnitInterval = 0.9,
        momentum: ClosedUnitInterval = 0.0,
        epsilon: PositiveFloat = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.smoothing = float(ClosedUnitInterval(smoothing))
        self.momentum = float(ClosedUnitInterval(momentum))
        self.epsilon = float(PositiveFloat(epsilon))

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            groups, lr=self.learning_rate, alpha=self.smoothing, momentum=self.momentum, eps=self.epsilon
        )
