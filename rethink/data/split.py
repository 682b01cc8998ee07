"""A split: images and labels as the network is given them, resident on one device."""

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Randomized (or untouched) images with their given and true labels.

    images: (n, height, width, channels) uint8, or float32 for Gaussian pixels, values in the units of [0, 255].
    labels, true_labels: (n,) int64. corrupted: (n,) bool, whose label was drawn anew. index: (n,) int64, the place
    of each example in its part of the whole data set. crop: side of the centre window that the network sees.
    """

    name: str
    images: Tensor
    labels: Tensor
    true_labels: Tensor
    corrupted: Tensor
    index: Tensor
    crop: int

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """The same split on a device; itself if it is there already."""
        if self.images.device == device:
            return self
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: v.to(device) for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def digest(self) -> str:
        """SHA-256 of what the network is really fed, before standardization: labels and centre windows, in order."""
        height, width = self.images.shape[1:3]
        top, left = (height - self.crop) // 2, (width - self.crop) // 2
        window = self.images[:, top : top + self.crop, left : left + self.crop]
        digest = hashlib.sha256(f"{window.dtype} {tuple(window.shape)}".encode())
        digest.update(self.labels.cpu().numpy().tobytes())
        for some in window.split(1000):
            digest.update(some.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()
