"""`rethink sweep plan|run|status|retry|cancel EXPERIMENT`."""

import os
import shlex
import shutil
import signal
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from rethink.cli.arguments import Parser, experiment_options
from rethink.cluster.lease import holder
from rethink.cluster.preemption import EXIT_CODE
from rethink.errors import UserError
from rethink.sweep import cancellation, execution, kubernetes, local, settings, slurm_array, status
from rethink.sweep.experiment import Experiment
from rethink.sweep.failure import forget_failure
from rethink.sweep.jobs import Job, PlannedRun
from rethink.sweep.plan import Plan, command_list, plan

LAUNCHERS = ("local", "slurm", "kubernetes", "print")

T = TypeVar("T")


def main(args: list[str]) -> None:
    """Runs `rethink sweep ARGS`."""
    options = _parser().parse_args(args)
    command: Callable[..., None] = options.run_command
    if command is _task:
        _task(options.file, options.number)
        return
    experiments = [Experiment.load(name, options.scale, options.seeds) for name in options.experiments]
    with Console(stderr=True).status("Finding out what there is"):
        planned = Plan.of([plan(experiment) for experiment in experiments]).only(options.only)
    options.chosen = _chosen(options)
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
            command.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="folders of experiments/")
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
    if not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


# The commands.


def _plan(planned: Plan, options: Namespace) -> None:
    print(command_list(planned.jobs, program=_program()), end="")
    _conclude(planned)


def _run(planned: Plan, options: Namespace) -> None:
    left = [job for job in planned.jobs if job.state == "failed" or job.damage]
    failed = _launch([job for job in planned.jobs if job not in left], options)
    said = (
        f"{len(left)} of {len(planned.jobs)} runs had failed before, or have a damaged record, and were left: "
        f"`rethink sweep status {options.chosen}` shows why, `rethink sweep retry {options.chosen}` tries them again."
    )
    _conclude(planned, failed, [said] if left else [])


def _retry(planned: Plan, options: Namespace) -> None:
    _conclude(planned, _launch(list(planned.jobs), options, again=True))


def _status(planned: Plan, options: Namespace) -> None:
    console = Console()
    states = status.progress(planned.jobs)
    if console.is_terminal and not options.once and any(s.state in ("running", "queued") for s in states.values()):
        with suppress(KeyboardInterrupt):  # the way to end this
            status.follow(console, planned.jobs, status.under_way(planned.jobs))
        states = status.progress(planned.jobs)
    status.show(console, planned.jobs, states)
    _conclude(planned)


def _cancel(planned: Plan, options: Namespace) -> None:
    jobs, elsewhere, stopped = [], [], 0
    wanted = [job for job in planned.jobs if job.state != "done"]
    cancellation.mark(wanted)
    queued = slurm_array.queued(run.folder for run in wanted)
    for run in wanted:
        owner = holder(run.folder)
        task = owner.job if owner else slurm_array.job_of(run.folder) if run.folder in queued else None
        if task:
            jobs.append(task)
        elif owner and owner.is_here:
            try:
                os.kill(owner.pid, signal.SIGTERM)
                stopped += 1
            except ProcessLookupError:  # it has just ended
                pass
            except PermissionError:
                elsewhere.append(f"{run.id} is done by {owner}, which is another user's: ask them to stop it.")
        elif owner:
            elsewhere.append(f"{run.id} is done by {owner}: a sweep there stops it; anything else, stop there.")
    if jobs:
        slurm_array.cancel(jobs)
    print(
        f"{stopped + len(jobs)} runs are told to stop and save themselves; sweeps that are going on leave the others."
    )
    _conclude(planned, said=elsewhere)


def _task(file: Path, number: int) -> None:
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    if not 0 <= number < len(lines):
        raise UserError(f"{file} has {len(lines)} lines, from 0: there is no line {number}.")
    program, *words = shlex.split(lines[number])
    if program != "rethink" or not words or words[0] not in ("fit", "analyze"):
        raise UserError(f"line {number} of {file} is no `rethink fit ...` and no `rethink analyze ...`.")
    outcome = execution.task(words)
    if outcome.what == "stopped":
        raise SystemExit(EXIT_CODE)
    if outcome.what == "failed":
        raise UserError(outcome.error)


# What they share.


def _launch(jobs: list[Job], options: Namespace, again: bool = False) -> dict[str, str]:
    """Gives what is not done to the launcher; returns why that is not done which it has tried.

    What needs runs that are not done is given after these. With `again` also what has failed, or has a damaged record.
    """
    _check(options)
    damaged = [job for job in jobs if again and job.damage]
    missing = [job for job in jobs if job.state != "done" or job in damaged]
    if options.launcher == "print":
        print(command_list(missing, program=_program()), end="")
        return {}
    if not missing:
        print(f"Nothing is missing of {options.chosen}." if jobs else f"Nothing was tried of {options.chosen}.")
        return {}
    waits = options.launcher in ("local", "slurm") and not (options.detach or options.export_only)
    if not options.export_only:
        for job in damaged:
            _set_record_aside(job.folder)
        for job in missing:
            forget_failure(job.folder)
    failed: dict[str, str] = {}
    before = cancellation.marks(missing)
    while wave := _wave(missing, alone=options.launcher == "local"):
        failed |= _LAUNCHERS[options.launcher](_name(options), wave, jobs, options)
        missing = [job for job in missing if job not in wave]
        failed |= {job.id: cancellation.CANCELLED for job in missing if cancellation.cancelled_since(job, before)}
        missing = [job for job in missing if job.id not in failed]
        if not waits:
            break
    if missing:
        why = "because" if waits else "and are sent off by the same command when"
        print(f"{len(missing)} of {len(jobs)} wait {why} runs that they need are {'not ' if waits else ''}done.")
    return failed


def _wave(missing: Sequence[Job], alone: bool) -> list[Job]:
    """What can be done now. On this machine an analysis has all cores, so these come when no run is left to do."""
    ready = [job for job in missing if job.ready]
    runs: list[Job] = [job for job in ready if isinstance(job, PlannedRun)]
    return runs if alone and runs else ready


def _name(options: Namespace) -> str:
    return "-".join([*(options.experiments if len(options.experiments) < 4 else ["several"]), options.scale])


def _local(name: str, wave: list[Job], jobs: Sequence[Job], options: Namespace) -> dict[str, str]:
    console = Console(stderr=True, highlight=False)
    shown = [job for job in jobs if isinstance(job, PlannedRun) == isinstance(wave[0], PlannedRun)]

    def watch(going: Callable[[], bool]) -> None:
        status.follow(console, shown, lambda _: going())

    if isinstance(wave[0], PlannedRun):
        return local.run(wave, watch, options.workers, options.devices or 1)
    return local.run(wave, watch, workers=1)


def _kubernetes(name: str, wave: list[Job], jobs: Sequence[Job], options: Namespace) -> dict[str, str]:
    for part, jobs_alike, resources in _alike(name, wave, kubernetes.Resources, kubernetes.CONFIG, options):
        path = kubernetes.export(part, jobs_alike, resources)
        print(f"{path}: {_counted(jobs_alike)}. Send it off with: kubectl apply -f {path}")
    return {}


def _set_record_aside(folder: Path) -> None:
    try:
        (folder / "record.json").rename(folder / "damaged_record.json")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}. Give permission, and go on.") from None


def _check(options: Namespace) -> None:
    """Refuses options of another launcher than the chosen one."""
    given = {"--export-only": "slurm", "--detach": "slurm", "--workers": "local", "--devices": "local"}
    for option, launcher in given.items():
        if getattr(options, option[2:].replace("-", "_")) and options.launcher != launcher:
            raise UserError(f"{option} is for --launcher {launcher}, and this is --launcher {options.launcher}.")
    if options.launcher_config and options.launcher not in ("slurm", "kubernetes"):
        raise UserError(f"--launcher-config is for slurm and kubernetes, and this is --launcher {options.launcher}.")


def _alike(
    name: str, wave: Sequence[Job], kind: type[T], default: Path, options: Namespace
) -> list[tuple[str, list[Job], T]]:
    """The runs of a wave, and its analyses, which ask a cluster for other things and get a name of their own."""
    path = options.launcher_config or default
    found = []
    for part, analyses in ((name, False), (f"{name}-analyses", True)):
        if jobs := [job for job in wave if isinstance(job, PlannedRun) != analyses]:
            found.append((part, jobs, settings.load(kind, path, analyses=analyses)))
    return found


def _counted(jobs: Sequence[Job]) -> str:
    """Of jobs that are alike."""
    return f"{len(jobs)} {'runs' if isinstance(jobs[0], PlannedRun) else 'analyses'}"


def _program() -> str:
    """`rethink` where the shell finds it, else where it is."""
    return "rethink" if shutil.which("rethink") else str(Path(sys.executable).with_name("rethink"))


def _slurm(name: str, wave: list[Job], jobs: Sequence[Job], options: Namespace) -> dict[str, str]:
    known = set() if options.export_only else slurm_array.queued(job.folder for job in wave)
    for part, jobs_alike, resources in _alike(name, wave, slurm_array.Resources, slurm_array.CONFIG, options):
        if options.export_only:
            path = slurm_array.export(part, jobs_alike, resources)
            print(f"{path}: {_counted(jobs_alike)}. Send it off with: sbatch {path}")
        elif new := [job for job in jobs_alike if job.folder not in known and job.state != "running"]:
            print(f"job array {slurm_array.submit(part, new, resources)}: {_counted(new)}")
    if options.export_only:
        return {}
    if options.detach:
        return {}
    print("Waiting for it; Ctrl-C leaves the jobs alone. `rethink sweep status` and `cancel` see them too.", flush=True)
    try:
        states = status.follow(Console(stderr=True, highlight=False), jobs, status.under_way(wave))
    except KeyboardInterrupt:
        print("The jobs go on.", file=sys.stderr)
        raise SystemExit(130) from None
    return {job.id: _why(job, states[job.id]) for job in wave if states[job.id].state != "done"}


_LAUNCHERS: dict[str, Callable[[str, list[Job], Sequence[Job], Namespace], dict[str, str]]] = {
    "local": _local,
    "slurm": _slurm,
    "kubernetes": _kubernetes,
}


def _why(run: Job, state: status.Progress) -> str:
    """Why a run is not done whose task, or other process, has ended."""
    job, log = slurm_array.job_of(run.folder), slurm_array.log_of(run.folder)
    what = f"its task {job}" if job else "its process"
    return state.error or f"{what} ended or was cancelled before it was done" + (f"; see {log}" if log else "")


def _conclude(planned: Plan, failed: Mapping[str, str] | None = None, said: Sequence[str] = ()) -> None:
    """After everything that could be done: what was not, and what cannot be a run."""
    why = [f"{len(failed)} of the runs are not done:"] if failed else []
    why += [f"  {run_id}: {error}" for run_id, error in (failed or {}).items()]
    if lines := [*planned.refused, *said, *why]:
        raise UserError("\n".join(lines))
