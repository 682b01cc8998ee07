"""The launcher for a SLURM cluster: what is missing of an experiment as one job array.

A task of the array trains one run. SLURM's warning before the time limit, and a preemption, let the run save itself
and ask to be requeued; it then goes on. `job.txt` in a run's folder has its task's number and name: SLURM gives the
number again to others one day.
"""

import hashlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from rethink.errors import UserError
from rethink.files import read_text, write_text
from rethink.runs.run import runs_folder
from rethink.sweep.jobs import Job
from rethink.sweep.plan import command_list
from rethink.sweep.specification import Count

CONFIG = Path("configs/launcher/slurm.yaml")
_JOB = "job.txt"
_ASKED_EVERY = 10.0  # seconds
_PATIENCE = 60.0  # seconds
_ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


@dataclass(frozen=True)
class Resources:
    """What each run asks SLURM for. None leaves it to the cluster."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    minutes: Count = 240
    nodes: Count = 1
    gpus_per_node: int = 1
    processes_per_node: Count = 1
    cpus_per_process: Count = 4
    memory_gb: float | None = 16
    runs_at_a_time: Count = 32
    seconds_to_save: int = 90
    setup: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The options of sbatch, without dashes in front; None leaves it to the cluster."""
        return {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "time": self.minutes,
            "nodes": self.nodes,
            "ntasks-per-node": self.processes_per_node,
            "cpus-per-task": self.cpus_per_process,
            "gpus-per-node": self.gpus_per_node or None,
            "mem": None if self.memory_gb is None else f"{self.memory_gb:g}G",
        }

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options of `rethink fit` for a run over several processes."""
        if self.processes_per_node * self.nodes == 1:
            return ()
        devices, nodes = str(self.processes_per_node), str(self.nodes)
        return ("--trainer.devices", devices, "--trainer.num_nodes", nodes, "--trainer.strategy", "ddp")


def submit(name: str, runs: Sequence[Job], resources: Resources) -> str:
    """Submits the runs as one job array; returns its number."""
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no sbatch here: --launcher slurm works on a machine of a SLURM cluster. "
            "--export-only writes a script to take there."
        )
    script, job_name = export(name, runs, resources), f"rethink-{name}-{secrets.token_hex(3)}"
    command = ["sbatch", "--parsable", f"--job-name={job_name}", str(script)]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise UserError(f"sbatch refuses the array: {' '.join(reason.split())[-400:]}") from None
    array = answer.strip().partition(";")[0]
    for task, run in enumerate(runs):
        with suppress(UserError):  # a folder that cannot be written: the task itself says so
            write_text(run.folder / _JOB, f"{array}_{task} {job_name}\n", durable=False)
    return array


def export(name: str, runs: Sequence[Job], resources: Resources) -> Path:
    """Writes the array as a plain script with a list of commands, to be read, and sent off by hand or by `submit`."""
    folder = (runs_folder() / ".sweeps" / name).resolve()
    tasks = command_list(runs, resources.arguments)
    # An array that waits reads its lines when it starts: what is missing later has a file of another name.
    commands = folder / f"commands-{hashlib.sha256(tasks.encode()).hexdigest()[:8]}.txt"
    write_text(commands, tasks)
    options = resources.options | {
        "job-name": f"rethink-{name}",
        "array": f"0-{len(runs) - 1}%{resources.runs_at_a_time}",
        "signal": f"USR1@{resources.seconds_to_save}",
        "open-mode": "append",
        "output": f"{folder}/%A_%a.txt",
    }
    lines = [
        "#!/bin/bash",
        f"# {len(runs)} runs of rethink, one per task of this array: the lines of",
        f"# {commands}",
        f"# {resources.seconds_to_save} seconds before its time limit, or when it is preempted, a run gets SIGUSR1,",
        "# saves itself and is requeued; it then goes on. Sending the array off twice trains nothing twice.",
        *(f"#SBATCH --{key}={value}" for key, value in (options | resources.more).items() if value is not None),
        "#SBATCH --requeue",
        "",
        f"cd {shlex.quote(os.getcwd())}",
        f"export RETHINK_RUNS={shlex.quote(str(folder.parents[1]))}",
        *resources.setup,
        # The cores of a process are what srun has not taken from the job since SLURM 22.05.
        f"srun --cpus-per-task={resources.cpus_per_process} {shlex.quote(sys.executable)} -m rethink "
        f"sweep task {shlex.quote(str(commands))} $SLURM_ARRAY_TASK_ID",
    ]
    script = folder / "array.sh"
    write_text(script, "\n".join(lines) + "\n")
    return script


def job_of(folder: Path) -> str | None:
    """The task of a job array that a run was given to, such as `12_3`."""
    return _job_of(folder)[0] or None


def log_of(folder: Path) -> str | None:
    """Where the output of that task is, if it has printed anything."""
    job = job_of(folder)
    logs = sorted((runs_folder() / ".sweeps").glob(f"*/{job}.txt")) if job else []
    return str(logs[0]) if logs else None


def _job_of(folder: Path) -> tuple[str, str]:
    """Number and name."""
    try:
        number, _, name = read_text(folder / _JOB).strip().partition(" ")
    except (OSError, UserError):
        return "", ""
    return number, name


def queued(folders: Iterable[Path]) -> set[Path]:
    """The folders of runs whose task SLURM has and has not ended: waiting, running or requeued.

    Raises:
        UserError: SLURM does not answer.
    """
    jobs = {folder: job for folder in folders if (job := _job_of(folder))[0]}
    if not jobs or shutil.which("squeue") is None:
        return set()
    arrays = tuple(sorted({number.partition("_")[0] for number, _ in jobs.values()}))
    states = _states(arrays, int(time.monotonic() // _ASKED_EVERY))
    return {folder for folder, job in jobs.items() if job in states and not states[job].startswith(_ENDED)}


@lru_cache(maxsize=1)
def _states(arrays: tuple[str, ...], moment: int) -> dict[tuple[str, str], str]:
    """Number and name of a task -> state, of the arrays that SLURM knows; asked once a `moment`: it serves many."""
    states: dict[tuple[str, str], str] = {}
    for array in arrays:  # one that SLURM has forgotten is an error of squeue, and hides no other
        command = ["squeue", "--noheader", "--array", "--format=%i %j %T", f"--jobs={array}"]
        try:
            listed = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"squeue does not answer: {error}") from None
        if listed.returncode != 0 and "Invalid job id" not in listed.stderr:
            raise UserError(f"squeue does not answer: {' '.join(listed.stderr.split())}")
        for line in listed.stdout.splitlines():
            number, name, state = line.split()
            states[number, name] = state
    return states


def cancel(jobs: Iterable[str]) -> None:
    """Cancels tasks, waiting or running."""
    command = ["scancel", *jobs]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"scancel failed: {(getattr(error, 'stderr', '') or str(error)).strip()}") from None
