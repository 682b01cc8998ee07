"""Runs what is missing of an experiment on this machine: a process of one thread per core, or a process per GPU.

On two cores two runs of one thread each are faster than one run of two threads, and far faster than two processes
whose threads fight.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from rethink.cluster.preemption import SAME_KEY, stop_signals
from rethink.errors import UserError
from rethink.sweep.cancellation import CANCELLED, Marks, cancelled_since, marks
from rethink.sweep.execution import Outcome, describe_exit
from rethink.sweep.jobs import Job, read_failure, write_failure

_POLL = 2.0  # seconds between two looks at a run that another process trains
_ANNOUNCED_EVERY = 60.0  # seconds, while runs that were stopped save themselves


@dataclass
class _Sweep:
    """What the threads of `run` share."""

    waiting: deque[Job]
    marks: Marks
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    going: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    """run_id -> the worker that does it."""


def run(
    runs: Sequence[Job],
    watch: Callable[[Callable[[], bool]], None],
    workers: int | None = None,
    devices: int = 1,
) -> dict[str, str]:
    """Trains the runs that are not done; returns run_id -> why of those that still are not. One stops no other.

    A run that another process trains is waited for, and taken over when that process dies. One that is cancelled,
    or whose process is asked to stop, is left to the next sweep.

    Args:
        runs: Those that are wanted.
        watch: Shows what is going on until the function that it is given says that nothing is.
        workers: Runs at a time. Default: one per GPU, or one per core, or as many as `devices` leave.
        devices: GPUs, or CPU processes, of each run.
    """
    waiting = deque(run for run in runs if run.state != "done")
    sweep = _Sweep(waiting, marks(waiting))
    threads = [
        threading.Thread(target=_feed_worker, args=(slot, devices, sweep), daemon=True)
        for slot in slots(workers, devices)[: len(waiting)]
    ]
    interrupt = _Interrupt()
    before = {number: signal.signal(number, interrupt) for number in stop_signals()}
    try:
        for thread in threads:
            thread.start()
        watch(lambda: any(thread.is_alive() for thread in threads))
    except KeyboardInterrupt:
        sweep.stopped = True
        _outwait(threads, sweep)
        _say(f"{sum(job.state != 'done' for job in runs)} of {len(runs)} are left.")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return sweep.failed


class _Interrupt:
    """A handler of signals: the first one ends the sweep, a second Ctrl-C its patience. Others ask for the same."""

    first = 0.0

    def __call__(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if not self.first or (number == signal.SIGINT and now - self.first > SAME_KEY):
            self.first = self.first or now
            raise KeyboardInterrupt


def _outwait(threads: Sequence[threading.Thread], sweep: _Sweep) -> None:
    """Waits until the runs that are going on have saved themselves, however long that takes: steps may take minutes.

    Raises:
        KeyboardInterrupt: Ctrl-C again. The runs are then killed, and go on from where they saved themselves last.
    """
    announced = -_ANNOUNCED_EVERY
    try:
        while any(thread.is_alive() for thread in threads):
            if sweep.going and time.monotonic() - announced > _ANNOUNCED_EVERY:
                announced = time.monotonic()
                _say(f"Waiting until these have saved themselves: {', '.join(sweep.going)}. Ctrl-C again ends at once.")
            time.sleep(0.1)
    except KeyboardInterrupt:
        for worker in [*sweep.going.values()]:
            _kill(worker)
        raise


def _say(line: str) -> None:
    with suppress(OSError):  # a terminal that is closed
        print(line, file=sys.stderr, flush=True)


def slots(workers: int | None, devices: int) -> list[dict[str, str]]:
    """The environment of each worker process: its GPUs, or its share of the cores."""
    gpus = visible_gpus()
    if gpus:
        count = len(gpus) // devices
        if count == 0:
            raise UserError(f"--devices {devices}: this machine has {len(gpus)} GPU(s).")
        groups = [",".join(gpus[n * devices : (n + 1) * devices]) for n in range(count)]
        return [{"CUDA_VISIBLE_DEVICES": groups[n % count]} for n in range(workers or count)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = workers or max(1, cores // devices)
    return [{"OMP_NUM_THREADS": str(max(1, cores // (count * devices)))}] * count


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, asked without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(n) for n, line in enumerate(listed.splitlines()) if line.startswith("GPU")]


def _feed_worker(slot: dict[str, str], devices: int, sweep: _Sweep) -> None:
    """Feeds one worker until nothing is left to do; a worker that dies is replaced."""
    worker: subprocess.Popen[str] | None = None
    while not sweep.stopped:
        try:
            planned = sweep.waiting.popleft()
        except IndexError:
            break
        if cancelled_since(planned, sweep.marks):
            sweep.failed[planned.id] = CANCELLED
            continue
        match planned.state:
            case "done":
                continue
            case "failed":  # meanwhile, in another sweep
                sweep.failed[planned.id] = read_failure(planned.folder) or ""
                continue
            case "running":
                sweep.waiting.append(planned)
                time.sleep(_POLL / max(1, len(sweep.waiting)))
                continue
        if worker is not None and worker.poll() is not None:
            _end_worker(worker)
            worker = None
        try:
            worker = worker or _start_worker(slot)
            sweep.going[planned.id] = worker
            outcome = _run_on_worker(worker, planned, devices, sweep)
        except OSError as error:
            outcome = Outcome("failed", f"no process can be started: {error}")
        finally:
            sweep.going.pop(planned.id, None)
        if outcome.what == "failed":
            sweep.failed[planned.id] = outcome.error
        elif outcome.what == "stopped":
            sweep.failed[planned.id] = CANCELLED
        elif outcome.what == "elsewhere":
            sweep.waiting.append(planned)
    if worker is not None:
        _end_worker(worker)


def _start_worker(slot: dict[str, str]) -> subprocess.Popen[str]:
    """A worker in a session of its own: Ctrl-C in the terminal reaches it through us, as a signal to save."""
    # In a SLURM job this sweep has the job's resources to itself: its runs are no steps of that job.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "PMI"))}
    return subprocess.Popen(
        [sys.executable, "-m", "rethink.sweep.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=inherited | slot,
        start_new_session=True,
    )


def _run_on_worker(worker: subprocess.Popen[str], planned: Job, devices: int, sweep: _Sweep) -> Outcome:
    assert worker.stdin is not None
    assert worker.stdout is not None
    task = {"words": planned.command, "folder": str(planned.folder), "devices": devices}
    try:
        worker.stdin.write(json.dumps(task) + "\n")
        worker.stdin.flush()
        while not select.select([worker.stdout], [], [], 0.5)[0]:
            if sweep.stopped or cancelled_since(planned, sweep.marks):
                worker.terminate()  # asks the run to save itself
                break
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if answer.endswith("\n"):
        outcome = Outcome(**json.loads(answer))
        if outcome.what == "stopped":
            worker.wait()  # it ends with its run
        return outcome
    code = worker.wait()
    if sweep.stopped or code == -signal.SIGTERM:  # a signal before the run could note it
        return Outcome("stopped")
    error = f"{describe_exit(code)}; see {planned.folder / 'log.txt'}"
    write_failure(planned.folder, error)
    return Outcome("failed", error)


def _end_worker(worker: subprocess.Popen[str]) -> None:
    """Lets a worker go, with whatever is left of its session: the processes of a run over several devices."""
    assert worker.stdin is not None
    with suppress(BrokenPipeError):
        worker.stdin.close()
    if worker.wait() != 0:
        _kill(worker)


def _kill(worker: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
