"""Real SLURM jobs for tests: submit one, wait for a state, signal it, read what it printed."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")


def _takes_jobs() -> bool:
    if shutil.which("sinfo") is None:
        return False
    nodes = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False)
    return any(state.startswith(("idle", "mixed", "allocated")) for state in nodes.stdout.split())


MARKS = [
    pytest.mark.slurm,
    pytest.mark.skipif(not _takes_jobs(), reason="no SLURM takes jobs here; `tests/slurm/cluster` starts one"),
]
"""For `pytestmark` of a file of such tests."""


def run(*command: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


def wait_for(condition: Callable[[], object], what: Callable[[], object], seconds: float = 300) -> None:
    """Waits until `condition`; says `what` there is instead where that takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


@dataclass(frozen=True)
class Job:
    """A job, or a task of an array by its name `12_3`."""

    name: str
    output: Path

    @property
    def state(self) -> str:
        """As `squeue` has it: PENDING, RUNNING, COMPLETING, COMPLETED, ..."""
        return run("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={self.name}").strip()

    @property
    def exit_code(self) -> int:
        """Of its script."""
        (code,) = re.findall(r"\bExitCode=(\d+):", run("scontrol", "show", "job", "--oneliner", self.name))
        return int(code)

    def text(self) -> str:
        """All that it printed, over all its starts."""
        return self.output.read_text() if self.output.exists() else ""

    def wait(self, *states: str, seconds: float = 300) -> None:
        """Until it is in one of the states; another end than these fails at once."""
        while (state := self.state) not in states:
            assert state not in ENDED, f"{state}\n{self.text()}"
            seconds -= 0.2
            assert seconds > 0, f"{state}\n{self.text()}"
            time.sleep(0.2)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Until `condition`, while it runs."""
        wait_for(lambda: condition() or self.state in ENDED, self.text)
        assert condition(), f"{self.state}\n{self.text()}"

    def signal(self, name: str, *options: str) -> None:
        """Sends a signal to its steps, with `--batch` to its script instead."""
        run("scancel", f"--signal={name}", *options, self.name)

    def cancel(self) -> None:
        """Ends it as a person would."""
        run("scancel", self.name)

    def start_now(self) -> None:
        """Spares a requeued job the two minutes that SLURM lets it wait.

        Not the first two seconds of them: slurmd compares whole seconds, and refuses a start in the second in which
        it ended the job before ("Job credential revoked"), after which SLURM takes the job for failed.
        """
        time.sleep(2)
        run("scontrol", "update", f"jobid={self.name}", "StartTime=now")


def submit(folder: Path, script: str, *options: str) -> Job:
    """Submits a line of shell that runs in the repository; its output is in `folder`."""
    output = folder / "job.txt"
    command = ["sbatch", "--parsable", "--requeue", "--open-mode=append", f"--output={output}", f"--chdir={REPOSITORY}"]
    return Job(run(*command, *options, f"--wrap={script}").strip(), output)


def python(*arguments: str) -> str:
    """A command line of the Python that runs the tests."""
    return shlex.join([sys.executable, *arguments])
