"""Checkpoints from which a killed run goes on: written whole, the one before kept."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from jsonargparse.typing import NonNegativeFloat, PositiveInt
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from rethink import lightning_internals
from rethink.records.files import write_atomically


class RunCheckpoint(Checkpoint):
    """Saves `checkpoints/last.ckpt` in the run's folder, so that the same command goes on after a kill.

    Where a run is saved does not change its result: a resumed run draws the same batches, crops and masks.

    Args:
        every_seconds: Save at the end of an epoch when this long has passed since the last time.
        every_n_steps: Save within epochs too, at the first opportunity after this many optimizer steps.
    """

    def __init__(self, every_seconds: NonNegativeFloat = 60.0, every_n_steps: PositiveInt | None = None) -> None:
        self.every_seconds = every_seconds
        self.every_n_steps = every_n_steps
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves within an epoch. Never after its last block: that is the end of the epoch, after the evaluation."""
        due = self.every_n_steps is not None and trainer.global_step - self._saved_step >= self.every_n_steps
        if due and not lightning_internals.ends_epoch(trainer):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves at the end of an epoch (Lightning calls this after all measuring callbacks)."""
        due = time.monotonic() - self._saved_at >= self.every_seconds
        if trainer.strategy.broadcast(due):  # the clocks of the ranks differ
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Saves now, on all ranks."""
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt")
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, syncs and renames it, and keeps the one before as `previous.ckpt`.

    The stock writer stages in the temporary folder and copies: a kill at that moment leaves an empty file where a
    good one was.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        if path.name == "last.ckpt" and path.exists():
            os.replace(path, path.with_name("previous.ckpt"))
        write_atomically(path, lambda file: torch.save(checkpoint, file))


def find_checkpoint(folder: Path) -> Path | None:
    """The newest readable checkpoint of a run's folder from which training can go on."""
    for name in ("last.ckpt", "previous.ckpt"):
        path = folder / "checkpoints" / name
        if path.exists() and _readable(path):
            return path
    return None


def _readable(path: Path) -> bool:
    try:
        torch.load(path, map_location="meta", weights_only=True, mmap=True)
    except Exception as error:
        print(f"{path} is damaged ({type(error).__name__}) and is passed over.")
        return False
    return True
