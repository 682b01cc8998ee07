"""`rethink publish [EXPERIMENT ...]`: full-scale artefacts, and the records behind them, into the repository."""

from rethink.cli.arguments import Parser, experiments_here, with_folders_of_results
from rethink.errors import UserError
from rethink.report import artefacts
from rethink.report.publication import publish
from rethink.report.results import Results
from rethink.sweep.experiment import RECORDS, Experiment


def main(args: list[str]) -> None:
    """Runs `rethink publish ARGS`."""
    parser = Parser(
        prog="rethink publish",
        description="Write full-scale artefacts to experiments/EXPERIMENT/results: figures, tables, runs, provenance; "
        f"and to {RECORDS} the record of each run and analysis, from which `rethink restore` goes on elsewhere.",
    )
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="default: all that have runs")
    parser.add_argument("--force", action="store_true", help="also where runs that were published are not here")
    options = parser.parse_args(args)
    published = False
    chosen = options.experiments or experiments_here(artefacts.all_names())
    for experiment in with_folders_of_results([Experiment.load(name) for name in chosen]):
        results = Results.load(experiment)
        if not results.empty:
            for line in publish(results, options.force):
                print(line)
            published = True
        elif options.experiments:
            raise UserError(f"{experiment.name} has nothing at full scale yet. Make it with `{experiment.command}`.")
    if not published:
        raise UserError("nothing has runs at full scale here, so nothing is published. `rethink sweep run` makes them.")
