"""Section 2.2: Rademacher complexity, VC dimension, uniform stability, norms and margins, in numbers."""

from experiments.complexity import capacity, measures, rademacher, stability
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.verdicts import summary


def artefact(results: Results) -> Artefact:
    """Each measure with its figure and table, and whether it can tell what generalizes from what does not."""
    correlations, cases, networks = rademacher.rows(results), stability.rows(results), measures.rows(results)
    sizes = capacity.rows(results)
    verdicts = [
        *rademacher.verdicts(correlations, results.row(randomization="RandomSigns")),
        capacity.verdict(sizes),
        *stability.verdicts(cases),
        *measures.verdicts(networks),
    ]
    findings = [rademacher.finding(correlations), stability.finding(cases), measures.finding(networks)]
    tables = [
        rademacher.table(correlations),
        capacity.table(sizes),
        stability.table(cases),
        measures.table(networks),
        measures.table(networks, gap=True),
    ]
    charts = [rademacher.chart(correlations), stability.chart(cases), *measures.charts(networks)]
    return results.artefact(" ".join(filter(None, [*findings, summary(verdicts)])), charts, tables, verdicts)
