"""`rethink sweep plan|run|status EXPERIMENT`."""

import shlex
from collections import Counter

from rich.console import Console
from rich.table import Table

from rethink.cli.arguments import Parser
from rethink.errors import UserError
from rethink.sweep.experiment import Experiment
from rethink.sweep.plan import plan


def main(args: list[str]) -> None:
    """Runs `rethink sweep ARGS`."""
    options = _parser().parse_args(args)
    experiment = Experiment.load(options.experiment)
    with Console(stderr=True).status(f"Finding out what there is of {experiment.name}"):
        planned = plan(experiment)
    runs = [run for run in planned if options.only is None or options.only in run.label]
    if not runs:
        raise UserError(f"--only {options.only!r} leaves no run. `rethink sweep status {experiment.name}` lists them.")
    if options.command == "run":
        from rethink.sweep import local

        local.check(local.run(runs, options.workers))
    elif options.command == "plan":
        for run in runs:
            print(shlex.join(["rethink", "fit", *run.arguments]))
    else:
        table = Table("run", "what", "state", title=f"{experiment.name}: {experiment.title}")
        for run in runs:
            table.add_row(run.run_id, run.label, run.state)
        Console().print(table)
        print(", ".join(f"{count} {state}" for state, count in Counter(run.state for run in runs).items()))


def _parser() -> Parser:
    parser = Parser(prog="rethink sweep", description="Run what is missing of an experiment.")
    parser.add_argument(
        "command",
        choices=("plan", "run", "status"),
        help="plan prints the commands; run trains what is missing; status shows what is there",
    )
    parser.add_argument("experiment", help="a folder of experiments/")
    parser.add_argument("--only", metavar="TEXT", help="the runs with this in their description, such as MLP")
    parser.add_argument("--workers", type=int, help="runs at a time (default: one per GPU, or one per core)")
    return parser
