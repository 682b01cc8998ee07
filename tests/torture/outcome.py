"""What came of trials, and the table of it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

OUTCOMES = ("recovered", "clear error", "lost", "wrong", "traceback", "hang", "skipped")
"""Recovered: the result of an undisturbed run, to the last bit. Lost: work that was saved is done again, what was whole
is not shown or not said what is wrong with what. Wrong: another result, a success that is none, another exit code."""
FAILURES = ("lost", "wrong", "traceback", "hang")


@dataclass(frozen=True)
class Outcome:
    """Of one trial: what was done to it, what came of it, and the commands with what they said."""

    what: str
    faults: int
    done: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Trial:
    """A trial of a seed by its number, with its outcome."""

    number: int
    kind: str
    outcome: Outcome

    @property
    def failed(self) -> bool:
        return self.outcome.what in FAILURES


def rows(trials: Sequence[Trial]) -> list[list[str]]:
    """The table with its header: a row per kind, and their sum."""
    header = ["kind", "trials", "faults", *OUTCOMES]
    kinds = list(dict.fromkeys(trial.kind for trial in sorted(trials, key=lambda trial: trial.number)))
    parts = [(kind, [trial for trial in trials if trial.kind == kind]) for kind in kinds]
    return [header, *(_row(name, part) for name, part in [*parts, ("all", list(trials))])]


def _row(name: str, trials: Sequence[Trial]) -> list[str]:
    counts = [sum(trial.outcome.what == what for trial in trials) for what in OUTCOMES]
    return [name, *map(str, [len(trials), sum(trial.outcome.faults for trial in trials), *counts])]


def text(trials: Sequence[Trial]) -> str:
    """The table for a terminal."""
    table = rows(trials)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in table)
    )


def markdown(trials: Sequence[Trial]) -> str:
    """The table for a page."""
    header, *others = rows(trials)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *others]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def to_json(outcome: Outcome) -> dict[str, object]:
    """For the pipe between a trial's process and the one that counts."""
    return dataclasses.asdict(outcome)
