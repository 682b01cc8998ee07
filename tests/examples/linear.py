"""Softmax regression: the architecture that docs/extending.md adds."""

from typing import Any

from jsonargparse.typing import PositiveFloat
from torch import nn

from rethink.models.classifier import Classifier
from rethink.models.initialization import glorot_uniform


class Linear(Classifier):
    """Softmax regression on the pixels: 23,530 parameters on CIFAR-10.

    Args:
        learning_rate: Learning rate at the first step.
        **switches: Those of every architecture.
    """

    def __init__(self, learning_rate: PositiveFloat = 0.01, **switches: Any) -> None:
        super().__init__(learning_rate=learning_rate, **switches)
        channels, height, width = self.image_shape
        layer = nn.Linear(channels * height * width, self.num_classes)
        glorot_uniform(layer, self.initial_draws())
        self.network = nn.Sequential(nn.Flatten(), layer)
