"""The progress display: a live line in a terminal, a line per epoch in a log file."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jsonargparse.typing import NonNegativeFloat
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rethink.callbacks.history import journal_of
from rethink.runs.journal import seconds_per_epoch
from rethink.runs.summary import percent

REFRESH_SECONDS = 0.25
LINE = "{epoch}  {rate}  loss {loss}  train {train}  test {test}  {left} left"
_DISPENSABLE = ("{rate}  ", "test {test}  ", "loss {loss}  ", "train {train}  ")
"""What a narrow terminal goes without, the first first."""
_BAR = 30  # columns of the bar and of the time


class ProgressDisplay(ProgressBar):
    """Shows epoch, step rate, loss, train and test accuracy and time left.

    In a terminal it is one live line. Where the output is a file it is a line of text per epoch, at most one every
    few seconds and always the last.

    Args:
        log_every_seconds: Shortest time between two lines in a file.
    """

    def __init__(self, log_every_seconds: NonNegativeFloat = 5.0) -> None:
        super().__init__()
        self.log_every_seconds = log_every_seconds
        self.console = Console(stderr=True, highlight=False)
        self.enabled = True
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._printed = -float("inf")
        self._fields: dict[str, str] = dict.fromkeys(("epoch", "rate", "loss", "train", "test", "left"), "-")
        self._started = 0.0
        self._first_step = 0

    def disable(self) -> None:
        """Hides the display (Lightning calls this on all ranks but the first)."""
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock and the live line."""
        self._started, self._first_step = time.monotonic(), trainer.global_step
        if self.enabled and self.console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"),
                *((BarColumn(bar_width=20), TimeElapsedColumn()) if self.console.width >= 80 + _BAR else ()),
                console=self.console,
                transient=True,
            )
            self._task = self._live.add_task("starting", total=self._total_steps(trainer))
            self._live.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the live line on, with the loss of the last batch."""
        if self._live is not None and self._task is not None and time.monotonic() - self._printed >= REFRESH_SECONDS:
            self._printed = time.monotonic()
            self._fields["loss"] = _number(float(outputs["loss"]))  # waits for the device, hence not at every call
            self._update(trainer, trainer.current_epoch + 1)
            text = line(self._fields, self.console.width)
            self._live.update(self._task, completed=trainer.global_step, description=text)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the epoch's accuracies up."""
        metrics: dict[str, float] = pl_module.epoch_metrics  # type: ignore[assignment]
        self._fields["loss"] = _number(metrics.get("train/loss", metrics.get("online/loss")))
        self._fields["train"] = percent(metrics.get("train/accuracy", metrics.get("online/accuracy")))
        self._fields["test"] = percent(metrics.get("test/accuracy", metrics.get("validation/accuracy")))
        self._update(trainer, trainer.current_epoch + 1)
        if self.enabled and self._live is None and time.monotonic() - self._printed >= self.log_every_seconds:
            self._print()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the last line on the screen."""
        self._stop()
        if self.enabled:
            self._fields["left"] = "nothing"
            self._print()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the terminal back."""
        self._stop()

    def _update(self, trainer: Trainer, epoch: int) -> None:
        elapsed = max(time.monotonic() - self._started, 1e-9)
        steps = trainer.global_step - self._first_step
        left = self._total_steps(trainer) - trainer.global_step
        self._fields["epoch"] = f"epoch {epoch}/{trainer.max_epochs if trainer.max_epochs != -1 else '-'}"
        self._fields["rate"] = f"{steps / elapsed:.1f} steps/s"
        self._fields["left"] = _duration(left * (_seconds_per_step(trainer) or elapsed / max(steps, 1)))

    @staticmethod
    def _total_steps(trainer: Trainer) -> float:
        epochs = trainer.max_epochs if trainer.max_epochs not in (None, -1) else float("inf")
        total: float = _steps_per_epoch(trainer) * epochs
        return min(total, trainer.max_steps) if trainer.max_steps != -1 else total

    def _print(self) -> None:
        self._printed = time.monotonic()
        self.console.print(LINE.format(**self._fields), soft_wrap=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _steps_per_epoch(trainer: Trainer) -> int:
    loader: Any = trainer.train_dataloader
    return int(getattr(loader, "steps", trainer.num_training_batches))


def _seconds_per_step(trainer: Trainer) -> float:
    """As the epochs so far took, with those before a restart; 0 in the first."""
    rows = journal_of(trainer).rows
    trained = [row["seconds/train"] for row in rows]
    evaluated = [row["seconds/evaluation"] for row in rows if "seconds/evaluation" in row]
    return seconds_per_epoch(trained, evaluated) / _steps_per_epoch(trainer) if trained else 0.0


def line(fields: Mapping[str, str], width: int) -> str:
    """The live line in so many columns: epoch and time left are always there."""
    template = LINE
    for part in _DISPENSABLE:
        if len(template.format(**fields)) > width:
            template = template.replace(part, "")
    return template.format(**fields)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _duration(seconds: float) -> str:
    return "-" if seconds == float("inf") else str(timedelta(seconds=round(seconds)))
