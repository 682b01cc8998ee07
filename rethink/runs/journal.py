"""The journal of one run: a row per epoch, the numbers at its end, its clocks, and how it ended.

It is fed an epoch's numbers and knows neither trainer nor data, so an engine may train several runs and feed several.
"""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_low

FIRST = ("epoch", "step", "train/loss", "train/accuracy", "online/loss", "online/accuracy")
LAST = ("learning_rate", "seconds/train", "seconds/evaluation", "images_per_second")

CUT_SHORT = "cut short"

Row = dict[str, float]


@dataclass
class Journal:
    """What a run keeps of its training. Accuracies are fractions, durations seconds.

    `online` is the mean over the minibatches as they were trained on, `train` the evaluation of the randomized
    training set at the end of the epoch.
    """

    clock: Callable[[], float] = time.perf_counter
    rows: list[Row] = field(default_factory=list)
    final: Row = field(default_factory=dict)
    """Of the last epoch that was evaluated, whole."""
    seconds: float = 0.0
    """Wall time of the starts before this one."""

    def __post_init__(self) -> None:
        self._begun = self._epoch_begun = self._trained = self.clock()

    def start(self) -> None:
        """The run begins, or goes on."""
        self._begun = self.clock()

    def begin_epoch(self) -> None:
        """An epoch's training begins."""
        self._epoch_begun = self._trained = self.clock()

    def begin_evaluation(self) -> None:
        """An epoch's training has ended."""
        self._trained = self.clock()

    def add(self, epoch: int, step: int, metrics: Mapping[str, float], images: int) -> Row:
        """An epoch has ended; returns its row.

        Args:
            epoch: Its number, from 1.
            step: Optimizer steps so far.
            metrics: What it measured, by the names of the history's columns. An evaluated one has `train/loss`.
            images: Size of the training set.
        """
        now = self.clock()
        evaluated = "train/loss" in metrics
        trained = (self._trained if evaluated else now) - self._epoch_begun
        row = {"epoch": epoch, "step": step} | dict(metrics) | {"seconds/train": trained}
        if evaluated:
            row["seconds/evaluation"] = now - self._trained
        row["images_per_second"] = images / trained if trained else 0.0
        self.rows.append(row)
        return row

    def note(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Takes the numbers at the end of an epoch as the last ones, unless it alone was not evaluated."""
        if "train/loss" in metrics or "train/loss" not in self.final:
            self.final = {"epoch": epoch, "step": step} | dict(metrics)

    @property
    def total(self) -> float:
        """Wall time of the run, over all its starts."""
        return self.seconds + self.clock() - self._begun

    def durations(self) -> dict[str, float]:
        """Number of epochs, and seconds of training and of evaluation."""
        return {
            "epochs": len(self.rows),
            "seconds/train": sum(row["seconds/train"] for row in self.rows),
            "seconds/evaluation": sum(row.get("seconds/evaluation", 0.0) for row in self.rows),
        }


def seconds_per_epoch(trained: Sequence[float], evaluated: Sequence[float]) -> float:
    """What an epoch takes: medians, so that one in which the process was starved or suspended counts as any other.

    Args:
        trained: Seconds of each epoch's training, one at least.
        evaluated: Seconds of the evaluation, of the epochs that were evaluated.
    """
    evaluation = median_low(evaluated) * len(evaluated) / len(trained) if evaluated else 0.0
    return median_low(trained) + evaluation


@dataclass
class SavingClock:
    """When a run is to be saved.

    Args:
        every_seconds: At the end of an epoch, when this long has passed.
        every_n_steps: Within an epoch, after this many optimizer steps; None: never.
        every_n_minutes: Within an epoch, when this long has passed; None: never.
        clock: In seconds.
    """

    every_seconds: float
    every_n_steps: int | None = None
    every_n_minutes: float | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.saved(0)

    def saved(self, step: int) -> None:
        """The run was saved, or began, at this step."""
        self._at, self._step = self.clock(), step

    def due_within_epoch(self, step: int) -> bool:
        """Whether so many steps or so many minutes have passed. The clocks of several processes differ."""
        steps, minutes = self.every_n_steps, self.every_n_minutes
        late = minutes is not None and self.clock() - self._at >= 60 * minutes
        return late or (steps is not None and step - self._step >= steps)

    def due_after_epoch(self) -> bool:
        """Whether so much time has passed."""
        return self.clock() - self._at >= self.every_seconds


def ending(
    epoch: int,
    step: int,
    *,
    max_epochs: int | None,
    max_steps: int,
    whole_epoch: bool = True,
    diverged: bool = False,
    stop_rule_met: bool = False,
    stopped_early: bool = False,
) -> str:
    """How a run ended, in a word for its record.

    A stop that was asked for by a rule on what was measured is an end: the same options stop there again. What a
    clock or anything else ended is cut short, and the same command goes on.

    Args:
        epoch: Of the last row; 0 if nothing was trained.
        step: Optimizer steps.
        max_epochs: Of the budget; None and -1 are no limit.
        max_steps: Of the budget; -1 is no limit.
        whole_epoch: Whether the last epoch was trained to its end.
        diverged: Whether a loss became NaN or infinite.
        stop_rule_met: Whether the rule of convergence asked for the end.
        stopped_early: Whether Lightning's EarlyStopping did. It is a part of the run_id.
    """
    if epoch == 0:
        return CUT_SHORT
    if diverged:
        return "diverged"
    spent_epochs = max_epochs not in (None, -1) and epoch >= (max_epochs or 0) and whole_epoch
    if spent_epochs or (max_steps != -1 and step >= max_steps):
        return "budget spent"
    if stop_rule_met:
        return "stop rule met"
    return "stopped early" if stopped_early else CUT_SHORT


def format_rows(rows: list[Row]) -> str:
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
