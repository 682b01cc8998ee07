"""Runs what is missing of an experiment on this machine: a process of one thread per core, or a process per GPU.

On two cores two runs of one thread each are faster than one run of two threads, and far faster than two processes
whose threads fight.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rethink.errors import UserError
from rethink.records.run import read_columns
from rethink.sweep.plan import PlannedRun


@dataclass
class _Slot:
    """A worker and what it is training."""

    number: int
    environment: dict[str, str]
    run: PlannedRun | None = None


@dataclass
class _Progress:
    """What the display shows."""

    total: int
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def run(runs: Sequence[PlannedRun], workers: int | None = None) -> dict[str, str]:
    """Trains the runs that are not done; returns run_id -> error of those that failed. One failure stops no other.

    Args:
        runs: The plan.
        workers: Processes at a time. Default: one per GPU, or one per core.
    """
    waiting = [run for run in runs if run.state != "done"]
    slots = _slots(workers)[: len(waiting)]
    queue: SimpleQueue[PlannedRun] = SimpleQueue()
    for planned in waiting:
        queue.put(planned)
    progress = _Progress(len(runs), len(runs) - len(waiting))
    stop = threading.Event()
    threads = [threading.Thread(target=_serve, args=(slot, queue, progress, stop), daemon=True) for slot in slots]
    console = Console(stderr=True, highlight=False)
    try:
        for thread in threads:
            thread.start()
        _watch(console, slots, progress, threads)
    except KeyboardInterrupt:
        stop.set()
        raise
    return progress.failed


def _slots(workers: int | None) -> list[_Slot]:
    gpus = _gpus()
    if gpus:
        return [_Slot(n, {"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]}) for n in range(workers or len(gpus))]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = workers or cores
    return [_Slot(n, {"OMP_NUM_THREADS": str(max(1, cores // count))}) for n in range(count)]


def _gpus() -> list[str]:
    """The GPUs that this process may use, asked without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(n) for n, line in enumerate(listed.splitlines()) if line.startswith("GPU")]


def _serve(slot: _Slot, queue: SimpleQueue[PlannedRun], progress: _Progress, stop: threading.Event) -> None:
    """Feeds one worker until nothing is left; a worker that dies is replaced."""
    worker: subprocess.Popen[str] | None = None
    try:
        while not stop.is_set():
            try:
                slot.run = queue.get_nowait()
            except Empty:
                return
            if worker is None or worker.poll() is not None:
                worker = _start(slot)
            error = _ask(worker, slot.run)
            if error is not None:
                progress.failed[slot.run.run_id] = error
            progress.done += 1
    finally:
        slot.run = None
        if worker is not None:
            worker.kill() if stop.is_set() else worker.stdin and worker.stdin.close()
            worker.wait()


def _start(slot: _Slot) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rethink.sweep.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | slot.environment,
    )


def _ask(worker: subprocess.Popen[str], planned: PlannedRun) -> str | None:
    assert worker.stdin is not None
    assert worker.stdout is not None
    task = {"arguments": planned.arguments, "log": str(planned.folder / "log.txt")}
    try:
        worker.stdin.write(json.dumps(task) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        return f"its process ended with code {worker.wait()}; see {planned.folder / 'log.txt'}"
    error: str | None = json.loads(answer)
    return error


def _watch(console: Console, slots: list[_Slot], progress: _Progress, threads: list[threading.Thread]) -> None:
    """The live display; where the output is a file, a line for each run that ends."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("runs", total=progress.total, completed=progress.done)
    shown = progress.done
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while any(thread.is_alive() for thread in threads):
            bar.update(task, completed=progress.done)
            if console.is_terminal:
                live.update(Group(bar, *(_line(slot) for slot in slots)))
            elif progress.done != shown:
                shown = progress.done
                console.print(f"{shown}/{progress.total} runs, {len(progress.failed)} failed")
            time.sleep(0.25)
    console.print(f"{progress.done}/{progress.total} runs done, {len(progress.failed)} failed")


def _line(slot: _Slot) -> Text:
    planned = slot.run
    if planned is None:
        return Text(f"  worker {slot.number}: -", style="dim")
    try:
        history = read_columns(planned.folder / "history.csv")
        epoch, accuracy = history["epoch"][-1], history["train/accuracy"][-1]
        state = f"epoch {epoch:.0f}, train {100 * (accuracy or 0):.1f} %"
    except (OSError, ValueError, KeyError, IndexError):  # not there yet
        state = "starting"
    return Text(f"  worker {slot.number}: {planned.label}: {state}")


def check(failed: dict[str, str]) -> None:
    """Raises what failed as one message."""
    if failed:
        lines = "\n".join(f"  {run_id}: {error}" for run_id, error in failed.items())
        raise UserError(f"{len(failed)} runs failed; the others are kept. Start again to retry.\n{lines}")
