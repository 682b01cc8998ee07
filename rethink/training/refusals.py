"""What Lightning's Trainer offers and the training here cannot do as it is meant elsewhere, each with what does it."""

from lightning.pytorch import Trainer, callbacks

from rethink.errors import UserError
from rethink.training.lightning_internals import callbacks_of

_STEPS = "The steps here are taken, and their learning rates set, by the recipe"
_CALLBACKS: dict[type, str] = {
    callbacks.GradientAccumulationScheduler: f"{_STEPS}. A larger batch_size of the data is the same gradient.",
    callbacks.StochasticWeightAveraging: f"{_STEPS}, which has an `average` of the weights; EMAWeightAveraging works.",
    callbacks.BatchSizeFinder: "It would train with another batch_size than was asked for. Choose one.",
    callbacks.LearningRateFinder: "It would train with another learning_rate than was asked for. Choose one.",
}
_LOGGING = (callbacks.LearningRateMonitor, callbacks.DeviceStatsMonitor, callbacks.ThroughputMonitor)


def refuse_impossible(trainer: Trainer) -> None:
    """Refuses what would be ignored, or would change a result without its being written anywhere.

    Raises:
        UserError: It names the option or callback, and what to do instead.
    """
    if trainer.accumulate_grad_batches != 1:
        raise UserError(
            f"accumulate_grad_batches={trainer.accumulate_grad_batches}: {_STEPS}. A larger batch_size of the data is "
            "the same gradient."
        )
    if trainer.gradient_clip_val:
        raise UserError(f"gradient_clip_val={trainer.gradient_clip_val}: {_STEPS}, without clipping. Remove it.")
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        raise UserError(
            f"precision {trainer.precision}: float16 needs a scaled loss, which the steps here do not have. "
            "Use bf16-mixed or 32-true."
        )
    for callback in callbacks_of(trainer):
        for kind, why in _CALLBACKS.items():
            if isinstance(callback, kind):
                raise UserError(f"{kind.__name__}: {why}")


def refuse_unrecorded(trainer: Trainer) -> None:
    """Refuses what a run with a record cannot have, besides `refuse_impossible`, before anything is written.

    Raises:
        UserError: It names the option or callback, and what to do instead.
    """
    refuse_impossible(trainer)
    for name in ("max_epochs", "max_steps", "limit_train_batches"):
        if getattr(trainer, name) == 0:
            raise UserError(f"--trainer.{name} 0 trains nothing. `rethink validate` evaluates a finished run.")
    if trainer.val_check_interval != 1.0 or trainer.check_val_every_n_epoch is None:
        raise UserError(
            f"--trainer.val_check_interval {trainer.val_check_interval}: the history of a run has a row per epoch, "
            "measured at its end. --trainer.check_val_every_n_epoch evaluates less often, a smaller --data.train_size "
            "makes shorter epochs."
        )
    for callback in callbacks_of(trainer):
        if isinstance(callback, _LOGGING) and not trainer.loggers:
            raise UserError(f"{type(callback).__name__} needs a logger: add --trainer.logger CSVLogger.")


def refuse_unmeasured(trainer: Trainer, splits: list[str]) -> None:
    """Refuses a callback that waits for a number which no epoch measures.

    Args:
        trainer: With its callbacks.
        splits: Names of what is evaluated.

    Raises:
        UserError: It names the number, and those that there are.
    """
    parts = sorted({*splits, "test", "online"})
    measured = {*parts, "learning_rate", "train_clean", "train_corrupted"}
    names = ", ".join([f"{part}/{what}" for part in parts for what in ("loss", "accuracy")])
    for callback in callbacks_of(trainer):
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.partition("/")[0] not in measured:
            raise UserError(f"{type(callback).__name__}: no epoch measures {monitor!r}. There are {names}.")
