"""The random convolutional network of Table 3: Coates & Ng (2012) with random patches in the place of k-means.

One layer: filters that are whitened 6 x 6 patches of training images, a rectifier of both signs, sums over overlapping
windows. Filters, thresholds and windows are those of public code of the paper's authors' group, which has 16.7 % on
CIFAR-10 with 32,000 filters: patches less their mean and of unit norm, ZCA with 1e-3 applied twice (to the patch, and
in the place of whitening the image), threshold 1, averages over 15 x 15 every 6 pixels.

32,000 filters have 576,000 features an image: they are made for some filters at a time and enter the Gram matrix.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rethink import randomness

PATCH = 6  # pixels
PATCHES = 100_000  # for the whitening
_ZCA = 1e-3
_THRESHOLD = 1.0
_POOL, _STRIDE = 15, 6  # windows; 3 divides both, so that cells of 3 x 3 are averaged first
_CELL = 3
_CHUNK = 50  # images that are convolved together: their responses fit the caches


@dataclass(frozen=True)
class RandomConvNet:
    """The layer with filters (f, C, 6, 6), on images (n, H, W, C) with values in [0, 255]."""

    filters: Tensor

    @classmethod
    def draw(cls, images: Tensor, filters: int, seed: int) -> "RandomConvNet":
        """Random patches of the training images as filters."""
        patches = random_patches(images, max(PATCHES, filters), seed)
        channels = images.shape[3]
        chosen = whitened(patches)[:filters].float()
        return cls(chosen.view(filters, PATCH, PATCH, channels).permute(0, 3, 1, 2))

    def features(self, images: Tensor) -> Tensor:
        """(n, 2 f w) float32, w windows: 9 for images of 32 x 32."""
        features = []
        for chunk in images.split(_CHUNK):
            pixels = chunk.permute(0, 3, 1, 2).float() / 255  # a view in channels_last memory, as the filters
            responses = F.conv2d(pixels, self.filters.to(pixels.device))
            pooled = [_pooled(responses.sub(_THRESHOLD)), _pooled(responses.neg_().sub_(_THRESHOLD))]
            features.append(torch.cat(pooled, 1).flatten(1))
        return torch.cat(features)


def _pooled(responses: Tensor) -> Tensor:
    """Averages of the positive part over the windows, (n, f, H, W) -> (n, f, h, w); takes `responses` for its own."""
    cells = F.avg_pool2d(responses.relu_(), _CELL)
    return F.avg_pool2d(cells, _POOL // _CELL, _STRIDE // _CELL)


def random_patches(images: Tensor, count: int, seed: int) -> Tensor:
    """Random patches of random images, (count, 6 x 6 x C) float64 in [0, 1]."""
    height, width = images.shape[1:3]
    number = np.arange(count)
    image, top, left = (
        randomness.tensor(randomness.integers(randomness.key(seed, "patches", what), number, high))
        for what, high in (("image", len(images)), ("top", height - PATCH + 1), ("left", width - PATCH + 1))
    )
    along = torch.arange(PATCH)
    rows, columns = (top[:, None] + along)[:, :, None], (left[:, None] + along)[:, None, :]
    patches = images.cpu()[image[:, None, None], rows, columns]
    return patches.flatten(1).double() / 255


def whitened(patches: Tensor) -> Tensor:
    """Less their mean, of unit norm, and multiplied by (covariance + 1e-3)^-1; a patch of one colour is 0."""
    patches = patches - patches.mean(1, keepdim=True)
    norms = patches.norm(dim=1, keepdim=True)
    patches = patches / norms.where(norms > 1e-8, 1.0)
    covariance = patches.T @ patches / len(patches)
    values, vectors = torch.linalg.eigh(covariance)
    inverse: Tensor = (vectors / (values + _ZCA)) @ vectors.T
    return patches @ inverse
