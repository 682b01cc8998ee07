"""The figures of an experiment, as images on a W&B run of their own."""

import hashlib
import time
from pathlib import Path
from typing import Any

from rethink.dashboard import session
from rethink.dashboard.mirror import PushResult
from rethink.dashboard.pushed import MirrorState, mirror_lock
from rethink.dashboard.session import Target

_KINDS = (".png", ".svg")


def folder_of(experiment: str, scale: str) -> Path | None:
    """`results/<scale>/<experiment>/`, if there are figures."""
    folder = Path("results", scale, experiment)
    return folder if _files(folder) else None


def run_id(experiment: str, scale: str) -> str:
    """Id of the W&B run that shows them."""
    return f"report-{experiment}-{scale}"


def push(experiment: str, scale: str, folder: Path, home: Path, target: Target) -> PushResult:
    """Logs the figures in a folder as they are now. An SVG is shown where there is no PNG of it.

    Args:
        experiment: Name of the experiment.
        scale: Of its runs.
        folder: Of the figures.
        home: Folder for what is known of the mirror.
        target: Where to.

    Raises:
        NotPushed: Something failed.
        Busy: Another process pushes them now.
    """
    files = _files(folder)
    current = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()
    identity = run_id(experiment, scale)
    state = MirrorState(target.entity, target.project, experiment, target.tags, digest=current, finished=True)
    about = {
        "id": identity,
        "name": f"figures of {experiment}, {scale}",
        "group": experiment,
        "job_type": "report",
        "tags": list(target.tags),
        "resume": "allow",
        "config": {"experiment": experiment, "scale": scale},
    }
    with mirror_lock(home):
        if (before := MirrorState.read(home, target.mode)) is not None and before.describes(state):
            return PushResult(None)
        step = round(time.time())  # increases from push to push, also where W&B cannot be asked for the last one
        with session.wandb_run(home, target, about) as run:
            arrived = dict(run.summary).get("figures") == current  # and the push was killed after that
            if not arrived:
                shown = [path for path in files if path.suffix == ".png" or path.with_suffix(".png") not in files]
                run.log({f"figures/{path.stem}": _media(path) for path in shown} | {"figures": current}, step=step)
        if target.mode == "online" and not arrived:
            session.check_arrival(run, step, target.timeout)
        state.write(home, target.mode)
    return PushResult(0 if arrived else 1)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in _KINDS)


def _media(path: Path) -> Any:
    """A figure as W&B shows it: its images are of pixels, so an SVG is a page."""
    import wandb

    return wandb.Image(str(path)) if path.suffix == ".png" else wandb.Html(path.read_text(), data_is_not_path=True)
