"""A split: examples with their labels, of which batches are made by position."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from rethink.data.pipelines.pipeline import Pipeline, Switches
from rethink.randomization.randomization import Part, PixelCounts, Randomization


@dataclass(frozen=True)
class Split(ABC):
    """Randomized (or untouched) images with their given and true labels.

    name: what it is, such as `train`. labels, true_labels: (n,) int64. corrupted: (n,) bool, whose label was drawn
    anew. index: (n,) int64, the place of each example in its part of the whole data set. pipeline: what its images go
    through before the network. Where the images are is for a subclass to say.
    """

    name: str
    labels: Tensor
    true_labels: Tensor
    corrupted: Tensor
    index: Tensor
    pipeline: Pipeline
    drawn: dict[tuple[Switches, int], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The last epoch's augmentation, of all examples."""

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def read(self, positions: Tensor) -> Tensor:
        """Images as they are stored, (b, height, width, channels), uint8 or float32 in the units of [0, 255]."""

    def to(self, device: torch.device) -> Self:
        """The same split on a device; itself if it is there already."""
        if self.labels.device == device:
            return self
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        moved: dict[str, Any] = {k: v.to(device) for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def batch(self, positions: Tensor, epoch: int = 0, size: int | None = None) -> "SplitBatch":
        """The examples at some positions.

        Args:
            positions: (b,) int64.
            epoch: Of the augmentation's draws.
            size: Number of examples over all ranks. Default: b.
        """
        return SplitBatch(self, positions, epoch, len(positions) if size is None else size)

    def prepare(self, positions: Tensor, switches: Switches = Switches(), epoch: int = 0) -> Tensor:  # noqa: B008
        """What the network takes of the images at some positions, (b, C, H, W) float32."""
        if (switches, epoch) not in self.drawn:
            self.pipeline.check(switches)
            draws = self.pipeline.draw(switches, epoch, self.index.cpu().numpy())
            self.drawn.clear()
            self.drawn[switches, epoch] = draws and draws.to(self.index.device)
        draws = self.drawn[switches, epoch]
        return self.pipeline(self.read(positions), switches, draws and draws.at(positions))

    def digest(self) -> str:
        """SHA-256 of what the network is really fed, before standardization: labels and shown pixels, in order."""
        digest = hashlib.sha256()
        for positions in torch.arange(len(self)).split(1000):
            shown = self.pipeline.shown(self.read(positions.to(self.labels.device)))
            if positions[0] == 0:
                digest.update(f"{shown.dtype} {(len(self), *shown.shape[1:])}".encode())
                digest.update(self.labels.cpu().numpy().tobytes())
            digest.update(shown.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SplitBatch:
    """Examples of a split; a Batch."""

    split: Split
    positions: Tensor
    epoch: int
    size: int

    @property
    def name(self) -> str:
        """That of the split."""
        return self.split.name

    @property
    def labels(self) -> Tensor:
        """(b,) int64."""
        return self.split.labels[self.positions]

    @property
    def true_labels(self) -> Tensor:
        """(b,) int64."""
        return self.split.true_labels[self.positions]

    @property
    def corrupted(self) -> Tensor:
        """(b,) bool."""
        return self.split.corrupted[self.positions]

    @property
    def index(self) -> Tensor:
        """(b,) int64."""
        return self.split.index[self.positions]

    def prepare(self, switches: Switches) -> Tensor:
        """Images as the network takes them, (b, C, H, W) float32."""
        return self.split.prepare(self.positions, switches, self.epoch)

    def to(self, device: torch.device, non_blocking: bool = False) -> "SplitBatch":
        """The same batch on a device (Lightning calls this)."""
        positions = self.positions.to(device, non_blocking=non_blocking)
        return replace(self, split=self.split.to(device), positions=positions)


@dataclass(frozen=True)
class ResidentSplit(Split):
    """A split whose images are in memory, on the device of its labels.

    images: (n, height, width, channels) uint8, or float32 for Gaussian pixels, values in the units of [0, 255].
    """

    images: Tensor

    def read(self, positions: Tensor) -> Tensor:
        return self.images.index_select(0, positions)


@dataclass(frozen=True)
class StreamedSplit(Split):
    """A split whose images are read, and randomized, when a batch asks for them.

    source: reads originals, (b,) int64 places in the whole part -> (b, height, width, channels) uint8. change: what
    the randomization does to them, given their index.
    """

    source: Callable[[Tensor], Tensor]
    change: Callable[[Tensor, Tensor], Tensor]

    def read(self, positions: Tensor) -> Tensor:
        index = self.index[positions].cpu()
        return self.change(self.source(index), index).to(self.index.device)


@dataclass(frozen=True)
class PixelChange:
    """What a randomization does to the images of a part of the data, within the region that it is asked to change.

    originals: gives all original training images, (b, height, width, channels) uint8 at a time.
    """

    randomization: Randomization
    part: Part
    pipeline: Pipeline
    originals: Callable[[], Iterable[Tensor]]

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """The images of some indices (b, height, width, channels), changed; the originals stay as they are."""
        if not self.randomization.randomizes_images:
            return images
        pixels = self.randomization.images(self._region(images), index, self.part, self._counts)
        images = images.to(pixels.dtype, copy=True)
        self._region(images).copy_(pixels)
        return images

    @cached_property
    def _counts(self) -> PixelCounts:
        return PixelCounts(lambda: map(self._region, self.originals()))

    def _region(self, images: Tensor) -> Tensor:
        """A view of what is changed."""
        return images if self.randomization.region == "full" else self.pipeline.shown(images)
