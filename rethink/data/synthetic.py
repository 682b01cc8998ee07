"""Generated images with classes, for tests and for trying things with no data at all."""

from typing import Any

import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.data.datamodule import ImageDataModule
from rethink.data.store import Arrays


class Synthetic(ImageDataModule):
    """Images of 32x32x3: a smooth random pattern for each class, and noise on top of it.

    A small network learns the classes to about 100 % in a few epochs, and can memorize any labels on them.

    Args:
        num_train: Number of training images there are.
        num_test: Number of test images there are.
        num_classes: Number of classes.
        noise: Standard deviation of the noise, where that of the patterns is 40 and the mean is 128.
        pattern_seed: Seed of the images.
        **options: Those of every data set.
    """

    image_shape = (3, 28, 28)

    def __init__(
        self,
        num_train: PositiveInt = 512,
        num_test: PositiveInt = 256,
        num_classes: PositiveInt = 10,
        noise: float = 40.0,
        pattern_seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.num_train = num_train
        self.num_test = num_test
        self.num_classes = num_classes
        self.noise = noise
        self.pattern_seed = pattern_seed

    def load(self) -> Arrays:
        return Arrays(*self._images("train", self.num_train), *self._images("test", self.num_test))

    def _images(self, part: str, count: int) -> tuple[Tensor, Tensor]:
        index = torch.arange(count)
        classes = torch.arange(self.num_classes).numpy()
        coarse = randomness.normal(randomness.key(self.pattern_seed, "patterns"), classes, 4 * 4 * 3)
        patterns = randomness.tensor(coarse).view(-1, 4, 4, 3).repeat_interleave(8, 1).repeat_interleave(8, 2)
        noise = randomness.normal(randomness.key(self.pattern_seed, "noise", part), index.numpy(), 32 * 32 * 3)
        labels = index % self.num_classes
        values = 128 + 40 * patterns[labels] + self.noise * randomness.tensor(noise).view(-1, 32, 32, 3)
        return values.round().clamp(0, 255).byte(), labels
