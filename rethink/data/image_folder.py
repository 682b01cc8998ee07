"""Any data set of one's own: images in a folder for each class."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from torch import Tensor

from rethink.data.datamodule import ImageDataModule, Streams
from rethink.data.image_files import read_image
from rethink.data.image_list import ImageList, scan
from rethink.data.pipelines.inception import CENTRE, InceptionPipeline
from rethink.data.pipelines.pipeline import Pipeline
from rethink.data.split import Stored
from rethink.errors import UserError
from rethink.training import memory

EVALUATED = ("test", "val", "validation", "valid")  # the first that is there is the test set


class ImageFolder(ImageDataModule):
    """Images as files, a folder for each class: FOLDER/train/CLASS/IMAGE.jpg and FOLDER/test or FOLDER/val.

    An image is decoded into a square of `stored_size`, the whole picture squeezed into it. From there on the pipeline
    of Inception works, on the device. Whether the squares are all kept in memory makes no difference to any number.

    Args:
        folder: The folder with `train` and `test` or `val`. A relative one is within the folder of the data sets,
            `root`. As it stands here it is part of what identifies a run.
        size: Height and width that the network sees.
        stored_size: Side of the squares. Default: such that the central 87.5 % have `size`.
        resident: Whether all images are decoded once and kept in memory. Default: if they take a quarter of it.
        workers: Processes that decode images, beside each process that trains.
        evaluation_batch_size: Images that are evaluated together.
        **options: Those of every data set.
    """

    statistics_images: ClassVar[int | None] = 10_000

    def __init__(
        self,
        folder: str,
        size: PositiveInt = 299,
        stored_size: PositiveInt | None = None,
        resident: bool | None = None,
        workers: NonNegativeInt = 0,
        evaluation_batch_size: PositiveInt = 100,
        **options: Any,
    ) -> None:
        super().__init__(evaluation_batch_size=evaluation_batch_size, **options)
        self.folder = folder
        self.size = PositiveInt(size)
        self.stored_size = round(self.size / CENTRE) if stored_size is None else stored_size
        self.keep = resident
        self.workers = workers
        self.image_shape = (3, self.size, self.size)

    @cached_property
    def lists(self) -> tuple[ImageList, ImageList]:
        """The files of the training set and of the test set.

        Raises:
            UserError: A folder is missing, or the two have different classes.
        """
        place = Path(self.root or os.environ.get("RETHINK_DATA") or "data") / self.folder
        if not (place / "train").is_dir():
            raise UserError(f"{place} has no folder train. Expected {place}/train/CLASS/IMAGE.jpg.")
        evaluated = next((place / name for name in EVALUATED if has_folders(place / name)), None)
        if evaluated is None:
            raise UserError(f"{place} has no test set. Expected {place}/test or {place}/val, with the same classes.")
        train, test = scan(place / "train"), scan(evaluated)
        if train.classes != test.classes:
            here, there = set(train.classes) - set(test.classes), set(test.classes) - set(train.classes)
            only = [
                f"only {part} has {', '.join(sorted(names)[:3])}"
                for part, names in ((train.folder, here), (test.folder, there))
                if names
            ]
            raise UserError(f"The classes differ: {'; '.join(only)}. Both need the same class folders.")
        return train, test

    def load(self) -> Streams:
        train, test = self.lists
        fingerprint = f"{train.fingerprint()} {test.fingerprint()} {self.stored_size}"
        labels = (torch.from_numpy(part.labels) for part in (train, test))
        readers = (_Squares(part, self.stored_size) for part in (train, test))
        (read_train, read_test), (train_labels, test_labels) = readers, labels
        return Streams(read_train, train_labels, read_test, test_labels, fingerprint, self.workers)

    def pipeline(self, side: int) -> Pipeline:
        return InceptionPipeline(self.size, self._untouched_margin)

    def resident(self, count: int) -> bool:
        if self.keep is not None:
            return self.keep
        values = 4 if self.randomization.randomizes_images else 1  # Gaussian pixels are 32-bit numbers
        needed = count * self.stored_size**2 * 3 * values
        trainer = self.trainer
        processes, devices = 1, [torch.device("cpu")]
        if trainer is not None:
            processes, devices = trainer.num_devices, [*devices, trainer.strategy.root_device]
        there = [memory.available(device) for device in devices]
        return all(free is None or 4 * processes * needed <= free for free in there)


class _Squares:
    """Reads images of a list."""

    def __init__(self, files: ImageList, side: int) -> None:
        self.files = files
        self.side = side

    def __call__(self, index: Tensor) -> Stored:
        images = np.empty((len(index), self.side, self.side, 3), np.uint8)
        aspects = np.empty(len(index), np.float32)
        for place, number in enumerate(index.tolist()):
            images[place], aspects[place] = read_image(self.files.path(number), self.side)
        return Stored(torch.from_numpy(images), torch.from_numpy(aspects))


def has_folders(folder: Path) -> bool:
    """Whether a folder is there and has folders in it."""
    return folder.is_dir() and any(entry.is_dir() for entry in os.scandir(folder) if not entry.name.startswith("."))
