"""A look inside networks that fit noise: filters, alignment, probes, similarity, neighbours, and what it helps after.

Nothing of it is in the paper. Each part is a module beside this one: its rows, figure, table, verdicts and finding.
"""

from experiments.inside import alignment, downstream, looks, neighbours, networks, probes, similarity
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.wording import evaluations


def artefact(results: Results) -> Artefact:
    """All parts of which there are runs and analyses."""
    rows, rule, what = networks.rows(results), results.rule, downstream.data(results)
    aligned, probed, alike = alignment.rows(rows), probes.rows(rows), similarity.rows(results)
    near, begun = neighbours.rows(results, rows), downstream.rows(results)
    charts = [
        alignment.chart(aligned),
        probes.chart(probed),
        similarity.chart(alike),
        neighbours.chart(near, rule),
        downstream.chart(begun, what),
    ]
    tables = [
        alignment.table(aligned),
        probes.table(probed),
        neighbours.table(near, rule),
        downstream.table(begun, what, rule),
        *similarity.tables(alike),
    ]
    verdicts = [
        *alignment.verdicts(aligned),
        *probes.verdicts(probed),
        *similarity.verdicts(alike),
        *neighbours.verdicts(near, rule),
        *downstream.verdicts(begun, rule),
    ]
    findings = [
        alignment.finding(aligned),
        probes.finding(probed),
        similarity.finding(alike),
        neighbours.finding(near),
        downstream.finding(begun, what),
    ]
    return results.artefact(
        " ".join(filter(None, findings)) or "There are too few runs to look into.",
        [*looks.charts(rows), *(chart for chart in charts if chart.panels)],
        [table for table in tables if table.rows],
        verdicts,
        evaluations(results.runs),
    )
