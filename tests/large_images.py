"""Images as large as the networks of ImageNet need, for their tests."""

from typing import Any

from rethink.data.store import Arrays
from rethink.data.synthetic import Synthetic


class LargeImages(Synthetic):
    """The synthetic images, every pixel three times as wide and high, and a centre of 80x80 shown: 5 patches of 16."""

    crop = 80
    image_shape = (3, 80, 80)

    def load(self) -> Arrays:
        arrays: Any = super().load()
        train, test = (
            images.repeat_interleave(3, 1).repeat_interleave(3, 2)
            for images in (arrays.train_images, arrays.test_images)
        )
        return arrays._replace(train_images=train, test_images=test)
