"""Section 2.2: Rademacher complexity, VC dimension, uniform stability, norms and margins, in numbers."""

from experiments.complexity import capacity, measures, rademacher, stability
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.verdicts import summary


def artefact(results: Results) -> Artefact:
    """Each measure with its figure and table, and whether it can tell what generalizes from what does not."""
    verdicts = [
        *rademacher.verdicts(results),
        capacity.verdict(results),
        *stability.verdicts(results),
        *measures.verdicts(results),
    ]
    said = [rademacher.finding(results), stability.finding(results), measures.finding(results), summary(verdicts)]
    return results.artefact(
        " ".join(filter(None, said)),
        [rademacher.chart(results), stability.chart(results), *measures.charts(results)],
        [
            rademacher.table(results),
            capacity.table(results),
            stability.table(results),
            measures.table(results),
            measures.table(results, gap=True),
        ],
        verdicts,
    )
