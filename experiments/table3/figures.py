"""Table 3 and Section 5: kernel machines that fit exactly, the norms of their solutions, and where SGD ends."""

from experiments.table3 import errors, norms, sgd
from experiments.table3.rows import machines, rows
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.verdicts import summary
from rethink.report.wording import sentence

FINDING = """
Test error of the exact solutions:
{% for row in rows if row.test_error %}
{{ row.name }} {{ "%.2f" % (100 * row.test_error.mean) }} % ({{ "{:,}".format(row.machines[0].values["n"]) }} images
{% if full and row.paper and row.paper.number("test_error") is not none %}, the paper
{{ "%g" % row.paper.number("test_error") }} %{% endif %}){{ ", " if not loop.last }}
{% else %}
not known yet
{% endfor %}.
"""


def artefact(results: Results) -> Artefact:
    """The table, the norms, and SGD as an implicit regularizer."""
    table_rows, problems = rows(results), sgd.rows(results)
    unregularized, definitions = machines(table_rows), norms.rows(table_rows, results.full)
    missing = [analysis.label for analysis in results.missing_analyses if analysis.kind == sgd.ANALYSIS]
    planned = any(analysis.kind == sgd.ANALYSIS for analysis in results.planned_analyses)
    verdicts = [
        *errors.verdicts(results, table_rows),
        *norms.verdicts(definitions, table_rows, unregularized),
        *(sgd.verdicts(problems, missing) if planned else []),
    ]
    findings = [
        sentence(FINDING, rows=table_rows, full=results.full),
        norms.finding(definitions),
        sgd.finding(problems),
        summary(verdicts),
    ]
    charts = [*errors.charts(table_rows, unregularized), *norms.charts(unregularized), *sgd.charts(problems)]
    tables = [
        errors.errors(results, table_rows),
        errors.choices(unregularized),
        norms.table(definitions, results.full),
        *sgd.tables(problems),
    ]
    return results.artefact(" ".join(filter(None, findings)), charts, tables, verdicts)
