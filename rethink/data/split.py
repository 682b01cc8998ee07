"""A split: examples with their labels, of which batches are made by position."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import repeat
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from rethink.data.ahead import read_ahead
from rethink.data.pipelines.pipeline import Draws, Pipeline, Switches
from rethink.randomization.randomization import Part, PixelCounts, Randomization

DIGESTED = 64  # images of a data set known by its list of files whose pixels count too


class Stored(NamedTuple):
    """Images as they are stored.

    Attributes:
        images: (b, height, width, channels), uint8, or float32 for Gaussian pixels, values in the units of [0, 255].
        aspect: (b,) float32, width / height of the originals, where `images` are these squeezed into squares.
    """

    images: Tensor
    aspect: Tensor | None = None


@dataclass(frozen=True)
class Split(ABC):
    """Randomized (or untouched) images with their given and true labels.

    name: what it is, such as `train`. labels, true_labels: (n,) int64. corrupted: (n,) bool, whose label was drawn
    anew. index: (n,) int64, the place of each example in its part of the whole data set. pipeline: what its images go
    through before the network. fingerprint: of the list of files that the images come from, if they do. Where the
    images are is for a subclass to say.
    """

    name: str
    labels: Tensor
    true_labels: Tensor
    corrupted: Tensor
    index: Tensor
    pipeline: Pipeline
    fingerprint: str = field(default="", kw_only=True)
    drawn: dict[tuple[Switches, int], Draws] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The last epoch's augmentation, of all examples."""

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def stored(self, positions: Tensor) -> Stored:
        """The images at some positions, (b,) int64."""

    def read(self, positions: Tensor) -> Tensor:
        """The same without their aspect, (b, height, width, channels)."""
        return self.stored(positions).images

    def ahead(self, batches: Sequence[Tensor]) -> Iterator[Stored | None]:
        """The images of batches of positions, read before they are asked for; None: to be read when they are."""
        return repeat(None, len(batches))

    def to(self, device: torch.device) -> Self:
        """The same split on a device; itself if it is there already."""
        if self.labels.device == device:
            return self
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        moved: dict[str, Any] = {k: v.to(device) for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def batch(
        self, positions: Tensor, epoch: int = 0, size: int | None = None, stored: Stored | None = None
    ) -> "SplitBatch":
        """The examples at some positions.

        Args:
            positions: (b,) int64.
            epoch: Of the augmentation's draws.
            size: Number of examples over all ranks. Default: b.
            stored: Their images, where they have been read ahead.
        """
        return SplitBatch(self, positions, epoch, len(positions) if size is None else size, stored)

    def prepare(
        self,
        positions: Tensor,
        switches: Switches = Switches(),  # noqa: B008
        epoch: int = 0,
        stored: Stored | None = None,
    ) -> Tensor:
        """What the network takes of the images at some positions, (b, C, H, W) float32."""
        if (switches, epoch) not in self.drawn:
            self.pipeline.check(switches)
            draws = self.pipeline.draw(switches, epoch, self.index.cpu().numpy()) or {}
            self.drawn.clear()
            self.drawn[switches, epoch] = {name: drawn.to(self.index.device) for name, drawn in draws.items()}
        draws = {name: drawn[positions] for name, drawn in self.drawn[switches, epoch].items()}
        images, aspect = stored or self.stored(positions)
        device = self.labels.device
        images, aspect = images.to(device, non_blocking=True), None if aspect is None else aspect.to(device)
        return self.pipeline(images, switches, draws or None, aspect)

    def digest(self) -> str:
        """SHA-256 of what the network is really fed, before standardization: labels and shown pixels, in order.

        Of images known by a list of files it is the list, the examples chosen, and the pixels of a few of them: to read
        a million images before training would take an hour, and whether they are in memory makes no difference.
        """
        digest = hashlib.sha256()
        every = torch.arange(len(self))
        if self.fingerprint:
            digest.update(self.fingerprint.encode() + self.index.cpu().numpy().tobytes())
            every = every[:: max(len(self) // DIGESTED, 1)]
        for positions in every.split(1000):
            shown = self.pipeline.shown(self.read(positions.to(self.labels.device)))
            if positions[0] == 0:
                digest.update(f"{shown.dtype} {(len(self), *shown.shape[1:])}".encode())
                digest.update(self.labels.cpu().numpy().tobytes())
            digest.update(shown.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()


class SplitBatch:
    """Examples of a split, whose tensors are made when they are asked for. No dataclass, as a Block is none.

    Args:
        split: What they are of.
        positions: (b,) int64 places in it.
        epoch: Of the augmentation's draws.
        size: Number of examples over all ranks.
        ahead: Their images, where they were read ahead.
    """

    def __init__(self, split: Split, positions: Tensor, epoch: int, size: int, ahead: Stored | None = None) -> None:
        self.split, self.positions, self.epoch, self.size, self.ahead = split, positions, epoch, size, ahead

    @property
    def name(self) -> str:
        return self.split.name

    @property
    def labels(self) -> Tensor:
        """Labels to train on, (b,) int64."""
        return self.split.labels[self.positions]

    @property
    def true_labels(self) -> Tensor:
        """Labels before the randomization, (b,) int64."""
        return self.split.true_labels[self.positions]

    @property
    def corrupted(self) -> Tensor:
        """Whose label was drawn anew, (b,) bool."""
        return self.split.corrupted[self.positions]

    @property
    def index(self) -> Tensor:
        """Place of each example in its part of the whole data set, (b,) int64."""
        return self.split.index[self.positions]

    def prepare(self, switches: Switches) -> Tensor:
        """Images as the network takes them, (b, C, H, W) float32."""
        return self.split.prepare(self.positions, switches, self.epoch, self.ahead)

    def to(self, device: torch.device, non_blocking: bool = False) -> "SplitBatch":
        """The same batch on a device (Lightning calls this)."""
        positions = self.positions.to(device, non_blocking=non_blocking)
        return SplitBatch(self.split.to(device), positions, self.epoch, self.size, self.ahead)


@dataclass(frozen=True)
class ResidentSplit(Split):
    """A split whose images are in memory, on the device of its labels.

    images, aspect: of all n examples, as in `Stored`.
    """

    images: Tensor
    aspect: Tensor | None = None

    def stored(self, positions: Tensor) -> Stored:
        aspect = None if self.aspect is None else self.aspect[positions]
        return Stored(self.images.index_select(0, positions), aspect)


@dataclass(frozen=True)
class StreamedSplit(Split):
    """A split whose images are read, and randomized, when a batch asks for them, or before it does by other processes.

    source: reads originals, (b,) int64 places in the whole part. change: what the randomization does to them, given
    their index. workers: processes that read ahead.
    """

    source: Callable[[Tensor], Stored]
    change: Callable[[Tensor, Tensor], Tensor]
    workers: int = 0

    def stored(self, positions: Tensor) -> Stored:
        return self._changed(self.index[positions].cpu())

    def ahead(self, batches: Sequence[Tensor]) -> Iterator[Stored | None]:
        if self.workers == 0:
            return super().ahead(batches)
        index = self.index.cpu()
        return read_ahead(self._changed, [index[positions] for positions in batches], self.workers)

    def resident(self) -> ResidentSplit:
        """The same with its images in memory."""
        read: list[Stored] = []
        batches = torch.arange(len(self)).split(100)
        for positions, stored in zip(batches, self.ahead(batches), strict=True):
            read.append(stored or self.stored(positions))
        images, aspects = zip(*read, strict=True)
        described = (self.name, self.labels, self.true_labels, self.corrupted, self.index, self.pipeline)
        aspect = None if aspects[0] is None else torch.cat(aspects)
        return ResidentSplit(*described, images=torch.cat(images), aspect=aspect, fingerprint=self.fingerprint)

    def _changed(self, index: Tensor) -> Stored:
        images, aspect = self.source(index)
        return Stored(self.change(images, index), aspect)


@dataclass(frozen=True)
class PixelChange:
    """What a randomization does to the images of a part of the data, within the region that it is asked to change.

    counts: of the values in that region of the original training images.
    """

    randomization: Randomization
    part: Part
    pipeline: Pipeline
    counts: PixelCounts

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """The images of some indices (b, height, width, channels), changed; the originals stay as they are."""
        if not self.randomization.randomizes_images:
            return images
        pixels = self.randomization.images(
            changed_region(images, self.randomization, self.pipeline), index, self.part, self.counts
        )
        images = images.to(pixels.dtype, copy=True)
        changed_region(images, self.randomization, self.pipeline).copy_(pixels)
        return images


def changed_region(images: Tensor, randomization: Randomization, pipeline: Pipeline) -> Tensor:
    """A view of what a randomization changes of images (b, height, width, channels)."""
    return images if randomization.region == "full" else pipeline.shown(images)
