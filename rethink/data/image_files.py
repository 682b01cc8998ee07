"""Image files of any kind, decoded into squares of one size."""

import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from rethink.errors import UserError

DECODER = 2
"""Raised whenever `read_image` gives other bytes of the same file: packed copies of others are refused."""
ORIENTATION = 0x0112  # EXIF's tag: how the camera was held
# Its value -> which of (rows, columns) to mirror, after an exchange of rows and columns from 5 on.
_MIRRORED = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}
# What Pillow is known to raise on bytes that are not what they should be.
_UNDECODABLE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, SyntaxError, TypeError, ValueError),
    *(struct.error, Image.DecompressionBombError),
)


class DamagedImage(UserError):
    """A file that is no image, or not a whole one, and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read as an image: {reason}. Mend or remove it, or pass over damaged files with "
            "--data.skip_damaged true"
        )
        self.reason = reason


def read_image(path: Path, side: int) -> tuple[NDArray[np.uint8], float]:
    """The picture squeezed into a square, upright, in RGB.

    A JPEG is decoded at the smallest size that its codec offers and that is not below the square's. Then it is resized
    with a triangle filter: torch's, three times as fast as Pillow's, the same on every CPU, and at most a level away.
    16-bit images keep their upper 8 bits.

    Args:
        path: A file of any format that Pillow reads.
        side: Of the square.

    Returns:
        (side, side, 3), and width / height of the original.

    Raises:
        DamagedImage: It cannot be decoded whole.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            orientation = image.getexif().get(ORIENTATION, 1)
            image.draft(None, (side, side))
            pixels = torch.from_numpy(np.array(_rgb(image)))
    except _UNDECODABLE as error:
        reason = getattr(error, "strerror", None) or str(error).partition(f" {str(path)!r}")[0]
        raise DamagedImage(path, reason or type(error).__name__) from error
    square = F.interpolate(pixels[None].permute(0, 3, 1, 2), (side, side), mode="bilinear", antialias=True)
    square = square[0].permute(1, 2, 0)
    if orientation in _MIRRORED:
        if orientation >= 5:
            square, width, height = square.transpose(0, 1), height, width
        square = square.flip(_MIRRORED[orientation])
    return square.numpy(), width / height


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, of which a plain conversion would keep the lower 8
        values = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(values.astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("values are floating-point numbers without a known range")
    return image.convert("RGB")  # what it is already, if it is: Pillow decodes here
