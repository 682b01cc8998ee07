"""A data set whose images are read from a file when a batch asks for them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethink.data.datamodule import ImageDataModule, Streams
from rethink.data.synthetic import Synthetic


class Streamed(ImageDataModule):
    """Images of 32x32x3 in two files of bytes, as `write` makes them."""

    image_shape = (3, 28, 28)
    num_classes = 10

    def load(self) -> Streams:
        train, test = (self._part(part) for part in ("train", "test"))
        return Streams(*train, *test)

    def _part(self, part: str):
        folder = Path(self.root or ".")
        images = np.memmap(folder / f"{part}.bin", mode="r").reshape(-1, 32, 32, 3)

        def read(index: Tensor) -> Tensor:
            return torch.from_numpy(images[index.numpy()])

        return read, torch.from_numpy(np.load(folder / f"{part}.npy"))


def write(folder: Path, data: Synthetic) -> None:
    """The images of another data set."""
    arrays = data.load()
    for part, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        images.numpy().tofile(folder / f"{part}.bin")
        np.save(folder / f"{part}.npy", labels.numpy())
