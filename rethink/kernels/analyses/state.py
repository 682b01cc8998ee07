"""What is finished of a solution, on disk, so that an interrupted one goes on: panels of a factor, or an iteration."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethink.files import write_atomically
from rethink.kernels.cholesky import Kept
from rethink.kernels.conjugate_gradients import State

_EVERY = 60.0  # seconds of work that may be lost; what is faster writes nothing


@dataclass
class KeptOnDisk(Kept):
    """Writes the panels that were finished since the last time, now and then."""

    folder: Path
    every: float = _EVERY
    _waiting: dict[int, Tensor] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)

    def get(self, index: int) -> Tensor | None:
        """A finished panel; None if it was not written."""
        file = self._file(index)
        return torch.from_numpy(np.load(file)) if file.exists() else None

    def put(self, index: int, panel: Tensor) -> None:
        """Told of every panel that is finished."""
        self._waiting[index] = panel
        if time.monotonic() - self._written >= self.every:
            for number, each in self._waiting.items():
                save(self._file(number), each)
            self._waiting.clear()
            self._written = time.monotonic()

    def _file(self, index: int) -> Path:
        return self.folder / f"panel_{index:04d}.npy"


@dataclass
class StateOnDisk:
    """Writes the state of conjugate gradients now and then."""

    folder: Path
    every: float = _EVERY
    _written: float = field(default_factory=time.monotonic)

    def get(self, device: torch.device) -> State | None:
        """The last state; None if none was written."""
        file = self.folder / "conjugate_gradients.npy"
        if not file.exists():
            return None
        alpha, residuals, direction, rest = torch.from_numpy(np.load(file)).to(device)
        return State(alpha, residuals, direction, rest[0].clone(), int(rest[1, 0]))

    def put(self, state: State) -> None:
        """Told of the state after each iteration."""
        if time.monotonic() - self._written < self.every:
            return
        rest = torch.zeros_like(state.alpha)
        rest[0], rest[1, 0] = state.energy, state.done
        save(
            self.folder / "conjugate_gradients.npy", torch.stack([state.alpha, state.residuals, state.direction, rest])
        )
        self._written = time.monotonic()


def save(file: Path, values: Tensor) -> None:
    """As .npy, whole or not there."""
    found = values.cpu().numpy()
    write_atomically(file, lambda stream: np.save(stream, found))
