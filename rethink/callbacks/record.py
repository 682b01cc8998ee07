"""The record of a run: written last and atomically, so that its presence means done."""

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from rethink.callbacks.convergence import Convergence
from rethink.callbacks.history import History
from rethink.callbacks.measurement import Measurement, data_of
from rethink.files import write_text
from rethink.models import Classifier
from rethink.runs.environment import describe
from rethink.runs.run import FORMAT
from rethink.runs.weights import final_weights


class Record(Measurement):
    """Writes `record.json` into the run's folder when training has ended, and keeps the final weights.

    The command line tells it the run's identity; from Python, `run_id` is the name of the folder.
    """

    part = "durations"

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.config: dict[str, Any] = {}
        self.final: dict[str, float] = {}
        self.seconds = 0.0
        """Wall time of the run, over all its starts."""
        self._started = time.perf_counter()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def measure(self, trainer: Trainer, epoch: int, step: int, metrics: dict[str, float]) -> None:
        if "train/loss" in metrics or "train/loss" not in self.final:  # the last epoch that was evaluated, whole
            self.final = {"epoch": epoch, "step": step} | metrics

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the final weights, then writes the record (Lightning calls this when nothing went wrong)."""
        assert isinstance(pl_module, Classifier)
        folder = Path(trainer.default_root_dir)
        trainer.save_checkpoint(final_weights(folder), weights_only=True)
        if trainer.is_global_zero:
            for name in ("last.ckpt", "previous.ckpt"):
                (folder / "checkpoints" / name).unlink(missing_ok=True)
            record = finite(self._collect(trainer, pl_module, folder))
            write_text(folder / "record.json", json.dumps(record, indent=2) + "\n")
        trainer.strategy.barrier("record")

    def _collect(self, trainer: Trainer, model: Classifier, folder: Path) -> dict[str, Any]:
        measurements = [c for c in trainer.callbacks if isinstance(c, Measurement)]  # type: ignore[attr-defined]
        convergence = next((c for c in measurements if isinstance(c, Convergence)), None)
        data = data_of(trainer)
        randomization, arguments = type(data.randomization).canonical(vars(data.randomization))
        return {
            "format": FORMAT,
            "run_id": self.run_id or folder.name,
            "outcome": convergence.outcome if convergence else "not converged",
            "seed": model.seed,
            "model": {
                "class": type(model).__name__,
                "parameters": model.num_parameters(),
                "init_args": self._arguments("model"),
            },
            "data": {
                "class": type(data).__name__,
                "train_size": len(data.splits["train"]),
                "test_size": len(data.splits["test_randomized"]),
                "validation_size": data.validation_size,
                "num_classes": data.num_classes,
                "digests": data.digests,
            },
            "randomization": {"class": randomization} | arguments,
            "budget": {"max_epochs": trainer.max_epochs, "max_steps": trainer.max_steps},
            "final": self.final,
            **{m.part: m.summary() for m in measurements if not isinstance(m, History)},
            "durations": {"seconds/total": self._total()}
            | next((m.summary() for m in measurements if isinstance(m, History)), {}),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": describe(trainer),
            "config": self.config,
        }

    def _arguments(self, part: str) -> dict[str, Any]:
        return dict(self.config.get(part, {}).get("init_args", {}))

    def _total(self) -> float:
        return self.seconds + time.perf_counter() - self._started

    def summary(self) -> dict[str, Any]:
        return {"seconds/total": self._total()}

    def state_dict(self) -> dict[str, Any]:
        return {"final": self.final, "seconds": self._total()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.final, self.seconds = state_dict["final"], state_dict["seconds"]


def finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
