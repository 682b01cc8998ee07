"""Disks that are full, read-only or gone, and a SLURM that takes a job away."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from torture import commands, references, settings
from torture.kills import judge
from torture.moments import Moment
from torture.outcome import Outcome


def bad_disk(chance: random.Random, place: Path) -> Outcome:
    """A run whose disk turns bad at a moment: it ends with a line, and goes on when the disk is good again."""
    setting = settings.draw(chance, "MLP", ranks=1)
    reference, _ = references.finished(setting)
    words = (*setting.words, *settings.OFTEN)
    what = chance.choice(("full", "full", "full", "read-only", "gone", "file size limited"))
    moment, room = Moment(chance.randrange(setting.steps)), chance.choice((0, chance.randrange(300_000)))
    done = f"{what} at {moment}" + (f", {room:,} bytes left" if what == "full" else "")
    runs = place / "runs"
    runs.mkdir()
    acts: dict[str, Callable[[], object]] = {
        "full": lambda: _fill(runs / "filler", room),
        "gone": lambda: [shutil.rmtree(folder, ignore_errors=True) for folder in runs.glob("*")],
        "file size limited": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY)),
        "read-only": lambda: None,  # from the start
    }
    with contextlib.ExitStack() as mounts:
        if what in ("full", "read-only"):
            options = "ro" if what == "read-only" else "size=3m"
            if reason := _mounted(runs, options, mounts):
                return Outcome("skipped", 0, done, f"mounting is not allowed here: {reason}")
        first = commands.run(words, place, sabotage=lambda: moment.arrange(acts[what]))
        if first.fault or (first.code != 0 and "runs" not in first.output):
            return Outcome(first.fault or "lost", 1, done, f"{first}\n-> it must say where")
        with contextlib.suppress(OSError):
            (runs / "filler").unlink()
        if what == "read-only":
            mounts.close()
        last = commands.run(words, place)
        outcome, why = judge(last, place, reference)
    return Outcome(outcome, 1, done, f"{first}\n{last}\n-> {why}")


def slurm(chance: random.Random, place: Path) -> Outcome:
    """Real jobs that are preempted and requeued: the tests of it, where there is a SLURM."""
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode != 0:
        return Outcome("skipped", 0, "SLURM", "there is no SLURM here; tests/slurm/cluster starts one, as root")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slurm", "tests/slurm/test_slurm.py"]
    ended = subprocess.run(command, cwd=references.REPOSITORY, capture_output=True, text=True)
    return Outcome("recovered" if ended.returncode == 0 else "lost", 1, "preempted jobs", ended.stdout[-3000:])


def _mounted(folder: Path, options: str, mounts: contextlib.ExitStack) -> str:
    """Mounts a small file system until the stack is closed; returns why not, or nothing."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    if mounted.returncode != 0:
        return mounted.stderr.strip() or "mount failed"
    mounts.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
    return ""


def _fill(path: Path, room: int) -> None:
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    os.truncate(path, max(0, path.stat().st_size - room))
