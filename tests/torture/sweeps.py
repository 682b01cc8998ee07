"""Sweeps that are killed, interrupted or doubled, with their workers: the next one ends with the same runs."""

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL

from torture import commands, references
from torture.moments import strike
from torture.outcome import Outcome

SECONDS = 300.0
_RUN = ("sweep", "run", references.EXPERIMENT, "--workers", "1")


def sweep_disturbed(chance: random.Random, place: Path) -> Outcome:
    """A sweep is killed or interrupted, or its worker is killed, or it is not alone; then it is repeated."""
    source, number, what = references.store(), chance.randrange(1, 3), chance.choice(tuple(_ACTS))
    done = f"{what} at run {number}"
    twin = os.fork() if what == "two at once" else None
    if twin == 0:
        commands.die_with_parent()
        ended = commands.run(_RUN, place, seconds=SECONDS)
        os._exit(99 if ended.fault or ended.code is None else ended.code)
    first = commands.run(_RUN, place, seconds=SECONDS, sabotage=lambda: _when_begun(number, _ACTS[what]))
    if twin is not None and (code := os.waitstatus_to_exitcode(os.waitpid(twin, 0)[1])) != 0:
        return Outcome("wrong", 1, done, f"{first}\n-> the other sweep ended with {code}")
    if first.fault or (what == "interrupted" and first.code not in (0, 130)):
        return Outcome(first.fault or "wrong", 1, done, f"{first}\n-> SIGINT ends with exit code 130")
    last = commands.run(("sweep", "retry", *_RUN[2:]), place, seconds=SECONDS)
    if last.fault or last.code != 0:
        return Outcome(last.fault or "lost", 1, done, f"{first}\n{last}")
    ids = references.run_ids(source)
    other = [run for run in ids if references.differences(place / "runs" / run, source / "runs" / run)]
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
            os.kill(owner.pid, SIGKILL)


_ACTS: dict[str, Callable[[], object]] = {
    "killed": strike(SIGKILL),
    "interrupted": strike(SIGINT),
    "worker killed": _kill_worker,
    "two at once": lambda: None,
}
