"""The SLURM job that this process belongs to, if there is one."""

import os
import signal
import subprocess


def job() -> str | None:
    """The job as `scontrol` names it: `12`, or `12_3` for a task of an array. None outside SLURM."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def restarted() -> bool:
    """Whether SLURM has started this job before: it was requeued."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0


def requeue() -> str:
    """Asks SLURM to start this job again. Returns what came of it as a clause, empty outside SLURM.

    SLURM then ends what is left of the job, so everything has to be saved before.
    """
    name = job()
    if name is None:
        return ""
    # A cancelled job can be requeued too, and would come back against the will of who cancelled it.
    state = _ask("squeue", "--noheader", "--format=%T %r", f"--jobs={name}")
    if state.returncode == 0 and state.stdout.split() not in (["RUNNING", "None"], ["COMPLETING", "TimeLimit"]):
        return f"SLURM is ending job {name} itself, so it is not requeued from here"
    asked = _ask("scontrol", "requeue", name)
    # Once SLURM has agreed it ends the whole job, at times with the scontrol that has not answered yet.
    if asked.returncode not in (0, -signal.SIGTERM):
        reason = " ".join(asked.stderr.split()) or f"exit code {asked.returncode}"
        return f"SLURM does not requeue job {name} ({reason}), so submit it again"
    return f"SLURM starts job {name} again"


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
