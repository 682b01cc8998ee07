"""LightningDataModules: images and labels, randomized once, resident on the training device.

Names are looked up when they are first used, so that `rethink data status` starts without torch. Every public
subclass of ImageDataModule in this package is found by itself: a new data set is a file, and a config.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors only
    from rethink.data.datamodule import ImageDataModule as ImageDataModule
    from rethink.data.stored import CIFAR10 as CIFAR10
    from rethink.data.stored import MNIST as MNIST
    from rethink.data.stored import FashionMNIST as FashionMNIST
    from rethink.data.synthetic import Synthetic as Synthetic


def __getattr__(name: str) -> type:
    if not name.startswith("_"):
        import sys

        from rethink.data.datamodule import ImageDataModule
        from rethink.discovery import subclasses

        found = {"ImageDataModule": ImageDataModule, **subclasses(sys.modules[__name__], ImageDataModule)}
        if name in found:
            return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
