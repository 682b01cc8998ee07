"""The recipes of torch's own optimizers, and RMSProp as TensorFlow has it."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat

from rethink.training.recipes.recipe import Recipe
from rethink.training.tensorflow_rmsprop import TensorFlowRMSPropOptimizer


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


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient (Loshchilov and Hutter 2019): w falls by rate x decay x w.

    Its options are those of Adam.
    """

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas, eps=self.epsilon)


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


class TensorFlowRMSProp(RMSProp):
    """RMSProp as TensorFlow 1 has it, at the values of its Inception package, which the paper's Table 2 reused.

    The epsilon is inside the root, the average square begins at one, and the momentum holds rate x gradient. With
    epsilon 1 it is close to SGD. The rate of the package was for 50 asynchronous workers of 32 images, which have no
    global batch: `rate_batch` says which one it is taken for.

    Args:
        learning_rate: Learning rate at the first step, or after the warm-up.
        smoothing: Decay of the average of the squared gradient.
        momentum: Momentum.
        epsilon: Added to the average square, inside the root.
        **options: Those of every recipe.
    """

    def __init__(
        self,
        learning_rate: PositiveFloat = 0.045,
        smoothing: ClosedUnitInterval = 0.9,
        momentum: ClosedUnitInterval = 0.9,
        epsilon: PositiveFloat = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, smoothing, momentum, epsilon, **options)

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return TensorFlowRMSPropOptimizer(
            groups, lr=self.learning_rate, smoothing=self.smoothing, momentum=self.momentum, epsilon=self.epsilon
        )
