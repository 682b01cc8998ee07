"""Gives what is missing of an experiment to a launcher: this machine, SLURM, Kubernetes, or a list of commands."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rethink.errors import UserError
from rethink.runs.repetition import set_aside
from rethink.sweep import cancellation, kubernetes, local, slurm_array, specification, status
from rethink.sweep.jobs import Job, PlannedRun, forget_failure
from rethink.sweep.plan import command_list
from rethink.sweep.specification import T

LAUNCHERS = ("local", "slurm", "kubernetes", "print")
_LAUNCHER_OF = {"export_only": "slurm", "detach": "slurm", "workers": "local", "devices": "local"}


@dataclass(frozen=True)
class Launch:
    """Where and how jobs are done: the options of `rethink sweep run` and `retry`.

    Raises:
        UserError: An option belongs to another launcher.
    """

    name: str
    """Of the files that a launcher writes, and of its jobs."""
    launcher: str = "local"
    launcher_config: Path | None = None
    export_only: bool = False
    detach: bool = False
    workers: int | None = None
    devices: int | None = None

    def __post_init__(self) -> None:
        for option, launcher in _LAUNCHER_OF.items():
            if getattr(self, option) and self.launcher != launcher:
                named = f"--{option.replace('_', '-')}"
                raise UserError(f"{named} is for --launcher {launcher}, and this is --launcher {self.launcher}.")
        if self.launcher_config and self.launcher not in ("slurm", "kubernetes"):
            raise UserError(f"--launcher-config is for slurm and kubernetes, and this is --launcher {self.launcher}.")

    @property
    def waits(self) -> bool:
        """Whether it ends when the jobs have ended."""
        return self.launcher in ("local", "slurm") and not (self.detach or self.export_only)

    def by_resources(self, wave: Sequence[Job], kind: type[T], default: Path) -> list[tuple[str, list[Job], T]]:
        """Name, jobs and resources of the runs of a wave and of its analyses, which ask a cluster for other things."""
        parts = []
        for name, analyses in ((self.name, False), (f"{self.name}-analyses", True)):
            if jobs := [job for job in wave if isinstance(job, PlannedRun) != analyses]:
                parts.append((name, jobs, specification.load(kind, self.launcher_config or default, analyses=analyses)))
        return parts


def launch(jobs: Sequence[Job], how: Launch, again: bool = False) -> dict[str, str]:
    """Gives what is not done to the launcher; returns why that is not done which it has tried.

    What needs runs that are not done is given after these.

    Args:
        jobs: What is wanted.
        how: Launcher and options.
        again: Also what has failed, or has a damaged record.
    """
    damaged = [job for job in jobs if again and job.damage]
    missing = [job for job in jobs if job.state != "done" or job in damaged]
    if how.launcher == "print":
        print(command_list(missing, program=program()), end="")
        return {}
    if not how.export_only:
        for job in damaged:
            set_aside(job.folder)
        for job in missing:
            forget_failure(job.folder)
    start = {"local": _local, "slurm": _slurm, "kubernetes": _kubernetes}[how.launcher]
    failed: dict[str, str] = {}
    before = cancellation.marks(missing)
    while wave := _ready_now(missing, alone=how.launcher == "local"):
        failed |= start(how, wave, jobs)
        missing = [job for job in missing if job not in wave]
        failed |= {job.id: cancellation.CANCELLED for job in missing if cancellation.cancelled_since(job, before)}
        missing = [job for job in missing if job.id not in failed]
        if not how.waits:
            break
    if missing:
        why = "because" if how.waits else "and are sent off by the same command when"
        print(f"{len(missing)} of {len(jobs)} wait {why} runs that they need are {'not ' if how.waits else ''}done.")
    return failed


def program() -> str:
    """`rethink` where the shell finds it, else where it is."""
    return "rethink" if shutil.which("rethink") else str(Path(sys.executable).with_name("rethink"))


def _ready_now(missing: Sequence[Job], alone: bool) -> list[Job]:
    """What can be done now. On this machine an analysis has all cores, so these come when no run is left to do."""
    ready = [job for job in missing if job.ready]
    runs: list[Job] = [job for job in ready if isinstance(job, PlannedRun)]
    return runs if alone and runs else ready


def _local(how: Launch, wave: list[Job], jobs: Sequence[Job]) -> dict[str, str]:
    runs = isinstance(wave[0], PlannedRun)
    shown = [job for job in jobs if isinstance(job, PlannedRun) == runs]

    def watch(going: Callable[[], bool]) -> None:
        status.follow(Console(stderr=True, highlight=False), shown, lambda _: going(), slots)

    workers, devices = (how.workers, how.devices or 1) if runs else (1, 1)
    slots = len(local.slots(workers, devices))
    return local.run(wave, watch, workers, devices)


def _kubernetes(how: Launch, wave: list[Job], jobs: Sequence[Job]) -> dict[str, str]:
    for name, part, resources in how.by_resources(wave, kubernetes.Resources, kubernetes.CONFIG):
        path = kubernetes.export(name, part, resources)
        print(f"{path}: {_counted(part)}. Send it off with: kubectl apply -f {path}")
    return {}


def _slurm(how: Launch, wave: list[Job], jobs: Sequence[Job]) -> dict[str, str]:
    queued = set() if how.export_only else slurm_array.queued(job.folder for job in wave)
    for name, part, resources in how.by_resources(wave, slurm_array.Resources, slurm_array.CONFIG):
        if how.export_only:
            path = slurm_array.export(name, part, resources)
            print(f"{path}: {_counted(part)}. Send it off with: sbatch {path}")
        elif new := [job for job in part if job.folder not in queued and job.state != "running"]:
            print(f"job array {slurm_array.submit(name, new, resources)}: {_counted(new)}")
    if not how.waits:
        return {}
    print("Waiting for it; Ctrl-C leaves the jobs alone. `rethink sweep status` and `cancel` see them too.", flush=True)
    try:
        states = status.follow(Console(stderr=True, highlight=False), jobs, status.under_way(wave))
    except KeyboardInterrupt:
        print("The jobs go on.", file=sys.stderr)
        raise SystemExit(130) from None
    return {job.id: _why(job, states[job.id]) for job in wave if states[job.id].state != "done"}


def _counted(alike: Sequence[Job]) -> str:
    return f"{len(alike)} {'runs' if isinstance(alike[0], PlannedRun) else 'analyses'}"


def _why(job: Job, state: status.Progress) -> str:
    """Why a job is not done whose task, or other process, has ended."""
    task, log = slurm_array.job_of(job.folder), slurm_array.log_of(job.folder)
    what = f"its task {task}" if task else "its process"
    return state.error or f"{what} ended or was cancelled before it was done" + (f"; see {log}" if log else "")
