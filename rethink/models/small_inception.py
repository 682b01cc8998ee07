"""The small Inception of Figure 3: 1,649,402 parameters, with and without batch norm."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat
from torch import Tensor, nn

from rethink.models.classifier import Classifier
from rethink.models.initialization import glorot_uniform
from rethink.models.layers import BatchNorm, Conv2d, Dropout, MaxPool2d


class ConvUnit(nn.Sequential):
    """Conv(C, KxK, S) of Figure 3: convolution, batch norm, ReLU. Under batch norm the convolution has no bias."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int, *, batch_norm: bool) -> None:
        convolution = Conv2d(channels, filters, kernel, stride, bias=not batch_norm)
        super().__init__(convolution, BatchNorm(filters) if batch_norm else nn.Identity(), nn.ReLU(inplace=True))


class InceptionUnit(nn.Module):
    """Inc(a + b) of Figure 3: 1x1 and 3x3 convolution units side by side."""

    def __init__(self, channels: int, ones: int, threes: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.one = ConvUnit(channels, ones, 1, 1, batch_norm=batch_norm)
        self.three = ConvUnit(channels, threes, 3, 1, batch_norm=batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x)], 1)


class DownsampleUnit(nn.Module):
    """Down(c) of Figure 3: a 3x3 convolution unit of stride 2 beside a 3x3 max pooling of stride 2 of the input."""

    def __init__(self, channels: int, filters: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.convolution = ConvUnit(channels, filters, 3, 2, batch_norm=batch_norm)
        self.pool = MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.convolution(x), self.pool(x)], 1)


class SmallInceptionNetwork(nn.Module):
    """The network of Figure 3, (B, C, 28, 28) -> logits (B, K); each plan entry is a unit and its filters."""

    plan = (
        ((32, 32), (32, 48), 80),
        ((112, 48), (96, 64), (80, 80), (48, 96), 96),
        ((176, 160), (176, 160)),
    )

    def __init__(
        self,
        channels: int = 3,
        num_classes: int = 10,
        *,
        batch_norm: bool = True,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        units: list[nn.Module] = [ConvUnit(channels, 96, 3, 1, batch_norm=batch_norm)]
        channels = 96
        for unit in (unit for stage in self.plan for unit in stage):
            if isinstance(unit, tuple):
                units.append(InceptionUnit(channels, *unit, batch_norm=batch_norm))
                channels = sum(unit)
            else:
                units.append(DownsampleUnit(channels, unit, batch_norm=batch_norm))
                channels += unit
        self.units = nn.Sequential(*units)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                glorot_uniform(module, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.units(x).mean((2, 3))  # the 7x7 mean pooling is global at 28x28
        logits: Tensor = self.output(self.dropout(features))
        return logits


class SmallInception(Classifier):
    """Small Inception (Figure 3, Appendix A).

    Batch norm has a shift and no scale, as in TF-slim of 2016, so the count is the same without it. Epsilon is
    slim's 0.001. The running statistics move by 0.1 a step: slim's 0.001 would leave them near their start after an
    epoch, when the paper's network is at 68.9 % on the test set (Figure 2b). Initialization is TensorFlow's default
    of the time, Glorot uniform. The recipe's weight decay was on all convolutions and the last layer, no biases; its
    coefficient in the TensorFlow Inception package was 4e-5.

    Args:
        batch_norm: Batch normalization after every convolution; without it the convolutions have biases.
        dropout: Probability of dropout before the last layer.
        learning_rate: Learning rate at the first step (Appendix A).
        **switches: Those of every architecture.
    """

    def __init__(
        self,
        batch_norm: bool = True,
        dropout: ClosedUnitInterval = 0.0,
        learning_rate: PositiveFloat = 0.1,
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        self.network = SmallInceptionNetwork(
            self.image_shape[0],
            self.num_classes,
            batch_norm=batch_norm,
            dropout=ClosedUnitInterval(dropout),
            generator=self.initial_draws(),
        )
