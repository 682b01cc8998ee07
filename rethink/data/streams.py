"""A data set whose images are not all in memory, as a data module's `load` gives it."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from rethink.data.split import Stored
from rethink.data.store import Arrays
from rethink.randomization.randomization import Part


class Streams(NamedTuple):
    """A data set whose images are read when a batch asks for them.

    Attributes:
        train_images: Reads training images: (b,) int64 indices -> (b, H, W, C) uint8, all of one size, or the same
            with the originals' aspects.
        train_labels: (N,) int64.
        test_images: Reads test images.
        test_labels: (M,) int64.
        fingerprint: Of what there is to read, such as a list of files. Default: the pixels themselves are hashed.
        workers: Processes that read ahead.
    """

    train_images: Callable[[Tensor], Tensor | Stored]
    train_labels: Tensor
    test_images: Callable[[Tensor], Tensor | Stored]
    test_labels: Tensor
    fingerprint: str = ""
    workers: int = 0


def reader(loaded: Arrays | Streams, part: Part) -> Callable[[Tensor], Stored]:
    """Gives the original images of some indices of a part."""
    images = loaded.train_images if part == "train" else loaded.test_images

    def read(index: Tensor) -> Stored:
        values = images[index] if isinstance(images, Tensor) else images(index)
        return values if isinstance(values, Stored) else Stored(values)

    return read
