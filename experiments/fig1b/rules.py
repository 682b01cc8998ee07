"""Which rule of what counts as fitted may the paper have used for Figure 1b? Several, beside its numbers."""

import math
import statistics
from collections.abc import Callable

from rethink.report.corruption import levels, networks, paper, relative_time
from rethink.report.results import Results
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table

Distance = Callable[[Results, str, str], float | None]


LENIENT = "accuracy>=0.95"  # read from the histories: added after the first runs, whose strict rules came late


def rules_compared(results: Results) -> list[str]:
    """The rules that every run has recorded, and a more lenient one."""
    recorded = dict.fromkeys(rule for run in results.runs for rule in run.rules)
    return [LENIENT, *(rule for rule in recorded if rule != LENIENT and all(rule in run.rules for run in results.runs))]


def rules_table(results: Results) -> Table:
    """For every network and rule the epochs at p = 0 and the relative time at p = 1, beside the paper's."""
    cells: list[list[Cell]] = []
    for network in networks(results):
        for rule in rules_compared(results):
            base = results.epochs(rule, architecture=network, corruption=0.0)
            first: list[Cell] = [architecture_style(network).label, rule, base.n if base else 0, base]
            times = [paper(network, "epochs_inferred").get(0.0), relative_time(results, network, 1.0, rule)]
            cells.append([*first, *times, paper(network, "rel_time").get(1.0), curve_distance(results, network, rule)])
    columns = [
        *(Column.text("network", "architecture"), Column.text("rule", "rule"), Column("n", "n")),
        *(Column.times("epochs at p = 0", "epochs"), Column("paper", "paper_epochs", format="g")),
        *(Column.times("relative at p = 1", "relative_time", ".2f"), Column("paper", "paper_relative", format=".2f")),
        Column("off the paper's curve", "distance", format=".2f"),
    ]
    notes = [
        "The paper states neither its rule nor its epochs: those at p = 0 are the fewest that make all its ratios "
        "whole numbers of epochs. Off the curve: root mean square of the difference in relative time, over the levels "
        "that there are; none where a run did not pass.",
        *(nearest(results) if results.full else []),
    ]
    return Table(columns, cells, "Each rule of what counts as fitted", notes, name="rules")


def baseline_distance(results: Results, network: str, rule: str) -> float | None:
    """How far the epochs at p = 0 are from the paper's: logarithm of their ratio, without its sign."""
    ours, theirs = results.epochs(rule, architecture=network, corruption=0.0), paper(network, "epochs_inferred")
    return None if ours is None or ours.censored or not theirs else abs(math.log(ours.mean / theirs[0.0]))


def curve_distance(results: Results, network: str, rule: str) -> float | None:
    """Root mean square of the difference in relative time from the paper's curve; None if a level is not known."""
    theirs = paper(network, "rel_time")
    there = [p for p in levels(results, network) if p in theirs and results.select(architecture=network, corruption=p)]
    found = [(p, relative_time(results, network, p, rule)) for p in there if p > 0]
    known = [(p, time.mean) for p, time in found if time is not None and not time.censored]
    if not known or len(known) < len(found):
        return None
    return math.sqrt(statistics.fmean((time - theirs[p]) ** 2 for p, time in known))


def nearest(results: Results) -> list[str]:
    """Which rule comes nearest to the paper's epochs at p = 0, and which to its curve: by network and altogether."""
    said = []
    for what, distance in (("epochs at p = 0", baseline_distance), ("curve", curve_distance)):
        off = {network: _known(results, network, distance) for network in networks(results)}
        off = {network: by_rule for network, by_rule in off.items() if by_rule}
        if off:
            names: dict[str, list[str]] = {}
            for network, by_rule in off.items():
                names.setdefault(_least(by_rule), []).append(architecture_style(network).label)
            each = "; ".join(f"{rule} ({', '.join(of)})" for rule, of in names.items())
            alone = [architecture_style(network).label for network, by_rule in off.items() if len(by_rule) == 1]
            each += f"; no other was passed by every run of {' and '.join(alone)}" if alone else ""
            shared = [rule for rule in rules_compared(results) if all(rule in by_rule for by_rule in off.values())]
            total = {rule: sum(by_rule[rule] for by_rule in off.values()) for rule in shared}
            together = f"; over all of them {_least(total)}" if len(off) > 1 and total else ""
            said.append(f"Nearest to the paper's {what} comes the rule {each}{together}.")
    return said


def _known(results: Results, network: str, distance: Distance) -> dict[str, float]:
    found = {rule: distance(results, network, rule) for rule in rules_compared(results)}
    return {rule: value for rule, value in found.items() if value is not None}


def _least(by_rule: dict[str, float]) -> str:
    """The rule with the least distance; several of them if they tie."""
    return " and ".join(rule for rule, value in by_rule.items() if value == min(by_rule.values()))
