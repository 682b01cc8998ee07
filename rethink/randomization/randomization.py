"""What every randomization of the paper's Section 2 is: a frozen transformation of labels or of images."""

from typing import Any, Literal

from torch import Tensor

Part = Literal["train", "test"]
"""Where an example comes from. Held-out validation images are training images and are drawn as such."""


class Randomization:
    """A data transformation that is drawn once from its own seed and stays the same for all epochs.

    A draw depends only on (seed, purpose, part, index of the example in the whole data set): not on the training
    seed, the subset, the batch order, the rank or the epoch. To add a randomization, subclass this in a file of its
    own, override `labels` or `images`, and write a config beside the others in configs/randomization/.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
    """

    randomizes_images: bool = False
    region: Literal["centre", "full"] = "centre"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def labels(self, labels: Tensor, index: Tensor, num_classes: int, part: Part) -> tuple[Tensor, Tensor]:
        """The labels to train on, (n,) int64, and which were corrupted (drawn anew, perhaps equal), (n,) bool."""
        return labels, labels.new_zeros(labels.shape).bool()

    def images(self, images: Tensor, index: Tensor, part: Part, reference: Tensor) -> Tensor:
        """The images to train on.

        Args:
            images: (n, height, width, channels), values in [0, 255], the region that is to be randomized.
            index: (n,) index of each image in its part of the whole data set.
            part: Which part the images come from.
            reference: The same region of all original training images, (N, height, width, channels) uint8.
        """
        return images

    @classmethod
    def canonical(cls, init_args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The simplest (class name, arguments) that mean the same data, so that equal runs have one identity."""
        return cls.__name__, init_args
