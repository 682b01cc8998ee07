"""Where a run keeps its weights: those at the end of training, and those after epochs that were asked for."""

from collections.abc import Iterable
from pathlib import Path


def final_weights(folder: Path) -> Path:
    """Those at the end of training."""
    return folder / "checkpoints" / "final.ckpt"


def weights_of_epoch(folder: Path, epoch: int) -> Path:
    """Those after an epoch, from 1."""
    return folder / "checkpoints" / f"epoch_{epoch:04d}.ckpt"


def lacks_weights(folder: Path, epochs: Iterable[int], last: int) -> list[int]:
    """The epochs whose weights are wanted of a run that ended with epoch `last`, and are not there."""
    return [epoch for epoch in epochs if epoch <= last and not weights_of_epoch(folder, epoch).is_file()]
