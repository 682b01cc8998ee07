"""Folders of real JPEGs, made from images that are at hand."""

from pathlib import Path

import numpy as np
from PIL import Image

from rethink.data import Synthetic


def write_tree(folder: Path, train: int = 24, test: int = 12, classes: int = 3, side: int = 40) -> Path:
    """FOLDER/{train,val}/CLASS/NUMBER.jpg of generated images, with sides of several lengths and shapes."""
    arrays = Synthetic(num_train=train, num_test=test, num_classes=classes).load()
    for part, images, labels in (("train", *arrays[:2]), ("val", *arrays[2:])):
        for number, (image, label) in enumerate(zip(images.numpy(), labels.tolist(), strict=True)):
            place = folder / part / f"class{label}" / f"{number:03}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            width, height = side + 7 * (number % 3), side + 11 * (number % 2)
            Image.fromarray(np.asarray(image)).resize((width, height)).save(place, quality=90)
    return folder
