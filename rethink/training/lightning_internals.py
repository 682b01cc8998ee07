"""The few places where Lightning has no public door, in one file with a contract test.

Many SGD steps run inside one `training_step` (a step of a small network costs as little as Lightning's own work
around it), so the trainer's counters are moved on by hand, and the position in an epoch is read from them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor, LearningRateMonitor, ThroughputMonitor, WeightAveraging
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The trainer's own list, which can be changed."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def count_steps(trainer: Trainer, steps: int) -> None:
    """Adds optimizer steps that `training_step` took by itself to `trainer.global_step`."""
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    for counts in (progress.total, progress.current):
        counts.ready += steps
        counts.completed += steps


def position(trainer: Trainer) -> tuple[int, int]:
    """(epoch, blocks of it that are done) from which training goes on, also right after a checkpoint was restored."""
    loop: Any = trainer.fit_loop
    done = loop.epoch_loop.batch_progress.current.ready  # `reset_on_restart` has set it to the blocks completed
    # A checkpoint between two blocks was written before the last block counted as completed.
    resumes_within = loop.restarting and not loop.epoch_loop.batch_progress.is_last_batch
    return loop.epoch_progress.current.processed, done if resumes_within else 0


def ends_epoch(trainer: Trainer) -> bool:
    """Whether the block just trained is the last of its epoch, which `max_steps` may cut off."""
    return trainer.is_last_batch or trainer.global_step == trainer.max_steps


def overfits(trainer: Trainer) -> bool:
    """Whether it is to train on the same few batches in every epoch."""
    return bool(trainer.overfit_batches)  # type: ignore[attr-defined]


def counts_batches(trainer: Trainer) -> bool:
    """Whether the trainer or a callback of it counts calls of `training_step`, which then have to be steps."""
    counting = (LearningRateMonitor, DeviceStatsMonitor, ThroughputMonitor, WeightAveraging)
    return (
        trainer.limit_train_batches != 1.0
        or overfits(trainer)
        or trainer.val_check_interval != 1.0
        or trainer.check_val_every_n_epoch is None
        or any(isinstance(c, counting) or getattr(c, "_every_n_train_steps", 0) for c in callbacks_of(trainer))
    )


def leave_signals_alone(trainer: Trainer) -> None:
    """Keeps the trainer from handling SIGTERM: it would talk to the other ranks from within the handler."""
    connector = trainer._signal_connector
    connector.register_signal_handlers = _nothing  # type: ignore[method-assign]


def signal_forks(trainer: Trainer) -> Callable[[int], object] | None:
    """Sends a signal to the forked processes that train while this one waits for them; None where it trains itself."""
    launcher = trainer.strategy.launcher
    return launcher.kill if isinstance(launcher, _MultiProcessingLauncher) else None


def set_timeout(trainer: Trainer, seconds: float) -> None:
    """How long a process of several waits before it takes another for lost. Lightning's default is 30 minutes."""
    if hasattr(trainer.strategy, "_timeout"):
        trainer.strategy._timeout = timedelta(seconds=seconds)


def _nothing() -> None:
    """Has a name, so that a trainer can be sent to another process."""
