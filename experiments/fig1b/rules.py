"""Which rule of what counts as fitted may the paper have used for Figure 1b? Several, beside its numbers."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.fig1b.rows import Level, by_network, paper_curve
from rethink.report.estimates import Estimate
from rethink.report.rows import grouped
from rethink.report.tables import Column, Table
from rethink.report.wording import sentence

NEAREST = """
Nearest to the paper's {{ what }} comes the rule
{% for rule, networks in by_rule.items() %}{{ rule }} ({{ networks | join(", ") }})
{{ "; " if not loop.last }}{% endfor %}
{% if alone %}; no other was passed by every run of {{ alone | join(" and ") }}{% endif %}
{% if together %}; over all of them {{ together }}{% endif %}.
"""


@dataclass(frozen=True)
class RuleRow:
    """A network and a rule: epochs at p = 0, relative time at p = 1, and how far both are from the paper's."""

    network: str
    rule: str
    epochs: Estimate | None
    relative: Estimate | None
    paper_epochs: float | None
    paper_relative: float | None
    off_epochs: float | None
    """Logarithm of the ratio of the epochs at p = 0, without its sign."""
    off_curve: float | None
    """Root mean square of the difference in relative time; None if a level is not known."""


def rule_rows(by_rule: Mapping[str, Sequence[Level]]) -> list[RuleRow]:
    """For every network each rule."""
    rows = []
    for rule, levels in by_rule.items():
        for network in by_network(levels).values():
            at = {level.row.p: level for level in network}
            base, end = at.get(0.0), at.get(1.0)
            epochs = base.epochs if base else None
            theirs = paper_curve(network[0], "epochs_inferred").get(0.0)
            off = abs(math.log(epochs.mean / theirs)) if epochs and not epochs.censored and theirs else None
            rows.append(
                RuleRow(
                    network[0].row.network,
                    rule,
                    epochs,
                    end.relative if end else None,
                    theirs,
                    paper_curve(network[0]).get(1.0),
                    off,
                    _off_curve(network),
                )
            )
    order = [row.network for row in rows]
    return sorted(rows, key=lambda row: order.index(row.network))


def _off_curve(levels: Sequence[Level]) -> float | None:
    theirs = paper_curve(levels[0])
    compared = [level for level in levels if level.row.p in theirs and level.row.runs and level.row.p > 0]
    times = [(level.row.p, level.relative.mean) for level in compared if level.relative and not level.relative.censored]
    if not times or len(times) < len(compared):
        return None
    return math.sqrt(statistics.fmean((time - theirs[p]) ** 2 for p, time in times))


def rules_table(by_rule: Mapping[str, Sequence[Level]], full: bool) -> Table:
    """For every network and rule the epochs at p = 0 and the relative time at p = 1, beside the paper's."""
    rows = rule_rows(by_rule)
    columns = [
        *(Column.text("network", "architecture"), Column.text("rule", "rule"), Column("n", "n")),
        *(Column.times("epochs at p = 0", "epochs"), Column("paper", "paper_epochs", format="g")),
        *(Column.times("relative at p = 1", "relative_time", ".2f"), Column("paper", "paper_relative", format=".2f")),
        Column("off the paper's curve", "distance", format=".2f"),
    ]
    cells = [
        [
            *(row.network, row.rule, row.epochs.n if row.epochs else 0, row.epochs, row.paper_epochs),
            *(row.relative, row.paper_relative, row.off_curve),
        ]
        for row in rows
    ]
    notes = [
        "The paper states neither its rule nor its epochs: those at p = 0 are the fewest that make all its ratios "
        "whole numbers of epochs. Off the curve: root mean square of the difference in relative time, over the levels "
        "that there are; none where a run did not pass.",
        *(nearest(rows) if full else []),
    ]
    return Table(columns, cells, "Each rule of what counts as fitted", notes, name="rules")


def nearest(rows: Sequence[RuleRow]) -> list[str]:
    """Which rule comes nearest to the paper's epochs at p = 0, and which to its curve: by network and altogether."""
    sentences = []
    rules = list(dict.fromkeys(row.rule for row in rows))
    for what, measure in (("epochs at p = 0", "off_epochs"), ("curve", "off_curve")):
        off = {
            network: {row.rule: getattr(row, measure) for row in of_network if getattr(row, measure) is not None}
            for network, of_network in grouped(rows, lambda row: row.network).items()
        }
        off = {network: distances for network, distances in off.items() if distances}
        shared = [rule for rule in rules if all(rule in distances for distances in off.values())]
        total = {rule: sum(distances[rule] for distances in off.values()) for rule in shared}
        if off:
            values = {
                "by_rule": grouped(off, lambda network: _least(off[network])),  # noqa: B023 (used at once)
                "alone": [network for network, distances in off.items() if len(distances) == 1],
                "together": _least(total) if len(off) > 1 and total else "",
            }
            sentences.append(sentence(NEAREST, what=what, **values))
    return sentences


def _least(distances: Mapping[str, float]) -> str:
    """The rule with the least distance; several of them if they tie."""
    return " and ".join(rule for rule, value in distances.items() if value == min(distances.values()))
