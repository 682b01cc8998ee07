"""ImageNet, the paper's large data set, from class folders or the archives that are published."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock
from jsonargparse.typing import NonNegativeInt, PositiveInt

from rethink.data.image_folder import ImageFolder
from rethink.errors import UserError

ARCHIVES = ("ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar")


class ImageNet(ImageFolder):
    """1,281,167 training and 50,000 validation images in 1,000 classes (Russakovsky et al. 2015), ILSVRC 2012.

    They are looked for in the folder `imagenet` of the data sets, then in the folder of the data sets itself: class
    folders in `train` and `val`, or the published archives, which are unpacked there once (140 GB more, with SciPy).

    Args:
        workers: Processes that decode images, beside each process that trains.
        batch_size: Examples of a batch over all processes together.
        **options: Those of ImageFolder but its folder.
    """

    def __init__(self, workers: NonNegativeInt = 8, batch_size: PositiveInt = 256, **options: Any) -> None:
        super().__init__(folder="imagenet", workers=workers, batch_size=batch_size, **options)

    @property
    def place(self) -> Path:
        """The folder with `train` and `val`; the archives are unpacked there first, where there are no folders."""
        places = [self._sets / self.folder, self._sets]
        place = next((p for p in places if (p / "train").is_dir() or (p / ARCHIVES[1]).is_file()), None)
        if place is None:
            raise UserError(
                f"ImageNet is in neither {places[0]} nor {places[1]}. Expected the folders train and val, or the "
                f"archives {', '.join(ARCHIVES)} from image-net.org."
            )
        if not ((place / "train").is_dir() and (place / "val").is_dir()):
            _unpack(place)
        return place


def _unpack(place: Path) -> None:
    """Unpacks the archives with torchvision's functions, which verify their sums. A killed one begins anew."""
    from torchvision.datasets import imagenet

    with FileLock(place / ".unpacking.lock"):
        try:
            if not (place / imagenet.META_FILE).is_file():
                imagenet.parse_devkit_archive(place)
            for part, parse in (("train", imagenet.parse_train_archive), ("val", imagenet.parse_val_archive)):
                if (place / part).is_dir():
                    continue
                print(f"unpacking {part} of ImageNet in {place}", file=sys.stderr)
                partial = f".{part}.partial"
                shutil.rmtree(place / partial, ignore_errors=True)
                parse(place, folder=partial)
                os.replace(place / partial, place / part)
        except (RuntimeError, OSError, ImportError) as error:
            raise UserError(f"The archives of ImageNet in {place} cannot be unpacked: {error}") from error
