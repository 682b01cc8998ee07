"""Batches are index gathers: which examples of a split make which batch, as a function of (seed, epoch) alone."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor

from rethink import randomness
from rethink.data.split import Split, SplitBatch, Stored


class Block:
    """Consecutive batches of an epoch, trained in one call of `training_step` and made one after another.

    No dataclass: into those Lightning looks, to convert every tensor in them to the precision of the network.

    Args:
        split: What they are of.
        epoch: Of the augmentation's draws.
        positions: For each batch, (b,) int64 places in the split of the examples of this rank.
        sizes: For each batch, the number of its examples over all ranks.
        ahead: Gives the images of these batches, and then of the next block's, where they are read ahead.
    """

    def __init__(
        self,
        split: Split,
        epoch: int,
        positions: tuple[Tensor, ...],
        sizes: tuple[int, ...],
        ahead: Iterator[Stored | None] | None = None,
    ) -> None:
        self.split, self.epoch, self.positions, self.sizes = split, epoch, positions, sizes
        self.ahead = ahead or repeat(None)

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[SplitBatch]:
        for positions, size in zip(self.positions, self.sizes, strict=True):
            yield self.split.batch(positions, self.epoch, size, next(self.ahead))

    def to(self, device: torch.device, non_blocking: bool = False) -> "Block":
        """The same block on a device (Lightning calls this)."""
        positions = tuple(p.to(device, non_blocking=non_blocking) for p in self.positions)
        return Block(self.split.to(device), self.epoch, positions, self.sizes, self.ahead)


@dataclass(frozen=True)
class TrainingBatches:
    """The blocks of an epoch, from wherever training stands: order = f(seed, epoch), the last partial batch kept.

    Rank r of R takes every R-th example of each global batch, so that the global batches are the same for any R.

    Args:
        split: What to train on.
        batch_size: Examples of a global batch.
        seed: The training seed.
        steps_per_call: Batches of a block.
        rank, ranks: This process and how many there are.
        position: Gives (epoch, blocks done) when an iteration begins.
        leave_out: Place in the split of an example that its batch goes without; all else stays as it is.
        in_order: The examples in the order of the split, in every epoch: for `overfit_batches`.
    """

    split: Split
    batch_size: int
    seed: int
    steps_per_call: int
    rank: int
    ranks: int
    position: Callable[[], tuple[int, int]]
    leave_out: int | None = None
    in_order: bool = False

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return math.ceil(len(self.split) / self.batch_size)

    def __len__(self) -> int:
        return math.ceil(self.steps / self.steps_per_call)

    def __iter__(self) -> Iterator[Block]:
        epoch, done = self.position()
        order = randomness.permutation(randomness.key(self.seed, "order", epoch), len(self.split))
        batches = (torch.arange(len(order)) if self.in_order else randomness.tensor(order)).split(self.batch_size)
        if self.leave_out is not None:
            batches = tuple(batch[batch != self.leave_out] for batch in batches)
        own = [batch[self.rank :: self.ranks].clone() for batch in batches[done * self.steps_per_call :]]
        ahead = self.split.ahead(own)
        for block in range(done, len(self)):
            first, last = block * self.steps_per_call, (block + 1) * self.steps_per_call
            begun = done * self.steps_per_call
            yield Block(
                self.split,
                epoch,
                tuple(own[first - begun : last - begun]),
                tuple(len(batch) for batch in batches[first:last]),
                ahead,
            )


@dataclass(frozen=True)
class EvaluationBatches:
    """A split in order, in batches of a fixed size; a rank takes whole batches, all ranks equally many.

    So an example is in the same batch for any number of ranks, and its logits are the same to the last bit. Where
    the batches do not go round, the last ones are empty: Lightning would leave a rank without any out of the
    evaluation, and the others would wait for its sums for ever.
    """

    split: Split
    size: int
    rank: int
    ranks: int

    def __len__(self) -> int:
        return math.ceil(math.ceil(len(self.split) / self.size) / self.ranks)

    def __iter__(self) -> Iterator[SplitBatch]:
        numbers = range(self.rank, len(self) * self.ranks, self.ranks)
        every = torch.arange(len(self.split))
        batches = [every[number * self.size : (number + 1) * self.size] for number in numbers]
        for positions, stored in zip(batches, self.split.ahead(batches), strict=True):
            yield self.split.batch(positions, stored=stored)
