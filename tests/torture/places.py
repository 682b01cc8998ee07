"""Disks that are full, read-only or gone, and a SLURM that takes a job away."""

import contextlib
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from torture import commands, references, settings
from torture.moments import Moment
from torture.outcome import Outcome


def bad_disk(chance: random.Random, place: Path) -> Outcome:
    """A run whose disk turns bad at a moment: it ends with a line, and goes on when the disk is good again."""
    setting = settings.draw(chance, "MLP", ranks=1)
    reference, _ = references.finished(setting)
    references.new_place(place)
    what = chance.choice(("full", "full", "read-only", "vanished", "size of files limited"))
    moment = Moment(chance.randrange(setting.steps))
    done = f"{what} at {moment}"
    runs = place / "runs"
    runs.mkdir()
    mounted = what in ("full", "read-only")
    if mounted and (reason := _mount(runs, "ro" if what == "read-only" else "size=3m")):
        return Outcome("skipped", 0, done, f"mounting is not allowed here: {reason}")
    try:
        acts: dict[str, Callable[[], object]] = {
            "full": lambda: _fill(runs / "filler"),
            "vanished": lambda: [shutil.rmtree(folder, ignore_errors=True) for folder in runs.glob("*")],
            "size of files limited": _limit_files,
        }
        act = acts.get(what, lambda: None)
        first = commands.run(setting.words, place, sabotage=lambda: moment.arrange(act))
        (runs / "filler").unlink(missing_ok=True)
        if first.fault:
            return Outcome(first.fault, 1, done, str(first))
        if first.code != 0 and "runs" not in first.output:
            return Outcome("lost", 1, done, f"{first}\n-> it does not say where")
        if what == "read-only":
            _unmount(runs)
            mounted = False
        last = commands.run(setting.words, place)
        if last.fault or last.code != 0:
            return Outcome(last.fault or "lost", 1, done, f"{first}\n{last}")
        other = references.differences(references.the_run(place), reference)
        return Outcome("wrong" if other else "recovered", 1, done, f"{first}\n{last}\n-> {other}")
    finally:
        if mounted:
            _unmount(runs)


def slurm(chance: random.Random, place: Path) -> Outcome:
    """Real jobs that are preempted and requeued: the tests of it, where there is a SLURM."""
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode != 0:
        return Outcome("skipped", 0, "SLURM", "there is no SLURM here: tests/slurm/cluster starts one, as root")
    tests = references.REPOSITORY / "tests" / "slurm" / "test_slurm.py"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slurm", str(tests)]
    ended = subprocess.run(command, cwd=references.REPOSITORY, capture_output=True, text=True)
    return Outcome("recovered" if ended.returncode == 0 else "lost", 1, "SLURM: preempted jobs", ended.stdout[-3000:])


def _mount(folder: Path, option: str) -> str:
    """Mounts a small file system; returns why not, or nothing."""
    try:
        command = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return "" if mounted.returncode == 0 else mounted.stderr.strip() or "mount failed"


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(b"0" * 4096)
            file.flush()


def _limit_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
