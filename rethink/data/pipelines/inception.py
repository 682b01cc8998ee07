"""The pipeline of the TensorFlow Inception of the time (tensorflow/models, inception/image_processing.py, 2016).

Training: a random part of the image (5 to 100 % of its area, width / height 3/4 to 4/3), resized; a left-right flip;
brightness, saturation, hue and contrast. Evaluation, and training without augmentation: the central 87.5 % of height
and width, resized. Values in [-1, 1].

Images are stored as squares, the whole picture squeezed into them; where a random part lies is computed from the
original's aspect, so that it has the shape that it would have had there. What is drawn is drawn per (seed, epoch,
index of the example). TensorFlow's retries of parts too small, and the boxes around objects that its records held, are
left out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rethink import randomness
from rethink.data.pipelines.pipeline import Pipeline, Switches
from rethink.errors import UserError

CENTRE = 0.875  # share of height and width that the evaluation sees
AREA = 0.05  # the least share of the area
ASPECT = (3 / 4, 4 / 3)
BRIGHTNESS, SATURATION, HUE, CONTRAST = 32 / 255, (0.5, 1.5), 0.2, (0.5, 1.5)


@dataclass(frozen=True)
class InceptionPipeline(Pipeline):
    """Crop, flip and distort, or crop the centre; resize; scale.

    size: Height and width that the network sees. untouched_margin: the randomization that changed the central crop
    only, so that an augmentation would show the original beside it.
    """

    size: int = 299
    untouched_margin: str | None = None

    def check(self, switches: Switches) -> None:
        if switches.augmentation not in ("none", "inception") or not switches.crop_first:
            option = "augmentation" if switches.crop_first else "crop_first"
            raise UserError(
                f"{option} {getattr(switches, option)!r} is CIFAR's. These images have the pipeline of Inception: "
                "--model.augmentation none or inception."
            )
        if self.untouched_margin and switches.augmentation != "none":
            raise UserError(
                f"augmentation {switches.augmentation!r} would show the network the untouched margin around the "
                f"randomized centre of {self.untouched_margin}. Add --data.randomization.region full."
            )

    def shown(self, images: Tensor) -> Tensor:
        side = images.shape[1]
        crop = round(CENTRE * side)
        first = (side - crop) // 2
        return images[:, first : first + crop, first : first + crop]

    def draw(self, switches: Switches, epoch: int, index: NDArray[np.int64]) -> "InceptionDraws | None":
        if switches.augmentation == "none":
            return None
        chance = randomness.uniform(randomness.key(switches.seed, "inception", epoch), index, len(_NAMES))
        return InceptionDraws(randomness.tensor(chance.astype(np.float32)))

    def __call__(self, images: Tensor, switches: Switches, draws: Any = None, aspect: Tensor | None = None) -> Tensor:
        if draws is None:
            values = _values(self.shown(images))
            if values.shape[2] != self.size:
                values = F.interpolate(values, (self.size, self.size), mode="bilinear", antialias=True)
            return values.mul_(2).sub_(1)
        aspect = images.new_ones(len(images), dtype=torch.float32) if aspect is None else aspect
        values = images.new_empty((len(images), images.shape[3], self.size, self.size), dtype=torch.float32)
        few = max(len(images), 1) if images.is_cuda else 2  # images whose values stay in a CPU's cache
        for first in range(0, len(images), few):
            place = slice(first, first + few)
            drawn = draws.at(place)
            part = _part(_values(images[place]), drawn.box(aspect[place]), drawn["flip"] < 0.5, self.size)
            torch.sub(drawn.distort(part).mul_(2), 1, out=values[place])
        return values


_NAMES = ("aspect", "height", "top", "left", "flip", "brightness", "saturation", "hue", "contrast", "order")


@dataclass(frozen=True)
class InceptionDraws:
    """An epoch's draws for n images. chance: (n, 10) float32, uniform in [0, 1], a column for each of `_NAMES`."""

    chance: Tensor

    def __getitem__(self, name: str) -> Tensor:
        return self.chance[:, _NAMES.index(name)]

    def to(self, device: torch.device) -> "InceptionDraws":
        """The same draws on a device."""
        return InceptionDraws(self.chance.to(device))

    def at(self, positions: Tensor | slice) -> "InceptionDraws":
        """The draws of some of the images."""
        return InceptionDraws(self.chance[positions])

    def box(self, aspect: Tensor) -> Tensor:
        """The part of each image: (n, 4) top, left, height, width as shares of the image.

        As TensorFlow's `sample_distorted_bounding_box`: the aspect is uniform, then the height between the least and
        the largest that it allows, then the place.

        Args:
            aspect: (n,) width / height of the images.
        """
        ratio = _between(self["aspect"], *ASPECT)
        largest = (aspect / ratio).clamp(max=1)
        least = (AREA * aspect / ratio).sqrt().minimum(largest)
        height = least + self["height"] * (largest - least)
        width = (height * ratio / aspect).clamp(max=1)
        return torch.stack([self["top"] * (1 - height), self["left"] * (1 - width), height, width], 1)

    def distort(self, values: Tensor) -> Tensor:
        """Brightness, then saturation and hue, with the contrast after or before them; clipped at the end.

        Args:
            values: (n, 3, H, W) in [0, 1], which are written over.
        """
        if values.shape[1] != 3:
            return values
        contrast, last = _between(self["contrast"], *CONTRAST), self["order"] < 0.5
        values.add_(_wide(_between(self["brightness"], -BRIGHTNESS, BRIGHTNESS)))
        _contrast(values, contrast.where(~last, 1))
        _color(values, _between(self["saturation"], *SATURATION), _between(self["hue"], -HUE, HUE))
        return _contrast(values, contrast.where(last, 1)).clamp_(0, 1)


def _values(images: Tensor) -> Tensor:
    """(n, H, W, C) in the units of [0, 255] -> (n, C, H, W) float32 in the units of [0, 1]."""
    return (images.float() / 255).permute(0, 3, 1, 2)


def _part(values: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """(n, C, H, W) -> (n, C, size, size): a part of each, bilinear, mirrored where `flip` is true."""
    along = (torch.arange(size, device=values.device) + 0.5) / size
    across = along.where(~flip[:, None], 1 - along)
    rows, columns = box[:, :1] + box[:, 2:3] * along, box[:, 1:2] + box[:, 3:] * across
    grid = torch.stack([columns[:, None].expand(-1, size, -1), rows[:, :, None].expand(-1, -1, size)], -1)
    return F.grid_sample(values, 2 * grid - 1, mode="bilinear", padding_mode="border", align_corners=False)


def _between(chance: Tensor, low: float, high: float) -> Tensor:
    return low + chance * (high - low)


def _wide(factor: Tensor) -> Tensor:
    return factor[:, None, None, None]


def _contrast(values: Tensor, factor: Tensor) -> Tensor:
    """`tf.image.adjust_contrast`, in place: away from the mean of each channel."""
    mean = values.mean((2, 3), keepdim=True)
    return values.sub_(mean).mul_(_wide(factor)).add_(mean)


def _color(values: Tensor, saturation: Tensor, hue: Tensor) -> None:
    """`tf.image.adjust_saturation`, then `adjust_hue`, in place: to hue, saturation and value and back."""
    red, green, blue = values.unbind(1)
    value, low = values.amax(1), values.amin(1)
    spread = value - low
    most_red, most_green = value == red, value == green
    difference = torch.where(most_red, green - blue, torch.where(most_green, blue - red, red - green))
    turn = difference.div_(spread.where(spread > 0, 1)).add_(torch.where(most_red, 0, torch.where(most_green, 2, 4)))
    turn.add_(6 * hue[:, None, None]).remainder_(6)  # of six, from red over green to blue
    # Of the largest value, the saturation times what a channel's distance from this hue leaves is taken away.
    strength = (saturation[:, None, None] * spread).minimum(value).where(value > 0, 0)
    values[:, 0] = value.addcmul((turn - 3).abs_().neg_().add_(2).clamp_(0, 1), strength, value=-1)
    values[:, 1] = value.addcmul((turn - 2).abs_().sub_(1).clamp_(0, 1), strength, value=-1)
    values[:, 2] = value.addcmul((turn - 4).abs_().sub_(1).clamp_(0, 1), strength, value=-1)
