"""A run as it lies on disk, finished or not, ready to be mirrored."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rethink.runs.run import Run
from rethink.runs.summary import Summary, is_finished

# Durations differ whenever an epoch is trained again after a restart, while what was measured stays.
_TIMED = ("seconds/train", "seconds/evaluation", "images_per_second")

Row = Mapping[str, float | None]


@dataclass(frozen=True)
class LocalRun:
    """Configuration and rows of a run; the record where it is finished."""

    folder: Path
    run_id: str
    settings: dict[str, Any]
    rows: list[Row]
    record: dict[str, Any] | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From `runs/<run_id>/`.

        Raises:
            UserError: A file is damaged; the message has the remedy.
        """
        if is_finished(folder):
            run = Run.open(folder)
            settings = run.record.get("config") or _settings_of(run.record)
            return cls(folder, run.run_id, settings, _rows(run.history), run.record)
        begun = Summary.of(folder)
        settings = {name: value for name, value in begun.config.items() if name not in ("config", "force")}
        return cls(folder, folder.name, settings, _rows(begun.history), None)

    @property
    def last_step(self) -> int:
        """Optimizer step of the last row; -1 before the first."""
        return step_of(self.rows[-1]) if self.rows else -1


def step_of(row: Row) -> int:
    """The optimizer step of a row of the history."""
    return int(row["step"] or 0)


def unsent(rows: Sequence[Row], last_step: int) -> list[Row]:
    """The rows that W&B does not have, when `last_step` is the last step that it has (-1: none)."""
    return [row for row in rows if step_of(row) > last_step]


def digest(rows: Sequence[Row]) -> str:
    """SHA-256 of what was measured, so that a mirror of rows that were trained anew is noticed."""
    measured = [{k: v for k, v in row.items() if k not in _TIMED} for row in rows]
    return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()


def _rows(columns: Mapping[str, list[float | None]]) -> list[Row]:
    """One row per epoch. Counts are whole numbers, as the live logger logs them."""
    rows: list[Row] = []
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        rows.append(row | {name: int(row.get(name) or 0) for name in ("epoch", "step")})
    return rows


def _settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a configuration as the record of a run has that was trained from Python."""
    model, data = record["model"], record["data"]
    randomization = {name: value for name, value in record["randomization"].items() if name != "class"}
    spec = {"class_path": record["randomization"]["class"], "init_args": randomization}
    return {
        "seed_everything": record["seed"],
        "model": {"class_path": model["class"], "init_args": model.get("init_args", {})},
        "data": {"class_path": data["class"], "init_args": {"randomization": spec}},
    }
