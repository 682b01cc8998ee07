"""One W&B run from its start to its end, within a time that is known, online or in one file on disk."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rethink.dashboard.pushed import Mode

if TYPE_CHECKING:
    import wandb

_PARTIAL = ".wandb-push-"  # folders in which a mirror is made; one that a killed push left is removed by the next


@dataclass(frozen=True)
class Target:
    """Where runs are mirrored to. A group of None is the run's own."""

    mode: Mode
    project: str
    entity: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    timeout: float = 30.0
    """Seconds to wait for W&B to start a run, and again to take it in."""


class NotPushed(Exception):
    """W&B did not take something; the message is the reason, in one line."""


def log_in(target: Target) -> None:
    """Finds the key, without asking anybody for it. Offline nothing is needed.

    Raises:
        NotPushed: There is none.
    """
    import wandb

    wandb.setup(settings=wandb.Settings(mode=target.mode, silent=True))  # else WANDB_MODE would decide
    if target.mode == "online" and not wandb.login(prompt=False, verify=False):
        raise NotPushed("there is no API key: `wandb login`, or set WANDB_API_KEY")


def reachable() -> bool:
    """Whether W&B answers and knows the key; takes ten seconds at most."""
    import wandb

    try:
        return wandb.login(prompt=False, verify=True)
    except Exception:  # whatever it is, W&B cannot be reached now
        return False


@contextmanager
def wandb_run(home: Path, target: Target, about: dict[str, Any]) -> Iterator["wandb.Run"]:
    """A W&B run; when it ends well, everything was taken in, or lies in one file under `home/wandb/`.

    Offline, that file replaces every other one of this run which was not synced, also the logs of the run itself:
    one for each of its starts, with rows in two of them. Online, `home` is left as it is.

    Args:
        home: Folder of what is mirrored, in which nobody else mirrors now.
        target: Where to.
        about: Arguments of `wandb.init`.

    Raises:
        NotPushed: W&B did not start the run, or did not take it in.
    """
    import wandb

    for leftover in home.glob(f"{_PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=home, ignore_cleanup_errors=True) as folder:
        try:
            run = wandb.init(
                **about,
                project=target.project,
                entity=target.entity,
                mode=target.mode,
                dir=folder,
                settings=wandb.Settings(
                    init_timeout=target.timeout,
                    finish_timeout=target.timeout,
                    finish_timeout_raises=True,
                    silent=True,
                    console="off",
                    # This machine and this process are not those of the run.
                    disable_git=True,
                    disable_code=True,
                    x_disable_meta=True,
                    x_disable_stats=True,
                    x_disable_machine_info=True,
                ),
            )
        except Exception as error:  # wandb raises errors of many kinds; none of them is ours
            raise NotPushed(one_line(error)) from error
        try:
            yield run
            run.finish()
        except BaseException as error:
            with suppress(Exception):
                run.finish(exit_code=1)
            if isinstance(error, NotPushed) or not isinstance(error, Exception):
                raise
            raise NotPushed(one_line(error)) from error
        if target.mode == "offline":
            _keep(Path(folder) / "wandb", home, about["id"])


def _keep(new: Path, home: Path, run_id: str) -> None:
    """Moves the one run in `new` to `home/wandb`, in the place of those there that were not synced."""
    (mirror,) = new.glob(f"offline-run-*-{run_id}")
    (home / "wandb").mkdir(exist_ok=True)
    for earlier in offline_runs(home, run_id)[0]:
        shutil.rmtree(earlier)
    shutil.move(mirror, home / "wandb" / mirror.name)


def offline_runs(home: Path, run_id: str) -> tuple[list[Path], list[Path]]:
    """What was logged offline and is waiting, and what was synced, or begun to be: by what `wandb sync` leaves."""
    mirrors = sorted((home / "wandb").glob(f"offline-run-*-{run_id}"))
    synced = [mirror for mirror in mirrors if list(mirror.glob(f"run-{run_id}.wandb.sync*"))]
    return [mirror for mirror in mirrors if mirror not in synced], synced


def check_arrival(run: "wandb.Run", last_step: int, timeout: float) -> None:
    """Asks W&B whether the last row is there: a run ends without an error also where its rows were refused.

    Raises:
        NotPushed: It is not there, such as when a quota is full.
    """
    import wandb

    arrived = -1
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        try:
            api = wandb.Api(timeout=max(1, round(timeout)))
            arrived = api.run(f"{run.entity}/{run.project}/{run.id}").lastHistoryStep
        except Exception as error:
            raise NotPushed(f"whether it arrived is not known ({one_line(error)})") from error
        if arrived >= last_step:
            return
        time.sleep(1)
    raise NotPushed(
        f"W&B has the steps up to {arrived} of {last_step} and takes no more (a full quota? if not, a push was killed "
        "between a summary and its rows, which W&B then refuses: use another --project)"
    )


def one_line(error: BaseException) -> str:
    """The message of an error without its line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
