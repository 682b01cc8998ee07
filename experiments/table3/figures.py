"""Table 3 and Section 5: kernel machines that fit exactly, the norms of their solutions, and where SGD ends."""

from experiments.table3 import errors, norms, sgd
from experiments.table3.rows import rows
from rethink.report.page import Artefact
from rethink.report.results import Results
from rethink.report.verdicts import summary


def artefact(results: Results) -> Artefact:
    """The table, the norms, and SGD as an implicit regularizer."""
    verdicts = [*errors.verdicts(results), *norms.verdicts(results), *sgd.verdicts(results)]
    said = [_finding(results), norms.finding(results), sgd.finding(results), summary(verdicts)]
    return results.artefact(
        " ".join(filter(None, said)),
        [*errors.charts(results), *norms.charts(results), *sgd.charts(results)],
        [*errors.tables(results), norms.table(results), *sgd.tables(results)],
        verdicts,
    )


def _finding(results: Results) -> str:
    numbers = []
    for row in rows(results):
        if row.machines and row.test_error:
            images, theirs = row.machines[0].values["n"], row.paper.number("test_error") if row.paper else None
            beside = f", the paper {theirs:g} %" if theirs is not None and results.full else ""
            numbers.append(f"{row.name} {100 * row.test_error.mean:.2f} % ({images:,} images{beside})")
    return f"Test error of the exact solutions: {', '.join(numbers) or 'not known yet'}."
