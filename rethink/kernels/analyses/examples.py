"""The images of Table 3: a training set in random order with its true and its random labels, and the test set."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rethink import data, randomness
from rethink.data import ImageDataModule
from rethink.errors import UserError
from rethink.kernels.gram import duplicates
from rethink.randomization import RandomLabels

Dataset = Literal["MNIST", "FashionMNIST", "CIFAR10", "Synthetic"]
Labels = Literal["true labels", "random labels"]


@dataclass(frozen=True)
class Examples:
    """Images (n, H, W, C) as they are stored, uint8, and labels (n,) int64.

    The training images are in random order, so that the first m are a random subset. `index` is their place in the
    data set.
    """

    train: Tensor
    labels: dict[Labels, Tensor]
    index: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int

    @classmethod
    def load(cls, dataset: Dataset, n: int | None, seed: int) -> "Examples":
        """Reads them; a UserError names the first two training images that are equal."""
        kind: type[ImageDataModule] = getattr(data, dataset)
        module = kind(randomization=RandomLabels(seed), subset_seed=seed)
        module.setup()
        train, test = module.splits["train"], module.splits["test_randomized"]
        if n is not None and n > len(train):
            raise UserError(f"--n {n} is more than the {len(train)} training images of {dataset}. Choose fewer.")
        order = randomness.permutation(randomness.key(seed, "order of the points"), len(train))
        chosen = randomness.tensor(order)[:n]
        images, index = train.read(chosen), train.index[chosen]
        if pair := duplicates(images):
            first, second = sorted(int(index[position]) for position in pair)
            raise UserError(
                f"the training images {first} and {second} of {dataset} are equal, so the kernel matrix is singular: "
                "no function fits two labels at one point. Leave one out (a smaller --n, another --seed)."
            )
        labels: dict[Labels, Tensor] = {
            "true labels": train.true_labels[chosen],
            "random labels": train.labels[chosen],
        }
        return cls(images, labels, index, test.read(torch.arange(len(test))), test.true_labels, module.num_classes)

    @property
    def n(self) -> int:
        return len(self.train)
