"""What a sweep has done once, and whether it is done: a run, or an analysis of data or of runs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rethink.cluster.lease import holder
from rethink.errors import UserError
from rethink.files import Damaged, is_there
from rethink.runs.analysis import FinishedAnalysis, analyses_folder
from rethink.runs.run import Run, runs_folder
from rethink.runs.setting import Setting
from rethink.runs.weights import final_weights, lacks_weights
from rethink.sweep.experiment import Arguments
from rethink.sweep.failure import read_failure

State = Literal["done", "running", "failed", "interrupted", "missing"]


class Job(ABC):
    """Something to be done once. It leaves a record in a folder of its own, and that is how anybody knows."""

    id: str
    """The name of its folder."""
    needs: tuple[Path, ...]
    """The folders of the runs that have to be done before."""
    epochs: int | None
    """A run's budget."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where it is or will be."""

    @property
    @abstractmethod
    def command(self) -> Arguments:
        """The command that does it, without `rethink`."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What sets it apart, in a line."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Jobs of a kind take about as long as each other."""

    @property
    def done(self) -> bool:
        """Whether it has all that is wanted of it."""
        return _has_record(self.folder)

    @property
    def ready(self) -> bool:
        """Whether all that it needs is done, and has its weights."""
        return all(_has_record(folder) and final_weights(folder).is_file() for folder in self.needs)

    @property
    def state(self) -> State:
        """From the disk."""
        if self.done:
            return "done"
        if not self.folder.is_dir():
            return "missing"
        if holder(self.folder) is not None:
            return "running"
        if read_failure(self.folder) is not None:
            return "failed"
        return "interrupted" if self._begun() else "missing"

    @property
    def damage(self) -> str | None:
        """What is wrong with its record, if it is done and has to be repeated."""
        try:
            self._open()
        except Damaged as error:
            return str(error)
        except UserError:  # no record, or one of a newer rethink
            return None
        return None

    @abstractmethod
    def _begun(self) -> bool: ...

    @abstractmethod
    def _open(self) -> object: ...


@dataclass(frozen=True)
class PlannedRun(Job):
    """A run to be: its identity, its setting, and the arguments of `rethink fit` that make it."""

    run_id: str
    arguments: Arguments
    setting: Setting
    epochs: int | None = None
    needs: tuple[Path, ...] = ()
    keep_epochs: tuple[int, ...] = ()
    """Epochs after which its weights are wanted too."""
    needed: bool = False
    """Whether another run or an analysis needs its weights, which a restored record has not."""

    @property
    def id(self) -> str:  # type: ignore[override]
        return self.run_id

    @property
    def folder(self) -> Path:
        return runs_folder() / self.run_id

    @property
    def command(self) -> Arguments:
        return ("fit", *self.arguments)

    @property
    def label(self) -> str:
        return self.setting.label

    @property
    def kind(self) -> str:
        return self.setting.architecture

    @property
    def damage(self) -> str | None:
        """What is wrong with its record, or that its code has changed since: it has to be repeated."""
        if (damage := super().damage) is not None:
            return damage
        try:
            code = self._open().changed_code
        except UserError:
            return None
        words = f"{self.folder} is finished, but the code that it was computed by has changed since: {', '.join(code)}"
        return f"{words}. Train it anew: rethink sweep retry EXPERIMENT" if code else None

    @property
    def done(self) -> bool:
        return super().done and not self._lacks_weights()

    def _lacks_weights(self) -> bool:
        if self.needed and not final_weights(self.folder).is_file():
            return True
        if not self.keep_epochs:
            return False
        try:
            return bool(lacks_weights(self.folder, self.keep_epochs, self._open().last_epoch))
        except UserError:  # a damaged record is said where records are read
            return False

    def _begun(self) -> bool:
        return is_there(self.folder / "config.yaml")

    def _open(self) -> Run:
        return Run.open(self.folder)


@dataclass(frozen=True)
class PlannedAnalysis(Job):
    """An analysis to be: its identity, and the arguments of `rethink analyze` that make it."""

    analysis_id: str
    arguments: Arguments
    of: str = ""
    """What it is of, in a line: a run's description."""
    needs: tuple[Path, ...] = ()
    epochs: int | None = field(default=None, init=False)

    @property
    def id(self) -> str:  # type: ignore[override]
        return self.analysis_id

    @property
    def folder(self) -> Path:
        return analyses_folder() / self.analysis_id

    @property
    def command(self) -> Arguments:
        return ("analyze", *self.arguments)

    @property
    def label(self) -> str:
        name, *options = self.arguments
        pairs = dict(zip(options[::2], options[1::2], strict=True))
        words = [f"{option[2:].replace('_', ' ')} {value}" for option, value in pairs.items() if option != "--runs"]
        return ", ".join([name, *([f"of {self.of}"] if self.of else []), *words])

    @property
    def kind(self) -> str:
        return self.arguments[0]

    def _begun(self) -> bool:
        return (self.folder / "partial").exists()

    def _open(self) -> FinishedAnalysis:
        return FinishedAnalysis.open(self.folder)


def _has_record(folder: Path) -> bool:
    return is_there(folder / "record.json")
