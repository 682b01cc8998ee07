"""Which rule of what counts as fitted may the paper have used for Figure 1b? Several, beside its numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.fig1b.rows import Level, by_network, paper_curve
from rethink.report.estimates import LEAST_RULE, Estimate, least_in_words
from rethink.report.results import Results
from rethink.report.rows import grouped
from rethink.report.tables import Column, Table
from rethink.report.wording import sentence

NEAREST = """
Nearest to the paper's {{ what }}:
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
    off_epochs: Estimate | None
    """Logarithm of the ratio of the epochs at p = 0, without its sign."""
    off_curve: Estimate | None
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
            relative, papers = end.relative if end else None, paper_curve(network[0]).get(1.0)
            rows.append(
                RuleRow(
                    network[0].row.network,
                    rule,
                    epochs,
                    relative,
                    theirs,
                    papers,
                    _off_epochs(epochs, theirs) if epochs and theirs else None,
                    _off_curve(network),
                )
            )
    order = [row.network for row in rows]
    return sorted(rows, key=lambda row: order.index(row.network))


def _off_epochs(ours: Estimate, theirs: float) -> Estimate | None:
    if ours.censored:
        return None
    half = None if ours.interval is None else ours.interval / ours.mean  # of a logarithm
    return Estimate.single(abs(math.log(ours.mean / theirs)), half=half, seeds=ours.n)


def _off_curve(levels: Sequence[Level]) -> Estimate | None:
    """Its interval: it is a norm, so it is off by no more than the same norm of the levels' own."""
    theirs = paper_curve(levels[0])
    compared = [level for level in levels if level.row.p in theirs and level.row.runs and level.row.p > 0]
    times = [(level.row.p, level.relative) for level in compared if level.relative and not level.relative.censored]
    if not times or len(times) < len(compared):
        return None
    away, halves = [time.mean - theirs[p] for p, time in times], [time.interval for _, time in times]
    mean, half = (math.hypot(*values) / math.sqrt(len(times)) for values in (away, [half or 0.0 for half in halves]))
    return Estimate.single(mean, half=half if any(halves) else None, seeds=min(time.n for _, time in times))


def _minus(ours: Estimate | None, paper: float | None) -> Estimate | None:
    return ours.minus(paper) if ours and paper is not None else None


def rules_table(by_rule: Mapping[str, Sequence[Level]], results: Results) -> Table:
    """For every network and rule the epochs at p = 0 and the relative time at p = 1, beside the paper's."""
    rows = rule_rows(by_rule)
    columns = [
        *(Column.text("network", "architecture"), Column.text("rule", "rule"), Column("n", "n")),
        *(Column.times("epochs at p = 0", "epochs"), Column("paper", "paper_epochs", format="g")),
        Column("difference", "epochs_difference", format="+.1f", estimate=True, interval=True),
        *(Column.times("relative at p = 1", "relative_time", ".2f"), Column("paper", "paper_relative", format=".2f")),
        Column("difference", "difference", format="+.2f", estimate=True, interval=True),
        Column("off the paper's curve", "distance", format=".2f", estimate=True, interval=True),
    ]
    cells = [
        [
            *(row.network, row.rule, row.epochs.n if row.epochs else 0),
            *(row.epochs, row.paper_epochs, _minus(row.epochs, row.paper_epochs)),
            *(row.relative, row.paper_relative, _minus(row.relative, row.paper_relative), row.off_curve),
        ]
        for row in rows
    ]
    notes = [
        "The paper states neither its rule nor its epochs: those at p = 0 are the fewest that make all its ratios "
        "whole numbers of epochs. Off the curve: root mean square of the difference in relative time, over the levels "
        "that there are; none where a run did not pass. Difference and distance: with the 95 % interval of the mean.",
        *results.draws,
        *([LEAST_RULE, *nearest(rows)] if results.full else []),
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
        if off:
            total = {rule: _sum([distances[rule] for distances in off.values()]) for rule in shared}
            values = {
                "by_rule": grouped(off, lambda network: least_in_words(off[network])),  # noqa: B023 (used at once)
                "alone": [network for network, distances in off.items() if len(distances) == 1],
                "together": least_in_words(total) if len(off) > 1 and total else "",
            }
            sentences.append(sentence(NEAREST, what=what, **values))
    return sentences


def _sum(parts: Sequence[Estimate]) -> Estimate:
    halves = [part.interval for part in parts if part.interval is not None]
    half = sum(halves) if halves else None
    return Estimate.single(sum(part.mean for part in parts), half=half, seeds=min(part.n for part in parts))
