"""The history of a run: one row per epoch."""

import math
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from lightning.pytorch import LightningModule, Trainer

from rethink.callbacks.measurement import Measurement, data_of
from rethink.files import write_text
from rethink.runs.journal import Journal, format_rows

_JOURNALS: "WeakKeyDictionary[Trainer, Journal]" = WeakKeyDictionary()


def journal_of(trainer: Trainer) -> Journal:
    """The journal of the run that a trainer trains: its callbacks share it."""
    return _JOURNALS.setdefault(trainer, Journal())


class History(Measurement):
    """Writes `history.csv` into the run's folder: epoch, step, what was measured, durations and rates last.

    Accuracies are fractions. An empty cell was not measured.
    """

    part = "history"
    logs_rows = True
    """Loggers get the rows of the history: the model need not log them too."""

    def __init__(self) -> None:
        self.journal = Journal()

    @property
    def rows(self) -> list[dict[str, float]]:
        return self.journal.rows

    @staticmethod
    def path(trainer: Trainer) -> Path:
        return Path(trainer.default_root_dir) / "history.csv"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.journal = journal_of(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the epochs that were trained after the checkpoint from which a run goes on."""
        self.write(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.journal.begin_epoch()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.journal.begin_evaluation()

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        loader: Any = trainer.train_dataloader
        images = trainer.num_training_batches * loader.steps_per_call * loader.batch_size
        row = self.journal.add(epoch, step, metrics, min(images, len(data_of(trainer).splits["train"])))
        self.write(trainer)
        for logger in trainer.loggers:  # they mirror the history, whole, against the optimizer step
            logger.log_metrics({k: v for k, v in row.items() if k != "step" and math.isfinite(v)}, step)
            logger.save()

    def write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero and self.rows:
            # Not synced to the disk: what a power cut takes is in the checkpoint.
            write_text(self.path(trainer), format_rows(self.rows), durable=False)

    def summary(self) -> dict[str, Any]:
        return self.journal.durations()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.journal.rows = state_dict["rows"]
