"""The process that has something, written so that another one can tell whether it is alive."""

import os
import secrets
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rethink.cluster import slurm


@dataclass(frozen=True)
class Owner:
    """The process that trains a run."""

    host: str
    pid: int
    started: str
    """When it was started, in the words of its operating system: tells it from a later process of the same pid."""
    scope: str
    """Within which the pid means something: this boot of this machine, this container."""
    job: str | None
    """Its SLURM job."""
    token: str
    """Of this lease alone."""

    @classmethod
    def this_process(cls) -> Self:
        """With a new token."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _started(pid) or "", _scope(), slurm.job(), secrets.token_hex(8))

    @property
    def is_here(self) -> bool:
        """Whether its pid means a process of this machine, since it was booted, and of this container."""
        return self.scope == _scope()

    @property
    def runs(self) -> bool:
        """Whether this very process is alive, where its pid means something."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it is another user's
            pass
        return not self.started or _started(self.pid) in (None, self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f", SLURM job {self.job}" if self.job else "")


def _started(pid: int) -> str | None:
    """When a process was started; "ended" of one that waits for its parent only, None where this cannot be seen."""
    try:
        # The command's name, in parentheses, may hold anything; then come field 3, the state, and field 22.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "ended" if fields[0] in "ZX" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    question = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    with suppress(OSError, ValueError):
        environment = os.environ | {"LC_ALL": "C"}
        state, *words = subprocess.run(question, capture_output=True, text=True, env=environment).stdout.split()
        return "ended" if state.startswith("Z") else " ".join(words)
    return None


def _scope() -> str:
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()
