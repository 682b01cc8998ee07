"""A cancelled run: a mark beside the runs, which makes each sweep that wants it leave it, in any terminal.

A mark counts for the sweeps that were started before it. So the same command, given again, goes on.
"""

import os
import secrets
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from rethink.cluster.lease import holder
from rethink.errors import UserError
from rethink.files import read_text, write_text
from rethink.runs.run import runs_folder
from rethink.sweep import slurm_array
from rethink.sweep.jobs import Job

Marks = Mapping[str, str]
CANCELLED = "cancelled; the same command goes on where it was saved"


def mark(runs: Iterable[Job]) -> None:
    """Cancels runs for the sweeps that are going on."""
    for run in runs:
        write_text(_path(run), secrets.token_hex(8), durable=False)


def marks(runs: Iterable[Job]) -> Marks:
    """The marks that a sweep finds when it starts."""
    return {run.id: _read(run) for run in runs}


def cancelled_since(run: Job, before: Marks) -> bool:
    """Whether a run was cancelled after those marks were read."""
    return _read(run) != before[run.id]


def _path(run: Job) -> Path:
    return runs_folder() / ".sweeps" / "cancelled" / run.id


def _read(run: Job) -> str:
    try:
        return read_text(_path(run))
    except (OSError, UserError):
        return ""


def cancel(jobs: Iterable[Job]) -> tuple[int, list[str]]:
    """Marks what is not done, and asks what is being done to stop and save itself.

    Returns:
        How many were asked, and a sentence for each that this process cannot ask.
    """
    wanted = [job for job in jobs if job.state != "done"]
    mark(wanted)
    queued = slurm_array.queued(job.folder for job in wanted)
    tasks, out_of_reach, stopped = [], [], 0
    for job in wanted:
        owner = holder(job.folder)
        task = owner.job if owner else slurm_array.job_of(job.folder) if job.folder in queued else None
        if task:
            tasks.append(task)
        elif owner and owner.is_here:
            try:
                os.kill(owner.pid, signal.SIGTERM)
                stopped += 1
            except ProcessLookupError:  # it has just ended
                pass
            except PermissionError:
                out_of_reach.append(f"{job.id} is done by {owner}, which is another user's: ask them to stop it.")
        elif owner:
            out_of_reach.append(f"{job.id} is done by {owner}: a sweep there stops it; anything else, stop there.")
    if tasks:
        slurm_array.cancel(tasks)
    return stopped + len(tasks), out_of_reach
