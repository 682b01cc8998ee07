"""Checkpoints from which a killed or preempted run goes on: written whole, the one before kept."""

import signal
from pathlib import Path
from typing import Any

import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, Timer

from rethink.cluster.lease import Lease
from rethink.cluster.preemption import Preempted, received, requeued
from rethink.errors import UserError
from rethink.runs.journal import SavingClock
from rethink.runs.run import weights_of_epoch
from rethink.training import lightning_internals

_LOST = 1000  # asks for the end as a signal does, and comes before any


class RunCheckpoint(Checkpoint):
    """Saves `checkpoints/last.ckpt` in the run's folder, so that the same command goes on after a kill.

    Where a run is saved does not change its result: a resumed run draws the same batches, crops and masks.

    Args:
        every_seconds: Save at the end of an epoch when this long has passed since the last time.
        every_n_steps: Save within epochs too, at the first opportunity after this many optimizer steps.
        every_n_minutes: Save within epochs too, at the first opportunity after this many minutes.
        keep_epochs: Epochs after which the weights are kept for good, to look into networks along their training.
    """

    lease: Lease | None = None
    """In the first process, its right to write into the run's folder."""

    def __init__(
        self,
        every_seconds: NonNegativeFloat = 60.0,
        every_n_steps: PositiveInt | None = None,
        every_n_minutes: PositiveFloat | None = None,
        keep_epochs: list[PositiveInt] = [],  # noqa: B006  (never changed; a list is what YAML has)
    ) -> None:
        self.clock = SavingClock(every_seconds, every_n_steps, every_n_minutes)
        self.keep_epochs = [PositiveInt(epoch) for epoch in keep_epochs]
        self._within_epoch = False  # whether the last save was made where the run was stopped within an epoch
        self._leaving = 0  # the signal at which the run was saved at the end of an epoch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock. Ends at once where a signal came earlier, unless all that was left is the record."""
        self.clock.saved(trainer.global_step)
        asked = self._asked(trainer)
        if asked and not trainer.should_stop:
            self._leave(trainer, asked, "nothing was trained since it was saved")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves within an epoch. Never after its last block: that is the end of the epoch, after the evaluation."""
        asked = self._asked(trainer)
        if lightning_internals.ends_epoch(trainer):
            return
        stopped = trainer.should_stop and not self._within_epoch  # by a Timer, say: it goes on from here
        due = self.clock.due_within_epoch(trainer.global_step)
        if self.clock.every_n_minutes is not None:
            due = trainer.strategy.broadcast(due)  # the clocks of the ranks differ
        if asked or stopped or due:
            self.save(trainer)
            self._within_epoch = trainer.should_stop
        if asked:
            self._leave(trainer, asked, "saved")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks whether the folder is still ours, after what may have taken minutes, before others write into it."""
        self._asked(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves at the end of an epoch (Lightning calls this after all measuring callbacks)."""
        if (epoch := trainer.current_epoch + 1) in self.keep_epochs:
            trainer.save_checkpoint(weights_of_epoch(Path(trainer.default_root_dir), epoch), weights_only=True)
        self._leaving = self._asked(trainer)
        if not lightning_internals.ends_epoch(trainer):  # cut off, and saved where it was
            return
        self._within_epoch = False
        due = self.clock.due_after_epoch() or trainer.should_stop
        if trainer.strategy.broadcast(due) or self._leaving:  # the clocks of the ranks differ
            self.save(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends a run that was asked to before the end of the last epoch: if that was the very last, it is done."""
        if self._leaving:
            self._leave(trainer, self._leaving, "saved")

    def _asked(self, trainer: Trainer) -> int:
        """The signal by which any process of the run was asked to end, or 0: the same in all of them.

        Raises:
            UserError: In the first process, when the folder is another's. The other processes end quietly.
        """
        number = int(received() or 0)
        if trainer.is_global_zero and self.lease is not None and self.lease.lost:
            number = _LOST
        if trainer.world_size > 1:
            highest = torch.tensor(number, device=trainer.strategy.root_device)
            number = int(trainer.strategy.reduce(highest, reduce_op="max"))
        if number != _LOST:
            return number
        if not trainer.is_global_zero:
            raise SystemExit(0)
        raise UserError(
            f"{trainer.default_root_dir} has passed to another process, because this one was not heard of for "
            "two minutes (did its machine sleep?). It ends here and writes nothing more; the other one goes on."
        )

    def _leave(self, trainer: Trainer, asked: int, saved: str) -> None:
        """Ends the run. The process that speaks for it also asks SLURM to start it again."""
        if not trainer.is_global_zero:
            raise Preempted("", code=0)
        line = f"preempted by {signal.Signals(asked).name} at step {trainer.global_step}: {saved}"
        raise requeued(line, "the same command goes on from there")

    def save(self, trainer: Trainer) -> None:
        """Saves now, on all ranks."""
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt")
        self.clock.saved(trainer.global_step)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """A run that its Timer has stopped goes on with a new one: otherwise it would stop again at once."""
        if trainer.should_stop:
            for callback in lightning_internals.callbacks_of(trainer):
                if isinstance(callback, Timer):
                    checkpoint.get("callbacks", {}).pop(callback.state_key, None)
