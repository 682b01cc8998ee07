"""What every pipeline is: images as they are stored go in, what the network takes comes out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Augmentation = Literal["none", "random_crop", "flip_rotate", "random_crop_flip_rotate", "inception"]


Draws = dict[str, Tensor]
"""What an augmentation draws for n examples in an epoch: name -> (n, ...)."""


@dataclass(frozen=True)
class Switches:
    """What a model asks of the pipeline of its data.

    augmentation: Which one. crop_first: whether images are cropped and then standardized. seed: of the draws.
    """

    augmentation: Augmentation = "none"
    crop_first: bool = True
    seed: int = 0

    @property
    def for_evaluation(self) -> "Switches":
        """The same without augmentation."""
        return replace(self, augmentation="none")


class Pipeline(ABC):
    """Makes stored images into what a network takes, batched and on the device of the images."""

    def check(self, switches: Switches) -> None:  # noqa: B027  (a pipeline without restrictions is fine)
        """Refuses switches that make no sense with this data, by a UserError."""

    def shown(self, images: Tensor) -> Tensor:
        """The part of stored images that a network sees without augmentation, which a split's digest is of."""
        return images

    def draw(self, switches: Switches, epoch: int, index: NDArray[np.int64]) -> Draws | None:
        """The draws of an epoch for the examples of these indices, (n,); None where nothing is drawn.

        An example's draw depends on the seed, the epoch and its index alone.
        """
        return None

    @abstractmethod
    def __call__(
        self, images: Tensor, switches: Switches, draws: Draws | None = None, aspect: Tensor | None = None
    ) -> Tensor:
        """What the network takes of stored images, (b, C, H, W) float32.

        Args:
            images: (b, H, W, C).
            switches: What the model asks for.
            draws: Those of these images.
            aspect: (b,) width / height of the originals, where the images are these squeezed into squares.
        """
