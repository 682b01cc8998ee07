"""A cancelled run: a mark beside the runs, which makes each sweep that wants it leave it, in any terminal.

A mark counts for the sweeps that were started before it. So the same command, given again, goes on.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from rethink.files import write_text
from rethink.runs.run import runs_folder
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
        return _path(run).read_text()
    except OSError:
        return ""
