"""What every analysis is: options, a computation, a result that is kept in a record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from rethink.errors import UserError
from rethink.runs.run import Run, runs_folder


@dataclass(frozen=True)
class Context:
    """Where an analysis works.

    `folder` is its own: what it writes there survives a kill, and is deleted when the analysis is done.
    `progress(what, done, of)` shows how far it is.
    """

    folder: Path
    progress: Callable[[str, int, int], None] = lambda what, done, of: None


@dataclass(frozen=True)
class Result:
    """What an analysis computed: `values` are what JSON can hold, `arrays` are kept beside them."""

    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Analysis:
    """A computation with a record. A subclass takes its options, checks them when it is built, and overrides `analyse`.

    Its numbers are a function of its options, of the data and of the weights of its runs.

    Args:
        seed: Seed of everything that is drawn.
    """

    version: ClassVar[int] = 1
    """Raised when its numbers change, so that records of before are not taken for those of now."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def analyse(self, context: Context) -> Result:
        """Computes it. Whatever takes more than a minute is kept in the context's folder, to go on after a kill."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes.")


class RunAnalysis(Analysis):
    """An analysis of finished runs.

    Args:
        runs: Their run_ids, or their folders.
        seed: Seed of everything that is drawn.
    """

    def __init__(self, runs: list[str], seed: int = 0) -> None:
        super().__init__(seed)
        if not runs:
            raise UserError("--runs is empty. Name finished runs: `rethink show` lists them.")
        self.runs = [Path(run).name for run in runs]

    def opened(self) -> list[Run]:
        """The runs' records; a UserError says how to make one that is missing."""
        return [open_run(run_id) for run_id in self.runs]


class OneRunAnalysis(RunAnalysis):
    """An analysis of one finished run; more are refused when it is built.

    Args:
        runs: Its run_id, or its folder, alone.
        seed: Seed of everything that is drawn.
    """

    def __init__(self, runs: list[str], seed: int = 0) -> None:
        super().__init__(runs, seed)
        if len(self.runs) != 1:
            kind = type(self).__name__
            raise UserError(f"--runs names {len(self.runs)}, and {kind} is of one run at a time. Do them one by one.")

    def opened_run(self) -> Run:
        """The run's record; a UserError says how to make one that is missing."""
        return open_run(self.runs[0])


def open_run(run_id: str) -> Run:
    """A finished run by its run_id; a UserError says how to make one that is missing."""
    folder = runs_folder() / run_id
    if not folder.is_dir():
        raise UserError(
            f"there is no run {run_id} in {runs_folder()}. `rethink show` lists the finished runs; "
            "`rethink sweep run EXPERIMENT` makes those that an experiment's analyses need."
        )
    return Run.open(folder)
