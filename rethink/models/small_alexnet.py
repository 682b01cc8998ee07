"""The small AlexNet of Appendix A: 1,387,786 parameters."""

from collections.abc import Iterator
from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat
from torch import Tensor, nn

from rethink.models.classifier import Classifier
from rethink.models.initialization import truncated_normal
from rethink.models.layers import BatchNorm, Conv2d, Dropout, LocalResponseNorm, MaxPool2d


class SmallAlexNetNetwork(nn.Module):
    """Two modules of 5x5 convolution, ReLU, 3x3/2 max pooling and LRN; fully connected layers of 384, 192 and K.

    The paper gives the modules, 384 and 192. 64 filters and SAME padding are the one choice that makes its parameter
    count, and are those of the TensorFlow CIFAR-10 tutorial of 2016, as is the initialization.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        batch_norm: bool = False,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape

        def norm(size: int) -> nn.Module:
            return BatchNorm(size) if batch_norm else nn.Identity()

        def block(channels: int, bias: float) -> nn.Sequential:
            convolution = Conv2d(channels, 64, 5, bias=not batch_norm)
            truncated_normal(convolution, 0.05, bias, generator)
            # The maximum of a ReLU is the ReLU of the maximum: pooled first, it has a quarter of the work.
            return nn.Sequential(convolution, norm(64), MaxPool2d(3, 2), nn.ReLU(inplace=True), LocalResponseNorm(64))

        def hidden(inputs: int, size: int) -> nn.Sequential:
            linear = nn.Linear(inputs, size, bias=not batch_norm)
            truncated_normal(linear, 0.04, 0.1, generator)
            return nn.Sequential(linear, norm(size), nn.ReLU(inplace=True), Dropout(dropout))

        # Twice ceil(side / 2), as SAME pooling does.
        size = 64 * -(-height // 4) * -(-width // 4)
        self.features = nn.Sequential(block(channels, 0.0), block(64, 0.1))
        self.hidden = nn.Sequential(hidden(size, 384), hidden(384, 192))
        self.output = nn.Linear(192, num_classes)
        truncated_normal(self.output, 1 / 192, 0.0, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x).permute(0, 2, 3, 1).flatten(1)  # in memory order: a view
        logits: Tensor = self.output(self.hidden(features))
        return logits


class SmallAlexNet(Classifier):
    """Small AlexNet (Appendix A).

    The recipe's weight decay was on the two hidden fully connected layers only; its coefficient in the TensorFlow
    CIFAR-10 tutorial was 0.004.

    Args:
        batch_norm: Batch normalization before every ReLU; layers under it have no bias.
        dropout: Probability of dropout after each hidden fully connected layer.
        learning_rate: Learning rate at the first step (Appendix A).
        **switches: Those of every architecture.
    """

    def __init__(
        self,
        batch_norm: bool = False,
        dropout: ClosedUnitInterval = 0.0,
        learning_rate: PositiveFloat = 0.01,
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        self.network: SmallAlexNetNetwork = SmallAlexNetNetwork(
            self.image_shape,
            self.num_classes,
            batch_norm=batch_norm,
            dropout=ClosedUnitInterval(dropout),
            generator=self.initial_draws(),
        )

    def recipe_decayed(self) -> Iterator[nn.Parameter]:
        return (p for p in self.network.hidden.parameters() if p.ndim > 1)
