"""A wide residual network (Zagoruyko and Komodakis 2016), as in the first author's public demo: 369,498 parameters."""

from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn

from rethink.errors import UserError
from rethink.models.classifier import Classifier
from rethink.models.initialization import glorot_uniform, he_normal
from rethink.models.layers import BatchNorm, Conv2d, Dropout


class ResidualBlock(nn.Module):
    """Batch norm, ReLU, 3x3 convolution, twice, added to the input or, where sizes differ, a 1x1 convolution of it."""

    def __init__(self, channels: int, filters: int, stride: int, *, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.first = _activation(channels, batch_norm=batch_norm)
        self.residual = nn.Sequential(
            Conv2d(channels, filters, 3, stride, bias=not batch_norm),
            _activation(filters, batch_norm=batch_norm),
            Dropout(dropout),
            Conv2d(filters, filters, 3, bias=not batch_norm),
        )
        self.shortcut = None
        if channels != filters or stride > 1:
            self.shortcut = Conv2d(channels, filters, 1, stride, bias=not batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.first(x)
        shortcut = x if self.shortcut is None else self.shortcut(activated)
        out: Tensor = shortcut + self.residual(activated)
        return out


class WideResNetNetwork(nn.Module):
    """Three groups of (depth - 4) / 6 residual blocks with 16, 32 and 64 times `width` channels, global pooling."""

    def __init__(
        self,
        channels: int = 3,
        num_classes: int = 10,
        depth: int = 28,
        width: int = 1,
        *,
        batch_norm: bool = True,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise UserError(f"depth {depth} of WideResNet: expected 6 n + 4, such as 10, 16, 22, 28 or 40.")
        self.stem = Conv2d(channels, 16, 3, bias=not batch_norm)
        blocks: list[nn.Module] = []
        channels = 16
        for filters, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
            for number in range((depth - 4) // 6):
                blocks.append(
                    ResidualBlock(
                        channels, filters, stride if number == 0 else 1, batch_norm=batch_norm, dropout=dropout
                    )
                )
                channels = filters
        self.blocks = nn.Sequential(*blocks, _activation(channels, batch_norm=batch_norm))
        self.output = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                he_normal(module, generator)
        glorot_uniform(self.output, generator)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.blocks(self.stem(x)).mean((2, 3)))
        return logits


class WideResNet(Classifier):
    """Wide residual network: WRN-28-1 of the first author's public demo at the defaults.

    Batch norm has a scale. The recipe's weight decay was on every parameter; its coefficient in the demo was 1e-4.

    Args:
        depth: Number of layers, 6 n + 4.
        width: Factor on the number of channels.
        batch_norm: Batch normalization before every ReLU; without it the convolutions have biases.
        dropout: Probability of dropout between the two convolutions of a block.
        learning_rate: Learning rate at the first step (the demo's).
        **switches: Those of every architecture.
    """

    def __init__(
        self,
        depth: PositiveInt = 28,
        width: PositiveInt = 1,
        batch_norm: bool = True,
        dropout: ClosedUnitInterval = 0.0,
        learning_rate: PositiveFloat = 0.1,
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        self.network = WideResNetNetwork(
            self.image_shape[0],
            self.num_classes,
            depth,
            width,
            batch_norm=batch_norm,
            dropout=ClosedUnitInterval(dropout),
            generator=self.initial_draws(),
        )

    def recipe_decayed(self) -> Any:
        return self.network.parameters()


def _activation(channels: int, *, batch_norm: bool) -> nn.Sequential:
    norm = BatchNorm(channels, scale=True, epsilon=1e-5) if batch_norm else nn.Identity()
    return nn.Sequential(norm, nn.ReLU())
