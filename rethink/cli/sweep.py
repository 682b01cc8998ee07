"""`rethink sweep plan|run|status|retry|cancel|task`."""

import shlex
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from rethink.cli.arguments import Parser, experiment_options
from rethink.cluster.preemption import EXIT_CODE
from rethink.errors import UserError
from rethink.sweep import cancellation, execution, status
from rethink.sweep.experiment import Experiment
from rethink.sweep.jobs import PlannedRun
from rethink.sweep.launching import LAUNCHERS, Launch, launch, program
from rethink.sweep.plan import Plan, command_list, plans

COSTS = "costs.py"  # beside sweep.yaml: `of_run(architecture, epochs)` says what a run takes


def main(args: list[str]) -> None:
    """Runs `rethink sweep ARGS`."""
    options = _parser().parse_args(args)
    command: Callable[..., None] = options.run_command
    if command is _task:
        _task(options.file, options.number)
        return
    experiments = [Experiment.load(name, options.scale, options.seeds) for name in options.experiments]
    planned = Plan.of(plans(experiments)).only(options.only)
    options.chosen = _chosen(options)
    options.loaded = experiments
    if not planned.jobs:
        listed = f"`rethink sweep status {options.chosen} --once` lists them."
        left = f"--only {' '.join(map(repr, options.only))} leaves no run. {listed}" if options.only else ""
        raise UserError("\n".join(filter(None, [*planned.refused, left])) or f"{options.chosen} has no runs.")
    command(planned, options)


def _chosen(options: Namespace) -> str:
    """What chooses the experiments' runs, as another command would be told."""
    words = [*options.experiments, *(["--scale", options.scale] if options.scale != "full" else [])]
    return shlex.join([*words, *(["--seeds", ",".join(map(str, options.seeds))] if options.seeds else [])])


def _parser() -> Parser:
    parser = Parser(prog="rethink sweep", description="Plan, run and follow the runs of an experiment.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, run: Callable[..., None], text: str) -> Parser:
        command: Parser = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run_command=run)
        if run is not _task:
            command.add_argument(
                "experiments", nargs="+", metavar="EXPERIMENT", help="folders of experiments/, or paths of a sweep.yaml"
            )
            experiment_options(command)
            command.add_argument(
                "--only",
                action="append",
                default=[],
                metavar="TEXT",
                help="the runs with this in their description, such as MLP; may be repeated",
            )
        return command

    add("plan", _plan, "say which runs and analyses there are, and print the command of each")
    for name, run, text in (
        ("run", _run, "do what is missing; what has failed stays so"),
        ("retry", _retry, "do what has failed again, and what is missing"),
    ):
        command = add(name, run, text)
        command.add_argument("--launcher", choices=LAUNCHERS, default="local", help="where (default: this machine)")
        command.add_argument("--launcher-config", type=Path, help="resources; default: configs/launcher/LAUNCHER.yaml")
        command.add_argument("--export-only", action="store_true", help="slurm: only write the job-array script")
        command.add_argument("--detach", action="store_true", help="slurm: submit, and do not wait")
        command.add_argument("--workers", type=_count, help="local: runs at a time (default: one per GPU, or per core)")
        command.add_argument("--devices", type=_count, help="local: GPUs, or CPU processes, of each run (default: 1)")
    command = add("status", _status, "what is done, running, failed and missing, and the time left")
    command.add_argument("--once", action="store_true", help="print it once, also while runs are going on")
    add("cancel", _cancel, "stop what is running, saved, and take back what is queued")
    command = add("task", _task, "do one line of a list of commands: what a task of a cluster's job array does")
    command.add_argument("file", type=Path, help="a list of `rethink fit ...` or `rethink analyze ...`, one a line")
    command.add_argument("number", type=int, help="of the line, from 0")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _plan(planned: Plan, options: Namespace) -> None:
    """Behind a command, as a comment, what it takes: of experiments that have a `costs.py`, at full scale."""
    scripts = []
    for experiment in options.loaded if options.scale == "full" else ():
        if (file := experiment.file.parent / COSTS).is_file():
            from rethink.report.artefacts import load_script  # here: it loads what draws figures

            scripts.append(load_script(file))
    for job in planned.jobs:
        words = (s.of_run(job.setting.architecture, job.epochs) for s in scripts if isinstance(job, PlannedRun))
        cost = next(filter(None, words), "")
        print(command_list([job], program=program()).rstrip("\n") + (f"  # {cost}" if cost else ""))
    _conclude(planned)


def _run(planned: Plan, options: Namespace) -> None:
    how = _launch(options)
    left = [job for job in planned.jobs if job.state == "failed" or job.damage]
    wanted = [job for job in planned.jobs if job not in left]
    if how.launcher != "print" and all(job.state == "done" for job in wanted):
        print(f"Nothing {'is missing' if wanted else 'was tried'} of {options.chosen}.")
    failed = launch(wanted, how)
    note = (
        f"{len(left)} of {len(planned.jobs)} runs had failed before, or have a damaged record, and were left: "
        f"`rethink sweep status {options.chosen}` shows why, `rethink sweep retry {options.chosen}` tries them again."
    )
    _conclude(planned, failed, [note] if left else [])


def _retry(planned: Plan, options: Namespace) -> None:
    how = _launch(options)
    if how.launcher != "print" and all(job.state == "done" and not job.damage for job in planned.jobs):
        print(f"Nothing is missing of {options.chosen}.")
    _conclude(planned, launch(planned.jobs, how, again=True))


def _launch(options: Namespace) -> Launch:
    names = [experiment.name for experiment in options.loaded]
    name = "-".join([*(names if len(names) < 4 else ["several"]), options.scale])
    chosen = vars(options)
    return Launch(name, **{field.name: chosen[field.name] for field in fields(Launch) if field.name != "name"})


def _status(planned: Plan, options: Namespace) -> None:
    console = Console()
    states = status.progress(planned.jobs)
    if console.is_terminal and not options.once and any(s.state in ("running", "queued") for s in states.values()):
        with suppress(KeyboardInterrupt):  # the way to end this
            status.follow(console, planned.jobs, status.under_way(planned.jobs))
        states = status.progress(planned.jobs)
    status.show(console, planned.jobs, states)
    _conclude(planned)
    if any(state.state == "damaged" for state in states.values()):
        raise SystemExit(1)


def _cancel(planned: Plan, options: Namespace) -> None:
    stopped, out_of_reach = cancellation.cancel(planned.jobs)
    print(f"{stopped} runs are told to stop and save themselves; sweeps that are going on leave the others.")
    _conclude(planned, notes=out_of_reach)


def _task(file: Path, number: int) -> None:
    outcome = execution.run_line(file, number)
    if outcome.what == "stopped":
        raise SystemExit(EXIT_CODE)
    if outcome.what == "failed":
        raise UserError(outcome.error)


def _conclude(planned: Plan, failed: Mapping[str, str] | None = None, notes: Sequence[str] = ()) -> None:
    """After everything that could be done: what was not, and what cannot be a run."""
    why = [f"{len(failed)} of the runs are not done:"] if failed else []
    why += [f"  {run_id}: {error}" for run_id, error in (failed or {}).items()]
    if lines := [*planned.refused, *notes, *why]:
        raise UserError("\n".join(lines))
