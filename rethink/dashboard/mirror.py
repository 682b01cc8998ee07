"""The mirror of a run in W&B: names, configuration and rows as logged live, then the outcome and its record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rethink.dashboard import description, session
from rethink.dashboard.local import LocalRun, Row, digest, step_of, unsent
from rethink.dashboard.pushed import Busy, MirrorState, mirror_lock
from rethink.dashboard.session import NotPushed, Target
from rethink.errors import UserError

if TYPE_CHECKING:
    import wandb


@dataclass(frozen=True)
class PushResult:
    """What a push did: rows that were sent (None: nothing was to be done), and what the user should know."""

    rows: int | None
    note: str = ""


def push_all(folders: Sequence[Path], target: Target) -> Counter[str]:
    """Pushes one run after the other; what fails is said in a line, and stops no other.

    Returns:
        How many were `pushed`, had `nothing new` or were `not pushed`, and how many `rows` were sent.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    counted: Counter[str] = Counter()
    everywhere = ""  # why nothing can be pushed
    try:
        session.log_in(target)
    except NotPushed as error:
        everywhere = str(error)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(folders))
        for folder in folders:
            progress.update(task, description=folder.name)
            reason = everywhere
            try:
                sent = push(folder, target) if not everywhere else None
            except Busy:
                reason = "the run logs itself now, or another process pushes it"
            except NotPushed as error:
                reason = str(error)
                if target.mode == "online" and not session.reachable():
                    everywhere = reason
            except UserError as error:
                reason = str(error)
            if reason:
                line = f"cannot push {folder.name}: {reason.rstrip('.')}; `rethink wandb push` again sends the rest"
                console.print(f"W&B: {line}.", markup=False)
                counted["not pushed"] += 1
            elif sent is not None:
                if sent.note:
                    console.print(f"W&B: {folder.name}: {sent.note}.", markup=False)
                counted["nothing new" if sent.rows is None else "pushed"] += 1
                counted["rows"] += sent.rows or 0
            progress.advance(task)
    return counted


def push(folder: Path, target: Target) -> PushResult:
    """Mirrors a run, finished or not: online what W&B does not have yet, offline all of it in one file.

    Raises:
        NotPushed: Something failed. What W&B has it keeps; the next push sends the rest.
        Busy: The run logs itself now, or is being pushed by another process.
        UserError: The run's files are damaged.
    """
    with mirror_lock(folder):
        local = LocalRun.read(folder)
        if not local.rows:
            return PushResult(None, "no epoch yet")
        before = _earlier(folder, target)
        if before is not None:  # a group and tags that an earlier push gave stay
            tags = tuple(dict.fromkeys([*before.tags, *target.tags]))
            target = replace(target, group=target.group or before.group, tags=tags)
            if before == _state(local, target):
                return PushResult(None)
        return (_push_online if target.mode == "online" else _push_offline)(local, target, before)


def _earlier(folder: Path, target: Target) -> MirrorState | None:
    """The earlier mirror in the same project. No entity is one's default one, which can be any."""
    before = MirrorState.read(folder)
    if before is None or before.project != target.project:
        return None
    return before if None in (before.entity, target.entity) or before.entity == target.entity else None


def _push_online(local: LocalRun, target: Target, before: MirrorState | None) -> PushResult:
    note = ""
    logged = before.rows if before is not None and before.mode == "online" else 0
    if before is not None and logged and digest(local.rows[:logged]) != before.digest:
        note = (
            f"trained anew since; W&B keeps its rows up to step {before.last_step}, which cannot be changed. "
            "For the new ones push to another --project"
        )
    with session.wandb_run(local.folder, target, _about(local, target)) as run:
        rows = unsent(local.rows, last_step(run.starting_step, dict(run.summary), local.rows))
        _log(run, rows)
        complete(run, local, wait=target.timeout)
    session.check_arrival(run, local.last_step, target.timeout)
    _state(local, target).write(local.folder)
    return PushResult(len(rows), note)


def _push_offline(local: LocalRun, target: Target, before: MirrorState | None) -> PushResult:
    waiting, synced = session.offline_runs(local.folder, local.run_id)
    if synced or (before is not None and (before.mode == "online" or not waiting)):
        raise NotPushed(
            "W&B has rows of it, or may have, and `wandb sync` would add a whole file to them: use --mode online"
        )
    with session.wandb_run(local.folder, target, _about(local, target)) as run:
        _log(run, local.rows)
        complete(run, local)
    _state(local, target).write(local.folder)
    return PushResult(len(local.rows))


def _about(local: LocalRun, target: Target) -> dict[str, Any]:
    named = description.names(local.run_id, local.settings, group=target.group, tags=target.tags)
    return named | {
        "job_type": "fit",
        "config": description.config(local.settings, (local.record or {}).get("identity")),
    }


def last_step(next_step: int, summary: Mapping[str, Any], rows: Sequence[Row]) -> int:
    """The optimizer step of the last row that W&B has; -1 where it has none.

    Args:
        next_step: `run.starting_step` of a resumed run, its last step and one; 0 of a new run. (`run.step` is 0 of
            both.)
        summary: Of the resumed run. It decides only where another logger numbered the rows 0, 1, 2 and so on.
        rows: The local history.
    """
    last = next_step - 1
    logged = summary.get(description.STEP)
    if last < 0 or any(step_of(row) == last for row in rows) or not isinstance(logged, int | float):
        return last
    return max(last, int(logged))


def _log(run: "wandb.Run", rows: Sequence[Row]) -> None:
    run.define_metric(description.STEP)
    run.define_metric("*", step_metric=description.STEP, step_sync=True)
    for row in rows:
        step = step_of(row)
        run.log(description.entry(row, step), step=step, commit=True)


def complete(run: "wandb.Run", local: LocalRun, wait: float | None = None) -> None:
    """Adds what is known when a run is finished: its outcome, and its record with the digests of labels and images.

    Args:
        run: The W&B run.
        local: The run; if it is not finished, nothing is added.
        wait: Seconds within which W&B must have taken the record in. By default it is not waited for.
    """
    if local.record is None:
        return
    import wandb

    run.summary.update(description.summary(local.record))
    artifact = wandb.Artifact(
        f"record-{local.run_id}",
        type="record",
        description="record.json and config.yaml; the metadata are the SHA-256 sums of what the network was fed",
        metadata=local.record["data"].get("digests") or {},
    )
    for name in ("record.json", "config.yaml"):
        if (path := local.folder / name).is_file():
            artifact.add_file(str(path), name=name, policy="immutable")  # not copied into W&B's own folders
    logged = run.log_artifact(artifact)
    if wait is not None:
        logged.wait(timeout=max(1, round(wait)))


def _state(local: LocalRun, target: Target) -> MirrorState:
    return MirrorState(
        mode=target.mode,
        entity=target.entity,
        project=target.project,
        group=target.group,
        tags=target.tags,
        last_step=local.last_step,
        rows=len(local.rows),
        digest=digest(local.rows),
        finished=local.record is not None,
    )
