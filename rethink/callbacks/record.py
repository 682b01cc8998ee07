"""The record of a run: written last and atomically, so that its presence means done."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History, journal_of
from rethink.callbacks.measurement import Measurement, data_of
from rethink.errors import UserError
from rethink.files import files_digest, write_json
from rethink.models import Classifier
from rethink.runs.code import class_paths, code_of
from rethink.runs.environment import describe
from rethink.runs.identity import identity
from rethink.runs.journal import CUT_SHORT, Journal, ending
from rethink.runs.reading import FORMAT
from rethink.runs.repetition import discard
from rethink.runs.run import CUT_SHORT_RECORD, FILES, final_weights
from rethink.training import lightning_internals


class Record(Measurement):
    """Writes `record.json` into the run's folder when training has ended, and keeps the final weights.

    A run that ended before its budget was spent, and by no rule that was asked for, is no finished run: it leaves
    `cut_short.json` and its checkpoint, from which the same command goes on.

    The command line sets the run's identity; from Python, `run_id` is the name of the folder.
    """

    part = "durations"

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.config: dict[str, Any] = {}
        self.journal = Journal()
        self.ended = ""
        """How the run ended: see `rethink.runs.journal.ending`."""
        self._whole_epoch = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.journal = journal_of(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.journal.start()

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        self.journal.note(epoch, step, metrics)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes whether the epoch was trained to its end."""
        super().on_train_epoch_end(trainer, pl_module)
        self._whole_epoch = lightning_internals.ends_epoch(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the final weights, then writes the record (Lightning calls this when nothing went wrong)."""
        assert isinstance(pl_module, Classifier)
        folder = Path(trainer.default_root_dir)
        self.ended = self._ending(trainer)
        if self.ended != CUT_SHORT:
            trainer.save_checkpoint(final_weights(folder), weights_only=True)
        if trainer.is_global_zero:
            record = finite(self._collect(trainer, pl_module, folder))
            record["files"] = files_digest(folder, FILES)
            if self.ended == CUT_SHORT:
                write_json(folder / CUT_SHORT_RECORD, record)
            else:
                for name in ("checkpoints/last.ckpt", "checkpoints/previous.ckpt", CUT_SHORT_RECORD):
                    (folder / name).unlink(missing_ok=True)
                write_json(folder / "record.json", record)
                discard(folder)
        trainer.strategy.barrier("record")

    def require_whole(self, folder: Path) -> None:
        """For a command that trains.

        Raises:
            UserError: The run was cut short. It says where, and how it goes on.
        """
        if self.ended == CUT_SHORT:
            epoch = int(self.journal.final.get("epoch", 0))
            where = f"after epoch {epoch}" if epoch else "before its first epoch ended"
            raise UserError(
                f"{folder} was cut short {where}, with its budget not spent. It does not count as finished. "
                "The same command goes on from its checkpoint."
            )

    def _ending(self, trainer: Trainer) -> str:
        callbacks = lightning_internals.callbacks_of(trainer)
        convergence = next((c for c in callbacks if isinstance(c, Convergence)), None)
        last = self.journal.rows[-1] if self.journal.rows else self.journal.final
        epoch, step = int(last.get("epoch", 0)), trainer.global_step
        return ending(
            epoch,
            step,
            max_epochs=trainer.max_epochs,
            max_steps=trainer.max_steps,
            whole_epoch=self._whole_epoch,
            diverged=convergence is not None and convergence.outcome == "diverged",
            stop_rule_met=convergence is not None and convergence.ends,
            stopped_early=any(isinstance(c, EarlyStopping) and c.stopping_reason.value for c in callbacks),
        )

    def _collect(self, trainer: Trainer, model: Classifier, folder: Path) -> dict[str, Any]:
        measurements = [c for c in lightning_internals.callbacks_of(trainer) if isinstance(c, Measurement)]
        convergence = next((c for c in measurements if isinstance(c, Convergence)), None)
        data = data_of(trainer)
        randomization, arguments = type(data.randomization).canonical(vars(data.randomization))
        outcome = convergence.outcome if convergence else "not converged"
        identified = {"identity": identity(self.config)} if "model" in self.config else {}
        return {
            "format": FORMAT,
            "run_id": self.run_id or folder.name,
            **identified,
            "outcome": CUT_SHORT if self.ended == CUT_SHORT else outcome,
            "ended": self.ended,
            "seed": model.seed,
            "model": {
                "class": type(model).__name__,
                "parameters": model.num_parameters(),
                "init_args": dict(self.config.get("model", {}).get("init_args", {})),
            },
            "data": {
                "class": type(data).__name__,
                "train_size": len(data.splits["train"]),
                "test_size": len(data.splits["test_randomized"]),
                "validation_size": data.validation_size,
                "image_shape": list(data.image_shape),
                "num_classes": data.num_classes,
                "digests": data.digests,
                **data.noted,
            },
            "randomization": {"class": randomization} | arguments,
            "budget": {"max_epochs": trainer.max_epochs, "max_steps": trainer.max_steps},
            "final": self.journal.final,
            **{m.part: m.summary() for m in measurements if not isinstance(m, History)},
            "durations": {"seconds/total": self.journal.total}
            | next((m.summary() for m in measurements if isinstance(m, History)), {}),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": describe(trainer),
            "code": code_of(class_paths(self.config)),
            "config": self.config,
        }

    def summary(self) -> dict[str, Any]:
        return {"seconds/total": self.journal.total}

    def state_dict(self) -> dict[str, Any]:
        return {"final": self.journal.final, "seconds": self.journal.total}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.journal.final, self.journal.seconds = state_dict["final"], state_dict["seconds"]


def finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
