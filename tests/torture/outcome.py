"""What came of trials, and the table of it."""

from collections.abc import Sequence
from dataclasses import dataclass

OUTCOMES = ("recovered", "clear error", "lost", "wrong", "traceback", "hang", "skipped")
"""Recovered: the result of an undisturbed run, to the last bit. Lost: work that was saved is done again, what was whole
is not shown, or nothing says what is wrong with what. Wrong: another result or exit code, a success that is none."""
FAILURES = ("lost", "wrong", "traceback", "hang")


@dataclass(frozen=True)
class Outcome:
    """Of a trial: what came of it, the faults, what was done, and the commands with what they printed."""

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
    kinds = dict.fromkeys(trial.kind for trial in sorted(trials, key=lambda trial: trial.number))
    parts = {kind: [trial.outcome for trial in trials if trial.kind == kind] for kind in kinds}
    parts["all"] = [trial.outcome for trial in trials]
    return [
        ["kind", "trials", "faults", *OUTCOMES],
        *(
            [name, str(len(part)), str(sum(outcome.faults for outcome in part))]
            + [str(sum(outcome.what == what for outcome in part)) for what in OUTCOMES]
            for name, part in parts.items()
        ),
    ]


def table(trials: Sequence[Trial]) -> str:
    """The same as Markdown, aligned for a terminal."""
    header, *others = rows(trials)
    widths = [max(map(len, column)) for column in zip(header, *others, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "".join(
        f"| {line[0]:<{widths[0]}} | {' | '.join(map(str.rjust, line[1:], widths[1:]))} |\n"
        for line in (header, rule, *others)
    )
