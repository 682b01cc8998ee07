"""A run in a line, as a list of thousands shows it: a finished run's history is not read, torch is not imported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from rethink.errors import UserError
from rethink.files import is_there, read_bytes, read_text
from rethink.runs.identity import resolved
from rethink.runs.reading import Columns, read_columns, with_remedy
from rethink.runs.run import CUT_SHORT_RECORD, Run, recorded_identity
from rethink.runs.setting import Setting

_REMEDY = "Delete the folder, and repeat the run."
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it


@dataclass(frozen=True)
class Summary:
    """A run folder, finished or not."""

    folder: Path
    record: Mapping[str, Any] | None
    """None: not finished."""
    config: Mapping[str, Any]
    """Resolved, as far as it is at hand."""

    @classmethod
    def of(cls, folder: Path, *, verified: bool = True) -> Self:
        """Reads a run folder.

        Args:
            folder: Of the run.
            verified: Whether digests are compared, which takes longer than reading.

        Raises:
            UserError: It is damaged.
        """
        try:
            if not is_finished(folder):
                with with_remedy(_REMEDY):
                    config = dict(yaml.load(read_text(folder / "config.yaml"), _LOADER))
                return cls(folder, None, config)
            if verified:
                record = Run.open(folder, history=False).record
            else:
                record = dict(json.loads(read_bytes(folder / "record.json")))
            return cls(folder, record, record.get("config") or {})
        except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
            name = "record.json" if is_finished(folder) else "config.yaml"
            reason = " ".join(str(error).split())
            raise UserError(f"{folder / name}: damaged ({reason}). {_REMEDY}") from error

    @cached_property
    def setting(self) -> Setting:
        """What the run_id hashes. Where neither record nor imports say what is at its default, all options are."""
        record = self.record if self.record is not None else {"run_id": self.folder.name, "config": self.config}
        options = resolved(dict(self.config))
        try:
            return Setting.of(recorded_identity(dict(record)), options)
        except UserError:
            model, data = self.config["model"], self.config["data"]
            randomization = (data.get("init_args") or {}).get("randomization") or {"class_path": "TrueLabels"}
            names = [part["class_path"].rpartition(".")[2] for part in (model, data, randomization)]
            chosen = [model.get("init_args") or {}, {}, randomization.get("init_args") or {}]
            parts = zip(("model", "data", "randomization"), zip(names, chosen, strict=True), strict=True)
            return Setting.of({"seed": self.config.get("seed_everything", 0), **dict(parts)}, options)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcome; of a finished run also `finished`."""
        if self.record is not None:
            return str(self.record["outcome"]), "finished"
        return ("cut short" if is_there(self.folder / CUT_SHORT_RECORD) else "unfinished",)

    @cached_property
    def history(self) -> Columns:
        """Of an unfinished run as far as it is. Raises UserError where it is damaged."""
        file = self.folder / "history.csv"
        try:
            with with_remedy(_REMEDY):
                return read_columns(file) if is_there(file) else {}
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: damaged ({error}). {_REMEDY}") from error

    def final(self, metric: str) -> float | None:
        """The last value of a metric such as `test/accuracy`."""
        if self.record is not None:
            value = self.record["final"].get(metric)
            return None if value is None else float(value)
        return next((value for value in reversed(self.history.get(metric, [])) if value is not None), None)

    def key(self, name: str) -> Any:
        """What to sort by: `test_accuracy` or another metric of a finished run's last epoch, or an option."""
        final = self.record["final"] if self.record is not None else {}
        for metric, value in final.items():
            if metric.replace("/", "_") == name.replace("/", "_"):
                return value
        return self.setting.value(name)

    @property
    def cells(self) -> dict[str, str]:
        """Column -> text.

        Raises:
            UserError: It is damaged.
        """
        try:
            return self._cells()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"{self.folder}: damaged ({reason}). {_REMEDY}") from error

    def _cells(self) -> dict[str, str]:
        if self.record is not None:
            run = Run(self.folder, dict(self.record), {})
            model, randomization, seed = run.architecture, run.randomization, run.seed
            options, size, epoch = self.record["randomization"], run.train_size, self.final("epoch")
        else:
            model = self.config["model"]["class_path"].rpartition(".")[2]
            data = self.config["data"].get("init_args") or {}
            spec = data.get("randomization") or {"class_path": "TrueLabels"}
            randomization, options = spec["class_path"].rpartition(".")[2], spec.get("init_args") or {}
            size, epoch = int(data.get("train_size") or 0), float(len(self.history.get("epoch", [])))
            seed = self.config.get("seed_everything", "-")
        level = options.get("probability") if randomization != "RandomLabels" else None
        return {
            "run_id": self.folder.name,
            "model": model,
            "randomization": randomization if level is None else f"{randomization} p={level:g}",
            "n": f"{size:,}" if size else "all",
            "epochs": "-" if epoch is None else f"{epoch:g}",
            "outcome": self.outcomes[0],
            "train": percent(self.final("train/accuracy")),
            "test": percent(self.final("test/accuracy")),
            "seed": str(seed),
        }


def is_finished(folder: Path) -> bool:
    """Whether it has a record, be it damaged."""
    return is_there(folder / "record.json")


def percent(value: float | None) -> str:
    """`12.00 %`, or a dash."""
    return "-" if value is None else f"{100 * value:.2f} %"
