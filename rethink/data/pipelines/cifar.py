"""The pipeline of Appendix A: preprocessing and augmentation, batched and on the device of the images.

Divide by 255, crop the centre to 28x28, standardize each image; with an augmentation, another window or a flip and a
rotation before. Images enter as they are stored, (B, H, W, C) with values in [0, 255], and leave as (B, C, 28, 28) in
channels_last memory, float32. What is drawn is drawn per (seed, epoch, index of the example).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rethink import randomness
from rethink.data.pipelines.pipeline import Augmentation, Draws, Pipeline, Switches
from rethink.errors import UserError

MAX_ROTATION = 25.0  # degrees (Table 4)


@dataclass(frozen=True)
class CifarPipeline(Pipeline):
    """Crop, then standardize, with an augmentation before.

    side: Height and width of the stored images. crop: side of the window that the network sees. untouched_margin: the
    randomization that changed the centre window only, so that an augmentation would show the original beside it.
    """

    side: int = 32
    crop: int = 28
    untouched_margin: str | None = None

    def check(self, switches: Switches) -> None:
        if switches.augmentation == "inception":
            raise UserError("augmentation 'inception' is for ImageFolder and ImageNet. Use random_crop or flip_rotate.")
        if "random_crop" in switches.augmentation and self.side == self.crop:
            raise UserError(
                f"augmentation {switches.augmentation!r} needs images larger than the window of {self.crop}x{self.crop}"
                " that the network sees, and these are not. Use --model.augmentation none or flip_rotate."
            )
        if self.untouched_margin and (switches.augmentation != "none" or not switches.crop_first):
            refused = f"augmentation {switches.augmentation!r} would show the network"
            if switches.augmentation == "none":
                refused = "crop_first False would standardize with"
            raise UserError(
                f"{refused} the untouched margin around the randomized centre of {self.untouched_margin}. "
                "Add --data.randomization.region full."
            )

    def shown(self, images: Tensor) -> Tensor:
        return _centre(images, self.crop)

    def draw(self, switches: Switches, epoch: int, index: NDArray[np.int64]) -> Draws | None:
        return draw_augmentation(switches.augmentation, switches.seed, epoch, index, self.side - self.crop)

    def __call__(
        self, images: Tensor, switches: Switches, draws: Draws | None = None, aspect: Tensor | None = None
    ) -> Tensor:
        return prepare(images, self.crop, draws=draws, crop_first=switches.crop_first)


def prepare(images: Tensor, crop: int, *, draws: Draws | None = None, crop_first: bool = True) -> Tensor:
    """What the network sees of images: (B, C, crop, crop) float32.

    Args:
        images: (B, H, W, C), uint8 or float32.
        crop: Side of the window.
        draws: The augmentation of these images; None is the centre crop.
        crop_first: Crop, then standardize (Appendix A), or the other way round (code of the paper's time).
    """
    if crop_first and not draws:
        images = _centre(images, crop)  # the common case, before the images become floats
    images = images / 255 if images.is_floating_point() else images.float().div_(255)
    if draws and "flip" in draws:
        images = _flip_rotate(images, draws["flip"], draws["angle"])
    if not crop_first:
        images = standardize(images)
    images = _windows(images, draws["offset"], crop) if draws and "offset" in draws else _centre(images, crop)
    if crop_first:
        images = standardize(images)
    return images.permute(0, 3, 1, 2)


def standardize(images: Tensor) -> Tensor:
    """Per-image standardization, TensorFlow's `per_image_whitening`: (x - mean) / max(std, 1 / sqrt(N)).

    Mean and population standard deviation are over all N values of an image, all channels together.
    """
    values = images.flatten(1)
    values = values - values.mean(1, keepdim=True)
    size = values.shape[1]
    deviation = torch.linalg.vector_norm(values, dim=1, keepdim=True) * size**-0.5  # ten times as fast as std_mean
    return values.div_(deviation.clamp_min(size**-0.5)).view_as(images)


def draw_augmentation(
    augmentation: Augmentation, seed: int, epoch: int, index: NDArray[np.int64], margin: int
) -> Draws | None:
    """The draws of an epoch; None for the augmentation "none".

    Args:
        augmentation: Which one.
        seed: The training seed.
        epoch: Epoch, from 0.
        index: (n,) index of each image in the whole data set.
        margin: Side of the image minus side of the window: offsets are in {0, ..., margin}.

    Returns:
        `offset`, (n, 2) int64, top and left of the window; `flip`, (n,) bool, and `angle`, (n,) float32, in radians: as
        far as the augmentation has them.
    """
    draws: Draws = {}
    if "random_crop" in augmentation:
        chance = randomness.uniform(randomness.key(seed, "crop", epoch), index, 2)
        draws["offset"] = randomness.tensor((chance * (margin + 1)).astype(np.int64))
    if "flip_rotate" in augmentation:
        chance = randomness.uniform(randomness.key(seed, "flip and rotate", epoch), index, 2)
        draws["flip"] = randomness.tensor(chance[:, 0] < 0.5)
        draws["angle"] = randomness.tensor(np.deg2rad((2 * chance[:, 1] - 1) * MAX_ROTATION).astype(np.float32))
    return draws or None


def _centre(images: Tensor, crop: int) -> Tensor:
    """(B, H, W, C) -> (B, crop, crop, C), the centre window."""
    top, left = ((side - crop) // 2 for side in images.shape[1:3])
    return images[:, top : top + crop, left : left + crop]


def _windows(images: Tensor, offset: Tensor, crop: int) -> Tensor:
    """(B, H, W, C) -> (B, crop, crop, C), each image its own window."""
    along = torch.arange(crop, device=images.device)
    rows = (offset[:, :1] + along)[:, :, None]
    columns = (offset[:, 1:] + along)[:, None, :]
    return images[torch.arange(len(images), device=images.device)[:, None, None], rows, columns]


def _flip_rotate(images: Tensor, flip: Tensor, angle: Tensor) -> Tensor:
    """Left-right flip, then rotation about the centre, bilinear; what comes from outside the image is 0 (black)."""
    pixels = images.permute(0, 3, 1, 2)
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    mirror = torch.where(flip, -1.0, 1.0)[:, None, None]
    y, x = (_centres(side, images.device) for side in pixels.shape[2:])
    # From output to input coordinates: rotate, then mirror the horizontal axis. Not by F.affine_grid, which is a
    # matrix product: autocast would round the coordinates to bf16, a tenth of a pixel at the border.
    grid = torch.stack([mirror * (cos * x - sin * y[:, None]), sin * x + cos * y[:, None]], -1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False).permute(0, 2, 3, 1)


def _centres(side: int, device: torch.device) -> Tensor:
    """Coordinates of the centres of the pixels along a side from -1 to 1, (side,)."""
    return (2 * torch.arange(side, device=device) + 1) / side - 1
