"""Pictures in a figure: grids of small images, such as the filters of a layer, as one image with clear gaps.

A picture is pixels and no curve: it has no values in the chart's CSV and none under the reader's pointer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from rethink.report.style import INK

_LEVELS = 17  # of each colour, 0 of a filter in the middle: half the bytes, and more than an eye tells apart
_WIDTH = 3.6  # inches: of a picture beside its names


@dataclass(frozen=True, eq=False)
class Picture:
    """A grid of images: pixels (H, W, 4) uint8 with gaps that show the page, names of its rows, words under images."""

    pixels: NDArray[np.uint8]
    rows: Sequence[str] = ()
    captions: Sequence[Sequence[str]] = ()

    @property
    def height(self) -> float:
        """In inches, with the title above."""
        height, width = self.pixels.shape[:2]
        return float(_WIDTH * height / width + 0.45)


def grid(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    names: Sequence[str] = (),
    gap: int = 1,
    captions: Sequence[Sequence[str]] = (),
) -> Picture:
    """Images of any sizes in rows, each enlarged to the largest of all.

    Args:
        rows: Images (height, width), in grey, or (height, width, 3), uint8. Rows may have different lengths.
        names: Of the rows.
        gap: Pixels between two images, at the size of the largest.
        captions: Of the images, row by row; they stand in the gaps.
    """
    every = [image for row in rows for image in row]
    side = max(max(image.shape[:2]) for image in every)
    columns = max(map(len, rows))
    step = side + gap
    pixels = np.zeros((len(rows) * step - (0 if captions else gap), columns * step - gap, 4), np.uint8)
    for top, row in enumerate(rows):
        for left, image in enumerate(row):
            cell = pixels[top * step : top * step + side, left * step : left * step + side]
            cell[..., :3] = _coarse(_enlarged(image if image.ndim == 3 else image[:, :, None], side))
            cell[..., 3] = 255
    return Picture(pixels, names, captions)


def draw_picture(axes: Axes, title: str, picture: Picture) -> None:
    """The picture with the names of its rows, without axes. Its pixels stay pixels in an SVG."""
    axes.set_title(title)
    axes.imshow(picture.pixels, interpolation="none", aspect="equal")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    count = len(picture.rows)
    for top, words in enumerate(picture.captions):
        step = picture.pixels.shape[0] / len(picture.captions)
        gap = len(words) * step - picture.pixels.shape[1]
        for left, word in enumerate(words):
            place = (left * step + (step - gap) / 2, (top + 1) * step - 1.5)
            axes.text(*place, word, ha="center", va="bottom", fontsize=6.5, color=INK)
    places = (np.arange(count) + 0.5) * picture.pixels.shape[0] / max(count, 1) - 0.5
    axes.set_yticks(places, picture.rows)
    axes.set_xticks([])
    axes.tick_params(length=0)


def _enlarged(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Each pixel as often as it takes to come to a square of this side."""
    height, width = image.shape[:2]
    place = np.arange(side)
    enlarged: NDArray[np.uint8] = image[(place * height // side)[:, None], (place * width // side)[None]]
    return enlarged


def _coarse(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In few levels."""
    step = 255 / (_LEVELS - 1)
    return (np.round(image / step) * step).round().astype(np.uint8)
