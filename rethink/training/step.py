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
    auxiliary_weight: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Forward, cross-entropy in float32 (float64 where the network is), backward, update.

    Args:
        network: (B, C, H, W) -> logits (B, K), or a tuple of these and the logits (B, K) of auxiliary heads.
        optimizer: Steps the network's parameters.
        images: (B, C, H, W) preprocessed.
        labels: (B,) int64.
        weight: Weight of an example in the gradient; 1 / (size of the batch) is the mean.
        backward: Computes the gradients (a strategy's own, where gradients are averaged over processes).
        label_smoothing: Share of the target that is spread evenly over all classes.
        auxiliary_weight: Weight of the loss of each auxiliary head, in the gradient only.

    Returns:
        Summed loss and number of correct predictions, on the device, from before the update.
    """
    outputs = network(images)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    logits, *auxiliary = (output.to(torch.promote_types(output.dtype, torch.float32)) for output in outputs)
    loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=label_smoothing)
    total = loss
    for others in auxiliary:
        total = total + auxiliary_weight * F.cross_entropy(
            others, labels, reduction="sum", label_smoothing=label_smoothing
        )
    optimizer.zero_grad()
    backward(total * weight)
    optimizer.step()
    with torch.no_grad():
        return loss.detach(), (logits.argmax(1) == labels).sum()
