"""A look inside networks that fit noise: filters, alignment, probes, similarity, neighbours, and what it helps after.

Nothing of it is in the paper. Each part is a module beside this one, with its figure, table, verdicts and sentence.
"""

from experiments.inside import alignment, downstream, looks, neighbours, probes, similarity
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.wording import evaluations

_PARTS = (alignment, probes, similarity, neighbours, downstream)


def artefact(results: Results) -> Artefact:
    """All parts of which there are runs and analyses."""
    charts = [*looks.charts(results), *(chart for part in _PARTS if (chart := part.chart(results)).panels)]
    tables = [part.table(results) for part in (alignment, probes, neighbours, downstream)]
    tables = [table for table in [*tables, *similarity.tables(results)] if table.rows]
    verdicts = [verdict for part in _PARTS for verdict in part.verdicts(results)]
    finding = " ".join(filter(None, (part.said(results) for part in _PARTS)))
    finding = finding or "There are too few runs to look into."
    return results.artefact(finding, charts, tables, verdicts, evaluations(results.runs))
