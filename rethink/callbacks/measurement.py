"""What every measuring callback has in common: it reads the epoch's exact numbers, and writes a part of the record."""

from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer

if TYPE_CHECKING:  # a measurement needs neither data nor models to be imported
    from rethink.data import ImageDataModule


class Measurement(Callback):
    """A callback that measures at the end of each epoch and whose `summary` is a part of the record.

    It changes no result, so it is no part of what identifies a run. A subclass that does sets `only_measures` False.
    """

    only_measures = True

    part: str
    """Key of the summary in record.json."""

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Called at the end of an epoch, from 1, with what it measured, by the names of the history's columns."""
        raise NotImplementedError

    def summary(self) -> dict[str, Any]:
        """What goes into the record."""
        raise NotImplementedError

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hands the epoch's numbers, those of any module that has `epoch_metrics`, to `measure`."""
        metrics: dict[str, float] = pl_module.epoch_metrics  # type: ignore[assignment]
        self.measure(trainer, trainer.current_epoch + 1, trainer.global_step, metrics)


def data_of(trainer: Trainer) -> "ImageDataModule":
    """The data module of a run."""
    data: ImageDataModule = trainer.datamodule  # type: ignore[attr-defined]
    return data
