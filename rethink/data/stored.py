"""The data sets of the catalog: obtained and verified once, then read from one file."""

from typing import ClassVar

from rethink.data import store
from rethink.data.catalog import DATASETS, Dataset
from rethink.data.datamodule import ImageDataModule
from rethink.data.store import Arrays


class _StoredImages(ImageDataModule):
    dataset: ClassVar[Dataset]

    def prepare_data(self) -> None:
        """Gets the data set unless it is there (Lightning calls this in one process of a machine)."""
        store.get(self.dataset, self.root)

    def load(self) -> Arrays:
        return store.load(self.dataset, self.root)


class CIFAR10(_StoredImages):
    """50,000 training and 10,000 test images of 32x32x3 in 10 classes (Krizhevsky 2009): the paper's small data set."""

    dataset = DATASETS["cifar10"]
    image_shape = (3, 28, 28)
    num_classes = 10


class MNIST(_StoredImages):
    """60,000 training and 10,000 test images of 28x28x1 in 10 classes (LeCun et al. 1998), seen whole."""

    dataset = DATASETS["mnist"]
    image_shape = (1, 28, 28)
    num_classes = 10


class FashionMNIST(_StoredImages):
    """60,000 training and 10,000 test images of 28x28x1 in 10 classes (Xiao et al. 2017), seen whole."""

    dataset = DATASETS["fashion_mnist"]
    image_shape = (1, 28, 28)
    num_classes = 10
