"""LightningDataModules: images and labels, randomized once, resident on the training device.

Names are looked up when they are first used, so that `rethink data status` starts without torch. Every public
subclass of ImageDataModule in this package is found by itself: a new data set is a file, and a config.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors only
    from rethink.data.cifar100 import CIFAR100 as CIFAR100
    from rethink.data.datamodule import ImageDataModule as ImageDataModule
    from rethink.data.image_folder import ImageFolder as ImageFolder
    from rethink.data.imagenet import ImageNet as ImageNet
    from rethink.data.stored import CIFAR10 as CIFAR10
    from rethink.data.stored import MNIST as MNIST
    from rethink.data.stored import FashionMNIST as FashionMNIST
    from rethink.data.synthetic import Synthetic as Synthetic


def __getattr__(name: str) -> Any:
    from rethink.discovery import lookup

    return lookup(__name__, "datamodule.ImageDataModule", name)
