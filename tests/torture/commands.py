"""A command of `rethink` in a forked process with a time limit: after the imports it costs next to nothing."""

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY

import torch

SECONDS = 90.0
"""After which a command counts as hanging."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end: `code` is negative for a signal, None where the time limit ended it."""

    words: tuple[str, ...]
    code: int | None
    output: str
    steps: int  # SGD steps that were taken, over all ranks
    orphans: bool = False  # whether processes of it were left

    @property
    def fault(self) -> str:
        """`hang`, `traceback` or nothing: what no command may do, whatever was done to it."""
        if self.code is None or self.orphans:
            return "hang"
        return "traceback" if "Traceback (most recent call last)" in self.output else ""

    def __str__(self) -> str:
        lines = self.output.strip().splitlines()
        shown = lines if len(lines) <= 12 else [*lines[:4], "[...]", *lines[-8:]]
        return "\n".join([f"$ rethink {' '.join(self.words)}", *shown, f"[exit code {self.code}, {self.steps} steps]"])


def run(
    words: Sequence[str],
    folder: Path,
    *,
    sabotage: Callable[[], object] = lambda: None,
    seconds: float = SECONDS,
    deliver: tuple[int, float] | None = None,
) -> Ended:
    """Runs `rethink WORDS` in `folder`, with its runs in `folder/runs`.

    Args:
        words: The arguments.
        folder: The working folder.
        sabotage: Called in the process before the command begins.
        seconds: Time limit.
        deliver: A signal, and the seconds after which the process gets it.
    """
    log, steps = (folder / f".{name}-{os.getpid()}" for name in ("output", "steps"))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    steps.write_bytes(b"")
    child = os.fork()
    if child == 0:
        _become(words, folder, log, steps, sabotage)
    code = _wait(child, seconds, deliver)
    orphans = _end_group(child, at_once=code is None)
    output = log.read_text(errors="replace") if log.exists() else ""
    return Ended(tuple(words), code, output, steps.stat().st_size, orphans)


def die_with_parent() -> None:
    """This process is killed when its parent is gone: Linux only, a comfort elsewhere."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value)


def _become(words: Sequence[str], folder: Path, log: Path, steps: Path, sabotage: Callable[[], object]) -> None:
    """Turns this process into the command; never returns."""
    code = 1
    try:
        os.setsid()
        die_with_parent()
        # Every Trainer counts the GPUs; torch takes that for using one, and a child could not fork.
        torch.cuda._is_in_bad_fork = lambda: False
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
            os.dup2(file, stream)
        # Anew: under pytest these are files of its own.
        sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        os.environ |= {"RETHINK_RUNS": "runs", "COLUMNS": "200", "CUDA_VISIBLE_DEVICES": ""}
        sys.argv = ["rethink", *words]
        _count_steps(steps)
        sabotage()
        from rethink.cli import entry_point

        entry_point()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # the child must never come back into the harness
        traceback.print_exc()
    finally:
        os._exit(code & 0xFF)


def _count_steps(path: Path) -> None:
    from processes import at_step

    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    at_step(ANY, lambda: os.write(file, b"."))


def _wait(child: int, seconds: float, deliver: tuple[int, float] | None) -> int | None:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if deliver is not None and passed >= deliver[1]:
            os.kill(child, deliver[0])
            deliver = None
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(0.05, 0.005 + passed / 50))
    return None


def _end_group(leader: int, at_once: bool) -> bool:
    """Ends and reaps what is left of a command's processes; returns whether some lived on for seconds after its end."""
    for attempt in range(200):
        if at_once or attempt == 100:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-leader, os.WNOHANG)[0]:  # no other child of ours, such as a second sweep
                pass
        try:
            os.killpg(leader, 0)
        except (ProcessLookupError, PermissionError):
            return attempt > 100
        time.sleep(0.05)
    return True
