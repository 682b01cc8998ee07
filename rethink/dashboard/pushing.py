"""Pushes one thing after the other to W&B: what fails is said in a line, and stops no other."""

from collections import Counter
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rethink.dashboard import session
from rethink.dashboard.mirror import PushResult
from rethink.dashboard.pushed import Busy
from rethink.errors import UserError

Push = Callable[[], PushResult]


def push_all(pushes: Mapping[str, Push], target: session.Target) -> Counter[str]:
    """Pushes everything.

    Args:
        pushes: Name -> what sends it.
        target: Where to.

    Returns:
        How many were `pushed`, had `nothing new` or were `not pushed`, and how many `rows` were sent.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    counted: Counter[str] = Counter()
    everywhere = ""  # why nothing can be pushed
    try:
        session.log_in(target)
    except session.NotPushed as error:
        everywhere = str(error)
    with _progress(console) as progress:
        task = progress.add_task("", total=len(pushes))
        for name, push in pushes.items():
            progress.update(task, description=name)
            reason = everywhere
            try:
                sent = push() if not everywhere else None
            except Busy:
                reason = "the run logs itself now, or another process pushes it"
            except session.NotPushed as error:
                reason = str(error)
                if target.mode == "online" and not session.reachable():
                    everywhere = reason
            except UserError as error:
                reason = str(error)
            if reason:
                line = f"cannot push {name}: {reason.rstrip('.')}; `rethink wandb push` again sends the rest"
                console.print(f"W&B: {line}.", markup=False)
                counted["not pushed"] += 1
            elif sent is not None:
                if sent.note:
                    console.print(f"W&B: {name}: {sent.note}.", markup=False)
                counted["nothing new" if sent.rows is None else "pushed"] += 1
                counted["rows"] += sent.rows or 0
            progress.advance(task)
    return counted


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
