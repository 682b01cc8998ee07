"""Inception V3 (Szegedy et al. 2015), the network of Table 2: torchvision's, with its regularizers as switches."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat
from torch import nn

from rethink.errors import UserError
from rethink.models.classifier import Classifier
from rethink.models.initialization import truncated_normal
from rethink.models.torchvision_networks import checkpoint_blocks, require_colour, switch_batch_norm, switch_dropout

SIDE, SIDE_WITHOUT_HEAD = 299, 75
"""The least sides of an image: the auxiliary head convolves a map of 17x17, and the last block needs one position."""


def inception_v3(
    num_classes: int = 1000,
    *,
    aux_logits: bool = True,
    batch_norm: bool = True,
    batch_norm_momentum: float = 0.1,
    batch_norm_scale: bool = True,
    sync_batch_norm: bool = True,
    dropout: float = 0.0,
    checkpointing: bool = False,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """torchvision's Inception V3, (B, 3, H, W) -> logits (B, K), in training with those of its auxiliary head.

    27,161,264 parameters with the auxiliary head and 23,834,568 without, for 1,000 classes. Initial weights are those
    of the TensorFlow Inception package: normal, cut off at two deviations, 0.1 in convolutions, 0.01 in logits and in
    the last convolution of the auxiliary head, 0.001 in its logits.
    """
    from torchvision.models.inception import Inception3  # here: the other networks start without torchvision

    network: Any = Inception3(num_classes, aux_logits, init_weights=False)
    switch_batch_norm(
        network, batch_norm, synchronized=sync_batch_norm, momentum=batch_norm_momentum, scale=batch_norm_scale
    )
    switch_dropout(network, dropout)
    if checkpointing:
        checkpoint_blocks(block for name, block in network.named_children() if name.startswith("Mixed"))
    deviations: dict[nn.Module, float] = {network.fc: 0.01}
    if aux_logits:
        deviations |= {network.AuxLogits.conv1.conv: 0.01, network.AuxLogits.fc: 0.001}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            truncated_normal(module, deviations.get(module, 0.1), 0.0, generator)
    built: nn.Module = network
    return built


class InceptionV3(Classifier):
    """Inception V3 (Szegedy et al. 2015), as torchvision has it.

    The recipe's weight decay was on all convolutions and fully connected layers, no biases, with the coefficient
    4e-5; its dropout was 0.2 (TensorFlow Inception package, which the paper reused). How to train it as then is
    configs/recipe/tensorflow_2016.yaml.

    Args:
        aux_logits: The auxiliary head, whose weight in the loss is the recipe's. It needs images of 299x299.
        batch_norm: Batch normalization after every convolution; without it the convolutions have biases.
        batch_norm_momentum: Weight of a batch in the running statistics. The package had 0.0003.
        batch_norm_scale: Whether batch norm has a trained scale, as in torchvision. The package had none.
        sync_batch_norm: Whether batch norm over several processes has the statistics of the global batch. With those
            of each process's part the result depends on the number of processes, which is no part of the run_id.
        dropout: Probability of dropout before the last layer.
        checkpointing: Whether activations are computed again in the backward pass, for less memory: the same numbers.
        learning_rate: Learning rate at the first step.
        image_shape: (channels, height, width) of what the network sees; set by the data.
        **switches: Those of every architecture.
    """

    top5 = True

    def __init__(
        self,
        aux_logits: bool = True,
        batch_norm: bool = True,
        batch_norm_momentum: ClosedUnitInterval = 0.1,
        batch_norm_scale: bool = True,
        sync_batch_norm: bool = True,
        dropout: ClosedUnitInterval = 0.0,
        checkpointing: bool = False,
        learning_rate: PositiveFloat = 0.045,
        image_shape: tuple[int, int, int] = (3, SIDE, SIDE),
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, image_shape=image_shape, **switches)
        require_colour(self.image_shape, "InceptionV3")
        side, least = min(self.image_shape[1:]), SIDE if aux_logits else SIDE_WITHOUT_HEAD
        if side < least:
            head = f" with its auxiliary head; --model.aux_logits false takes {SIDE_WITHOUT_HEAD}" if aux_logits else ""
            raise UserError(f"InceptionV3 needs images of {least} pixels a side, and these have {side}{head}.")
        self.network = inception_v3(
            self.num_classes,
            aux_logits=aux_logits,
            batch_norm=batch_norm,
            batch_norm_momentum=float(ClosedUnitInterval(batch_norm_momentum)),
            batch_norm_scale=batch_norm_scale,
            sync_batch_norm=sync_batch_norm,
            dropout=ClosedUnitInterval(dropout),
            checkpointing=checkpointing,
            generator=self.initial_draws(),
        )
