"""Figure 1b: time to fit relative to true labels, against label corruption, for every network; ours over the paper's.

The paper does not say when it counts a training set as fitted. One rule is drawn; the second figure and table have all
that were recorded, and say which of them comes nearest to the paper.
"""

from experiments.fig1b.rules import rules_compared, rules_table
from rethink.report.corruption import ONE_DRAW, SLIPS, levels, networks, paper, paper_series, relative_time
from rethink.report.estimates import Comparison, rule_in_words
from rethink.report.figures import Chart
from rethink.report.page import Artefact
from rethink.report.panels import Panel, Series, against_corruption
from rethink.report.results import Results, evaluations, rule_words
from rethink.report.style import architecture_style
from rethink.report.tables import Cell, Column, Table, comparison_cells, comparison_columns
from rethink.report.verdicts import Quantity, Verdict, agreeing, at_most, rising, summary

SMALL_FACTOR = 4.0  # the paper's axis ends here; its largest value is 3.6 (small Inception)


def artefact(results: Results) -> Artefact:
    """The figure by the default rule, and by every other."""
    verdicts = _verdicts(results)
    description = (
        "Epochs until the training set is fitted, as a multiple of those on true labels of the same seed, against the "
        "probability p that a label is replaced by a random one; in thin dashes the paper's curves. An arrow upwards: "
        f"not fitted when the run ended, so the value lies above. A line joins neighbouring levels only. {ONE_DRAW}"
    )
    charts = [
        Chart("fig1b", f"{description} Fitted: {rule_words(results.rule)}.", [panel(results, results.rule)]),
        Chart("fig1b_rules", f"The same by each rule of what is fitted. {description}", _panels(results)),
    ]
    tables = [_table(results), rules_table(results)]
    return results.artefact(_finding(results, verdicts), charts, tables, verdicts, evaluations(results.runs))


def panel(results: Results, rule: str) -> Panel:
    """Relative time against corruption by one rule, for every network that has runs."""
    ours, theirs = [], []
    for network in networks(results):
        points = [(p, relative_time(results, network, p, rule)) for p in levels(results, network)]
        ours.append(Series.estimates(architecture_style(network), points))
        theirs.append(paper_series(network, "rel_time"))
    return against_corruption(f"Fitted: {rule_words(rule)}", "time to fit / that of true labels", [*theirs, *ours])


def _panels(results: Results) -> list[Panel]:
    return [panel(results, rule) for rule in rules_compared(results)]


def _finding(results: Results, verdicts: list[Verdict]) -> str:
    said = f"Epochs to fit random labels, as a multiple of those to fit true labels ({rule_words(results.rule)}): "
    factors = {network: relative_time(results, network, 1.0) for network in networks(results)}
    said += ", ".join(
        f"{architecture_style(network).label} {'not known' if factor is None else factor.format('.2f')}"
        + (f" (the paper {paper(network, 'rel_time')[1.0]:.2f})" if paper(network, "rel_time") else "")
        for network, factor in factors.items()
    )
    return f"{said}. {summary(verdicts)}"


def _comparison(results: Results, network: str, p: float) -> Comparison:
    """At p = 0 both are 1 by definition, and there is nothing to compare."""
    theirs = paper(network, "rel_time").get(p) if p > 0 else None
    tolerance = results.tolerance("relative_time") if results.full else None
    lost = results.lost(architecture=network, corruption=p)
    return Comparison(relative_time(results, network, p), theirs, tolerance, lost=lost)


def _table(results: Results) -> Table:
    cells: list[list[Cell]] = []
    for network in networks(results):
        for p in levels(results, network):
            epochs = results.epochs(results.rule, architecture=network, corruption=p)
            comparison = _comparison(results, network, p)
            _, *compared, verdict = comparison_cells(comparison)
            verdict = "cannot tell" if epochs and not comparison.ours else verdict  # no seed was fitted at p = 0
            seeds = results.seeds(architecture=network, corruption=p)
            cells.append([architecture_style(network).label, p, seeds, epochs, *compared, verdict])
    columns = [
        *(Column.text("network", "architecture"), Column("p", "p", format="g"), Column("n", "n")),
        Column.times("epochs to fit", results.rule),
        *comparison_columns("relative_time", "", "", 1)[1:],
    ]
    notes = [
        "> n: not by epoch n, where the run ended. Relative: to the run of the same seed at p = 0.",
        ONE_DRAW,
        SLIPS,
    ]
    if results.full:
        notes.append(rule_in_words(results.tolerance("relative_time")))
    return Table(columns, cells, f"Epochs to fit ({rule_words(results.rule)}), mean ± s.d. over n seeds", notes)


def _verdicts(results: Results) -> list[Verdict]:
    verdicts, largest, missing = [], [], []
    for network in networks(results):
        label, planned = architecture_style(network).label, levels(results, network)
        epochs = [(p, Quantity.of(results.epochs(results.rule, architecture=network, corruption=p))) for p in planned]
        verdicts.append(rising(f"Time to fit grows with label corruption ({label})", epochs, unit=" epochs"))
        relative = [relative_time(results, network, p) for p in planned[1:]]
        known = [time for time in relative if time]
        if known:  # one that is censored may be the largest, whatever its mean
            most = max(time.mean for time in known)
            largest.append((label, Quantity(most, any(time.censored for time in known))))
        missing += [f"{label} at p = {p:g}" for p, one in zip(planned[1:], relative, strict=True) if not one]
    trend = f"With any corruption a network takes at most {SMALL_FACTOR:g} times as long as with true labels"
    missing += [architecture_style(name).label for name in results.architectures if name not in networks(results)]
    verdicts.append(at_most(trend, largest, SMALL_FACTOR, missing))
    if results.full:
        compared = [
            (f"{architecture_style(network).label} at p = {p:g}", _comparison(results, network, p))
            for network in results.architectures
            for p in levels(results, network)
            if p > 0 and p in paper(network, "rel_time")
        ]
        verdicts.append(agreeing("Relative time agrees with the paper's", compared, "times", 1))
    return verdicts
