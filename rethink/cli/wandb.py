"""`rethink wandb push|workspace`: mirrors runs to Weights & Biases, and builds the workspace that shows them."""

import argparse
import json
import math
from pathlib import Path

from rethink.cli.arguments import Parser, experiment_options
from rethink.cli.show import find
from rethink.dashboard import description
from rethink.errors import UserError
from rethink.runs.run import runs_folder

BEGUN = ("config.yaml", "record.json")  # one of them is there when a run has begun


def main(args: list[str]) -> None:
    """Runs `rethink wandb ARGS`.

    Raises:
        SystemExit: With code 1, where something was not pushed.
    """
    options = _parser().parse_args(args)
    if options.command == "push":
        _push(options)
    else:
        _workspace(options)


def _parser() -> Parser:
    parser = Parser(prog="rethink wandb", description="Mirror runs to Weights & Biases; the files here stay the truth.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{push,workspace}")
    target = Parser(add_help=False)
    target.add_argument("--project", help="default: $WANDB_PROJECT, else rethink")
    target.add_argument("--entity", help="user or team; for push the default is your default one")

    push = commands.add_parser(
        "push", parents=[target], help="send what W&B does not have yet of runs, finished or not; repeat it as you like"
    )
    push.add_argument("runs", nargs="*", metavar="RUN_ID", help="run_ids or their first digits; by default all runs")
    push.add_argument("--experiment", metavar="NAME", help="the runs of this experiment")
    experiment_options(push)
    push.add_argument("--group", help="W&B group (default: the experiment, or the run's own)")
    push.add_argument("--tags", nargs="+", default=[], metavar="TAG", help="W&B tags in addition to the run's own")
    push.add_argument(
        "--mode",
        choices=("online", "offline"),
        default="online",
        help="offline writes one file per run under runs/RUN_ID/wandb/, for `wandb sync`; it needs no account",
    )
    push.add_argument("--timeout", type=_seconds, default=30, metavar="SECONDS", help="to wait for W&B (default: 30)")

    workspace = commands.add_parser(
        "workspace", parents=[target], help="save W&B workspaces with the paper's figures and tables"
    )
    workspace.add_argument("--print", action="store_true", help="print them as JSON; needs no account")
    return parser


def _seconds(text: str) -> float:
    try:
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def _push(options: argparse.Namespace) -> None:
    from rethink.dashboard import session
    from rethink.dashboard.mirror import push_all

    target = session.Target(
        options.mode,
        description.project(options.project),
        options.entity,
        options.group or options.experiment,
        tuple(options.tags),
        options.timeout,
    )
    counted = push_all(_folders(options), target)
    print(
        f"{counted['pushed']} pushed ({counted['rows']} rows), {counted['nothing new']} with nothing new, "
        f"{counted['not pushed']} not pushed"
    )
    if options.mode == "offline" and counted["pushed"]:
        print(f"Send them from a machine with an account: wandb sync {runs_folder()}/*/wandb/offline-run-*")
    if counted["not pushed"]:
        raise SystemExit(1)


def _folders(options: argparse.Namespace) -> list[Path]:
    """Of the runs that are to be pushed."""
    root = runs_folder()
    folders = [find(name, root) for name in options.runs]
    if options.experiment is not None:
        folders += _of_experiment(options)
    elif not options.runs:
        folders = sorted({path.parent for name in BEGUN for path in root.glob(f"*/{name}")})
    return list(dict.fromkeys(folders))


def _of_experiment(options: argparse.Namespace) -> list[Path]:
    """Folders of the runs of an experiment that were begun."""
    from rethink.sweep.experiment import Experiment
    from rethink.sweep.plan import plan

    experiment = Experiment.load(options.experiment, options.scale, options.seeds)
    folders = [run.folder for run in plan(experiment).runs]
    return [folder for folder in folders if any((folder / name).is_file() for name in BEGUN)]


def _workspace(options: argparse.Namespace) -> None:
    from rethink.dashboard import workspace

    if options.entity is None and not options.print:
        raise UserError("rethink wandb workspace: --entity is missing: the W&B user or team who owns the project.")
    workspaces = workspace.build(options.entity or "entity", description.project(options.project))
    if options.print:
        print(json.dumps([workspace.spec(view) for view in workspaces], indent=2))
    else:
        for view in workspaces:
            print(f"{view.name}: {workspace.save(view)}")
