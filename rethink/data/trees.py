"""Folders of real JPEGs for trying things, made here: they appear in one step, or not at all."""

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from rethink.data import store
from rethink.data.catalog import DATASETS, DataError

FOOLBOX = "foolbox==3.3.4 --hash=sha256:11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb"
_SIDE, _TRAIN, _TEST = 96, 256, 100  # of CIFAR-10 as JPEGs: pixels, and images of each class


class Tree(NamedTuple):
    """A folder with `train` and `val`, which `make` writes into an empty folder, given that of the data sets."""

    title: str
    make: Callable[[Path, Path], None]


def get(name: str, root: Path | str | None = None, force: bool = False) -> Path:
    """Have a tree in the folder of the data sets: nothing to do if it is there.

    Raises:
        DataError: It cannot be made.
    """
    sets = store.data_folder(root)
    place, partial = sets / name, sets / f".{name}.partial"
    try:
        sets.mkdir(parents=True, exist_ok=True)
        with FileLock(sets / f".{name}.lock"):
            if place.is_dir() and not force:
                return place
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            TREES[name].make(partial, sets)
            shutil.rmtree(place, ignore_errors=True)
            partial.rename(place)
    except OSError as error:
        raise DataError(f"{place} cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return place


def _cifar10(folder: Path, sets: Path) -> None:
    """The first images of each class of CIFAR-10, enlarged: for Inception V3 without its auxiliary head."""
    from PIL import Image

    dataset = DATASETS["cifar10"]
    arrays = store.load(dataset, sets)
    parts = (
        ("train", arrays.train_images, arrays.train_labels, _TRAIN),
        ("val", arrays.test_images, arrays.test_labels, _TEST),
    )
    for part, images, labels, count in parts:
        for label, name in enumerate(dataset.class_names):
            place = folder / part / name
            place.mkdir(parents=True)
            for index in np.flatnonzero(labels.numpy() == label)[:count].tolist():
                image = Image.fromarray(images[index].numpy()).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
                image.save(place / f"{index:05}.jpg", quality=90)


def _imagenet(folder: Path, sets: Path) -> None:
    """The wheel's images are in `train` by their class of 1,000, and once more in `val`: there are no others."""
    wanted = folder / "wanted.txt"
    wanted.write_text(FOOLBOX)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-r", str(wanted)]
    done = subprocess.run([*command, "-d", str(folder)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise DataError(f"The wheel of foolbox, which has the images, cannot be had with pip: {reason}")
    wanted.unlink()
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(io.BytesIO(wheel.read_bytes())) as archive:
        for member in archive.namelist():
            if member.startswith("foolbox/data/imagenet_") and member.endswith(".jpg"):
                name = member.rpartition("/")[2]
                label = f"{int(Path(name).stem.rpartition('_')[2]):04}"
                for part in ("train", "val"):
                    (folder / part / label).mkdir(parents=True, exist_ok=True)
                    (folder / part / label / name).write_bytes(archive.read(member))
    wheel.unlink()


TREES = {
    "cifar10-jpeg": Tree(f"3,560 images of CIFAR-10 as JPEGs of {_SIDE} x {_SIDE}", _cifar10),
    "imagenet-samples": Tree("the 20 JPEGs of ImageNet in the wheel of foolbox", _imagenet),
}
