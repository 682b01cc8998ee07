"""`rethink report [EXPERIMENT ...]`: tables, figures and a page from whatever records there are."""

from pathlib import Path

from rich.console import Console

from rethink.cli.arguments import Parser, experiment_options
from rethink.errors import UserError
from rethink.report import artefacts
from rethink.report.page import Artefact, Page
from rethink.report.provenance import summary
from rethink.report.results import FIT, Results
from rethink.report.tables import Column, Table
from rethink.runs.rules import Rule
from rethink.sweep.experiment import Experiment

LEAD = (
    "Zhang, Bengio, Hardt, Recht and Vinyals (ICLR 2017) trained the same networks, with the same settings, on true "
    "labels, on random labels and on noise, and all of them were fitted. Here each of their CIFAR-10 figures and "
    "tables, their theorem and their kernels stand beside what these runs gave: the paper's numbers and curves, ours "
    "with seeds, and a verdict."
)
SUBSET = (
    "These are runs at demo scale: subsets of CIFAR-10 for minutes on a laptop. The paper trains on 50,000 images and "
    "tests on 10,000. Orders and shapes can be compared; values cannot: the paper's stand beside ours, and whether "
    "they agree is not judged."
)


def main(args: list[str]) -> None:
    """Runs `rethink report ARGS`."""
    parser = Parser(prog="rethink report", description="Figures, tables and one self-contained page from records.")
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="default: all, and one page of them")
    experiment_options(parser)
    parser.add_argument(
        "--rule", type=Rule.parse, default=FIT, help='when a training set counts as fitted, such as "loss<0.1"'
    )
    parser.add_argument("--output", type=Path, help="default: results/SCALE")
    options = parser.parse_args(args)
    output = options.output or Path("results") / options.scale
    chosen = options.experiments or artefacts.all_names()
    made: list[tuple[Artefact, Results]] = []
    absent: list[Results] = []
    with Console(stderr=True).status("Reading records") as status:
        for name in chosen:
            status.update(f"Reading the records of {name}")
            results = Results.load(Experiment.load(name, options.scale, options.seeds), str(options.rule))
            if results.empty:
                absent.append(results)
                continue
            artefact = artefacts.make(results)
            artefacts.write(artefact, results, output / name)
            made.append((artefact, results))
    if options.experiments:
        for artefact, results in made:
            _show(artefact, results, output / artefact.name / "index.html")
        if absent:
            commands = "; ".join(f"`{results.experiment.command}`" for results in absent)
            problems = "".join(f"\n  {problem}" for results in absent for problem in results.problems)
            named = ", ".join(results.experiment.name for results in absent)
            raise UserError(f"{named}: nothing of it is done yet. Make them with {commands}.{problems}")
    else:
        output.mkdir(parents=True, exist_ok=True)
        _page("Rethinking generalization, reproduced", made, absent).save(output / "index.html")
        print(f"{len(made)} of {len(chosen)} artefacts have runs. Open {output / 'index.html'}")


def _show(artefact: Artefact, results: Results, path: Path) -> None:
    """Writes the page of one artefact, and prints its tables and verdicts."""
    _page(artefact.title, [(artefact, results)], []).save(path)
    for table in artefact.tables:
        Console().print(table.to_rich())
    for verdict in artefact.verdicts:
        print(f"- {verdict}")
    print(f"\nOpen {path}")


def _page(title: str, made: list[tuple[Artefact, Results]], absent: list[Results]) -> Page:
    demo = any(results.experiment.scale == "demo" for results in [*(results for _, results in made), *absent])
    runs = {run.run_id: run for _, results in made for run in results.runs}
    analyses = {each.analysis_id: each for _, results in made for each in results.analyses}
    sections = [artefact for artefact, _ in made]
    if absent:
        sections.append(_not_run(absent))
    notes = [SUBSET] if demo else []
    return Page(title, LEAD, sections, notes, summary(list(runs.values()), list(analyses.values())))


def _not_run(absent: list[Results]) -> Artefact:
    """What has no run yet, with the command that makes it."""
    columns = [Column.text(header, header) for header in ("artefact", "what", "command", "cost")]
    rows = [(r.experiment.name, r.experiment.title, r.experiment.command, r.experiment.cost) for r in absent]
    return Artefact(
        "not-run",
        "Not run yet",
        "",
        "No run of these has been made here.",
        tables=[Table(columns, rows, "What is missing, and the command that makes it")],
        notes=[problem for results in absent for problem in results.problems],
    )
