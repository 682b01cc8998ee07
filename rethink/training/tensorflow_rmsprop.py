"""RMSProp in the arithmetic of TensorFlow 1, `tf.train.RMSPropOptimizer`: other than torch's in three places."""

from collections.abc import Callable
from typing import Any

import torch


class TensorFlowRMSPropOptimizer(torch.optim.Optimizer):
    """s <- a s + (1 - a) g^2, from s = 1; v <- m v + rate g / sqrt(s + epsilon), from v = 0; w <- w - v.

    torch's begins at s = 0, adds the epsilon outside the root, and multiplies v by the rate of the moment. A weight
    decay c is the penalty c/2 |w|^2: g includes c w, as in TensorFlow, where it is a part of the loss.

    Args:
        params: Parameters, or groups of them.
        lr: The rate.
        smoothing: a.
        momentum: m.
        epsilon: epsilon.
        weight_decay: c.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        smoothing: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "smoothing": smoothing, "momentum": momentum, "epsilon": epsilon}
        super().__init__(params, options | {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Moves the parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            for p in parameters:
                if not self.state[p]:
                    self.state[p] = {"square": torch.ones_like(p), "velocity": torch.zeros_like(p)}
            gradients: Any = [p.grad for p in parameters]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
            squares, velocities = ([self.state[p][name] for p in parameters] for name in ("square", "velocity"))
            torch._foreach_mul_(squares, group["smoothing"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["smoothing"])
            roots = torch._foreach_sqrt(torch._foreach_add(squares, group["epsilon"]))
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_addcdiv_(velocities, gradients, roots, group["lr"])
            torch._foreach_sub_(parameters, velocities)
        return loss
