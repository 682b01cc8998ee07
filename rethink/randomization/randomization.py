"""What every randomization of the paper's Section 2 is: a frozen transformation of labels or of images."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

Part = Literal["train", "test"]
"""Where an example comes from. Held-out validation images are training images and are drawn as such."""


class PixelCounts:
    """How often each value occurs in the original training images. They are counted when this is first asked for.

    Args:
        chunks: Gives all of these images, (b, height, width, channels) uint8 at a time.
    """

    def __init__(self, chunks: Callable[[], Iterable[Tensor]]) -> None:
        self._chunks = chunks

    @cached_property
    def counts(self) -> Tensor:
        """(channels, 256) int64."""
        counts = [
            torch.stack([channel.reshape(-1).bincount(minlength=256) for channel in chunk.unbind(-1)])
            for chunk in self._chunks()
        ]
        return torch.stack(counts).sum(0)


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

    def images(self, images: Tensor, index: Tensor, part: Part, counts: PixelCounts) -> Tensor:
        """The images to train on.

        Args:
            images: (n, height, width, channels), values in [0, 255], the region that is to be randomized. A few
                images or all: what becomes of one does not depend on the others.
            index: (n,) index of each image in its part of the whole data set.
            part: Which part the images come from.
            counts: Of the values of the same region of all original training images.
        """
        return images

    @classmethod
    def canonical(cls, init_args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The simplest (class name, arguments) that mean the same data, so that equal runs have one identity."""
        return cls.__name__, init_args
