"""Any data set of one's own: images in a folder for each class."""

import hashlib
import json
import sys
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from torch import Tensor

from rethink import randomness
from rethink.data.ahead import read_ahead
from rethink.data.datamodule import ImageDataModule, Streams
from rethink.data.image_files import DamagedImage, read_image
from rethink.data.image_list import ImageList, list_folder
from rethink.data.packed import PARTS, Packed
from rethink.data.pipelines.inception import CENTRE, InceptionPipeline
from rethink.data.pipelines.pipeline import Pipeline
from rethink.data.split import Stored
from rethink.errors import UserError
from rethink.files import write_text
from rethink.training import memory


class ImageFolder(ImageDataModule):
    """Images as files, a folder for each class: FOLDER/train/CLASS/IMAGE.jpg and FOLDER/test or FOLDER/val.

    An image is decoded into a square of `stored_size`, the whole picture squeezed into it. From there on the pipeline
    of Inception works, on the device. Whether the squares are all kept in memory makes no difference to any number.

    Args:
        folder: The folder with `train` and `test` or `val`. A relative one is within the folder of the data sets,
            `root`. As it stands here it is part of what identifies a run.
        size: Height and width that the network sees.
        stored_size: Side of the squares. Default: such that the central 87.5 % have `size`.
        classes: Number of classes, chosen by `subset_seed`. Fewer are part of more. Default: all.
        fraction: Share of the training images, chosen by `subset_seed`, in place of `train_size`. Default: all.
        skip_damaged: Whether files that are no whole images are left out, counted and recorded. All are decoded once
            to know. Otherwise the first such file ends the run.
        checksums: Whether the digest of the data is of the files' content too, which is read whole at each start.
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
        classes: PositiveInt | None = None,
        fraction: ClosedUnitInterval | None = None,
        skip_damaged: bool = False,
        checksums: bool = False,
        resident: bool | None = None,
        workers: NonNegativeInt = 0,
        evaluation_batch_size: PositiveInt = 100,
        **options: Any,
    ) -> None:
        super().__init__(evaluation_batch_size=evaluation_batch_size, **options)
        if fraction is not None and self.train_size is not None:
            raise UserError("--data.fraction and --data.train_size both say how many images to train on. Give one.")
        if fraction == 0:
            raise UserError("--data.fraction 0 leaves no image to train on. Choose more.")
        self.folder = folder
        self.size = PositiveInt(size)
        self.stored_size = round(self.size / CENTRE) if stored_size is None else stored_size
        self.classes = classes
        self.fraction = fraction
        self.skip_damaged = skip_damaged
        self.checksums = checksums
        self.keep = resident
        self.workers = workers
        self.image_shape = (3, self.size, self.size)

    @property
    def place(self) -> Path:
        """The folder with `train` and `test` or `val`."""
        return self._sets / self.folder

    @property
    def copy(self) -> Path:
        """Where a packed copy is looked for: in the folder of the data sets, NAME-SIZE."""
        return self._sets / f"{Path(self.folder).name}-{self.stored_size}"

    @cached_property
    def packed(self) -> list[Packed]:
        """The packed copy of this `stored_size`, training set and test set; empty where there is none.

        Raises:
            UserError: It is a copy of other files than there are in the folder.
        """
        copy, originals = self.copy, self._sets / self.folder
        if not all((copy / f"{part}.npz").exists() for part in PARTS):
            return []
        packed = [Packed.open(copy, part, originals) for part in PARTS]
        if (originals / "train").is_dir():
            for part, files in zip(packed, list_folder(originals, self._sets / ".lists"), strict=True):
                if part.files.fingerprint() != files.fingerprint():
                    raise UserError(
                        f"{copy} is a copy of other files than {files.folder} has now. Remove it, and make it again "
                        f"with `rethink data cache {self.folder} --size {self.stored_size}`."
                    )
        return packed

    @property
    def _listed(self) -> tuple[ImageList, ImageList]:
        """All files there are."""
        if self.packed:
            return self.packed[0].files, self.packed[1].files
        return list_folder(self.place, self._sets / ".lists")

    @cached_property
    def lists(self) -> tuple[ImageList, ImageList]:
        """The files of the training set and of the test set, as chosen.

        Raises:
            UserError: A folder is missing, or the two have different classes.
        """
        train, test = self._listed
        if self.skip_damaged:
            train, test = (part.without(set(self.damaged_of(part))) for part in (train, test))
        if self.classes is not None:
            there = len(train.classes)
            if self.classes == 1:
                raise UserError("--data.classes 1 leaves nothing to tell apart. Choose more.")
            if self.classes > there:
                raise UserError(f"--data.classes {self.classes} is more than the {there} of {self.folder}.")
            order = randomness.permutation(randomness.key(self.subset_seed, "classes"), there)
            train, test = (part.of_classes(np.sort(order[: self.classes])) for part in (train, test))
        for packed, part in zip(self.packed, (train, test), strict=False):
            if wrong := sorted(set(packed.damaged) & set(part.origin.tolist())):
                raise DamagedImage(packed.files.path(wrong[0]), packed.damaged[wrong[0]])
        return train, test

    def damaged_of(self, files: ImageList) -> dict[int, str]:
        """Which files of a list are no whole images, and why. They are decoded once; the answer is kept."""
        for packed in self.packed:
            if packed.files is files:
                return packed.damaged
        kept = self._sets / ".lists" / f"{files.fingerprint()[:16]}.damaged.json"
        with suppress(OSError, ValueError):
            return {int(number): reason for number, reason in json.loads(kept.read_text()).items()}
        print(f"decoding the {len(files):,} images of {files.folder} to know which are damaged", file=sys.stderr)
        batches = torch.arange(len(files)).split(100)
        reasons = read_ahead(partial(_damage, files, self.stored_size), batches, self.workers)
        damaged = {number: reason for batch in reasons for number, reason in batch.items()}
        for number, reason in damaged.items():
            print(f"passed over {files.path(number)}: {reason}", file=sys.stderr)
        with suppress(UserError):
            write_text(kept, json.dumps(damaged), durable=False)
        return damaged

    def load(self) -> Streams:
        train, test = self.lists
        fingerprint = f"{train.fingerprint()} {test.fingerprint()} {self.stored_size}"
        if self.checksums:
            fingerprint += "".join(f" {self._checksum(part)}" for part in (train, test))
        labels = [torch.from_numpy(part.labels) for part in (train, test)]
        readers = [partial(read_squares, part, self.stored_size) for part in (train, test)]
        if self.packed:
            readers = [partial(pack.read, part.origin) for pack, part in zip(self.packed, (train, test), strict=True)]
        return Streams(readers[0], labels[0], readers[1], labels[1], fingerprint, self.workers)

    @property
    def noted(self) -> dict[str, Any]:
        train, test = self.lists
        noted: dict[str, Any] = {"files": [len(train), len(test)], "classes": list(train.classes)}
        if self.skip_damaged:
            noted["damaged"] = [
                f"{part.folder.name}/{part.name(i)}" for part in self._listed for i in self.damaged_of(part)
            ]
        return noted

    def pipeline(self, side: int) -> Pipeline:
        return InceptionPipeline(self.size, self._untouched_margin)

    def resident(self, count: int) -> bool:
        if self.keep is not None:
            return self.keep
        values = 4 if self.randomization.randomizes_images else 1  # Gaussian pixels are 32-bit numbers
        needed = count * self.stored_size**2 * 3 * values
        processes, devices = 1, [torch.device("cpu")]
        if self.trainer is not None:
            processes, devices = self.trainer.num_devices, [*devices, self.trainer.strategy.root_device]
        there = [memory.available(device) for device in devices]
        return all(free is None or 4 * processes * needed <= free for free in there)

    def _choose_training(self, available: int) -> tuple[Tensor, Tensor]:
        if self.fraction is not None:
            self.train_size = max(round(self.fraction * available), 1)
        return super()._choose_training(available)

    def _checksum(self, files: ImageList) -> str:
        digest = hashlib.sha256()
        for content in read_ahead(partial(_sums, files), torch.arange(len(files)).split(100), self.workers):
            digest.update(content)
        return digest.hexdigest()


def read_squares(files: ImageList, side: int, index: Tensor) -> Stored:
    """Images of a list as squares, and their aspects."""
    images = np.empty((len(index), side, side, 3), np.uint8)
    aspects = np.empty(len(index), np.float32)
    for place, number in enumerate(index.tolist()):
        images[place], aspects[place] = read_image(files.path(number), side)
    return Stored(torch.from_numpy(images), torch.from_numpy(aspects))


def _damage(files: ImageList, side: int, index: Tensor) -> dict[int, str]:
    damaged = {}
    for number in index.tolist():
        try:
            read_image(files.path(number), side)
        except DamagedImage as error:
            damaged[number] = error.reason
    return damaged


def _sums(files: ImageList, index: Tensor) -> bytes:
    return b"".join(hashlib.sha256(files.path(number).read_bytes()).digest() for number in index.tolist())
