"""The time that a sweep still takes, from what has ended: how long an epoch is, and how much of a budget is used."""

import heapq
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rethink.sweep.jobs import Job, PlannedRun

_ENDED = ("done", "failed", "damaged")


@dataclass(frozen=True)
class Progress:
    """How far a run is, from its history."""

    state: str
    epoch: int = 0
    epochs: int | None = None
    accuracy: float | None = None
    seconds_per_epoch: float | None = None
    error: str = ""


def seconds_left(
    jobs: Sequence[Job], states: Mapping[str, Progress], slots: int, among: Sequence[Job] | None = None
) -> float | None:
    """Until all are done, or None where nothing is known of one.

    An epoch takes what it takes now, or what one of the same network took. A run with a stop rule ends at that share of
    its budget at which runs of its setting ended, or else those of its network, of which only those count that got
    further than it is; without any it spends its budget.

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
