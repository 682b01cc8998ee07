"""The kernel matrix of the random convolutional network, summed up over blocks of filters and kept along the way."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethink.files import write_text
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.analyses.problems import Problem, device
from rethink.kernels.analyses.state import save
from rethink.kernels.cholesky import PANEL, bytes_needed
from rethink.kernels.gram import BLOCK, PackedGram, Progress, blocks
from rethink.kernels.random_features import RandomConvNet

FILTERS = 128  # of a block
WINDOWS = 9  # of an image of 32 x 32

_EVERY = 600.0  # seconds of work that may be lost: at full size to keep it takes most of a minute
_LARGE = 2 * 10**9  # bytes; a larger K is on disk when the factor is in memory


@dataclass
class Sums:
    """<x_i, x_j> over the features of the filters so far: of training images in panels, of test with training images.

    float64, for features are positive, K's largest eigenvalue is 10^8 times its least, and float32 sums would drown
    the least; the products within a block are float32.
    """

    folder: Path
    panels: list[Tensor]
    cross: Tensor
    filters: int

    @classmethod
    def begun(cls, folder: Path, train: int, test: int) -> "Sums":
        """From the last state that was kept whole, or from nothing."""
        for kept in sorted(folder.glob("sums_*/whole"), reverse=True):
            return cls._read(folder, kept.parent, train)
        panels = [torch.zeros(train - its.start, its.stop - its.start, dtype=torch.float64, device=device())
                  for its in blocks(train, PANEL)]  # fmt: skip
        return cls(folder, panels, torch.zeros(test, train, device=device()), 0)

    @classmethod
    def _read(cls, folder: Path, kept: Path, train: int) -> "Sums":
        files = [kept / f"panel_{index:04d}.npy" for index in range(len(blocks(train, PANEL)))]
        panels = [torch.from_numpy(np.load(file)).to(device()) for file in files]
        cross = torch.from_numpy(np.load(kept / "cross.npy")).to(device())
        return cls(folder, panels, cross, int(kept.name.removeprefix("sums_")))

    def add(self, train: Tensor, test: Tensor, filters: int) -> None:
        """Adds the products of some filters' features, (n, d) and (m, d)."""
        for its, panel in zip(blocks(len(train), PANEL), self.panels, strict=True):
            panel += train[its.start :] @ train[its].T
        for rows in blocks(len(test), BLOCK):
            self.cross[rows] += test[rows] @ train.T
        self.filters += filters

    def keep(self) -> Path:
        """Writes this state, then removes the one before: at any moment one of them is whole."""
        folder = self.folder / f"sums_{self.filters:08d}"
        for index, panel in enumerate(self.panels):
            save(folder / f"panel_{index:04d}.npy", panel)
        save(folder / "cross.npy", self.cross)
        write_text(folder / "whole", "")
        for other in self.folder.glob("sums_*"):
            if other != folder:
                shutil.rmtree(other)
        return folder

    def on_disk(self) -> list[Tensor]:
        """The panels as files in memory's place, which the system reads when they are used."""
        folder = self.keep()
        count = len(self.panels)
        self.panels.clear()
        files = [folder / f"panel_{index:04d}.npy" for index in range(count)]
        return [torch.from_numpy(np.load(file, mmap_mode="c")) for file in files]


def memory_needed(n: int, test: int, factoring: int) -> int:
    """Bytes of the sums and a block's features; then of the factoring, beside a K that is on disk where it is large."""
    gram, cross = bytes_needed(n, torch.float64), 4 * n * test
    held = 0 if _to_disk(n) else gram
    return cross + max(gram + 4 * 2 * WINDOWS * FILTERS * (n + test) + 4 * n * BLOCK, held + factoring)


def _to_disk(n: int) -> bool:
    return device().type == "cpu" and bytes_needed(n, torch.float64) > _LARGE


def random_conv(examples: Examples, filters: int, folder: Path, seed: int, progress: Progress) -> Problem:
    """The linear kernel on the features of so many random filters."""
    network = RandomConvNet.draw(examples.train, filters, seed)
    sums = Sums.begun(folder, examples.n, len(examples.test))
    kept = time.monotonic()
    while sums.filters < filters:
        some = RandomConvNet(network.filters[sums.filters : sums.filters + FILTERS])
        train, test = (some.features(images.to(device())) for images in (examples.train, examples.test))
        sums.add(train, test, len(some.filters))
        progress("kernel matrix, filters", sums.filters, filters)
        if time.monotonic() - kept > _EVERY:
            sums.keep()
            kept = time.monotonic()
    cross = sums.cross

    def predicted(coefficients: Tensor, progress: Progress) -> Tensor:
        return torch.cat([rows.to(coefficients.dtype) @ coefficients for rows in cross.split(BLOCK)])

    gram = PackedGram(sums.on_disk() if _to_disk(examples.n) else sums.panels, examples.n)
    unit = float(torch.cat([panel.diagonal() for panel in gram.panels]).mean())
    chosen = {"filters": filters, "dimension": 2 * WINDOWS * filters}
    return Problem(gram, predicted, unit, "choose more --filters.", chosen, regularized="--l2 '[0.000001]'")
