"""The SGD step: the one place where the arithmetic of training stands. Every way to train calls it."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sgd_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    weight: float,
    backward: Callable[[Tensor], None] = Tensor.backward,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Forward, cross-entropy in float32 (float64 where the network is), backward, update.

    Args:
        network: (B, C, H, W) -> logits (B, K).
        optimizer: Steps the network's parameters.
        images: (B, C, H, W) preprocessed.
        labels: (B,) int64.
        weight: Weight of an example in the gradient; 1 / (size of the batch) is the mean.
        backward: Computes the gradients (a strategy's own, where gradients are averaged over processes).
        label_smoothing: Share of the target that is spread evenly over all classes.

    Returns:
        Summed loss and number of correct predictions, on the device, from before the update.
    """
    logits = network(images)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=label_smoothing)
    optimizer.zero_grad()
    backward(loss * weight)
    optimizer.step()
    with torch.no_grad():
        return loss.detach(), (logits.argmax(1) == labels).sum()
