"""What is finished of a solution, on disk, so that an interrupted one goes on: tensors, and panels of a factor."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethink.files import write_atomically
from rethink.kernels.cholesky import PanelStore

_EVERY = 60.0  # seconds of work that may be lost; what is faster writes nothing


@dataclass
class PanelsOnDisk(PanelStore):
    """Writes the panels that were finished since the last time, now and then."""

    folder: Path
    every: float = _EVERY
    _waiting: dict[int, Tensor] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)

    def get(self, index: int) -> Tensor | None:
        """A finished panel; None if it was not written."""
        file = panel_file(self.folder, index)
        return load(file) if file.exists() else None

    def put(self, index: int, panel: Tensor) -> None:
        """Takes a panel that is finished."""
        self._waiting[index] = panel
        if time.monotonic() - self._written >= self.every:
            for number, finished in self._waiting.items():
                save(panel_file(self.folder, number), finished)
            self._waiting.clear()
            self._written = time.monotonic()


def panel_file(folder: Path, index: int) -> Path:
    """Where a panel of a matrix is kept."""
    return folder / f"panel_{index:04d}.npy"


def save(file: Path, tensor: Tensor) -> None:
    """As .npy, whole or not there."""
    array = tensor.cpu().numpy()
    write_atomically(file, lambda stream: np.save(stream, array))


def load(file: Path, *, mapped: bool = False) -> Tensor:
    """What `save` wrote; `mapped` leaves it on disk until it is used."""
    return torch.from_numpy(np.load(file, mmap_mode="c" if mapped else None))
