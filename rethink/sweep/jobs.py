"""What a sweep has done once, and whether it is done: a run, or an analysis of data or of runs."""

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from rethink.cluster.lease import holder
from rethink.errors import UserError
from rethink.files import Damaged, is_there, read_bytes, write_text
from rethink.runs.analysis import FinishedAnalysis, analyses_folder
from rethink.runs.run import Run, final_weights, lacks_weights, runs_folder
from rethink.runs.setting import Setting
from rethink.sweep.experiment import Arguments

_FAILURE = "failure.txt"

State = Literal["done", "running", "failed", "interrupted", "missing"]


@dataclass(frozen=True)
class Job(ABC):
    """Something to be done once. It leaves a record in a folder of its own, and that is how anybody knows."""

    id: str
    """The run_id or analysis_id: the name of its folder."""
    arguments: Arguments
    """Of `rethink VERB`, which does it."""
    needs: tuple[Path, ...] = field(default=(), kw_only=True)
    """The folders of the runs that have to be done before."""

    verb: ClassVar[str]
    first_file: ClassVar[str]
    """What lies in its folder as soon as it has begun."""

    @property
    def epochs(self) -> int | None:
        """A run's budget."""
        return None

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where it is or will be."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What sets it apart, in a line."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Jobs of a kind take about as long as each other."""

    @abstractmethod
    def _open(self) -> Run | FinishedAnalysis: ...

    @property
    def command(self) -> Arguments:
        """What does it, without `rethink`."""
        return (self.verb, *self.arguments)

    @property
    def done(self) -> bool:
        """Whether it has all that is wanted of it."""
        return is_there(self.folder / "record.json")

    @property
    def ready(self) -> bool:
        """Whether all that it needs is done, and has its weights."""
        return all(is_there(folder / "record.json") and final_weights(folder).is_file() for folder in self.needs)

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
        return "interrupted" if is_there(self.folder / self.first_file) else "missing"

    @property
    def damage(self) -> str | None:
        """Why it has to be repeated, if it is done: its record is damaged, or its code has changed since."""
        try:
            record = self._open()
        except Damaged as error:
            return str(error)
        except UserError:  # no record, or one of a newer rethink
            return None
        if not (code := record.changed_code):
            return None
        words = f"{self.folder} is finished, but the code that it was computed by has changed since: {', '.join(code)}"
        return f"{words}. Do it anew: rethink sweep retry EXPERIMENT"


@dataclass(frozen=True)
class PlannedRun(Job):
    """A run to be."""

    setting: Setting
    epochs: int | None = None
    keep_epochs: tuple[int, ...] = ()
    """Epochs after which its weights are wanted too."""
    needed: bool = False
    """Whether another run or an analysis needs its weights, which a restored record has not."""

    verb = "fit"
    first_file = "config.yaml"

    @property
    def run_id(self) -> str:
        return self.id

    @property
    def folder(self) -> Path:
        return runs_folder() / self.id

    @property
    def label(self) -> str:
        return self.setting.label

    @property
    def kind(self) -> str:
        return self.setting.architecture

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

    def _open(self) -> Run:
        return Run.open(self.folder)


@dataclass(frozen=True)
class PlannedAnalysis(Job):
    """An analysis to be."""

    of: str = ""
    """What it is of, in a line: a run's description."""

    verb = "analyze"
    first_file = "partial"

    @property
    def folder(self) -> Path:
        return analyses_folder() / self.id

    @property
    def label(self) -> str:
        name, *options = self.arguments
        pairs = dict(zip(options[::2], options[1::2], strict=True))
        words = [f"{option[2:].replace('_', ' ')} {value}" for option, value in pairs.items() if option != "--runs"]
        return ", ".join([name, *([f"of {self.of}"] if self.of else []), *words])

    @property
    def kind(self) -> str:
        return self.arguments[0]

    def _open(self) -> FinishedAnalysis:
        return FinishedAnalysis.open(self.folder)


# The error of a job that failed, kept in its folder: the message first, then the traceback.


def write_failure(folder: Path, message: str, details: str = "") -> None:
    """Keeps the error of a run, where there is room and permission: whoever calls this also says it."""
    with suppress(UserError):
        write_text(folder / _FAILURE, f"{message}\n{details}")


def reported_in(folder: Path) -> str:
    """What is to be done about an error that is no user's fault."""
    return f"This is a fault of rethink, not of yours: to have it mended, report {folder / _FAILURE}."


def read_failure(folder: Path) -> str | None:
    """The message of a run that failed, None of one that did not."""
    try:
        return read_bytes(folder / _FAILURE).decode(errors="replace").partition("\n")[0]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UserError as error:
        return str(error)


def forget_failure(folder: Path) -> None:
    """Before a run is tried again, which will say what is wrong with its folder."""
    with suppress(OSError):
        (folder / _FAILURE).unlink(missing_ok=True)
