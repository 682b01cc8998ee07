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

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from rethink import randomness
from rethink.data.pipelines.pipeline import Draws, Pipeline, Switches
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

    def draw(self, switches: Switches, epoch: int, index: NDArray[np.int64]) -> Draws | None:
        if switches.augmentation == "none":
            return None
        chance = randomness.uniform(randomness.key(switches.seed, "inception", epoch), index, len(_NAMES))
        return {"chance": randomness.tensor(chance.astype(np.float32))}

    def __call__(
        self, images: Tensor, switches: Switches, draws: Draws | None = None, aspect: Tensor | None = None
    ) -> Tensor:
        if draws is None:
            values = (self.shown(images).float() / 255).permute(0, 3, 1, 2)
            if values.shape[2] != self.size:
                values = F.interpolate(values, (self.size, self.size), mode="bilinear", antialias=True)
            return values.mul_(2).sub_(1)
        aspect = images.new_ones(len(images), dtype=torch.float32) if aspect is None else aspect
        values = images.new_empty((len(images), images.shape[3], self.size, self.size), dtype=torch.float32)
        few = max(len(images), 1) if images.is_cuda else 2  # images whose values stay in a CPU's cache
        for first in range(0, len(images), few):
            place = slice(first, first + few)
            drawn = InceptionDraws(draws["chance"][place])
            pixels = images[place].permute(0, 3, 1, 2).float()
            values[place] = drawn.distort(_part(pixels, drawn.box(aspect[place]), drawn["flip"] < 0.5, self.size))
        return values


_NAMES = ("aspect", "height", "top", "left", "flip", "brightness", "saturation", "hue", "contrast", "order")


@dataclass(frozen=True)
class InceptionDraws:
    """An epoch's draws for n images. chance: (n, 10) float32, uniform in [0, 1], a column for each of `_NAMES`."""

    chance: Tensor

    def __getitem__(self, name: str) -> Tensor:
        return self.chance[:, _NAMES.index(name)]

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
            values: (n, 3, H, W) in [0, 255], which are written over. Of other channels nothing is distorted.

        Returns:
            The same in [-1, 1].
        """
        if values.shape[1] != 3:
            return values.mul_(2 / 255).sub_(1)
        contrast, last = _between(self["contrast"], *CONTRAST), self["order"] < 0.5
        brightness = _wide(_between(self["brightness"], -BRIGHTNESS, BRIGHTNESS))
        _contrast(values, contrast.where(~last, 1), 1 / 255, brightness)
        _color(values, _between(self["saturation"], *SATURATION), _between(self["hue"], -HUE, HUE))
        return _contrast(values, contrast.where(last, 1), 2, -1).clamp_(-1, 1)


def _part(values: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """(n, C, H, W) -> (n, C, size, size): a part of each, bilinear, mirrored where `flip` is true."""
    along = (torch.arange(size, device=values.device) + 0.5) / size
    across = along.where(~flip[:, None], 1 - along)
    rows, columns = (2 * (box[:, i, None] + box[:, i + 2, None] * share) - 1 for i, share in enumerate((along, across)))
    grid = values.new_empty(len(values), size, size, 2)
    grid[..., 0], grid[..., 1] = columns[:, None], rows[:, :, None]
    return F.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _between(chance: Tensor, low: float, high: float) -> Tensor:
    return low + chance * (high - low)


def _wide(factor: Tensor) -> Tensor:
    return factor[:, None, None, None]


def _contrast(values: Tensor, factor: Tensor, scale: float, shift: Tensor | float) -> Tensor:
    """`tf.image.adjust_contrast`, away from the mean of each channel, then a scale and a shift; in place."""
    mean = values.mean((2, 3), keepdim=True)
    return values.mul_(_wide(scale * factor)).add_(mean * _wide(scale * (1 - factor)) + shift)


def _color(values: Tensor, saturation: Tensor, hue: Tensor) -> None:
    """`tf.image.adjust_saturation`, then `adjust_hue`, in place: to hue, saturation and value and back.

    Without masks and selections, which are several times as slow on a CPU as sums and signs.
    """
    red, green, blue = values.unbind(1)
    value, low = red.maximum(green).maximum(blue), red.minimum(green).minimum(blue)
    spread = value - low
    # Of six, from red over green to blue. Where no green is in it it is 5 + (red - blue) / spread, and so on around.
    turn = (red - blue).add_(spread, alpha=5)
    there = (red - low).sign_()  # 0 where no red is in it, else 1
    turn = torch.lerp((blue - green).add_(spread, alpha=3), turn, there)
    there = torch.sub(blue, low, out=there).sign_()
    turn = torch.lerp((green - red).add_(spread), turn, there)
    turn.div_(low.copy_(spread).clamp_min_(_TINY)).mul_(1 / 6).add_(1 + hue[:, None, None]).frac_().mul_(6)
    # Of the largest value, the saturation times what a channel's distance from this hue leaves is taken away.
    strength = spread.mul_(saturation[:, None, None]).minimum(value).clamp_min_(0)
    for channel, opposite, rest, sign in ((red, 3, value - strength, 1), (green, 2, value, -1), (blue, 4, value, -1)):
        share = torch.sub(turn, opposite, out=there).abs_().sub_(1).clamp_(0, 1)
        torch.addcmul(rest, share, strength, value=sign, out=channel)


_TINY = 1e-30  # in the place of a spread of zero: gray has no hue
