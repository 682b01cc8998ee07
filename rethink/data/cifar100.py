"""CIFAR-100, as its official archive has it."""

import os
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from rethink.data.datamodule import ImageDataModule
from rethink.data.decoders import UNDECODABLE, unpickle
from rethink.data.store import Arrays
from rethink.errors import UserError


class CIFAR100(ImageDataModule):
    """50,000 training and 10,000 test images of 32x32x3 in 100 classes of 20 superclasses (Krizhevsky 2009).

    The archive `cifar-100-python.tar.gz`, or what it unpacks to, is looked for in the folder of the data sets, then
    asked of the official server, or of the mirror that $RETHINK_MIRROR names. Its MD5 sums are those of torchvision.

    Args:
        labels: "fine" are the 100 classes, "coarse" the 20 superclasses.
        **options: Those of every data set.
    """

    image_shape = (3, 28, 28)

    def __init__(self, labels: Literal["fine", "coarse"] = "fine", **options: Any) -> None:
        super().__init__(**options)
        self.labels = labels
        self.num_classes = 100 if labels == "fine" else 20

    def prepare_data(self) -> None:
        """Gets the archive and unpacks it, unless that was done (Lightning calls this in one process of a machine)."""
        if not self._sums_are_right():
            from torchvision.datasets import CIFAR100 as official
            from torchvision.datasets.utils import download_and_extract_archive

            mirror = os.environ.get("RETHINK_MIRROR")
            url = f"{mirror.rstrip('/')}/{official.filename}" if mirror else official.url
            try:
                self._sets.mkdir(parents=True, exist_ok=True)
                with FileLock(self._sets / ".cifar100.lock"):
                    if not self._sums_are_right():
                        print(f"CIFAR-100: getting it into {self._sets}", file=sys.stderr)
                        download_and_extract_archive(url, self._sets, filename=official.filename, md5=official.tgz_md5)
            except (OSError, RuntimeError) as error:  # also URLError
                raise UserError(
                    f"CIFAR-100 cannot be had from {url} ({error}). Put the archive {official.filename} into "
                    f"{self._sets}, or set RETHINK_MIRROR to the folder of a server that has it."
                ) from error

    def load(self) -> Arrays:
        if not self._sums_are_right():
            raise UserError(f"CIFAR-100 is not in {self._sets}, or damaged. `rethink fit --data CIFAR100` gets it.")
        return Arrays(*self._read("train"), *self._read("test"))

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        file = self._folder / part
        try:
            batch = unpickle(file.read_bytes())
            images = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            labels = np.asarray(batch[f"{self.labels}_labels"], dtype=np.int64)
        except UNDECODABLE as error:
            raise UserError(f"{file}: cannot be read ({error}).") from error
        return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels)

    @property
    def _folder(self) -> Path:
        return self._sets / "cifar-100-python"

    def _sums_are_right(self) -> bool:
        from torchvision.datasets import CIFAR100 as official
        from torchvision.datasets.utils import check_integrity

        return all(check_integrity(self._folder / name, md5) for name, md5 in official.train_list + official.test_list)
