"""Randomizations of the images (Section 2.1): shuffled pixels, random pixels, Gaussian.

They act on the values before standardization, by default on the centre that the network sees. Which scope of the
permutation and which statistics the paper used is not in its text; the README says what the defaults rest on.
"""

from typing import Literal

import torch
from torch import Tensor

from rethink import randomness
from rethink.randomization.randomization import Part, PixelCounts, Randomization

Scope = Literal["pixels", "values"]
Region = Literal["centre", "full"]

_CHUNK = 500  # images whose draws are made at a time: 64-bit draws of all of CIFAR-10 at once would take 1 GB


class ShuffledPixels(Randomization):
    """One random permutation of the pixels, the same for all images, train and test.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
        scope: "pixels" moves the channels of a pixel together; "values" permutes all values, channels mixed.
        region: "centre" is the window that the network sees without augmentation; "full" is the whole image before
            cropping, and is what an augmentation needs.
    """

    randomizes_images = True

    def __init__(self, seed: int = 0, scope: Scope = "pixels", region: Region = "centre") -> None:
        super().__init__(seed)
        self.scope = scope
        self.region = region

    def images(self, images: Tensor, index: Tensor, part: Part, counts: PixelCounts) -> Tensor:
        items = _items(images, self.scope)
        order = randomness.permutation(randomness.key(self.seed, "shuffle"), items.shape[1])
        return items[:, randomness.tensor(order)].view_as(images)


class RandomPixels(Randomization):
    """A random permutation of the pixels, a different one for each image.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
        scope: "values" permutes all values, channels mixed; "pixels" moves the channels of a pixel together, which
            leaves the colours of an image, and with them something to generalize from.
        region: "centre" is the window that the network sees without augmentation; "full" is the whole image before
            cropping, and is what an augmentation needs.
    """

    randomizes_images = True

    def __init__(self, seed: int = 0, scope: Scope = "values", region: Region = "centre") -> None:
        super().__init__(seed)
        self.scope = scope
        self.region = region

    def images(self, images: Tensor, index: Tensor, part: Part, counts: PixelCounts) -> Tensor:
        items = _items(images, self.scope)
        stream = randomness.key(self.seed, "permute", part)
        shuffled = torch.empty_like(items)
        for chunk in torch.arange(len(items)).split(_CHUNK):
            order = randomness.permutations(stream, index[chunk].numpy(), items.shape[1])
            where = randomness.tensor(order)[:, :, None].expand(-1, -1, items.shape[2])
            shuffled[chunk] = items[chunk].gather(1, where)
        return shuffled.view_as(images)


class GaussianPixels(Randomization):
    """Every value is drawn from a Gaussian with the mean and variance of the original training images.

    The values are neither clipped to [0, 255] nor rounded.

    Args:
        seed: Seed of the randomization, apart from the seed of the training.
        statistics: "global" matches one mean and variance over all values; "channel" matches one per channel.
        region: "centre" is the window that the network sees without augmentation; "full" is the whole image before
            cropping, and is what an augmentation needs.
    """

    randomizes_images = True

    def __init__(
        self, seed: int = 0, statistics: Literal["global", "channel"] = "global", region: Region = "centre"
    ) -> None:
        super().__init__(seed)
        self.statistics = statistics
        self.region = region

    def images(self, images: Tensor, index: Tensor, part: Part, counts: PixelCounts) -> Tensor:
        mean, deviation = _statistics(counts, per_channel=self.statistics == "channel")
        stream = randomness.key(self.seed, "gaussian", part)
        noise = torch.empty(images.shape, dtype=torch.float32)
        for chunk in torch.arange(len(images)).split(_CHUNK):
            draws = randomness.normal(stream, index[chunk].numpy(), images[0].numel())
            noise[chunk] = randomness.tensor(draws).view_as(noise[chunk])
        return noise.mul_(deviation).add_(mean)


def _items(images: Tensor, scope: Scope) -> Tensor:
    """What is permuted along dimension 1: (n, pixels, channels), or (n, values, 1)."""
    return images.flatten(1, 2) if scope == "pixels" else images.flatten(1)[:, :, None]


def _statistics(counts: PixelCounts, *, per_channel: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, exact, from the counts of the 256 values of each channel."""
    values = torch.arange(256, dtype=torch.float64)
    share = counts.counts.double() if per_channel else counts.counts.double().sum(0, keepdim=True)
    share = share / share.sum(1, keepdim=True)
    mean = share @ values
    variance = share @ values**2 - mean**2
    return mean.float(), variance.sqrt().float()
