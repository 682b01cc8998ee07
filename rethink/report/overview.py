"""The page of several artefacts: what they are, what has no run yet, and where the runs took place."""

from collections.abc import Sequence
from dataclasses import replace

from rethink.report import artefacts
from rethink.report.page import Artefact, Page
from rethink.report.provenance import summary
from rethink.report.results import Results
from rethink.report.tables import Column, Table

_LEAD = (
    "Zhang, Bengio, Hardt, Recht and Vinyals (ICLR 2017) trained the same networks, with the same settings, on true "
    "labels, on random labels and on noise, and all of them were fitted. Here their figures and tables, "
    "their theorem and their kernels stand beside what these runs gave: the paper's numbers and curves, ours with "
    "seeds, and a verdict."
)
_DEMO = (
    "These are runs at demo scale: subsets of CIFAR-10 for minutes on a laptop. The paper trains on all 50,000 images, "
    "for Table 2 and Figure 2a on ImageNet's 1.28 million. Orders and shapes can be compared; values cannot: the "
    "paper's stand beside ours, and whether they agree is not judged."
)


def overview(title: str, made: Sequence[tuple[Artefact, Results]], absent: Sequence[Results] = ()) -> Page:
    """A page.

    Args:
        title: Of the page.
        made: Artefacts with the results that they show.
        absent: Of experiments without any run; they are listed with the commands that make them.
    """
    all_results = [*(results for _, results in made), *absent]
    runs = {run.run_id: run for _, results in made for run in results.finished}
    analyses = {analysis.analysis_id: analysis for _, results in made for analysis in results.analyses}
    first = next((artefact for artefact, _ in made if artefact.name == artefacts.DEMO), None) if len(made) > 1 else None
    sections = []
    for artefact, results in made:
        done, planned = (
            len(results.finished) + len(results.analyses),
            len(results.planned) + len(results.planned_analyses),
        )
        if artefact is not first:
            # What is mostly not run is folded away, unless it is all there is.
            sections.append(replace(artefact, folded=2 * done < planned and len(made) > 1))
    sections += [_not_run(absent)] if absent else []
    notes = [_DEMO] if any(results.experiment.scale == "demo" for results in all_results) else []
    lead = first.claim if first else _LEAD
    return Page(title, lead, sections, notes, summary(list(runs.values()), list(analyses.values())), first)


def _not_run(absent: Sequence[Results]) -> Artefact:
    """What has no run yet, with the command that makes it."""
    columns = [Column.text(header, header) for header in ("artefact", "what", "command", "cost")]
    experiments = [results.experiment for results in absent]
    rows = [(spec.name, spec.title, spec.command, spec.cost) for spec in experiments]
    return Artefact(
        "not-run",
        "Not run yet",
        "",
        "No run of these has been made here.",
        tables=[Table(columns, rows, "What is missing, and the command that makes it")],
        notes=[problem for results in absent for problem in results.problems],
        folded=True,
    )
