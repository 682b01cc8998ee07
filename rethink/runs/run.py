"""A finished run as read from `runs/<run_id>/`: its record and its history, one row per epoch.

Reading needs no torch, so that a report starts at once. What writes these files is `rethink.callbacks`.
"""

import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from rethink.errors import UserError
from rethink.files import read_text, write_text
from rethink.models.names import architecture
from rethink.runs.code import changed
from rethink.runs.identity import digest, identity, resolved
from rethink.runs.reading import Columns, Entry, read_history, read_record, with_remedy
from rethink.runs.rules import Rule
from rethink.runs.setting import Setting, corruption_of

CUT_SHORT_RECORD = "cut_short.json"
"""In the place of record.json, where training ended before its budget was spent and by no rule: not a finished run."""
FILES = ("config.yaml", "history.csv")
"""Whose digests a record has."""

# What every reader relies on. A record that lacks one was cut off or edited by hand.
_REQUIRED: dict[str, type] = {
    **dict.fromkeys(("run_id", "outcome"), str),
    "seed": int,
    **dict.fromkeys(("model", "data", "randomization", "budget", "final", "convergence"), dict),
}


@dataclass(frozen=True)
class Crossing:
    """When a run passed a convergence rule. A run that never did is censored at the last epoch it trained."""

    outcome: str  # "converged", "not converged" (budget spent) or "diverged" (NaN or infinite loss)
    epoch: int
    step: int

    @property
    def censored(self) -> bool:
        return self.outcome != "converged"

    def __str__(self) -> str:
        if self.outcome == "diverged":
            return f"diverged at {self.epoch}"
        return f"> {self.epoch}" if self.censored else str(self.epoch)


@dataclass(frozen=True)
class Run:
    """One finished run: `record` is record.json, `history` the columns of history.csv, a value per epoch.

    Accuracies are fractions; None stands for a value that was not measured at that epoch.
    """

    path: Path
    record: dict[str, Any]
    history: Columns

    @classmethod
    def open(cls, path: Path | str, *, history: bool = True) -> Self:
        """Read a run folder, or all but its history; a UserError names what is missing, damaged or too new."""
        path = Path(path)
        if not path.is_dir():
            raise UserError(f"{path}: no such run folder.")
        command = f"rethink fit --config {path / 'config.yaml'}"
        try:
            with with_remedy(f"Delete {path / 'record.json'}, then repeat the run: {command}"):
                record = read_record(path, _REQUIRED)
                return cls(path, record, read_history(path / "history.csv") if history else {})
        except FileNotFoundError:
            why = "it was cut short" if (path / CUT_SHORT_RECORD).exists() else "no record.json"
            raise UserError(f"{path}: {why}, so this run has not finished. Finish it with: {command}") from None

    run_id = Entry(str, "run_id")
    outcome = Entry(str, "outcome")
    seed = Entry(int, "seed")
    model = Entry(str, "model", "class")
    """Class of the LightningModule, as in YAML."""
    randomization = Entry(str, "randomization", "class")
    """Class of the randomization, as in YAML."""
    train_size = Entry(int, "data", "train_size")
    test_size = Entry(int, "data", "test_size")
    num_classes = Entry(int, "data", "num_classes")
    last_epoch = Entry(int, "final", "epoch")
    """The epoch with which it ended."""
    rules = Entry(list[str], "convergence", "rules")
    """The convergence rules that the record has."""
    environment = Entry(dict[str, Any], "environment", default={})
    """Versions, device, precision, threads, world size and git commit; empty if the record has none."""

    @property
    def changed_code(self) -> list[str]:
        """What of the code that it was computed by has changed since: empty for a run that counts as finished."""
        return changed(self.record)

    @cached_property
    def setting(self) -> Setting:
        """All that the run_id hashes, and the seed."""
        return Setting.of(recorded_identity(self.record), resolved(self.record.get("config") or {}))

    @property
    def architecture(self) -> str:
        """The network as the paper calls it."""
        if "identity" in self.record:
            return self.setting.architecture
        return architecture(self.model, self.record["model"].get("init_args", {}))

    @property
    def corruption(self) -> float | None:
        """Probability of label corruption; None for a run that alters pixels."""
        return corruption_of(self.randomization, self.record["randomization"])

    def final(self, metric: str) -> float | None:
        """`metric` at the last epoch, or None where it was not measured."""
        value = self.record["final"].get(metric)
        return None if value is None else float(value)

    def crossing(self, rule: str) -> Crossing:
        """When the run passed a rule such as `accuracy>=0.99`: as recorded, or any other one as its history has it."""
        rules = self.record["convergence"]["rules"]
        return self._crossing(rules[rule]) if rule in rules else self._first_passing(Rule.parse(rule))

    def _first_passing(self, rule: Rule) -> Crossing:
        values = self.history.get(f"train/{rule.metric}", [])
        for epoch, step, value in zip(self.history["epoch"], self.history["step"], values, strict=False):
            if value is not None and rule.passed({f"train/{rule.metric}": value}):
                return Crossing("converged", int(epoch or 0), int(step or 0))
        return self._crossing({"outcome": "diverged" if self.outcome == "diverged" else "not converged"})

    @property
    def onset(self) -> Crossing:
        """When learning set in: the training loss was first under 0.95 ln K, K classes."""
        return self._crossing(self.record["convergence"]["onset"])

    def _crossing(self, passed: dict[str, Any]) -> Crossing:
        last = passed if passed["outcome"] == "converged" else self.record["final"]
        return Crossing(passed["outcome"], int(last["epoch"]), int(last["step"]))

    def first(self, column: str, at_least: float) -> Crossing | None:
        """The first epoch at which a column of the history reaches a value; None if it was never measured."""
        epochs, values = self.curve(column, "epoch")
        steps, _ = self.curve(column)
        if not values:
            return None
        reached = next((i for i, value in enumerate(values) if value >= at_least), None)
        if reached is None:
            return Crossing("not converged", int(epochs[-1]), int(steps[-1]))
        return Crossing("converged", int(epochs[reached]), int(steps[reached]))

    def at(self, epoch: int, metric: str) -> float | None:
        """`metric` at an epoch, or None where it was not measured."""
        epochs, values = self.curve(metric, "epoch")
        return dict(zip(epochs, values, strict=True)).get(epoch)

    def curve(self, column: str, against: str = "step") -> tuple[list[float], list[float]]:
        """x and y of a column of the history, without the epochs at which it was not measured."""
        pairs = zip(self.history.get(against, []), self.history.get(column, []), strict=False)
        measured = [(x, y) for x, y in pairs if x is not None and y is not None]
        return [x for x, _ in measured], [y for _, y in measured]

    def best(self, metric: str) -> tuple[float, float]:
        """The largest value of `metric` along training, and its epoch; NaN where it was not measured."""
        epochs, values = self.curve(metric, "epoch")
        return max(zip(values, epochs, strict=True), key=lambda pair: pair[0], default=(math.nan, math.nan))

    def gain(self, metric: str) -> float | None:
        """What stopping at the best epoch would have gained: optimistic, since `metric` itself chooses the epoch."""
        last = self.final(metric)
        return None if last is None else self.best(metric)[0] - last


def runs_folder(chosen: Path | str | None = None) -> Path:
    """The folder of the runs: the one chosen, `$RETHINK_RUNS` or `runs`, in that order."""
    return Path(chosen or os.environ.get("RETHINK_RUNS") or "runs")


def recorded_identity(record: dict[str, Any]) -> dict[str, Any]:
    """What the run_id of a record hashes, as the record says or, if it is too old to say, by its configuration.

    The latter takes the imports of its classes, for their defaults. So it is kept beside the runs.

    Raises:
        UserError: It has neither, or its classes are not here.
    """
    if "identity" in record:
        return dict(record["identity"])
    run_id, cache = str(record["run_id"]), runs_folder() / ".identities.json"
    kept: dict[str, dict[str, Any]] = {}
    with suppress(OSError, ValueError, UserError):  # none yet, or cut off
        kept = json.loads(read_text(cache))
    if run_id in kept and digest(kept[run_id]) == run_id:
        return kept[run_id]
    if "model" not in (record.get("config") or {}):  # trained from Python
        return {"seed": record["seed"]} | {
            "model": [record["model"]["class"], record["model"].get("init_args", {})],
            "data": [record["data"]["class"], {}],
            "randomization": [
                record["randomization"]["class"],
                {name: value for name, value in record["randomization"].items() if name not in ("class", "seed")},
            ],
        }
    try:
        kept[run_id] = identity(record["config"])
    except (UserError, KeyError, TypeError, ImportError, AttributeError) as error:
        raise UserError(f"record.json of run {run_id}: its configuration cannot be read here ({error}).") from error
    if cache.parent.is_dir():
        with suppress(UserError):  # whoever may not write here waits again
            write_text(cache, json.dumps(kept), durable=False)
    return kept[run_id]


def find_runs(root: Path | str) -> list[Run]:
    """Every finished run under `root`, by run_id. A run without record.json is still going and left out."""
    return [Run.open(record.parent) for record in sorted(Path(root).glob("*/record.json"))]


# Where a run keeps its weights: those at the end of training, and those after epochs that were asked for.


def final_weights(folder: Path) -> Path:
    """Those at the end of training."""
    return folder / "checkpoints" / "final.ckpt"


def weights_of_epoch(folder: Path, epoch: int) -> Path:
    """Those after an epoch, from 1."""
    return folder / "checkpoints" / f"epoch_{epoch:04d}.ckpt"


def lacks_weights(folder: Path, epochs: Iterable[int], last: int) -> list[int]:
    """The epochs whose weights are wanted of a run that ended with epoch `last`, and are not there."""
    return [epoch for epoch in epochs if epoch <= last and not weights_of_epoch(folder, epoch).is_file()]
