"""`rethink report [EXPERIMENT ...]`: tables, figures and a page from whatever records there are."""

from pathlib import Path

from rich.console import Console

from rethink.cli.arguments import Parser, experiment_options, experiments_here, report_damage, with_folders_of_results
from rethink.errors import UserError
from rethink.report import artefacts
from rethink.report.overview import overview
from rethink.report.page import Artefact
from rethink.report.results import FIT, Results
from rethink.runs.rules import Rule
from rethink.sweep.experiment import Experiment


def main(args: list[str]) -> None:
    """Runs `rethink report ARGS`.

    Raises:
        SystemExit: With code 1, where a record is damaged; the report is made from the others.
    """
    parser = Parser(prog="rethink report", description="Figures, tables and one self-contained page from records.")
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="default: all. Several are one page")
    experiment_options(parser)
    parser.add_argument(
        "--rule", type=Rule.parse, default=FIT, help='when a training set counts as fitted, such as "loss<0.1"'
    )
    parser.add_argument("--output", type=Path, help="default: results/SCALE")
    options = parser.parse_args(args)
    output = options.output or Path("results") / options.scale
    chosen = options.experiments or experiments_here(artefacts.all_names(options.scale))
    experiments = with_folders_of_results([Experiment.load(name, options.scale, options.seeds) for name in chosen])
    made: list[tuple[Artefact, Results]] = []
    absent: list[Results] = []
    with Console(stderr=True).status("Reading records") as status:
        for experiment in experiments:
            status.update(f"Reading the records of {experiment.name}")
            results = Results.load(experiment, str(options.rule), True)
            if results.empty:
                absent.append(results)
                continue
            artefact = artefacts.make(results)
            artefacts.write(artefact, results, output / artefact.name)
            made.append((artefact, results))
    if len(options.experiments) == 1:
        for artefact, results in made:
            _print(artefact, results, output / artefact.name / "index.html")
    else:
        overview("Rethinking generalization, reproduced", made, absent).save(output / "index.html")
        print(f"{len(made)} of {len(chosen)} artefacts have runs. Open {output / 'index.html'}")
    if options.experiments and absent:
        commands = "; ".join(f"`{results.experiment.command}`" for results in absent)
        problems = "".join(f"\n  {problem}" for results in absent for problem in results.problems)
        names = ", ".join(results.experiment.name for results in absent)
        raise UserError(f"{names}: nothing of it is done yet. Make them with {commands}.{problems}")
    report_damage(line for results in [*(results for _, results in made), *absent] for line in results.damaged)


def _print(artefact: Artefact, results: Results, path: Path) -> None:
    """Writes the page of one artefact, and prints its tables and verdicts."""
    overview(artefact.title, [(artefact, results)]).save(path)
    console = Console()
    if not console.is_terminal:  # a file: the cells of a table are not cut
        console.width = max(console.width, 160)
    for table in artefact.tables:
        console.print(table.to_rich())
    for verdict in artefact.verdicts:
        print(f"- {verdict}")
    print(f"\nOpen {path}")
