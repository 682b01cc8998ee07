"""The kernel matrix of the random convolutional network, summed up over blocks of filters and kept along the way."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rethink.files import write_text
from rethink.kernels.analyses.examples import Examples
from rethink.kernels.analyses.problems import Problem, device
from rethink.kernels.analyses.state import load, panel_file, save
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
        parts = blocks(train, PANEL)
        for whole in sorted(folder.glob("sums_*/whole"), reverse=True):
            kept = whole.parent
            panels = [load(panel_file(kept, index)).to(device()) for index in range(len(parts))]
            return cls(folder, panels, load(kept / "cross.npy").to(device()), int(kept.name.removeprefix("sums_")))
        shapes = [(train - part.start, part.stop - part.start) for part in parts]
        panels = [torch.zeros(shape, dtype=torch.float64, device=device()) for shape in shapes]
        return cls(folder, panels, torch.zeros(test, train, device=device()), 0)

    def add(self, train: Tensor, test: Tensor, filters: int) -> None:
        """Adds the products of the features of further filters, (n, d) and (m, d)."""
        for part, panel in zip(blocks(len(train), PANEL), self.panels, strict=True):
            panel += train[part.start :] @ train[part].T
        for rows in blocks(len(test), BLOCK):
            self.cross[rows] += test[rows] @ train.T
        self.filters += filters

    def keep(self) -> Path:
        """Writes this state, then removes the one before: at any moment one of them is whole."""
        folder = self.folder / f"sums_{self.filters:08d}"
        for index, panel in enumerate(self.panels):
            save(panel_file(folder, index), panel)
        save(folder / "cross.npy", self.cross)
        write_text(folder / "whole", "")
        for other in self.folder.glob("sums_*"):
            if other != folder:
                shutil.rmtree(other)
        return folder

    def on_disk(self) -> list[Tensor]:
        """The panels as files in memory's place, which the system reads when they are used."""
        folder, count = self.keep(), len(self.panels)
        self.panels.clear()
        return [load(panel_file(folder, index), mapped=True) for index in range(count)]


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
        block = RandomConvNet(network.filters[sums.filters : sums.filters + FILTERS])
        train, test = (block.features(images.to(device())) for images in (examples.train, examples.test))
        sums.add(train, test, len(block.filters))
        progress("kernel matrix, filters", sums.filters, filters)
        if time.monotonic() - kept > _EVERY:
            sums.keep()
            kept = time.monotonic()
    cross = sums.cross

    def predicted(coefficients: Tensor, progress: Progress) -> Tensor:
        return torch.cat([rows.to(coefficients.dtype) @ coefficients for rows in cross.split(BLOCK)])

    gram = PackedGram(sums.on_disk() if _to_disk(examples.n) else sums.panels)
    unit = float(torch.cat([panel.diagonal() for panel in gram.panels]).mean())
    chosen = {"filters": filters, "dimension": 2 * WINDOWS * filters}
    return Problem(gram, predicted, unit, "choose more --filters.", chosen, option="--l2 '[{}]'")
