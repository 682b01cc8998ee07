"""The multi-layer perceptrons of Appendix A: 1x512 has 1,209,866 parameters, 3x512 has 1,735,178."""

from collections.abc import Sequence
from typing import Any

import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn

from rethink.models.classifier import Classifier
from rethink.models.initialization import glorot_uniform
from rethink.models.layers import BatchNorm, Dropout


class MLPNetwork(nn.Module):
    """Fully connected ReLU layers of the given sizes, (B, C, H, W) -> logits (B, K)."""

    def __init__(
        self,
        inputs: int = 3 * 28 * 28,
        num_classes: int = 10,
        hidden_sizes: Sequence[int] = (512,),
        *,
        batch_norm: bool = False,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in hidden_sizes:
            layers += [nn.Linear(inputs, size, bias=not batch_norm)]
            layers += [BatchNorm(size)] if batch_norm else []
            layers += [nn.ReLU(inplace=True), Dropout(dropout)]
            inputs = size
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, num_classes))
        for module in self.layers:
            if isinstance(module, nn.Linear):
                glorot_uniform(module, generator)

    def forward(self, x: Tensor) -> Tensor:
        # Channels last, as the images are in memory: so this is a view. The order of the inputs means nothing here.
        logits: Tensor = self.layers(x.permute(0, 2, 3, 1).flatten(1))
        return logits


class MLP(Classifier):
    """Multi-layer perceptron (Appendix A).

    Initialization is TensorFlow's default of the time, Glorot uniform with zero biases. No contemporary recipe for
    the weight decay of such a network is known; "recipe" is the weights of all layers.

    Args:
        hidden_sizes: Sizes of the hidden layers: [512] and [512, 512, 512] in the paper.
        batch_norm: Batch normalization before every ReLU; layers under it have no bias.
        dropout: Probability of dropout after each hidden layer.
        learning_rate: Learning rate at the first step (Appendix A).
        **switches: Those of every architecture.
    """

    def __init__(
        self,
        hidden_sizes: list[PositiveInt] = [512],  # noqa: B006  (never changed; a list is what YAML has)
        batch_norm: bool = False,
        dropout: ClosedUnitInterval = 0.0,
        learning_rate: PositiveFloat = 0.01,
        **switches: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        channels, height, width = self.image_shape
        self.network = MLPNetwork(
            channels * height * width,
            self.num_classes,
            [PositiveInt(size) for size in hidden_sizes],
            batch_norm=batch_norm,
            dropout=ClosedUnitInterval(dropout),
            generator=self.initial_draws(),
        )
