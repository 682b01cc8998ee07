"""Figure 1b: time to fit relative to true labels, against label corruption, for every network; ours over the paper's.

The paper does not say when it counts a training set as fitted. One rule is drawn; the second figure and table have all
that were recorded, and say which of them comes nearest to the paper.
"""

from collections.abc import Sequence

from experiments.fig1b.rows import Level, by_network, paper_curve, rows, rules_compared, started
from experiments.fig1b.rules import rules_table
from rethink.report.corruption import SLIPS, paper_series
from rethink.report.estimates import Tolerance, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_corruption
from rethink.report.results import Results
from rethink.report.tables import Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Verdict, agreeing, at_most, rising, summary
from rethink.report.wording import evaluations, rule_words, sentence

SMALL_FACTOR = 4.0  # the paper's axis ends here; its largest value is 3.6 (small Inception)
DESCRIPTION = (
    "Epochs until the training set is fitted, as a multiple of those on true labels of the same seed, against the "
    "probability p that a label is replaced by a random one; in thin dashes the paper's curves. An arrow upwards: "
    "not fitted when the run ended, so the value lies above. A line joins neighbouring levels that were fitted, and no "
    "others. A network that was not fitted on true labels has no such multiple."
)
FINDING = """
Epochs to fit random labels, as a multiple of those to fit true labels ({{ rule }}):
{% for level in ends %}
{{ level.row.network }} {{ level.relative.format(".2f") if level.relative else "not known" }}
{% if 1.0 in paper(level) %} (the paper {{ "%.2f" % paper(level)[1.0] }}){% endif %}
{{ ", " if not loop.last }}
{% endfor %}. {{ summary }}
"""


def artefact(results: Results) -> Artefact:
    """The figure by the default rule, and by every other."""
    rules = rules_compared(results.runs)
    by_rule = {rule: rows(results, rule) for rule in dict.fromkeys([results.rule, *rules])}
    planned, tolerance = by_rule[results.rule], results.judged("relative_time")
    levels = started(planned)
    judged = verdicts(planned, tolerance)
    finding = sentence(
        FINDING,
        rule=rule_words(results.rule),
        ends=[level for level in levels if level.row.p == 1],
        paper=paper_curve,
        summary=summary(judged),
    )
    description = " ".join([DESCRIPTION, *results.draws])
    charts = [
        Chart("fig1b", f"{description} Fitted: {rule_words(results.rule)}.", [panel(results.rule, levels)]),
        Chart(
            "fig1b_rules",
            f"The same by each rule of what is fitted. {description}",
            [panel(rule, started(by_rule[rule])) for rule in rules],
        ),
    ]
    tables = [
        table(results, levels, tolerance),
        rules_table({r: started(by_rule[r]) for r in rules}, results),
    ]
    return results.artefact(finding, charts, tables, judged, evaluations(results.runs))


def panel(rule: str, levels: Sequence[Level]) -> Panel:
    """Relative time against corruption by one rule, for every network."""
    networks = by_network(levels)
    theirs = [paper_series(name, "rel_time") for name in networks]
    ours = [
        Series.estimates(network[0].row.style, [(level.row.p, level.relative) for level in network])
        for network in networks.values()
    ]
    return against_corruption(f"Fitted: {rule_words(rule)}", "time to fit / that of true labels", [*theirs, *ours])


def table(results: Results, levels: Sequence[Level], tolerance: Tolerance | None) -> Table:
    """Epochs to fit, and relative time beside the paper's."""
    columns = [
        *(Column.text("network", "architecture"), Column("p", "p", format="g"), Column("n", "n")),
        Column.times("epochs to fit", results.rule),
        *comparison_columns("relative_time", "", "", 1)[1:],
    ]
    cells = []
    for level in levels:
        _, *compared, verdict = comparison_cells(level.comparison)
        verdict = "cannot tell" if level.epochs and not level.relative else verdict  # no seed was fitted at p = 0
        cells.append([level.row.network, level.row.p, level.row.seeds, level.epochs, *compared, verdict])
    notes = [
        "> n: not by epoch n, where the run ended. Relative: to the run of the same seed at p = 0.",
        *results.draws,
        SLIPS,
        *([rule_in_words(tolerance)] if tolerance else []),
    ]
    return Table(columns, cells, f"Epochs to fit ({rule_words(results.rule)}), mean ± s.d. over n seeds", notes)


def verdicts(planned: Sequence[Level], tolerance: Tolerance | None) -> list[Verdict]:
    """Time grows with corruption, by no more than a small factor; and whether it agrees with the paper's."""
    judged, times, missing = [], [], []
    for levels in by_network(started(planned)).values():
        network = levels[0].row.network
        epochs = [(level.row.p, level.epochs) for level in levels]
        judged.append(rising(f"Time to fit grows with label corruption ({network})", epochs, unit=" epochs"))
        times += [(f"{network} at p = {level.row.p:g}", level.relative) for level in levels[1:] if level.relative]
        missing += [f"{network} at p = {level.row.p:g}" for level in levels[1:] if not level.relative]
    trend = f"With any corruption a network takes at most {SMALL_FACTOR:g} times as long as with true labels"
    shown = by_network(started(planned))
    missing += [levels[0].row.network for name, levels in by_network(planned).items() if name not in shown]
    judged.append(at_most(trend, times, SMALL_FACTOR, missing))
    if tolerance:
        compared = [
            (f"{level.row.network} at p = {level.row.p:g}", level.comparison)
            for level in planned
            if level.row.p > 0 and level.row.p in paper_curve(level)
        ]
        judged.append(agreeing("Relative time agrees with the paper's", compared, "times", 1))
    return judged
