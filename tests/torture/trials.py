"""What is drawn: a trial is a seed and a number, and so is what happens in it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from torture import commands, references
from torture.damage import damaged_file
from torture.kills import asked, killed, rank_lost
from torture.outcome import Outcome, Trial
from torture.places import bad_disk, slurm
from torture.sweeps import sweep_disturbed

KINDS: dict[str, Callable[[random.Random, Path], Outcome]] = {
    "killed": killed,
    "damaged file": damaged_file,
    "asked to stop": asked,
    "bad disk": bad_disk,
    "rank lost": rank_lost,
    "sweep": sweep_disturbed,
    "SLURM": slurm,
}
_CYCLE = (*["killed", "killed", "damaged file"] * 12, "asked to stop", "bad disk", "asked to stop")
_SECONDS = 900.0  # of a trial, whose commands have their own limits


def kind_of(number: int) -> str:
    """Forty trials are 24 kills, 12 damaged files, three others, and a sweep, a lost rank or SLURM."""
    cycle, place = divmod(number, len(_CYCLE) + 1)
    if place < len(_CYCLE):
        return _CYCLE[place]
    return "SLURM" if cycle == 2 else ("rank lost", "sweep")[cycle % 2]


def play(seed: int, number: int, kind: str, place: Path) -> Outcome:
    """A trial, in this process and an empty folder."""
    return KINDS[kind](random.Random(f"{seed}/{number}/{kind}"), references.furnish(place))


def play_all(seed: int, wanted: Sequence[tuple[int, str]], workers: int, seconds: float) -> Iterator[Trial]:
    """Trials in processes of their own, so many at a time, until the time is over; those under way are waited for.

    Args:
        seed: From which everything is drawn.
        wanted: Number and kind of each.
        workers: Processes at a time.
        seconds: After which no trial is begun.
    """
    end, waiting = time.monotonic() + seconds, list(reversed(wanted))
    going: dict[int, tuple[int, str, Path, float]] = {}
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        while going or (waiting and time.monotonic() < end):
            while waiting and len(going) < workers and time.monotonic() < end:
                number, kind = waiting.pop()
                result = folder / str(number)
                going[_begin(seed, number, kind, result)] = (number, kind, result, time.monotonic() + _SECONDS)
            for child, (number, kind, result, limit) in list(going.items()):
                if late := time.monotonic() > limit:
                    os.kill(child, signal.SIGKILL)
                if os.waitpid(child, 0 if late else os.WNOHANG)[0]:
                    del going[child]
                    shutil.rmtree(folder / f"place-{number}", ignore_errors=True)
                    yield Trial(number, kind, _outcome(result, late))
            time.sleep(0.02)
    finally:
        for child in going:
            os.kill(child, signal.SIGKILL)
        for mounted in filter(os.path.ismount, folder.glob("*/runs")):  # by a trial that did not end
            subprocess.run(["umount", "-l", str(mounted)])
        shutil.rmtree(folder, ignore_errors=True)


def _begin(seed: int, number: int, kind: str, result: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            commands.die_with_parent()
            place = result.with_name(f"place-{number}")
            result.write_text(json.dumps(asdict(play(seed, number, kind, place))))
        except BaseException:  # the child must never come back
            result.with_suffix(".error").write_text(traceback.format_exc())
        finally:
            os._exit(0)
    return child


def _outcome(result: Path, late: bool) -> Outcome:
    if result.exists():
        return Outcome(**json.loads(result.read_bytes()))
    error = result.with_suffix(".error")
    detail = error.read_text() if error.exists() else ""
    return Outcome("hang" if late else "lost", 0, "the trial itself did not come to its end", detail)
