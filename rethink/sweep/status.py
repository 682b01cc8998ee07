"""What there is of a sweep, as a table that follows it: states, progress, and the time that is left."""

import heapq
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rethink.errors import UserError
from rethink.runs.journal import seconds_per_epoch
from rethink.runs.reading import Columns, read_columns
from rethink.sweep import slurm_array
from rethink.sweep.jobs import Job, PlannedRun, read_failure

_REFRESH = 1.0  # seconds
_MOMENT = 20.0  # seconds
_LINES_ON_SCREEN = 24
_COLOURS = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "damaged": "red",
    "queued": "yellow",
    "interrupted": "yellow",
}
_ENDED = ("done", "failed", "damaged")
_FIRST = ("running", "failed", "damaged", "queued", "interrupted", "missing", "done")
_OTHER_COLUMNS = 12 + 11 + 7 + 7 + 6 + 5 * 2  # of the table, beside the description
_ERRORS_ON_SCREEN = 3


@dataclass(frozen=True)
class Progress:
    """How far a run is, from its history."""

    state: str
    epoch: int = 0
    epochs: int | None = None
    accuracy: float | None = None
    seconds_per_epoch: float | None = None
    error: str = ""


def progress(runs: Sequence[Job], previous: Mapping[str, Progress] | None = None) -> dict[str, Progress]:
    """run_id -> progress. A run that was done stays done, so that a display need not read it again."""
    before = previous or {}
    ended = {run_id: state for run_id, state in before.items() if state.state in ("done", "damaged")}
    states = ended | {run.id: _progress(run) for run in runs if run.id not in ended}
    idle = [run for run in runs if states[run.id].state in ("missing", "interrupted", "failed")]
    try:
        queued = slurm_array.queued(run.folder for run in idle)
    except UserError:  # SLURM does not answer: what was queued still is
        queued = {run.folder for run in idle if run.id in before and before[run.id].state == "queued"}
    for run in idle:
        if run.folder in queued:
            states[run.id] = replace(states[run.id], state="queued", error="")
    return states


def _progress(run: Job) -> Progress:
    state: str = run.state
    error = read_failure(run.folder) or "" if state == "failed" else ""
    if state == "done" and (damage := run.damage):
        state, error = "damaged", damage
    history = _history(run.folder)
    epochs = history.get("epoch", [])
    if not epochs:
        return Progress(state, epochs=run.epochs, error=error)
    names = ("train/accuracy", "seconds/train", "seconds/evaluation")
    accuracies, trained, evaluated = ([value for value in history.get(name, []) if value is not None] for name in names)
    return Progress(
        state,
        int(epochs[-1] or 0),
        run.epochs,
        accuracies[-1] if accuracies else None,
        seconds_per_epoch(trained, evaluated) if trained else None,
        error,
    )


def _history(folder: Path) -> Columns:
    try:
        return read_columns(folder / "history.csv")
    except (OSError, ValueError):  # not there yet, or damaged: the report names that
        return {}


def table(runs: Sequence[Job], states: Mapping[str, Progress], width: int, lines: int | None = None) -> RenderableType:
    """A line per run, then the errors. With `lines`: as many, those that matter now first.

    The run_id is left out where `width` has no room for it beside the description.
    """
    shown = list(runs)
    errors = [run for run in runs if states[run.id].error]
    if lines is not None:
        errors = errors[:_ERRORS_ON_SCREEN]
        if len(shown) > lines - len(errors):
            shown.sort(key=lambda run: _FIRST.index(states[run.id].state))
            shown = shown[: max(1, lines - len(errors))]
    named = width >= _OTHER_COLUMNS + max((len(run.label) for run in runs), default=0)
    headers = [*(["run"] if named else []), "setting", "state", "epoch", "train", "left"]
    grid = Table(*headers, box=None, padding=(0, 1), pad_edge=False)
    for run in shown:
        state = states[run.id]
        accuracy = "" if state.accuracy is None else f"{100 * state.accuracy:.1f} %"
        left = duration(seconds_left([run], states, 1, runs)) if state.state == "running" else ""
        epoch = f"{state.epoch}/{state.epochs}" if state.epoch else ""
        colour = Text(state.state, _COLOURS.get(state.state, "dim"))
        grid.add_row(*([run.id] if named else []), Text(run.label), colour, epoch, accuracy, left)
    crop: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"} if lines is not None else {}
    messages = [Text(f"{run.id} ({run.label}): {states[run.id].error}", "red", **crop) for run in errors]
    return Group(grid, *messages)


def summary(runs: Sequence[Job], states: Mapping[str, Progress], slots: int | None = None) -> str:
    """One line: how many are in which state, and the time left.

    Args:
        runs: Those that are wanted.
        states: How far each is.
        slots: Runs that are done at a time, if that is known; else as many as are now.
    """
    counts = Counter(states[run.id].state for run in runs)
    text = ", ".join(f"{counts[state]} {state}" for state in reversed(_FIRST) if counts[state])
    if not counts["running"]:
        return text
    slots = max(slots or 0, counts["running"])
    left = seconds_left(runs, states, slots)
    return text + (f"; about {duration(left)} left, {slots} at a time" if left is not None else "")


def duration(seconds: float | None) -> str:
    """As `1:05 h` or `12 min` or `40 s`."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60}:{minutes % 60:02d} h"


def seconds_left(
    jobs: Sequence[Job], states: Mapping[str, Progress], slots: int, among: Sequence[Job] | None = None
) -> float | None:
    """Until all are done, or None where nothing is known of one.

    An epoch takes what those before it took, or what one of the same network took. A run with a stop rule ends at that
    share of its budget at which runs of its setting ended, or else those of its network, of which only those count that
    got further than it is; without any it spends its budget.

    Args:
        jobs: In the order in which they are begun.
        states: How far each is, by its id.
        slots: Jobs that are done at a time.
        among: What is known of, if that is more than these.
    """
    compared = jobs if among is None else among
    waiting = sorted(
        (job for job in jobs if states[job.id].state not in _ENDED), key=lambda job: states[job.id].state != "running"
    )
    ends = [0.0] * max(1, slots)  # of what each slot has been given
    for job in waiting:
        seconds = _seconds(job, compared, states)
        if seconds is None:
            return None
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)


def _seconds(job: Job, jobs: Sequence[Job], states: Mapping[str, Progress]) -> float | None:
    state = states[job.id]
    alike = [other for other in jobs if other.kind == job.kind]
    measured = [seconds for other in alike if (seconds := states[other.id].seconds_per_epoch) is not None]
    epoch = state.seconds_per_epoch or (statistics.fmean(measured) if measured else None)
    if epoch is None or state.epochs is None:
        return None
    used = state.epoch / state.epochs if state.epochs else 1.0
    for group in ([other for other in alike if _same_setting(job, other)], alike):
        if shares := [share for other in group if (share := _share(states[other.id])) is not None and share > used]:
            break
    else:
        shares = [1.0]
    return max(0.0, statistics.fmean(shares) - used) * state.epochs * epoch


def _share(state: Progress) -> float | None:
    """Of its budget, that a run that is done has used."""
    return state.epoch / state.epochs if state.state == "done" and state.epoch and state.epochs else None


def _same_setting(job: Job, other: Job) -> bool:
    return (
        isinstance(job, PlannedRun)
        and isinstance(other, PlannedRun)
        and job.setting.without_seed == other.setting.without_seed
    )


def show(console: Console, runs: Sequence[Job], states: Mapping[str, Progress]) -> None:
    """Prints all there is, a run in a line where the output is a file."""
    if not console.is_terminal:
        console.width = max(console.width, _OTHER_COLUMNS + max((len(run.label) for run in runs), default=0))
    console.print(table(runs, states, console.width), soft_wrap=not console.is_terminal)
    console.print(summary(runs, states))


def follow(
    console: Console,
    runs: Sequence[Job],
    going: Callable[[Mapping[str, Progress]], bool],
    slots: int | None = None,
) -> dict[str, Progress]:
    """Shows the table as long as `going`; where the output is a file, a line whenever a run ends.

    `slots` runs are done at a time; where that is not known, as many as were seen at once.
    """
    states = progress(runs)
    printed, ended, seen = "", -1, slots or 0
    with Live(console=console, refresh_per_second=2, transient=True) if console.is_terminal else nullcontext() as live:
        while going(states):
            seen = slots or max(seen, sum(state.state == "running" for state in states.values()))
            if live is not None:
                lines = max(1, min(_LINES_ON_SCREEN, console.height - 4))
                live.update(Group(table(runs, states, console.width, lines), summary(runs, states, seen)))
            elif (now := sum(state.state in ("done", "failed") for state in states.values())) != ended:
                ended, printed = now, summary(runs, states, seen)
                console.print(printed)
            time.sleep(_REFRESH)
            states = progress(runs, states)
    states = progress(runs, states)
    if (last := summary(runs, states, seen)) != printed:
        console.print(last)
    return states


def under_way(runs: Sequence[Job]) -> Callable[[Mapping[str, Progress]], bool]:
    """For `follow`: whether one of the runs is being trained, or waits for its turn on a cluster, or was just now.

    Between two runs of a sweep, and while a preempted task goes back into the queue, none is for a moment.
    """
    seen = time.monotonic()

    def going(states: Mapping[str, Progress]) -> bool:
        nonlocal seen
        mine = {states[run.id].state for run in runs}
        if mine & {"running", "queued"}:
            seen = time.monotonic()
        return not mine <= {"done", "failed", "damaged"} and time.monotonic() - seen < _MOMENT

    return going
