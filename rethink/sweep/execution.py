"""Does one job of a sweep, wherever: output and error are kept in its folder, and it says what came of it."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from rethink.cluster.lease import RENEWED_EVERY, STALE_AFTER, Busy, holder
from rethink.cluster.preemption import EXIT_CODE, Preempted, signals_noted
from rethink.errors import UserError, explained
from rethink.files import read_bytes, without_waiting
from rethink.runs.analysis import analyses_folder
from rethink.runs.run import runs_folder
from rethink.sweep.jobs import forget_failure, reported_in, write_failure

_LOG = "log.txt"


@dataclass(frozen=True)
class Outcome:
    """What came of a job: `elsewhere` is being done by another process, `stopped` was saved and can go on."""

    what: Literal["done", "failed", "elsewhere", "stopped"]
    error: str = ""
    trace: str = ""


def run_job(words: Sequence[str], folder: Path, devices: int = 1) -> Outcome:
    """Does a job, with its output in `log.txt` of its folder and its error, if there is one, in `failure.txt`.

    Args:
        words: Of `rethink fit` or `rethink analyze`, from there on.
        folder: Of the run, or of the analysis.
        devices: GPUs, or CPU processes, of this one run. More than one takes processes of their own.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        forget_failure(folder)
        with open(folder / _LOG, "a", opener=without_waiting) as log:
            print(f"$ rethink {shlex.join(words)}", file=log, flush=True)
            outcome = _in_process(words, folder, log) if devices == 1 else _distributed(words, folder, devices, log)
    except OSError as error:
        return Outcome("failed", f"cannot write {error.filename or folder}: {error.strerror}")
    if outcome.what == "failed":
        write_failure(folder, outcome.error, outcome.trace)
    return outcome


def run_task(words: Sequence[str]) -> Outcome:
    """Does a job as a task of a cluster's job array, where each process of a run calls this."""
    if int(os.environ.get("SLURM_PROCID") or 0) == 0:
        folder = _folder(words)
        _wait_for_dead_owner(folder)
        return run_job(words, folder)
    if words[0] != "analyze":  # which is one process; of a run the first process writes log and failure
        with signals_noted():
            _main(words)
    return Outcome("done")


def run_line(file: Path, number: int) -> Outcome:
    """Does the job of a line of a list of commands, from 0.

    Raises:
        UserError: There is no such file, or no such line, or it is another command.
    """
    try:
        lines = read_bytes(file).decode().splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is no list of commands: it is not text in UTF-8.") from None
    if not 0 <= number < len(lines):
        raise UserError(f"{file} has {len(lines)} lines, from 0: there is no line {number}.")
    try:
        words = shlex.split(lines[number])
    except ValueError as error:
        raise UserError(f"line {number} of {file} is no command: {error}.") from None
    if words[:2] not in (["rethink", "fit"], ["rethink", "analyze"]):
        raise UserError(f"line {number} of {file} is no `rethink fit ...` and no `rethink analyze ...`.")
    return run_task(words[1:])


def _main(words: Sequence[str]) -> None:
    if words[0] == "analyze":
        from rethink.running.analysis import main as analyze

        analyze([*words[1:]])
    else:
        from rethink.running.command import main as train

        train([*words])


def _folder(words: Sequence[str]) -> Path:
    from rethink.running import identification

    if words[0] == "analyze":
        return analyses_folder() / identification.identify_analysis(words[1:])
    return runs_folder() / identification.identify(words)[0]


def describe_exit(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"its process ended with code {code}"
    name = signal.Signals(-code).name
    return f"its process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _wait_for_dead_owner(folder: Path) -> None:
    """Waits as long as a dead owner still counts as alive: a task that is started again after its node died comes soon.

    A live owner stays alive, and the run is left to it.
    """
    end = time.monotonic() + STALE_AFTER + RENEWED_EVERY
    while holder(folder) is not None and time.monotonic() < end:
        time.sleep(1)


def _in_process(words: Sequence[str], folder: Path, log: TextIO) -> Outcome:
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            with signals_noted():
                _main(words)
        except Preempted as preempted:
            print(preempted.message)
            return Outcome("stopped")
        except Busy:
            return Outcome("elsewhere")
        except UserError as error:
            print(error)
            return Outcome("failed", " ".join(str(error).split()))
        except Exception as error:
            if mendable := explained(error):
                print(mendable)
                return Outcome("failed", str(mendable))
            trace = traceback.format_exc()
            print(trace)
            what = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return Outcome("failed", f"{what}. {reported_in(folder)}", trace)
    return Outcome("done")


def _distributed(words: Sequence[str], folder: Path, devices: int, log: TextIO) -> Outcome:
    """A run over several devices, in processes of its own."""
    more = ("--trainer.devices", str(devices), "--trainer.strategy", "ddp")
    command = [sys.executable, "-m", "rethink", *words, *more]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    before = signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == 0:
        return Outcome("done")
    if code in (EXIT_CODE, -signal.SIGTERM):  # the latter: before it could note the signal
        return Outcome("stopped")
    if holder(folder) is not None:
        return Outcome("elsewhere")
    if code < 0:
        return Outcome("failed", describe_exit(code))
    *_, last = (folder / _LOG).read_text(errors="replace").strip().splitlines()  # at least the command
    return Outcome("failed", last.removeprefix("rethink: "))
