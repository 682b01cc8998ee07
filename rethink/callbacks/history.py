"""The history of a run: one row per epoch."""

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from rethink.callbacks.measurement import Measurement, training_set
from rethink.files import write_text

FIRST = ("epoch", "step", "train/loss", "train/accuracy", "online/loss", "online/accuracy")
LAST = ("learning_rate", "seconds/train", "seconds/evaluation", "images_per_second")


class History(Measurement):
    """Writes `history.csv` into the run's folder: epoch, step, what was measured, durations and rates last.

    Accuracies are fractions. `online` is the mean over the minibatches as they were trained on, `train` the
    evaluation of the randomized training set at the end of the epoch. An empty cell was not measured.
    """

    part = "history"

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._started = self._trained = time.perf_counter()

    @staticmethod
    def path(trainer: Trainer) -> Path:
        """Where the history of a run is."""
        return Path(trainer.default_root_dir) / "history.csv"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        self._started = self._trained = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the epoch's training."""
        self._trained = time.perf_counter()

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        now = time.perf_counter()
        evaluated = "train/loss" in metrics
        trained = (self._trained if evaluated else now) - self._started
        row = {"epoch": epoch, "step": step} | metrics | {"seconds/train": trained}
        if evaluated:
            row["seconds/evaluation"] = now - self._trained
        row["images_per_second"] = len(training_set(trainer)) / trained
        self.rows.append(row)
        self.write(trainer)
        for logger in trainer.loggers:  # they mirror the history, whole, against the optimizer step
            logger.log_metrics({k: v for k, v in row.items() if k != "step" and math.isfinite(v)}, step)
            logger.save()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the epochs that were trained after the checkpoint from which a run goes on."""
        self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Writes all rows."""
        if trainer.is_global_zero and self.rows:
            # Not synced to the disk: what a power cut takes is in the checkpoint.
            write_text(self.path(trainer), format_rows(self.rows), durable=False)

    def summary(self) -> dict[str, Any]:
        return {
            "epochs": len(self.rows),
            "seconds/train": sum(row["seconds/train"] for row in self.rows),
            "seconds/evaluation": sum(row.get("seconds/evaluation", 0.0) for row in self.rows),
        }

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


def format_rows(rows: list[dict[str, float]]) -> str:
    """The rows as CSV: the first columns and the last ones fixed, what else was measured between them by name."""
    measured = dict.fromkeys(name for row in rows for name in row)
    between = sorted(name for name in measured if name not in FIRST + LAST)
    columns = [name for name in (*FIRST, *between, *LAST) if name in measured]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return file.getvalue()


def _cell(value: float | None) -> str:
    """Shortest text with 9 significant digits; empty for what was not measured."""
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
