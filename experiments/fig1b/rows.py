"""The rows of Figure 1b: when each network has fitted each level of label corruption, by a rule of what is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

from rethink.report import corruption
from rethink.report.estimates import Comparison, Estimate
from rethink.report.paper import corruption_curve
from rethink.report.results import Results
from rethink.report.rows import Row, grouped
from rethink.runs.run import Run

LENIENT = "accuracy>=0.95"  # read from the histories: added after the first runs, whose strict rules came late


@dataclass(frozen=True)
class Level:
    """A network at a probability p of corruption: epochs to fit, and as a multiple of those of the same seed at 0."""

    row: Row
    epochs: Estimate | None
    relative: Estimate | None
    comparison: Comparison


def rows(results: Results, rule: str) -> list[Level]:
    """Of every network of the plan, every level. At p = 0 both are 1 by definition, and nothing is compared."""
    levels = []
    for row in corruption.rows(results):
        relative = row.relative_time(rule, results.row(architecture=row.architecture, corruption=0.0))
        theirs = corruption_curve(row.architecture, "rel_time").get(row.p) if row.p > 0 else None
        comparison = row.compare(relative, theirs, results.judged("relative_time"))
        levels.append(Level(row, row.epochs(rule), relative, comparison))
    return levels


def started(levels: Sequence[Level]) -> list[Level]:
    """Those of the networks that have runs."""
    networks = {level.row.architecture for level in levels if level.row.runs}
    return [level for level in levels if level.row.architecture in networks]


def by_network(levels: Sequence[Level]) -> dict[str, list[Level]]:
    """Architecture -> its levels."""
    return grouped(levels, lambda level: level.row.architecture)


def paper_curve(level: Level, column: str = "rel_time") -> dict[float, float]:
    """The paper's curve of the same network."""
    return corruption_curve(level.row.architecture, column)


def rules_compared(runs: Sequence[Run]) -> list[str]:
    """The rules that every run has recorded, and a more lenient one."""
    recorded = dict.fromkeys(rule for run in runs for rule in run.rules)
    return [LENIENT, *(rule for rule in recorded if rule != LENIENT and all(rule in run.rules for run in runs))]
