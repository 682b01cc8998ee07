"""The batch: all that a training step or an evaluation needs of some examples, wherever they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rethink.data.pipelines.pipeline import Switches
from rethink.data.split import SplitBatch
from rethink.errors import UserError


@dataclass(frozen=True)
class PlainBatch:
    """Images and labels of any DataLoader: preprocessed, and with their true labels."""

    images: Tensor
    labels: Tensor
    size: int
    name: str | None = None
    index: Tensor | None = None

    @classmethod
    def of(cls, pair: Sequence[Tensor], ranks: int = 1) -> "PlainBatch":
        """From the `(images, labels)` that a DataLoader gives, the same number on every rank.

        Raises:
            UserError: It gives something else.
        """
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(isinstance(t, Tensor) for t in pair):
            raise UserError(f"A batch is (images, labels), two tensors. This one is a {type(pair).__name__}.")
        images, labels = pair
        return cls(images, labels, len(labels) * ranks)

    @property
    def true_labels(self) -> Tensor:
        """The labels: nothing says that they are wrong."""
        return self.labels

    @property
    def corrupted(self) -> Tensor:
        """None is."""
        return torch.zeros_like(self.labels, dtype=torch.bool)

    def prepare(self, switches: Switches) -> Tensor:
        """The images as they are. An augmentation would be the loader's.

        Raises:
            UserError: The model is to augment images of which only the loader knows what they are.
        """
        if switches.augmentation != "none":
            raise UserError(
                f"augmentation {switches.augmentation!r} needs a data module of this package. Let the DataLoader "
                "augment its images, and leave augmentation at none."
            )
        return self.images


Batch = SplitBatch | PlainBatch
"""Some examples, of a split or of any DataLoader: labels, what is known of them, and `prepare` for their images."""
