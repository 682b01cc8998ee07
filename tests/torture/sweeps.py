"""Sweeps that are killed, interrupted or doubled, with their workers: the next one ends with the same runs."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from torture import commands, references
from torture.outcome import Outcome
from torture.references import EXPERIMENT

SECONDS = 300.0
_RUN = ("sweep", "run", EXPERIMENT, "--workers", "1")


def sweep_disturbed(chance: random.Random, place: Path) -> Outcome:
    """A sweep that is killed or interrupted, whose worker is killed, or that is not alone; then it is repeated."""
    source = references.store()
    references.new_place(place)
    number = chance.randrange(1, 3)
    what = chance.choice(tuple(_ACTS))
    twin = os.fork() if what == "two at once" else None
    if twin == 0:
        commands.die_with_parent()
        ended = commands.run(_RUN, place, seconds=SECONDS)
        os._exit(ended.code if ended.code is not None and not ended.fault else 99)
    first = commands.run(_RUN, place, seconds=SECONDS, sabotage=lambda: _when_begun(number, _ACTS[what]))
    done = f"sweep: {what} at run {number}"
    if first.fault:
        return Outcome(first.fault, 1, done, str(first))
    if what == "interrupted" and first.code not in (0, 130):
        return Outcome("wrong", 1, done, f"{first}\n-> exit code {first.code} for SIGINT")
    if twin is not None and (code := os.waitstatus_to_exitcode(os.waitpid(twin, 0)[1])) != 0:
        return Outcome("wrong", 1, done, f"{first}\n-> the other sweep ended with {code}")
    last = commands.run(("sweep", "retry", *_RUN[2:]), place, seconds=SECONDS)
    if last.fault or last.code != 0:
        return Outcome(last.fault or "lost", 1, done, f"{first}\n{last}")
    other = [
        f"{name} of {run}"
        for run in references.run_ids(source)
        for name in references.differences(place / "runs" / run, source / "runs" / run)
    ]
    return Outcome("wrong" if other else "recovered", 1, done, f"{first}\n{last}\n-> {other}")


def _when_begun(number: int, act: Callable[[], object]) -> None:
    """Has a thread of this process act when so many runs have begun."""

    def watch() -> None:
        while len(list(Path("runs").glob("*/history.csv"))) < number:
            time.sleep(0.02)
        act()

    threading.Thread(target=watch, daemon=True).start()


def _kill_worker() -> None:
    from rethink.cluster.lease import holder

    for folder in Path("runs").glob("*/"):
        if (owner := holder(folder)) is not None:
            os.kill(owner.pid, signal.SIGKILL)


_ACTS: dict[str, Callable[[], object]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "interrupted": lambda: os.kill(os.getpid(), signal.SIGINT),
    "worker killed": _kill_worker,
    "two at once": lambda: None,
}
